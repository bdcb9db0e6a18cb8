"""Time as the recorder sees it: injected, so that a test can hold it in its hand."""

from __future__ import annotations

import os
import select
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Two clocks and a way to wait; all times are integer nanoseconds."""

    def monotonic_ns(self) -> int:
        """Return a time that never goes back and is not moved by a step of the wall clock."""

    def wall_ns(self) -> int:
        """Return Unix time; only ever a label, never a basis for waiting."""

    def sleep_until(self, deadline_ns: int, wake: int | None = None) -> None:
        """Wait for ``deadline_ns`` (monotonic), or until the descriptor ``wake`` is readable."""


class SystemClock:
    """The clocks of this machine.

    ``CLOCK_BOOTTIME`` goes on while the machine is suspended, ``CLOCK_MONOTONIC`` does not: with
    it a recording that slept through ten due times would not even know.
    """

    def monotonic_ns(self) -> int:
        """Return nanoseconds since boot, suspended time included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        return time.time_ns()

    def sleep_until(self, deadline_ns: int, wake: int | None = None) -> None:
        """Wait on a timer of the kernel with an absolute deadline: nothing adds up, none drifts."""
        if deadline_ns <= self.monotonic_ns():
            return
        timer = os.timerfd_create(time.CLOCK_BOOTTIME, flags=os.TFD_CLOEXEC | os.TFD_NONBLOCK)
        try:
            os.timerfd_settime_ns(timer, flags=os.TFD_TIMER_ABSTIME, initial=deadline_ns)
            poll = select.poll()
            poll.register(timer, select.POLLIN)
            if wake is not None:
                poll.register(wake, select.POLLIN)
            poll.poll()
        finally:
            os.close(timer)
