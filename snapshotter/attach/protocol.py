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
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from snapshotter.attach.footing import Footing
from snapshotter.attach.leftovers import clean, leftovers
from snapshotter.attach.priority import urgent
from snapshotter.attach.slot import Slot
from snapshotter.attach.turns import Turns
from snapshotter.errors import ProcessEndedError, TornReadError
from snapshotter.outside.probe_point import lies_in_gil
from snapshotter.outside.procfs import Syscall, times_run, waiting_on
from snapshotter.outside.syscalls import is_futex
from snapshotter.outside.wake import WakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from snapshotter.attach.leftovers import Leftover
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
    "activity",
    "no_signals",
    "withdraw_leftovers",
]

ARMED_AT_MOST_NS = 20_000_000
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
    ENDED = "ended"
    """The thread that was to be asked, or was asked, is no longer there."""
    UNFIT = "unfit"
    """Nothing was written: a request would not have started soon, or was not possible."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One arming: how it ended and for how long the request lay in the target."""

    verdict: Verdict
    armed_ns: int
    armed_at_ns: int
    thread: int | None = None
    """Native id of the thread that was asked; None for the main thread."""
    holds: int = 0
    """How often it was held by ptrace, and for how long in all."""
    held_ns: int = 0
    problem: str | None = None
    """Why not, where the verdict does not tell, one sentence."""


def activity(point: ProbePoint, pid: int, tid: int) -> MainNow:
    """Return what the thread at ``point`` does now: two system calls, one if it runs Python."""
    if point.is_holding_gil():
        return MainNow.PYTHON
    waits = waiting_on(pid, tid)
    if waits == "running":
        return MainNow.RUNS
    if (
        isinstance(waits, Syscall)
        and is_futex(waits)
        and lies_in_gil(waits.arguments[0], point.gil_address)
    ):
        return MainNow.WAITS_FOR_GIL
    return MainNow.BLOCKED


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
        self._slot = Slot(runtime.memory, point)
        self._footing = Footing(runtime, point)

    def can_open_a_script(self, *, still: bool) -> bool:
        """Return whether the code that it runs has the builtins with which CPython opens one.

        ``still`` tells that it sleeps, and so does not move between look and request.
        """
        return self._footing.is_sure(still=still)

    def now(self) -> MainNow:
        """Return what it does now."""
        return activity(self._point, self._pid, self._pid)

    def times_run(self) -> int | None:
        """Return how often it was put on a CPU, None where the kernel does not count."""
        return times_run(self._pid, self._pid)

    def holds_gil(self) -> bool:
        """Return whether it runs Python (or C code that keeps the GIL) now; one system call."""
        return self._point.is_holding_gil()

    def has_signal(self) -> bool:
        """Return whether a signal waits for its handler: CPython would run the script before it."""
        return self._slot.has_signal()

    def turns(self) -> Turns:
        """Begin to watch whether it lets other threads run."""
        return Turns(
            self._runtime,
            self._point,
            self._slot,
            is_blocked=lambda: self.now() is MainNow.BLOCKED,
        )

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
        return self._slot.waiting_request()

    def next_wake_ns(self) -> int | None:
        """Return the monotonic time at which its sleep ends by itself, None if unknown or never."""
        return self._wakes.next_wake_ns(self._pid)

    def ask(
        self,
        driver_path: str,
        *,
        wake_ns: int | None = None,
        still: bool = False,
        lie_ns: int | None = None,
        ring: Callable[[], None] | None = None,
    ) -> Attempt:
        """Arm a request and watch it until it starts or is withdrawn; never leaves it armed.

        ``wake_ns`` is the time just ahead at which the main thread wakes by itself; ``still``
        tells that it stands where it was looked at, but not for long. ``lie_ns``
        lets the request lie there for so long even if the main thread is blocked: the user asked
        for it and knows that a signal may be lost. ``ring`` is called when it lies there, and
        wakes the main thread: the user asked for that, too.
        """
        if self._point.is_pending():
            return Attempt(Verdict.FOREIGN, 0, 0)
        if self.is_ending():
            return Attempt(Verdict.ENDING, 0, 0)
        is_on_request = lie_ns is not None or ring is not None
        if not is_on_request and self._slot.has_signal():
            # It may come from a call that the signal has ended, and wait for the GIL (which looks
            # like a short sleep, too): the script would run before the handler.
            time.sleep(_POLL_S)
            return Attempt(Verdict.WITHDRAWN, 0, 0)
        asleep_until = 0 if wake_ns is None else wake_ns + _WAKE_SLACK_NS
        # who waits for long may be interrupted
        with _promptly() if lie_ns is None else contextlib.nullcontext():
            armed_at = time.monotonic_ns()
            until = armed_at + (ARMED_AT_MOST_NS if lie_ns is None else lie_ns)
            if is_on_request:
                asleep_until = until
            try:
                has_signal = self._arm(driver_path, stock=not still and ring is None)
                if ring is not None:
                    ring()
                is_fit = is_on_request or not has_signal
                started = is_fit and self._await_start(until, asleep_until)
            finally:
                # whatever happened, Ctrl-C included, nothing stays behind
                left = self.withdraw(os.fsencode(driver_path))
            passed = time.monotonic_ns() - armed_at
        verdict = Verdict.STARTED if started or not left else Verdict.WITHDRAWN
        return Attempt(verdict, passed, armed_at)

    def withdraw(self, path: bytes) -> bool:
        """Take a pending request for the script ``path`` back; True if it will never start.

        A request for another script is left alone.
        """
        return self._slot.withdraw(path)

    def drop_empty_request(self) -> None:
        """Take back a request without a path: a withdrawal that was cut off in the middle."""
        self.withdraw(b"")

    def _arm(self, driver_path: str, *, stock: bool) -> bool:
        """Lay a request down; return whether a signal has come just before."""
        # The stock call takes over 100 us to find its way: too long for a thread about to run.
        if self._stock and stock and len(self._runtime.interpreters()) == 1:
            # (with more of them it would ask the newest one)
            try:
                sys.remote_exec(self._pid, driver_path)
            except RuntimeError, OSError, ValueError:
                # It looks the binary up by its path, and only under our own version's rules.
                self._stock = False
            else:
                return self._slot.nudge(stop=False)  # it has stopped by now, perhaps
        return self._slot.lay_down(os.fsencode(driver_path))

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


