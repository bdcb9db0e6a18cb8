"""Compiles the probe to the bytecode of the target's version, by an interpreter of that version.

Interpreters of another version are trusted only as far as their owner: as root nothing is run
that others could have written, and what an interpreter of another user compiled is used for
targets of that user only. Their output is passed on as bytes and never unmarshalled here.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import re
import select
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from snapshotter.attach.namespaces import Credentials, credentials, shares_our_view
from snapshotter.errors import UnsupportedPythonError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PROBE_FILENAME", "can_compile", "compile_for", "compile_trusted", "compiler_mark"]

PROBE_FILENAME = "<snapshotter probe>"
"""File name of the probe's code objects, constant so that a probe recognises another one."""

_MAX_BYTES = 4 << 20
_DEADLINE_S = 10.0
_PROGRAM = f"""\
import marshal, sys
source = sys.stdin.buffer.read()
code = compile(source, {PROBE_FILENAME!r}, "exec", dont_inherit=True, optimize=2)
head = b"%d.%d\\n" % sys.version_info[:2]
sys.stdout.buffer.write(head + marshal.dumps(code))
"""

_Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Compiler:
    """An interpreter: the file to run, its ``argv[0]``, and as whom to run it (None: as us)."""

    executable: str
    name: str
    user: Credentials | None = None
    keep_fd: int | None = None
    """The descriptor that ``executable`` goes through."""


def compile_for(version: tuple[int, int], source: str, *, pid: int | None = None) -> bytes:
    """Return ``source`` as marshalled code for CPython ``version`` (major, minor).

    The same version as ours is compiled here. For another one an interpreter of it is looked for:
    on PATH, among those of uv, then the executable of the target ``pid``.
    Raises UnsupportedPythonError (``no-compiler``) when there is none.
    """
    found = compile_trusted(version, source, pid=pid)
    if found is None and pid is not None:
        # What the target's user could have altered stays with this target: it is not kept.
        with _compiler_of_target(version, pid) as compiler:
            found = _run(compiler, version, source) if compiler else None
    if found is not None:
        return found
    text = f"{version[0]}.{version[1]}"
    raise UnsupportedPythonError(
        f"Found no CPython {text} on this machine to compile the probe with.",
        hint=f"Put a python{text} on PATH; without it snapshots are from outside only.",
        slug="no-compiler",
    )


def compile_trusted(
    version: tuple[int, int], source: str, *, pid: int | None = None
) -> bytes | None:
    """Do so with what only root, or we, could have altered; None where there is none of these."""
    if version == sys.version_info[:2]:
        return _compile_here(source)
    for path in _trusted(version, pid):
        code = _compile_with(path, version, source)
        if code is not None:
            return code
    return None


def compiler_mark(version: tuple[int, int], *, pid: int | None = None) -> str | None:
    """Return what changes with the interpreter that does so; None where there is none."""
    if version == sys.version_info[:2]:
        return ""
    for path in _trusted(version, pid):
        with contextlib.suppress(OSError):
            info = path.stat()
            return f"{path} {info.st_size} {info.st_mtime_ns}"
    return None


def can_compile(version: tuple[int, int], *, pid: int | None = None) -> bool:
    """Tell whether :func:`compile_for` will find an interpreter; none is run."""
    if version == sys.version_info[:2] or any(_interpreters(version)):
        return True
    if pid is None:
        return False
    with _compiler_of_target(version, pid) as compiler:
        return compiler is not None


@cache
def _compile_here(source: str) -> bytes:
    code = compile(source, PROBE_FILENAME, "exec", dont_inherit=True, optimize=2)
    return marshal.dumps(code)


@cache
def _compile_with(path: Path, version: _Version, source: str) -> bytes | None:
    return _run(_Compiler(str(path), str(path)), version, source)


