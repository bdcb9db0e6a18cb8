"""The attachment protocol of PEP 768, spoken so that no signal of the application is lost.

A request that lies armed on a blocked main thread swallows the exception of the signal handler
that ends the blocking call: CPython runs the script before the handler. So a request is armed
only at a moment when the main thread runs Python, is watched as long as it lies there, and is
taken back, by writing the pending flag to 0, as soon as the main thread blocks, or after 20 ms.

A main thread that sleeps in short steps runs for microseconds only. There the request is laid
down a fraction of a millisecond before the sleep ends by itself, and taken back if it does not.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from snapshotter.errors import ProcessEndedError, TornReadError
from snapshotter.outside.probe_point import lies_in_gil
from snapshotter.outside.procfs import Syscall, waiting_on
from snapshotter.outside.syscalls import is_futex
from snapshotter.outside.wake import WakeClock

if TYPE_CHECKING:
    from snapshotter.outside.memory import Memory
    from snapshotter.outside.probe_point import ProbePoint
    from snapshotter.outside.runtime import Runtime

__all__ = ["ARMED_AT_MOST_NS", "WAKE_LEAD_NS", "Attempt", "MainNow", "MainThread", "Verdict"]

ARMED_AT_MOST_NS = 20_000_000
_PLEASE_STOP_BIT = 1 << 5  # _PY_EVAL_PLEASE_STOP_BIT
_POLL_S = 50e-6
WAKE_LEAD_NS = 300_000
"""How long before the end of a sleep a request is laid down."""
_WAKE_SLACK_NS = 3_000_000  # the kernel may be late by a thousandth of a timeout


class MainNow(StrEnum):
    """What the main thread does at this instant."""

    PYTHON = "python"
    """It holds the GIL."""
    WAITS_FOR_GIL = "waits-for-gil"
    RUNS = "runs"
    """It is on a CPU without the GIL: on its way in or out of C code."""
    BLOCKED = "blocked"


class Verdict(StrEnum):
    """How one arming ended."""

    STARTED = "started"
    WITHDRAWN = "withdrawn"
    FOREIGN = "foreign"
    """A request that is not ours lies there; it is left alone."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One arming: how it ended and for how long the request lay in the target."""

    verdict: Verdict
    armed_ns: int
    armed_at_ns: int


class MainThread:
    """The main thread of interpreter 0, watched and asked through the target's memory."""

    def __init__(self, runtime: Runtime, point: ProbePoint, *, stock: bool) -> None:
        """Watch ``point``; ``stock`` sends requests with ``sys.remote_exec``."""
        self._memory: Memory = runtime.memory
        self._pid = runtime.pid
        self._point = point
        self._stock = stock
        self._wakes = WakeClock(runtime.pid, runtime.memory)

    def now(self) -> MainNow:
        """Return what it does now: one system call when it runs Python, two otherwise."""
        if self._point.is_holding_gil():
            return MainNow.PYTHON
        waits = waiting_on(self._pid, self._pid)
        if waits == "running":
            return MainNow.RUNS
        if (
            isinstance(waits, Syscall)
            and is_futex(waits)
            and lies_in_gil(waits.arguments[0], self._point.gil_address)
        ):
            return MainNow.WAITS_FOR_GIL
        return MainNow.BLOCKED

    def holds_gil(self) -> bool:
        """Return whether it runs Python (or C code that keeps the GIL) now; one system call."""
        return self._point.is_holding_gil()

    def is_gone(self) -> bool:
        """Return whether the process has ended, or become another program."""
        try:
            self._point.is_pending()
        except ProcessEndedError:
            return True
        return False

    def foreign_request(self) -> bytes | None:
        """Return the path of a request that lies there, None when there is none."""
        return self._point.script_path() if self._point.is_pending() else None

    def next_wake_ns(self) -> int | None:
        """Return the monotonic time at which its sleep ends by itself, None if unknown or never."""
        return self._wakes.next_wake_ns(self._pid)

    def ask(
        self, driver_path: str, *, wake_ns: int | None = None, lie_ns: int | None = None
    ) -> Attempt:
        """Arm a request and watch it until it starts or is withdrawn; never leaves it armed.

        ``wake_ns`` is the time just ahead at which the main thread wakes by itself. ``lie_ns``
        lets the request lie there for so long even if the main thread is blocked: the user asked
        for it and knows that a signal may be lost.
        """
        if self._point.is_pending():
            return Attempt(Verdict.FOREIGN, 0, 0)
        armed_at = time.monotonic_ns()
        until = armed_at + (ARMED_AT_MOST_NS if lie_ns is None else lie_ns)
        asleep_until = 0 if wake_ns is None else wake_ns + _WAKE_SLACK_NS
        if lie_ns is not None:
            asleep_until = until
        try:
            self._arm(driver_path, stock=wake_ns is None)
            started = self._await_start(until, asleep_until)
        finally:
            # whatever happened, Ctrl-C included, nothing stays behind
            left = self.withdraw()
        passed = time.monotonic_ns() - armed_at
        verdict = Verdict.STARTED if started or not left else Verdict.WITHDRAWN
        return Attempt(verdict, passed, armed_at)

    def withdraw(self) -> bool:
        """Take a pending request back; True if it had not started."""
        try:
            if not self._point.is_pending():
                return False
            self._memory.write(self._point.pending_address, struct.pack("<i", 0))
        except TornReadError:
            return False
        return True

    def _arm(self, driver_path: str, *, stock: bool) -> None:
        # The stock call takes over 100 us to find its way: too long for a thread about to wake.
        if self._stock and stock:
            try:
                sys.remote_exec(self._pid, driver_path)
            except RuntimeError, OSError, ValueError:
                # It looks the binary up by its path, and only under our own version's rules.
                self._stock = False
            else:
                return
        point, memory = self._point, self._memory
        memory.write(point.script_path_address, os.fsencode(driver_path) + b"\0")
        memory.write(point.pending_address, struct.pack("<i", 1))
        # One byte only: the bytes above it hold the instrumentation version.
        breaker = memory.read(point.eval_breaker_address, 1)[0]
        memory.write(point.eval_breaker_address, bytes([breaker | _PLEASE_STOP_BIT]))

    def _await_start(self, until: int, asleep_until: int) -> bool:
        """Return whether it started; False as soon as it has to be withdrawn."""
        while self._point.is_pending():
            now = time.monotonic_ns()
            if now >= until:
                return False
            if now >= asleep_until and self.now() is MainNow.BLOCKED:
                return False
            # No spinning: the target may need this very CPU to wake up on.
            time.sleep(_POLL_S)
        return True
