"""What ``snap doctor`` checks of the machine, when no process is named."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from snapshotter.attach.container import container_of, runtime_of
from snapshotter.attach.leftovers import leftovers
from snapshotter.attach.pythons import find_pythons
from snapshotter.model.checks import Check, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["machine_checks"]

_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_CAP_SYS_PTRACE = 19
_LEAST_PYTHON = (3, 14)


def machine_checks() -> tuple[Check, ...]:
    """Return what holds for any process. Nothing is sent to one."""
    return tuple(_checks())


def _checks() -> Iterator[Check]:
    yield _python()
    yield _permission()
    yield _container()
    yield from _processes()
    yield _leftovers()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.implementation.name != "cpython" or sys.version_info < _LEAST_PYTHON:
        return Check(
            "python", CheckStatus.FAIL, f"We run on {sys.implementation.name} {version}.",
            "Install snapshotter for CPython 3.14 or later.",
        )  # fmt: skip
    return Check("python", CheckStatus.OK, f"We run on CPython {version}.")


def _permission() -> Check:
    if _may_trace_all():
        return Check("permission", CheckStatus.OK, "We may look at processes of every user.")
    try:
        scope = _YAMA.read_text(encoding="ascii").strip()
    except OSError:
        scope = "0"
    if scope == "0":
        return Check("permission", CheckStatus.OK, "We may look at our own processes.")
    return Check(
        "permission",
        CheckStatus.FAIL,
        f"The kernel lets us look at child processes only (Yama ptrace_scope is {scope}).",
        "sudo snap …, or: sudo sysctl kernel.yama.ptrace_scope=0",
    )


def _container() -> Check:
    runtime = runtime_of(os.getpid())
    if runtime is None and container_of(os.getpid()) is None:
        return Check("container", CheckStatus.OK, "We run in no container.")
    return Check(
        "container",
        CheckStatus.OK,
        f"We run in a container{f' of {runtime}' if runtime else ''}: "
        "only processes of its pid namespace are to be seen.",
    )


def _may_trace_all() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return os.geteuid() == 0 and bool(int(effective.split()[1], 16) >> _CAP_SYS_PTRACE & 1)


def _processes() -> Iterator[Check]:
    processes = find_pythons()
    able = sum(process.attachable for process in processes)
    if not processes:
        yield Check("processes", CheckStatus.WARN, "No Python process is to be seen.")
        return
    status = CheckStatus.OK if able else CheckStatus.WARN
    noun = "process" if len(processes) == 1 else "processes"
    sentence = f"{able} of {len(processes)} Python {noun} can be asked from inside."
    yield Check("processes", status, sentence, "" if able else "snap ps")


def _leftovers() -> Check:
    found = leftovers()
    if not found:
        return Check("leftovers", CheckStatus.OK, "No killed recorder left anything behind.")
    number = "a directory" if len(found) == 1 else f"{len(found)} directories"
    alive = sorted({each.marker.target.pid for each in found if each.marker.target_may_be_alive()})
    fixes = [f"snap doctor {pid} --clean" for pid in alive]
    if not all(each.marker.target_may_be_alive() for each in found):
        fixes.insert(0, "snap doctor --clean")
    return Check(
        "leftovers",
        CheckStatus.WARN,
        f"Killed recorders left {number} behind, such as {found[0].path}.",
        ", ".join(fixes),
    )
