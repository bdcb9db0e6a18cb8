"""The place for a request in a thread state: what PEP 768 has a debugger write, and no more.

Who writes here must know that the thread state cannot go away meanwhile.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError

if TYPE_CHECKING:
    from snapshotter.outside.memory import Memory
    from snapshotter.outside.probe_point import ProbePoint

__all__ = ["Slot"]

# Bits of the eval breaker (pycore_ceval.h).
_DROP_GIL = 1 << 0
_SIGNALS = 1 << 1
_CALLS = 1 << 2
_ASYNC_EXCEPTION = 1 << 3
_PLEASE_STOP = 1 << 5
_SET = struct.pack("<i", 1)
_CLEAR = struct.pack("<i", 0)


class Slot:
    """Script path, pending flag and eval breaker of one thread state."""

    __slots__ = ("_memory", "_point")

    def __init__(self, memory: Memory, point: ProbePoint) -> None:
        """Write through ``memory`` at the addresses of ``point``."""
        self._memory = memory
        self._point = point

    def waiting_request(self) -> bytes | None:
        """Return the path of a request that lies there, None when there is none."""
        return self._point.script_path() if self._point.is_pending() else None

    def expects_exception(self) -> bool:
        """Return whether another thread has raised an exception into this one."""
        breaker = self._memory.read(self._point.eval_breaker_address, 1)[0]
        return breaker & _ASYNC_EXCEPTION != 0

    def has_signal(self) -> bool:
        """Return whether a signal has come whose handler has still to run (or we said so)."""
        return self._memory.read(self._point.eval_breaker_address, 1)[0] & _SIGNALS != 0

    def is_gil_demanded(self) -> bool:
        """Return whether another thread has waited long enough to be given the GIL next."""
        return self._memory.read(self._point.eval_breaker_address, 1)[0] & _DROP_GIL != 0

    def lay_down(self, path: bytes) -> bool:
        """Arm a request for the script ``path``; return what ``nudge`` does."""
        self._memory.write(self._point.script_path_address, path + b"\0")
        self._memory.write(self._point.pending_address, _SET)
        return self.nudge(stop=True)

    def nudge(self, *, stop: bool) -> bool:
        """Have the thread look for wishes soon; with ``stop`` at its next instruction that does.

        Return whether a signal has come whose handler has still to run.

        What the target itself writes between our read and our write is lost. So all is wished
        for that does no harm where there is nothing to do: a signal must not have to wait for the
        next one. To give up the GIL is never wished for, that would hang without a taker; whoever
        wants it asks again. Only one byte is written: those above it hold the instrumentation
        version. (``sys.remote_exec`` writes back all eight as it has read them.)
        """
        address = self._point.eval_breaker_address
        breaker = self._memory.read(address, 1)[0] & ~_DROP_GIL
        wishes = (_PLEASE_STOP if stop else 0) | _SIGNALS | _CALLS | _ASYNC_EXCEPTION
        self._memory.write(address, bytes([breaker | wishes]))
        return breaker & _SIGNALS != 0

    def withdraw(self, path: bytes) -> bool:
        """Take a pending request for the script ``path`` back; True if it will never start.

        A request for another script is left alone. CPython clears the flag before it copies the
        path, and passes over an empty one: so the path goes first, and whoever still finds the
        flag set then knows that nothing has started and nothing will.
        """
        try:
            if self.waiting_request() != path:
                return False
            self._memory.write(self._point.script_path_address, b"\0")
            if not self._point.is_pending():
                return False
            self._memory.write(self._point.pending_address, _CLEAR)
        except TornReadError:
            return False
        return True
