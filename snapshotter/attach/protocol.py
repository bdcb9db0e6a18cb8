"""The attachment protocol of PEP 768, spoken so that no signal of the application is lost.

A request that lies armed on a blocked main thread swallows the exception of the signal handler
that ends the blocking call: CPython runs the script before the handler. So a request is armed
only at a moment when the main thread runs Python, is watched as long as it lies there, and is
taken back, by writing the pending flag to 0, as soon as the main thread blocks, or after 20 ms.

A main thread that sleeps in short steps runs for microseconds only. There the request is laid
down a fraction of a millisecond before the sleep ends by itself, and taken back if it does not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from snapshotter.attach.footing import Footing
from snapshotter.attach.leftovers import clean, leftovers
from snapshotter.errors import ProcessEndedError, TornReadError
from snapshotter.outside.probe_point import lies_in_gil
from snapshotter.outside.procfs import Syscall, waiting_on
from snapshotter.outside.syscalls import is_futex
from snapshotter.outside.wake import WakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.model import Identity
    from snapshotter.outside.memory import Memory
    from snapshotter.outside.probe_point import ProbePoint
    from snapshotter.outside.runtime import Runtime

__all__ = [
    "ARMED_AT_MOST_NS",
    "WAKE_LEAD_NS",
    "Attempt",
    "MainNow",
    "MainThread",
    "Verdict",
    "withdraw_leftovers",
]

ARMED_AT_MOST_NS = 20_000_000
# Bits of the eval breaker (pycore_ceval.h).
_DROP_GIL = 1 << 0
_SIGNALS = 1 << 1
_CALLS = 1 << 2
_ASYNC_EXCEPTION = 1 << 3
_PLEASE_STOP = 1 << 5
_POLL_S = 50e-6
WAKE_LEAD_NS = 150_000
"""How long before the end of a sleep a request is laid down."""
_WAKE_SLACK_NS = 1_500_000  # the kernel may be late by a thousandth of a timeout


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
    ENDING = "ending"
    """The interpreter is ending; a script would find its modules gone."""
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
        self._runtime = runtime
        self._memory: Memory = runtime.memory
        self._pid = runtime.pid
        self._point = point
        main = runtime.main_interpreter()
        self._registered_at = main.address + runtime.offsets.interpreter_state_threads_main
        self._stock = stock
        self._wakes = WakeClock(runtime.pid, runtime.memory)
        self._footing = Footing(runtime, point)

    def can_open_a_script(self, *, still: bool) -> bool:
        """Return whether the code that it runs has the builtins with which CPython opens one.

        ``still`` tells that it sleeps, and so does not move between look and request.
        """
        return self._footing.is_sure(still=still)

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

    def is_ending(self) -> bool:
        """Return whether the interpreter has begun to end: it has no main thread any more."""
        return self._memory.u64(self._registered_at) != self._point.thread

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
        if self.is_ending():
            return Attempt(Verdict.ENDING, 0, 0)
        asleep_until = 0 if wake_ns is None else wake_ns + _WAKE_SLACK_NS
        # who waits for long may be interrupted
        with _no_signals() if lie_ns is None else contextlib.nullcontext():
            armed_at = time.monotonic_ns()
            until = armed_at + (ARMED_AT_MOST_NS if lie_ns is None else lie_ns)
            if lie_ns is not None:
                asleep_until = until
            try:
                self._arm(driver_path, stock=wake_ns is None)
                started = self._await_start(until, asleep_until)
            finally:
                # whatever happened, Ctrl-C included, nothing stays behind
                left = self.withdraw(os.fsencode(driver_path))
            passed = time.monotonic_ns() - armed_at
        verdict = Verdict.STARTED if started or not left else Verdict.WITHDRAWN
        return Attempt(verdict, passed, armed_at)

    def withdraw(self, path: bytes) -> bool:
        """Take a pending request for the script ``path`` back; True if it will never start.

        A request for another script is left alone. CPython clears the flag before it copies the
        path, and passes over an empty one: so the path goes first, and whoever still finds the
        flag set then knows that nothing has started and nothing will.
        """
        try:
            if not self._point.is_pending() or self._point.script_path() != path:
                return False
            self._memory.write(self._point.script_path_address, b"\0")
            if not self._point.is_pending():
                return False
            self._memory.write(self._point.pending_address, struct.pack("<i", 0))
        except TornReadError:
            return False
        return True

    def drop_empty_request(self) -> None:
        """Take back a request without a path: a withdrawal that was cut off in the middle."""
        self.withdraw(b"")

    def _arm(self, driver_path: str, *, stock: bool) -> None:
        # The stock call takes over 100 us to find its way: too long for a thread about to wake.
        if self._stock and stock and len(self._runtime.interpreters()) == 1:
            # (with more of them it would ask the newest one)
            try:
                sys.remote_exec(self._pid, driver_path)
            except RuntimeError, OSError, ValueError:
                # It looks the binary up by its path, and only under our own version's rules.
                self._stock = False
            else:
                self._break(0)  # it has stopped by now, perhaps
                return
        point, memory = self._point, self._memory
        memory.write(point.script_path_address, os.fsencode(driver_path) + b"\0")
        memory.write(point.pending_address, struct.pack("<i", 1))
        self._break(_PLEASE_STOP)

    def _break(self, stop: int) -> None:
        """Have the main thread stop at its next instruction that looks for such a wish.

        What the target itself writes between our read and our write is lost. So all is wished
        for that does no harm where there is nothing to do: a signal must not have to wait for the
        next one. To give up the GIL is never wished for, that would hang without a taker; whoever
        wants it asks again. Only one byte is written: those above it hold the instrumentation
        version. (``sys.remote_exec`` writes back all eight as it has read them.)
        """
        address = self._point.eval_breaker_address
        breaker = self._memory.read(address, 1)[0] & ~_DROP_GIL
        wishes = stop | _SIGNALS | _CALLS | _ASYNC_EXCEPTION
        self._memory.write(address, bytes([breaker | wishes]))

    def _await_start(self, until: int, asleep_until: int) -> bool:
        """Return whether it started; False as soon as it has to be withdrawn."""
        while self._point.is_pending():
            now = time.monotonic_ns()
            if now >= until:
                return False
            if self.is_ending() or (now >= asleep_until and self.now() is MainNow.BLOCKED):
                return False
            # No spinning: the target may need this very CPU to wake up on.
            time.sleep(_POLL_S)
        return True


def withdraw_leftovers(main: MainThread, target: Identity) -> tuple[str, ...]:
    """Withdraw what a killed snapshotter left armed, remove its files, and return their paths.

    The caller must hold the lock that keeps other controllers out.
    """
    main.drop_empty_request()
    pending = main.foreign_request()
    for spool in leftovers(target):
        if pending is not None and pending.startswith(os.fsencode(f"{spool.path_in_target}/")):
            main.withdraw(pending)
    return clean(target)


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """Keep our own signals waiting: none may end us, or this thread's work, between two writes."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
