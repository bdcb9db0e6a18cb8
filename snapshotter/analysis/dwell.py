"""Dwelling: since when each thread of the newest snapshot stands at the same place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.analysis.align import ThreadIndex, same_incarnation
from snapshotter.analysis.movement import (
    CounterDelta,
    Movement,
    SamePlace,
    counter_delta,
    movement,
    same_place,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snapshotter.model import Snapshot, Thread

__all__ = ["Dwell", "dwell"]


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
    """Whether the snapshot before the run has it elsewhere, or has not got it at all."""


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
    first, first_thread, count = newest, thread, 1
    for snapshot, index in earlier:
        found = index.find(thread)
        if found is None or not _stands_with(found, first_thread, thread):
            break
        first, first_thread, count = snapshot, found, count + 1
    return Dwell(
        thread=thread,
        since_ns=first.captured_at_ns,
        duration_ns=newest.monotonic_ns - first.monotonic_ns,
        snapshots=count,
        movement=None if count == 1 else movement(first_thread, thread),
        counters=None if count == 1 else counter_delta(first_thread, thread),
        arrived=count <= len(earlier),
    )


def _stands_with(earlier: Thread, successor: Thread, newest: Thread) -> bool:
    """Compare with the successor; with the newest too, where the views differ along the way."""
    if same_place(earlier, successor) is not SamePlace.YES:
        return False
    if earlier.view is successor.view is newest.view:
        return True
    return same_place(earlier, newest) is SamePlace.YES
