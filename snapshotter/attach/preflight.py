"""Every precondition of a snapshot, in order, found out without touching the process.

:func:`examine` is the whole list, for ``snap doctor``. :func:`inside_problem` is the part that
can change and is asked again before each request.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from snapshotter.attach import limits
from snapshotter.attach.compilers import can_compile
from snapshotter.attach.leftovers import leftovers
from snapshotter.attach.namespaces import Namespace, credentials, inner_pid, same_namespace
from snapshotter.attach.permission import may_write, refusal
from snapshotter.attach.places import find_place
from snapshotter.attach.process import identify
from snapshotter.attach.surroundings import (
    check_container,
    check_security_module,
    check_user,
    sandbox_of,
)
from snapshotter.errors import (
    NotPermittedError,
    SnapshotterError,
    TooManyFilesError,
    TornReadError,
    check_files,
)
from snapshotter.model import MainState
from snapshotter.model.checks import Check, CheckStatus, Report
from snapshotter.outside.memory import Memory, living_threads
from snapshotter.outside.procfs import process_state
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.view import OutsideReader

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Check",
    "CheckStatus",
    "Report",
    "carrier_problem",
    "examine",
    "inside_problem",
    "refusals",
    "why_not_inside",
]

_OK, _WARN, _FAIL = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL
_VIEW_BUDGET_NS = 2_000_000
_VOLATILE = (
    limits.check_state,
    limits.check_seccomp,
    limits.check_file_size,
    limits.check_descriptors,
)


def examine(pid: int) -> Report:
    """Check everything that a snapshot needs. Never attaches, never writes.

    Raises only TooManyFilesError, which tells nothing of the process.
    """
    checks: list[Check] = []
    try:
        checks.extend(_examine(pid))
    except TooManyFilesError:
        raise
    except SnapshotterError as error:
        checks.append(Check("process", _FAIL, error.message, error.hint))
    except PermissionError:
        sentence = f"The kernel does not let us look at process {pid}."
        checks.append(
            Check(
                "permission", _FAIL, sentence, "Run snap as root, or as the user of that process."
            )
        )
    except OSError as error:
        check_files(error)
        checks.append(Check("process", _FAIL, _ended(pid)))
    return Report(pid, tuple(checks))


def refusals(report: Report) -> tuple[Check, ...]:
    """Return the checks that forbid a request to the process."""
    return tuple(check for check in report.checks if check.status is _FAIL)


def inside_problem(pid: int, runtime: Runtime) -> str | None:
    """Return why no request may be sent now, the beginning of no sentence; None if it may.

    Only what can change while a process runs is looked at, apart from its build.
    """
    try:
        facts = limits.Facts.read(pid)
        checks = [_check_remote_debugging(runtime), _check_build(runtime)]
        checks += [check(facts) for check in _VOLATILE]
    except OSError as error:
        return _fragment(_unreadable(pid, error))
    except SnapshotterError as error:
        return _fragment(error.message)
    return next((_fragment(check.sentence) for check in checks if check.status is _FAIL), None)


def why_not_inside(pid: int, runtime: Runtime) -> str:
    """Return the sentence of the first check that forbids a request; empty when none does."""
    try:
        facts = limits.Facts.read(pid)
        checks = (
            *(check(facts) for check in _VOLATILE),
            *_check_runtime(pid, runtime),
            _check_spool(pid),
        )
    except OSError as error:
        return _unreadable(pid, error)
    except SnapshotterError as error:
        return error.message
    return next((check.sentence for check in checks if check.status is _FAIL), "")


def carrier_problem(pid: int) -> str | None:
    """Return why no thread can be started in the process; None if one can."""
    try:
        check = limits.check_thread(limits.Facts.read(pid))
    except OSError as error:
        return _fragment(_unreadable(pid, error))
    return None if check.status is _OK else _fragment(check.sentence)


def _unreadable(pid: int, error: OSError) -> str:
    """Say why a process cannot be looked at."""
    try:
        check_files(error)
    except TooManyFilesError as failure:
        return failure.message
    return _ended(pid)


def _ended(pid: int) -> str:
    return f"Process {pid} ended while it was looked at."


def _fragment(sentence: str) -> str:
    """Make a sentence fit behind a colon."""
    return (sentence[:1].lower() + sentence[1:]).removesuffix(".")


def _examine(pid: int) -> Iterator[Check]:
    exists = _check_exists(pid)
    yield exists
    if exists.status is _FAIL:
        return
    permission = _check_permission(pid)
    yield permission
    if permission.status is _FAIL:
        return
    try:
        with Memory(pid) as memory:
            runtime = Runtime.attach(pid, memory)
            yield Check("python", _OK, f"It runs CPython {runtime.version_text}.")
            yield from _check_runtime(pid, runtime)
    except TooManyFilesError:
        raise
    except SnapshotterError as error:
        sandbox = sandbox_of(pid)
        fix = f"It is {sandbox}: run snap inside of it." if sandbox else error.hint
        yield Check("python", _FAIL, error.message, fix)
        return
    yield check_user(pid)
    yield _check_namespaces(pid)
    yield check_container(pid)
    yield check_security_module(pid)
    facts = limits.Facts.read(pid)
    for check in (*_VOLATILE, limits.check_thread):
        yield check(facts)
    yield _check_spool(pid)
    yield _check_controllers(pid)
    yield _check_leftovers(pid)


def _check_exists(pid: int) -> Check:
    state = process_state(pid)
    if state is None:
        return Check("process", _FAIL, f"There is no process {pid}.", "snap ps")
    if state in "ZX":
        other = next(living_threads(pid), None)
        if other is not None:
            sentence = f"The main thread of process {pid} has ended; others still run."
            return Check("process", _FAIL, sentence, f"snap dump {other}")
        sentence = f"Process {pid} has ended; its parent has not taken notice yet."
        return Check("process", _FAIL, sentence, "snap ps")
    return Check("process", _OK, f"Process {pid} is there.")


def _check_permission(pid: int) -> Check:
    if may_write(pid):
        return Check("permission", _OK, "We may read and write its memory.")
    sentence, fix = refusal(pid)
    return Check("permission", _FAIL, sentence, fix)


def _check_runtime(pid: int, runtime: Runtime) -> Iterator[Check]:
    yield _check_remote_debugging(runtime)
    yield _check_build(runtime)
    yield _check_interpreters(runtime)
    yield _check_main_thread(pid, runtime)
    yield _check_bytecode(pid, runtime)


def _check_remote_debugging(runtime: Runtime) -> Check:
    if runtime.main_interpreter().remote_debugging_enabled:
        return Check("remote-debugging", _OK, "Remote debugging is allowed.")
    return Check(
        "remote-debugging",
        _FAIL,
        "Remote debugging is switched off in the process: snapshots are from outside only.",
        "Start it without -X disable-remote-debug and PYTHON_DISABLE_REMOTE_DEBUG.",
    )


def _check_build(runtime: Runtime) -> Check:
    if runtime.free_threaded:
        sentence = "It is a free-threaded build: snapshots are from outside only."
        return Check("build", _FAIL, sentence, "Run it with the usual build of CPython.")
    return Check("build", _OK, "The build has a global interpreter lock.")


def _check_interpreters(runtime: Runtime) -> Check:
    count = len(runtime.interpreters())
    if count == 1:
        return Check("interpreters", _OK, "There is one interpreter.")
    sentence = (
        f"There are {count} interpreters: the inside view is of the main one, "
        "the others are read from outside."
    )
    return Check("interpreters", _WARN, sentence)


def _check_main_thread(pid: int, runtime: Runtime) -> Check:
    try:
        view = OutsideReader(pid, runtime.memory, runtime).read(budget_ns=_VIEW_BUDGET_NS)
    except TornReadError as error:
        return Check("main-thread", _WARN, f"The main thread could not be read. {error.message}")
    detail = f": {view.main_detail}" if view.main_detail else ""
    if view.main in {MainState.ENDING, MainState.GONE}:
        sentence = f"No request can start any more, the main thread is {view.main}{detail}."
        return Check("main-thread", _FAIL, sentence)
    if view.main is MainState.BLOCKED:
        return Check(
            "main-thread",
            _WARN,
            f"The main thread is blocked{detail}. Until it runs, snapshots are from outside.",
            f"snap dump {pid} --patience 10s",
        )
    if view.main is MainState.STOPPED:
        return Check("main-thread", _WARN, f"The main thread is {view.main_detail}.")
    if view.main is MainState.UNKNOWN:
        return Check("main-thread", _OK, f"What the main thread does is not known{detail}.")
    return Check("main-thread", _OK, f"The main thread can be asked{detail}.")


def _check_bytecode(pid: int, runtime: Runtime) -> Check:
    version = ".".join(map(str, runtime.version))
    if can_compile(runtime.version, pid=pid):
        return Check("bytecode", _OK, f"The probe can be compiled for CPython {version}.")
    sentence = f"There is no CPython {version} on this machine to compile the probe with."
    return Check("bytecode", _FAIL, sentence, f"Put python{version} on PATH.")


def _check_namespaces(pid: int) -> Check:
    other = [kind.name.lower() for kind in Namespace if not same_namespace(pid, kind)]
    if not other:
        return Check("namespaces", _OK, "It lives in our namespaces.")
    inner = inner_pid(pid)
    number = f"; it knows itself as process {inner}" if inner != pid else ""
    sentence = f"It lives in another namespace of this kind: {', '.join(other)}{number}."
    return Check("namespaces", _OK, sentence)


def _check_spool(pid: int) -> Check:
    try:
        with find_place(pid, credentials(pid).uid) as place:
            return Check("spool", _OK, f"Files can be shared with it in {place.path}.")
    except NotPermittedError as error:
        return Check("spool", _FAIL, error.message, error.hint)


def _check_controllers(pid: int) -> Check:
    other = _lock_holder(pid)
    if other is None:
        return Check("controller", _OK, "No other snap is asking it now.")
    return Check(
        "controller", _WARN, f"Process {other} is asking it now: requests wait.", f"ps -fp {other}"
    )


def _lock_holder(pid: int) -> int | None:
    """Return who holds the lock on its memory file, without trying it ourselves."""
    info = os.stat(f"/proc/{pid}/mem")
    file = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino}"
    with open("/proc/locks", encoding="ascii") as locks:
        for line in locks:
            fields = line.split()
            # "1: FLOCK ADVISORY WRITE 4121 00:15:8212 0 EOF"; "->" stands in one who waits
            if "->" not in fields and fields[5] == file and int(fields[4]) != os.getpid():
                return int(fields[4])
    return None


def _check_leftovers(pid: int) -> Check:
    left = leftovers(identify(pid))
    if not left:
        return Check("leftovers", _OK, "No killed snap has left files for it.")
    sentence = f"A killed snap has left files for it: {', '.join(spool.path for spool in left)}."
    return Check("leftovers", _WARN, sentence, f"snap doctor {pid} --clean")
