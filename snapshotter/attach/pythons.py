"""Finds the Python processes of this machine, and picks some of them by name or by parent."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from snapshotter.attach.build import build_of
from snapshotter.attach.cmdline import read_cmdline
from snapshotter.attach.container import container_of, runtime_of
from snapshotter.attach.namespaces import credentials
from snapshotter.attach.preflight import why_not_inside
from snapshotter.attach.surroundings import user_name
from snapshotter.errors import NoSuchProcessError, SnapshotterError
from snapshotter.model.process import PythonProcess
from snapshotter.outside.memory import Memory, living_threads
from snapshotter.outside.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_pythons", "is_python", "is_running", "match_name", "tree"]

_PROGRAM = re.compile(r"(?:lib)?python(\d(?:\.\d+)?)?")
_LIBRARY = re.compile(rb"/libpython\d[^/]*\.so")


def find_pythons() -> tuple[PythonProcess, ...]:
    """Return every Python process that we can see but ourselves, by pid.

    Only reads: nothing is written into any of them, and none of them is stopped.
    """
    found = (_describe(pid) for pid in _pids() if pid != os.getpid() and is_python(pid))
    return tuple(process for process in found if process is not None)


def is_python(pid: int) -> bool:
    """Tell whether a process runs a Python program, as far as its file names say."""
    try:
        program = os.readlink(f"/proc/{pid}/exe")
    except PermissionError:
        # Of a process of another user only the command line is public.
        return _PROGRAM.match(_first_argument(pid)) is not None
    except OSError:
        return False
    if _PROGRAM.match(_base(program)):
        return True
    try:
        return _LIBRARY.search(Path(f"/proc/{pid}/maps").read_bytes()) is not None
    except OSError:
        return False


def is_running(pid: int) -> bool:
    """Tell whether a process has not ended; one that its parent has not reaped has."""
    return next(living_threads(pid), None) is not None


def match_name(glob: str) -> tuple[int, ...]:
    """Return the Python processes that a shell pattern describes, ourselves left out.

    It is held against the process name, the program's and script's base names, a ``-m`` module,
    and the whole command line.
    """
    pids = (pid for pid in _pids() if pid != os.getpid() and is_python(pid))
    return tuple(pid for pid in pids if any(fnmatchcase(name, glob) for name in _names(pid)))


def tree(pid: int) -> tuple[int, ...]:
    """Return ``pid`` and all its descendants, as far as they are Python, parents first.

    Raises NoSuchProcessError when there is no process ``pid``.
    """
    try:
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess as error:
        raise NoSuchProcessError(
            f"There is no process {pid}.", hint="List Python processes with: snap ps"
        ) from error
    return tuple(member for member in family if member != os.getpid() and is_python(member))


def _pids() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())


def _describe(pid: int) -> PythonProcess | None:
    try:
        uid = credentials(pid).uid
        cmdline = read_cmdline(pid)
    except OSError:
        return None
    found = _examine(pid)
    return PythonProcess(
        pid=pid,
        version=found.version or _version_in_name(pid),
        build=found.build,
        uid=uid,
        user=user_name(uid),
        cmdline=cmdline,
        container=container_of(pid),
        container_runtime=runtime_of(pid),
        attachable=not found.inside_why,
        why=found.inside_why,
        inside=not found.inside_why,
        outside=not found.outside_why,
        outside_why=found.outside_why,
    )


@dataclass(frozen=True, slots=True)
class _Findings:
    version: str | None = None
    build: str | None = None
    outside_why: str = ""
    inside_why: str = ""


def _examine(pid: int) -> _Findings:
    """Return what its memory tells, and why not, one sentence for each view."""
    try:
        with Memory(pid) as memory:
            runtime = Runtime.attach(pid, memory)
            why = why_not_inside(pid, runtime)
    except SnapshotterError as error:
        return _Findings(outside_why=error.message, inside_why=error.message)
    return _Findings(runtime.version_text, build_of(pid, runtime), inside_why=why)


def _version_in_name(pid: int) -> str | None:
    try:
        name = _base(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        name = _first_argument(pid)
    match = _PROGRAM.match(name)
    return match[1] if match else None


def _names(pid: int) -> Iterator[str]:
    """Yield what people call a process."""
    try:
        yield Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
        arguments = read_cmdline(pid)
    except OSError:
        return
    if not arguments:
        return
    yield _base(arguments[0])
    yield " ".join(arguments)
    following = iter(arguments[1:])
    for argument in following:
        if argument == "-m":
            yield next(following, "")
            return
        if not argument.startswith("-"):
            yield _base(argument)
            return


def _first_argument(pid: int) -> str:
    try:
        return _base((read_cmdline(pid) or ("",))[0])
    except OSError:
        return ""


def _base(path: str) -> str:
    return path.rpartition("/")[2]
