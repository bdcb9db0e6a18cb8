"""Whether a main thread that runs lets any other thread have the interpreter.

Who waits for the GIL is woken each time it is released, and demands it only after a whole switch
interval without that (``take_gil`` in ``ceval_gil.c``). A main thread that releases it more often,
for some microseconds each time (a write, a send, a poll), is back before the other one is awake.
So it may go on for seconds without ever giving a turn, to a carrier thread of ours as to others.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.attach.slot import Slot
    from snapshotter.outside.probe_point import ProbePoint
    from snapshotter.outside.runtime import Runtime

__all__ = ["Turns"]

_LONG_NS: Final = 60_000_000
_LONG_INTERVALS: Final = 4


class Turns:
    """Watches the GIL of a target from outside, look by look."""

    def __init__(
        self, runtime: Runtime, point: ProbePoint, slot: Slot, *, is_blocked: Callable[[], bool]
    ) -> None:
        """Begin to watch the GIL at ``point``, whose eval breaker is that of ``slot``.

        ``is_blocked`` tells of the main thread whether it waits for something.
        """
        self._runtime = runtime
        self._gil = point.gil_address
        self._main = point.thread
        self._slot = slot
        self._is_blocked = is_blocked
        interval_ns = runtime.switch_interval_ns(self._gil)
        self._long_ns = max(_LONG_NS, _LONG_INTERVALS * interval_ns)
        self._number = -1
        self._since_ns = 0

    def none_given(self) -> bool:
        """Look once more; True when for long nobody else was given a turn, or could demand one.

        Only looks that come one after the other, some in each switch interval, tell anything.
        Always False in a free-threaded build. Raises ProcessEndedError.
        """
        now = time.monotonic_ns()
        gil = self._runtime.gil_at(self._gil)
        is_given = (
            gil.holder != self._main
            or gil.switch_number != self._number
            or self._slot.is_gil_demanded()
            or (not gil.locked and self._is_blocked())  # anybody may have it
        )
        if is_given:
            self._number, self._since_ns = gil.switch_number, now
        return now - self._since_ns >= self._long_ns
