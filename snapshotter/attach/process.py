"""Who a process is, and what the system says of it."""

from __future__ import annotations

import os
import struct
from functools import cache
from pathlib import Path

import psutil

from snapshotter.attach.cmdline import printable, read_cmdline
from snapshotter.attach.container import container_of
from snapshotter.errors import (
    NoSuchProcessError,
    NotPermittedError,
    ProcessEndedError,
    check_files,
)
from snapshotter.model import Identity, ProcessInfo
from snapshotter.outside.procfs import process_state, start_ticks

__all__ = [
    "boot_id",
    "identify",
    "open_descriptors",
    "process_info",
    "still_same",
]

_AT_RANDOM = 25
_AUXV_ENTRY = struct.Struct("@LL")
_MAX_AUXV_BYTES = 4096


@cache
def boot_id() -> str:
    """Return what tells this boot of the machine from every other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def identify(pid: int) -> Identity:
    """Return the identity of the program that runs as ``pid`` now.

    Raises NoSuchProcessError, and NotPermittedError when we could not attach either.
    """
    try:
        # One directory descriptor stands for one process, whoever gets the number next.
        directory_fd = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        check_files(error)
        raise _no_such_process(pid) from error
    try:
        ticks = start_ticks(pid)
        address = _random_address(directory_fd)
        executable = os.stat("exe", dir_fd=directory_fd)
        # An exec in between would give half of each program, a reused number a failure here.
        if ticks is None or _random_address(directory_fd) != address:
            raise ProcessEndedError(f"Process {pid} ended, or became another program, just now.")
    except PermissionError as error:
        raise _not_permitted(pid) from error
    except OSError as error:
        check_files(error)
        raise ProcessEndedError(f"Process {pid} ended.") from error
    finally:
        os.close(directory_fd)
    inode = executable.st_dev << 64 | executable.st_ino
    return Identity(boot_id(), pid, ticks, inode, address)


def still_same(identity: Identity) -> bool:
    """Tell whether the same program still runs in the same process.

    Raises NotPermittedError when it can no longer be told (it has changed its user).
    """
    try:
        return identify(identity.pid) == identity
    except NoSuchProcessError:
        return False


def process_info(pid: int, version_text: str, identity: Identity | None = None) -> ProcessInfo:
    """Return the figures of a process, secrets in its command line masked.

    What the system does not tell is None; context switches are those of the main thread. Raises
    ProcessEndedError and NotPermittedError (a ``/proc`` mounted with ``hidepid``).
    """
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            switches = process.num_ctx_switches()
            return ProcessInfo(
                pid=pid,
                start_time_ns=_start_time_ns(pid),
                uid=process.uids().effective,
                python=version_text,
                executable=_link(pid, "exe") or "",
                cmdline=read_cmdline(pid),
                cwd=_link(pid, "cwd"),
                host=os.uname().nodename,
                container=container_of(pid),
                rss_bytes=process.memory_info().rss,
                cpu_ns=round((times.user + times.system) * 1e9),
                fds=open_descriptors(pid),
                os_threads=process.num_threads(),
                voluntary_switches=switches.voluntary,
                involuntary_switches=switches.involuntary,
                state=process_state(pid),
                identity=identity,
            )
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError) as error:
        raise ProcessEndedError(f"Process {pid} ended.") from error
    except psutil.AccessDenied as error:
        raise _not_permitted(pid) from error


def open_descriptors(pid: int) -> int | None:
    """Return how many file descriptors a process has open, None when we may not know."""
    path = Path(f"/proc/{pid}/fd")
    try:
        # Since Linux 6.2 the size is the number; before, it is 0.
        return path.stat().st_size or sum(1 for _ in path.iterdir())
    except PermissionError:
        return None


def _random_address(directory_fd: int) -> int:
    """Return ``AT_RANDOM``: where the kernel put random bytes for this program image."""
    fd = os.open("auxv", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory_fd)
    try:
        data = os.read(fd, _MAX_AUXV_BYTES)
    finally:
        os.close(fd)
    whole = len(data) - len(data) % _AUXV_ENTRY.size
    for kind, value in _AUXV_ENTRY.iter_unpack(data[:whole]):
        if kind == _AT_RANDOM:
            return int(value)
    # A zombie or a kernel thread has no program any more.
    raise ProcessLookupError


@cache
def _boot_time_ns() -> int:
    return round(psutil.boot_time()) * 1_000_000_000


def _start_time_ns(pid: int) -> int:
    ticks = start_ticks(pid)
    if ticks is None:
        raise ProcessLookupError
    return _boot_time_ns() + ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _link(pid: int, name: str) -> str | None:
    try:
        return printable(os.readlink(f"/proc/{pid}/{name}".encode()))
    except OSError:
        return None


def _no_such_process(pid: int) -> NoSuchProcessError:
    return NoSuchProcessError(
        f"There is no process {pid}.", hint="List Python processes with: snap ps"
    )


def _not_permitted(pid: int) -> NotPermittedError:
    return NotPermittedError(
        f"The kernel does not let us look at process {pid}.",
        hint=f"Run snap as root or as the user of that process; try: snap doctor {pid}",
    )
