"""Removing what killed recorders left behind: their files and, in a process, their requests."""

from __future__ import annotations

import fcntl

from snapshotter.attach.leftovers import clean
from snapshotter.attach.process import identify
from snapshotter.attach.protocol import MainThread, withdraw_leftovers
from snapshotter.errors import NoSnapshotError
from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime

__all__ = ["clean_up"]


def clean_up(pid: int | None = None) -> tuple[str, ...]:
    """Remove what was left for one process, or for all that have ended; return the paths.

    A request that still waits in the process is taken back first: its files must outlive it.
    Raises the errors of opening a process, and NoSnapshotError when somebody else is asking it.
    """
    if pid is None:
        return clean()
    with Memory(pid, writable=True) as memory:
        identity = identify(pid)
        runtime = Runtime.attach(pid, memory)
        _keep_others_out(memory, pid)
        point = runtime.main_probe_point()
        main = None if point is None else MainThread(runtime, point, stock=False)
        return withdraw_leftovers(runtime, main, identity)


def _keep_others_out(memory: Memory, pid: int) -> None:
    """Take the lock of whoever asks a process; closing the memory gives it back."""
    try:
        fcntl.flock(memory.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise NoSnapshotError(
            f"Another snap is asking process {pid} at the moment.", hint="try again when it is done"
        ) from None
