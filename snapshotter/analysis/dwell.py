"""Dwelling: since when each thread of the newest snapshot stands at the same place."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from snapshotter.analysis.align import ThreadIndex, same_incarnation
from snapshotter.analysis.movement import (
    CounterDelta,
    Movement,
    SamePlace,
    counter_delta,
    movement,
    same_place,
    stopped_or_continued,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snapshotter.model import Snapshot, Thread

__all__ = ["Dwell", "Stretch", "dwell"]

_PROOFS = (Movement.FROZEN, Movement.SPINNING)
"""What no chance explains; a run of any other class may end in a stretch of one of these."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Successive snapshots, the last of which is the newest; ``duration_ns`` is a lower bound."""

    since_ns: int
    """Unix time of its first snapshot."""
    duration_ns: int
    snapshots: int
    movement: Movement | None
    counters: CounterDelta | None


@dataclass(frozen=True, slots=True)
class Dwell:
    """The unbroken run of snapshots, up to the newest, in which a thread stands at one place."""

    thread: Thread
    """As the newest snapshot has it."""
    since_ns: int
    """Unix time of the first snapshot of the run: it has been there at least since then."""
    duration_ns: int
    """From the first to the newest snapshot of the run: a lower bound."""
    snapshots: int
    """How many snapshots the run has; 1 when it was elsewhere, or not there, before."""
    movement: Movement | None
    """Its class over the whole run; None for a run of one."""
    counters: CounterDelta | None
    """What the kernel did with it over the whole run."""
    arrived: bool = False
    """Whether the snapshot before the run has it elsewhere, or has not got it at all.

    Not where its place in that one is not known.
    """
    tail: Stretch | None = None
    """The end of the run, where that is frozen or spinning and the whole of it is not.

    A thread that came by this place once before, by chance, and then hangs there has such a run.
    """

    @property
    def strongest(self) -> Stretch:
        """What tells most about it: the tail, else the whole run."""
        return self.tail or Stretch(
            self.since_ns, self.duration_ns, self.snapshots, self.movement, self.counters
        )


def dwell(snapshots: Sequence[Snapshot]) -> tuple[Dwell, ...]:
    """Measure each thread of the last snapshot of a recording (empty for no snapshots).

    A snapshot without the thread, of another incarnation, or with which its place cannot be
    compared ends the run.
    """
    if not snapshots:
        return ()
    earlier = [
        (each, ThreadIndex(each.threads))
        for each in reversed(snapshots[:-1])
        if same_incarnation(each, snapshots[-1])
    ]
    return tuple(_run_of(thread, snapshots[-1], earlier) for thread in snapshots[-1].threads)


def _run_of(
    thread: Thread, newest: Snapshot, earlier: Sequence[tuple[Snapshot, ThreadIndex]]
) -> Dwell:
    run = [(newest, thread)]
    arrived = False
    for snapshot, index in earlier:
        found = index.find(thread)
        same = SamePlace.NO if found is None else _stands_with(found, run[-1][1], thread)
        if found is None or same is not SamePlace.YES:
            arrived = same is SamePlace.NO
            break
        run.append((snapshot, found))
    whole = _stretch(run)
    return Dwell(
        thread=thread,
        since_ns=whole.since_ns,
        duration_ns=whole.duration_ns,
        snapshots=whole.snapshots,
        movement=whole.movement,
        counters=whole.counters,
        arrived=arrived,
        tail=_tail(run, whole.movement),
    )


def _stretch(run: Sequence[tuple[Snapshot, Thread]]) -> Stretch:
    """Measure a run, the newest first."""
    (newest, thread), (first, first_thread) = run[0], run[-1]
    single = len(run) == 1
    stops = sum(stopped_or_continued(older, newer) for (_, newer), (_, older) in pairwise(run))
    return Stretch(
        since_ns=first.captured_at_ns,
        duration_ns=newest.monotonic_ns - first.monotonic_ns,
        snapshots=len(run),
        movement=None if single else movement(first_thread, thread, stops=stops),
        counters=None if single else counter_delta(first_thread, thread, stops=stops),
    )


def _tail(run: Sequence[tuple[Snapshot, Thread]], whole: Movement | None) -> Stretch | None:
    """Return the longest end of a run each step of which is of one proved class."""
    if len(run) == 1:
        return None
    steps = [movement(older, newer) for (_, newer), (_, older) in pairwise(run)]
    kind = steps[0]
    if kind not in _PROOFS or kind is whole:
        return None
    length = sum(1 for _ in takewhile(lambda step: step is kind, steps))
    return _stretch(run[: length + 1])


def _stands_with(earlier: Thread, successor: Thread, newest: Thread) -> SamePlace:
    """Compare with the successor; with the newest too, where the views differ along the way."""
    same = same_place(earlier, successor)
    if same is not SamePlace.YES or earlier.view is successor.view is newest.view:
        return same
    return same_place(earlier, newest)
