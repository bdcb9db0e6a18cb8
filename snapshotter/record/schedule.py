"""When to take a snapshot: absolute due times, so that a late one does not move the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from snapshotter.record.clock import Clock

__all__ = ["Due", "Schedule"]


@dataclass(frozen=True, slots=True)
class Due:
    """One due time (monotonic nanoseconds), and how many before it were already over."""

    at_ns: int
    skipped: int = 0
    first_skipped_ns: int | None = None

    def lateness_ns(self, now_ns: int) -> int:
        """Return how long after its time ``now_ns`` is; never negative."""
        return max(0, now_ns - self.at_ns)


class Schedule:
    """Iterator over ``start``, ``start + interval``, … without an end.

    Whoever asks late gets the next due time that is still ahead, with the number of those that
    passed in between: there is no burst to make up for them.
    """

    def __init__(self, clock: Clock, start_ns: int, *, interval_ns: int) -> None:
        if interval_ns <= 0:
            message = f"an interval must be positive, not {interval_ns} ns"
            raise ValueError(message)
        self._clock = clock
        self._next_ns = start_ns
        self._interval_ns = interval_ns
        self._started = False

    @property
    def interval_ns(self) -> int:
        """Return the time between two due times."""
        return self._interval_ns

    @property
    def next_ns(self) -> int:
        """Return the due time that would be next if none is skipped."""
        return self._next_ns

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Due:
        first_ns = self._next_ns
        skipped = self._passed() if self._started else 0
        self._started = True
        at_ns = first_ns + skipped * self._interval_ns
        self._next_ns = at_ns + self._interval_ns
        return Due(at_ns, skipped, first_ns if skipped else None)

    def _passed(self) -> int:
        behind_ns = self._clock.monotonic_ns() - self._next_ns
        # -(-a // b) rounds up: a due time that is over by one nanosecond is over.
        return max(0, -(-behind_ns // self._interval_ns))
