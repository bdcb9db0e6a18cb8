"""How often a watched process is asked: never so often that it loses more than a small share.

A token bucket (as in traffic shaping) whose tokens are nanoseconds of pause. Asking is allowed
while it is not empty; what an answer has cost is taken out, and each passing second puts a little
back. So the first snapshots of a recording are all taken from inside, and of a fast recording then
as many as the share allows; those in between are from outside alone, which costs nothing.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Allowance"]

_SAVED_NS: Final = 30_000_000
"""What may be saved up, and is there to begin with: ten to twenty answers of a usual service."""
_OWED_NS: Final = 10_000_000
"""What may be owed: two seconds of one share, fifty of the other."""
_FAST_NS: Final = 1_000_000_000
_PER_MILLION: Final = 5_000
_PER_MILLION_FAST: Final = 200
"""Who looks many times a second would otherwise meet one in some hundred requests of a service."""


class Allowance:
    """What one recording may still take of its process's time; all times monotonic nanoseconds."""

    def __init__(self, interval_ns: int) -> None:
        """Begin with a full bucket; ``interval_ns`` is the time between two snapshots."""
        self._per_million = _PER_MILLION if interval_ns >= _FAST_NS else _PER_MILLION_FAST
        self._left_ns = _SAVED_NS
        self._counted_ns: int | None = None

    def refusal(self, now_ns: int) -> str | None:
        """Return why the process is not to be asked now, None if it may be."""
        passed_ns = now_ns - (self._counted_ns if self._counted_ns is not None else now_ns)
        self._counted_ns = now_ns
        self._left_ns = min(_SAVED_NS, self._left_ns + passed_ns * self._per_million // 1_000_000)
        if self._left_ns >= 0:
            return None
        share = f"{self._per_million / 10_000:g} %"
        return f"left out this time, so that asking takes no more than {share} of the time"

    def spend(self, cost_ns: int) -> None:
        """Take out what the process has lost by one snapshot."""
        self._left_ns = max(-_OWED_NS, self._left_ns - cost_ns)