@contextlib.contextmanager
def _compiler_of_target(version: _Version, pid: int) -> Iterator[_Compiler | None]:
    """Open the target's executable; None where it may not be run."""
    try:
        fd = os.open(f"/proc/{pid}/exe", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield _choose_compiler(version, pid, fd)
    finally:
        os.close(fd)


def _choose_compiler(version: _Version, pid: int, fd: int) -> _Compiler | None:
    try:
        path = Path(f"/proc/{pid}/exe").readlink()
        user = credentials(pid)
        if not shares_our_view(pid):
            # Outside of its container the program would be free of the container's limits.
            return None
    except OSError:
        return None
    if _may_be_used(path, version):
        return _Compiler(str(path), str(path))
    if user.uid == 0 or os.geteuid() not in {0, user.uid}:
        return None
    # Its first argument is where it looks for its standard library.
    name = str(path).removesuffix(" (deleted)")
    return _Compiler(f"/proc/self/fd/{fd}", name, user, fd)


def _trusted(version: _Version, pid: int | None) -> Iterator[Path]:
    """Yield the interpreters of this machine, and that of the target if it may be one of them."""
    yield from _interpreters(version)
    with contextlib.suppress(OSError):
        path = Path(f"/proc/{pid}/exe").readlink() if pid else None
        if path and shares_our_view(pid or 0) and _may_be_used(path, version):
            yield path


def _may_be_used(path: Path, version: _Version) -> bool:
    return _is_python_name(path, version) and _is_trusted(path)


def _interpreters(version: _Version) -> Iterator[Path]:
    """Yield the interpreters of this machine that we may run."""
    name = f"python{version[0]}.{version[1]}"
    import shutil  # noqa: PLC0415 -- start-up: only a target of another version needs it

    on_path = shutil.which(name)
    found = [] if on_path is None else [Path(on_path)]
    with contextlib.suppress(OSError, RuntimeError):
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        managed = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")
        pattern = f"cpython-{version[0]}.{version[1]}.*/bin/{name}"
        found += sorted(managed.glob(pattern), reverse=True)
    for path in found:
        # Not as root, what stands there is what our user runs anyway.
        if os.geteuid() != 0 or _is_trusted(path.resolve()):
            yield path.resolve()


def _is_python_name(path: Path, version: _Version) -> bool:
    return re.fullmatch(rf"python({version[0]}(\.{version[1]})?)?", path.name) is not None


def _is_trusted(path: Path) -> bool:
    """Tell whether only root, or we, can have written the file and the way to it."""
    owners = {0, os.geteuid()}
    try:
        for part in (path, *path.parents):
            info = part.lstat()
            writable = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            sticky = stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX
            if info.st_uid not in owners or (writable and not sticky):
                return False
    except OSError:
        return False
    return path.is_file() and os.access(path, os.X_OK)


def _run(compiler: _Compiler, version: _Version, source: str) -> bytes | None:
    """Return the marshalled code, or None when the interpreter fails, lies or does not end."""
    try:
        process = _start(compiler, ["-I", "-S", "-c", _PROGRAM], source.encode())
    except OSError:
        return None
    with process:
        output = _read_bounded(process)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    head, _, code = output.partition(b"\n")
    return code if head == b"%d.%d" % version and code else None


def _start(compiler: _Compiler, arguments: list[str], text: bytes) -> subprocess.Popen[bytes]:
    """Run the program with ``text`` on its stdin and nothing else of ours. Raises OSError."""
    user = compiler.user if os.geteuid() == 0 else None
    # A file in memory instead of a pipe: one less thing to wait for.
    text_fd = os.memfd_create("snapshotter-source", os.MFD_CLOEXEC)
    try:
        with open(text_fd, "wb", closefd=False) as file:
            file.write(text)
        os.lseek(text_fd, 0, os.SEEK_SET)
        return subprocess.Popen(
            [compiler.name, *arguments],
            executable=compiler.executable,
            stdin=text_fd,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
            pass_fds=() if compiler.keep_fd is None else (compiler.keep_fd,),
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
    finally:
        os.close(text_fd)


def _read_bounded(process: subprocess.Popen[bytes]) -> bytes:
    """Read standard output to its end, within the limits of time and size; else return b""."""
    if process.stdout is None:
        return b""
    pipe = process.stdout.fileno()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    output = b""
    end_s = time.monotonic() + _DEADLINE_S
    while (left_s := end_s - time.monotonic()) > 0 and len(output) <= _MAX_BYTES:
        if poll.poll(left_s * 1000):
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                return output
            output += chunk
    return b""
