"""Movement: what a thread did between two snapshots, proved by counters only the kernel writes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from snapshotter.analysis.signatures import place_signature
from snapshotter.model import View

if TYPE_CHECKING:
    from snapshotter.model import Frame, Thread

__all__ = [
    "CounterDelta",
    "Movement",
    "SamePlace",
    "counter_delta",
    "movement",
    "same_place",
    "stopped_or_continued",
]

SPINNING_CORES = 0.8
POLLING_CORES = 0.05
_SWITCHES_OF_A_STOP = 3
"""How often a sleeping thread gives the processor away because its process is stopped or continued.

Once to stop, once to sleep again; once more where all wake up together and wait for the GIL.
"""
_STOPPED_STATES = frozenset("Tt")


class Movement(StrEnum):
    """What a thread did between two snapshots."""

    MOVED = "moved"
    """It stands elsewhere."""
    SPINNING = "spinning"
    """The same place, and at least 0.8 of a core all the time."""
    FROZEN = "frozen"
    """The same place, and the kernel never ran it in between: proof that it did nothing."""
    POLLING = "polling"
    """The same place; it wakes, looks and sleeps again, or does a new call each time."""
    REPEATING = "repeating"
    """The same place, but it worked: no evidence of a hang."""
    UNKNOWN = "unknown"
    """No counters, or no view from which both snapshots have its whole stack.

    Or it was stopped or continued in between: that alone wakes it, and the counters tell no more.
    """


class SamePlace(StrEnum):
    """Whether two stacks of a thread are the same, compared in one view."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CounterDelta:
    """What the kernel did with a thread between two readings, both from before any request."""

    voluntary: int | None
    involuntary: int | None
    cpu_ns: int | None
    elapsed_ns: int
    stops: int = 0
    """How often it was seen to be stopped, or to go on, in between."""

    @property
    def switches(self) -> int | None:
        """All context switches, or None when either count is not known."""
        if self.voluntary is None or self.involuntary is None:
            return None
        return self.voluntary + self.involuntary

    @property
    def cores(self) -> float | None:
        """Share of one core, 1.0 for a whole one."""
        return None if self.cpu_ns is None else self.cpu_ns / self.elapsed_ns


def movement(before: Thread, after: Thread, *, stops: int | None = None) -> Movement:
    """Class the movement of one thread between two snapshots (the same thread on both sides).

    ``stops`` is for snapshots with others between them; see ``counter_delta``.
    """
    same = same_place(before, after)
    if same is SamePlace.NO:
        return Movement.MOVED
    delta = counter_delta(before, after, stops=stops)
    if same is SamePlace.UNKNOWN or delta is None:
        return Movement.UNKNOWN
    return _class_at_same_place(delta)


def _class_at_same_place(delta: CounterDelta) -> Movement:
    if delta.cores is None:
        return Movement.UNKNOWN
    # A thread that computes and is never preempted keeps both switch counts still, so the
    # processor time is looked at first and frozen demands that there is none at all.
    if delta.cores >= SPINNING_CORES:
        return Movement.SPINNING
    if delta.voluntary is None or delta.switches is None:
        return Movement.UNKNOWN
    if delta.switches == 0 and delta.cpu_ns == 0:
        return Movement.FROZEN
    if delta.cores >= POLLING_CORES:
        return Movement.REPEATING
    return _class_of_sleeper(delta.voluntary, delta.stops)


def _class_of_sleeper(voluntary: int, stops: int) -> Movement:
    if stops and voluntary <= stops * _SWITCHES_OF_A_STOP:
        return Movement.UNKNOWN
    return Movement.POLLING if voluntary > 0 else Movement.REPEATING


def counter_delta(
    before: Thread, after: Thread, *, stops: int | None = None
) -> CounterDelta | None:
    """Return the difference of the kernel's counters, or None without two usable readings.

    ``stops`` counts how often the thread was stopped or continued, where snapshots in between tell;
    else the states on both sides do.
    """
    old, new = before.counters, after.counters
    if old is None or new is None or new.at_ns <= old.at_ns:
        return None
    return CounterDelta(
        _delta(old.voluntary_switches, new.voluntary_switches),
        _delta(old.involuntary_switches, new.involuntary_switches),
        _delta(old.cpu_ns, new.cpu_ns),
        new.at_ns - old.at_ns,
        int(stopped_or_continued(before, after)) if stops is None else stops,
    )


def stopped_or_continued(before: Thread, after: Thread) -> bool:
    """Tell whether one of two snapshots has the thread stopped (SIGSTOP, a debugger)."""
    return _is_stopped(before) is not _is_stopped(after)


def _is_stopped(thread: Thread) -> bool:
    return thread.counters is not None and thread.counters.state in _STOPPED_STATES


def _delta(before: int | None, after: int | None) -> int | None:
    """A counter that ran backwards is another thread's or another boot's, so it tells nothing."""
    if before is None or after is None or after < before:
        return None
    return after - before


def same_place(before: Thread, after: Thread) -> SamePlace:
    """Compare S1 in one view: inside with inside if both have it, else outside with outside.

    Of incomplete stacks the innermost frames that both sides have are compared. Where just those
    are missing, the outermost may tell that the place is another one, never that it is the same.
    """
    for view in (View.INSIDE, View.OUTSIDE):
        old, new = _frames_from(before, view), _frames_from(after, view)
        if old is None or new is None:
            continue
        if before.lacks_innermost or after.lacks_innermost:
            return _compare_outermost(before, after, old, new)
        return _compare(old, new, complete=before.complete and after.complete)
    return SamePlace.UNKNOWN


def _frames_from(thread: Thread, view: View) -> tuple[Frame, ...] | None:
    if view is View.OUTSIDE and thread.outside is not None:
        return thread.outside.frames  # of the time at which the counters were read
    return thread.frames if thread.view is view else None


def _compare_outermost(
    before: Thread, after: Thread, old: tuple[Frame, ...], new: tuple[Frame, ...]
) -> SamePlace:
    has_outermost = all(each.complete or each.lacks_innermost for each in (before, after))
    shared = min(len(old), len(new))
    if not has_outermost or not shared:
        return SamePlace.UNKNOWN
    differs = place_signature(old[-shared:]) != place_signature(new[-shared:])
    return SamePlace.NO if differs else SamePlace.UNKNOWN


def _compare(old: tuple[Frame, ...], new: tuple[Frame, ...], *, complete: bool) -> SamePlace:
    if not complete:
        shared = min(len(old), len(new))
        if shared == 0:
            return SamePlace.UNKNOWN
        old, new = old[:shared], new[:shared]
    return SamePlace.YES if place_signature(old) == place_signature(new) else SamePlace.NO
