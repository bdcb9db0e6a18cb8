"""Pure statistics of the benchmarks: percentiles, paired intervals, gaps inside a window."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "Gap",
    "Interval",
    "bootstrap_pairs",
    "gaps_within",
    "longest_ns",
    "percentile",
    "shortened",
]

_RESAMPLES = 2_000
_SEED = 20_261_120


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time in which a thread did not run; monotonic nanoseconds."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        """How long it was."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the interval that holds 95 % of its resampled values."""

    estimate: float
    low: float
    high: float


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` (0 to 1) of all values do not exceed.

    No interpolation: the answer is one of the values. Raises ValueError without values.
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def gaps_within(gaps: Iterable[Gap], start_ns: int, end_ns: int) -> list[Gap]:
    """Return the gaps that overlap a window, each in its full length: so long it was felt."""
    return [gap for gap in gaps if gap.start_ns < end_ns and gap.end_ns > start_ns]


def shortened(gaps: Iterable[Gap], turns: Sequence[Gap]) -> list[Gap]:
    """Return the gaps without the time that overlaps ``turns``, which do not overlap each other."""
    return [Gap(gap.start_ns, gap.end_ns - _overlap_ns(gap, turns)) for gap in gaps]


def _overlap_ns(gap: Gap, turns: Sequence[Gap]) -> int:
    return sum(
        max(0, min(gap.end_ns, turn.end_ns) - max(gap.start_ns, turn.start_ns)) for turn in turns
    )


def longest_ns(gaps: Iterable[Gap]) -> int:
    """Return the length of the longest gap, 0 when there is none."""
    return max((gap.length_ns for gap in gaps), default=0)


def bootstrap_pairs(
    pairs: Sequence[tuple[float, float]],
    figure: Callable[[Sequence[tuple[float, float]]], float] | None = None,
) -> Interval:
    """Return a figure of paired runs (without, with) and its 95 % bootstrap interval.

    Whole pairs are drawn again with replacement: what both runs of a pair share (the state of the
    machine at that time) stays together. The default figure is the median of with / without.
    """
    if not pairs:
        raise ValueError("there is no interval of nothing")
    measure = _median_ratio if figure is None else figure
    draw = random.Random(_SEED)  # noqa: S311 - the same data must give the same interval
    drawn = sorted(measure(draw.choices(pairs, k=len(pairs))) for _ in range(_RESAMPLES))
    return Interval(measure(pairs), percentile(drawn, 0.025), percentile(drawn, 0.975))


def _median_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return median(after / before for before, after in pairs)
