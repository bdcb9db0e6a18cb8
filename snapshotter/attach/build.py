"""Which build of CPython a process runs, as far as it shows from outside."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapshotter.outside.runtime import Runtime

__all__ = ["build_of"]

_DEBUG_NAME = re.compile(r"python\d\.\d+t?(?:d|-dbg)(?:\.so[\d.]*)?$")
_JIT_SETTING = b"PYTHON_JIT="
_MAX_BYTES = 4 << 20


def build_of(pid: int, runtime: Runtime) -> str:
    """Return "gil" or "free-threaded", with "debug" and "jit" behind it where they show.

    A debug build is known by the name of its file only; the JIT by its setting and by code that
    lies in no file. Never raises.
    """
    words = ["free-threaded" if runtime.free_threaded else "gil"]
    if _has_debug_name(pid):
        words.append("debug")
    if _jit_compiles(pid):
        words.append("jit")
    return " ".join(words)


def _has_debug_name(pid: int) -> bool:
    try:
        return _DEBUG_NAME.search(os.readlink(f"/proc/{pid}/exe")) is not None
    except OSError:
        return False


def _jit_compiles(pid: int) -> bool:
    settings = _read(pid, "environ").split(b"\0")
    values = [line.removeprefix(_JIT_SETTING) for line in settings if line.startswith(_JIT_SETTING)]
    if not values or values[0] in {b"", b"0"}:
        return False
    # "7ff2ba820000-7ff2ba821000 r-xp 00000000 00:00 0": five fields, and no name of a file
    lines = (line.split() for line in _read(pid, "maps").splitlines())
    return any(len(fields) == 5 and fields[1] == b"r-xp" for fields in lines)  # noqa: PLR2004


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return b""