def withdraw_leftovers(
    runtime: Runtime, main: MainThread | None, target: Identity
) -> tuple[str, ...]:
    """Withdraw what a killed snapshotter left armed, remove its files, and return their paths.

    The caller must hold the lock that keeps other controllers out.
    """
    left = leftovers(target)
    if main is not None:
        main.drop_empty_request()
        pending = main.foreign_request()
        if pending is not None and _is_of(left, pending):
            main.withdraw(pending)
    if left and _lies_elsewhere(runtime, left):
        # It does nothing when it starts, but must find its files. The next one removes them.
        return ()
    return clean(target)


def _is_of(spools: tuple[Leftover, ...], path: bytes) -> bool:
    return any(path.startswith(os.fsencode(f"{spool.path_in_target}/")) for spool in spools)


def _lies_elsewhere(runtime: Runtime, spools: tuple[Leftover, ...]) -> bool:
    """Whether a request of these lies in another thread than the main one, or may do so."""
    interpreter = runtime.main_interpreter()
    try:
        return any(
            _is_of(spools, runtime.probe_point(interpreter, thread.address).script_path())
            for thread in runtime.threads(interpreter)
            if thread.pending and not thread.is_main
        )
    except TornReadError:
        return True


@contextlib.contextmanager
def _promptly() -> Iterator[None]:
    """Let nothing come between us and the withdrawal: no signal of our own, no other thread."""
    with no_signals(), urgent():
        yield


@contextlib.contextmanager
def no_signals() -> Iterator[None]:
    """Keep our own signals waiting: none may end us, or this thread's work, between two writes."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
