"""What a comparison leaves out, in sentences that give the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.analysis.align import align_frames
from snapshotter.analysis.locals import mixed_threads, mixed_variables, torn_variables
from snapshotter.analysis.movement import (
    Movement,
    SamePlace,
    movement,
    same_place,
    stopped_or_continued,
)
from snapshotter.analysis.tasks import has_all_tasks
from snapshotter.model import Kind, Status, View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from snapshotter.analysis.changes import Elapsed
    from snapshotter.model import Frame, Snapshot, Thread

__all__ = ["TWO_INCARNATIONS", "gaps"]

TWO_INCARNATIONS = (
    "Threads, locals and counters were not compared: the two snapshots are of different processes"
    " (another pid, a restart or an exec). Compared is how often each stack occurs."
)


def gaps(
    baseline: Snapshot,
    current: Snapshot,
    pairs: Sequence[tuple[Thread, Thread]],
    elapsed: Elapsed,
) -> Iterator[str]:
    """Say what was not compared and why."""
    if elapsed.ns < 0:
        yield (
            "The baseline is the newer of the two: changes are told backwards in time,"
            " without rates."
        )
    elif elapsed.ns == 0:
        yield "Rates were not computed: both snapshots are of the same instant."
    yield from _thread_gaps(pairs)
    yield from _inside_gaps(baseline, current)
    yield from _mixed_gaps(baseline, current, pairs)
    yield from _unread_gaps(baseline, current, pairs)
    yield from _value_gaps(baseline, current)


def _thread_gaps(pairs: Sequence[tuple[Thread, Thread]]) -> Iterator[str]:
    unknown = sum(same_place(old, new) is SamePlace.UNKNOWN for old, new in pairs)
    if unknown:
        yield (
            f"Of {_threads(unknown)} the place was not compared: no view saw the whole stack in"
            " both snapshots."
        )
    uncounted = sum(not (old.counters and new.counters) for old, new in pairs)
    if uncounted:
        yield (
            f"Of {_threads(uncounted)} it is not known whether the kernel ran it:"
            " no counters in both snapshots."
        )
    woken = sum(_was_only_woken(old, new) for old, new in pairs)
    if woken:
        yield (
            f"Of {_threads(woken)} it is not known whether the program ran:"
            " the process was stopped or continued in between, and that alone wakes a thread."
        )


def _was_only_woken(old: Thread, new: Thread) -> bool:
    found = movement(old, new)
    return found is Movement.UNKNOWN and stopped_or_continued(old, new)


def _inside_gaps(baseline: Snapshot, current: Snapshot) -> Iterator[str]:
    without = [
        side
        for side, snapshot in (("baseline", baseline), ("current", current))
        if View.INSIDE not in snapshot.capture.views and snapshot.gc is None
    ]
    if without:
        who = "neither snapshot has" if len(without) == 2 else f"the {without[0]} one has no"  # noqa: PLR2004
        view = "an inside view" if len(without) == 2 else "inside view"  # noqa: PLR2004
        yield f"Locals, collector, tasks and variables were not compared: {who} {view}."
        return
    if not (baseline.gc and current.gc):
        yield "The collector was not compared: not both snapshots have it."
    if baseline.tasks_total is None or current.tasks_total is None:
        yield "Tasks that came and went are not known: not both snapshots know all tasks."
    elif not (has_all_tasks(baseline) and has_all_tasks(current)):
        yield (
            "Tasks that came and went are not all known:"
            " there were more tasks than a snapshot holds."
        )


def _mixed_gaps(
    baseline: Snapshot, current: Snapshot, pairs: Sequence[tuple[Thread, Thread]]
) -> Iterator[str]:
    threads, variables = mixed_threads(pairs), mixed_variables(baseline, current)
    whose = [f"locals of {_threads(threads)}"] if threads else []
    if variables:
        whose.append(_variables(variables))
    if whose:
        yield (
            "Seen from inside in one snapshot and from outside in the other, and so compared by"
            f" type, length and simple value only: {' and '.join(whose)}."
        )


def _unread_gaps(
    baseline: Snapshot, current: Snapshot, pairs: Sequence[tuple[Thread, Thread]]
) -> Iterator[str]:
    cut = sum(_lacks_outermost(old) or _lacks_outermost(new) for old, new in pairs)
    if cut:
        yield (
            f"Locals of {_threads(cut)} were not compared: without the outermost frames it is not"
            " known which call is which."
        )
    threads = sum(
        any(
            _is_partly_unread(old, baseline) or _is_partly_unread(new, current)
            for old, new in align_frames(before, after)
        )
        for before, after in pairs
    )
    if threads:
        yield (
            f"Locals of {_threads(threads)} were not all compared: some could not be read,"
            " or no time was left for them."
        )
    if torn := torn_variables(baseline, current):
        verb = "was" if torn == 1 else "were"
        yield f"{_variables(torn)} {verb} not compared: no reading without a change meanwhile."


def _lacks_outermost(thread: Thread) -> bool:
    has_locals = any(frame.locals for frame in thread.frames)
    return has_locals and not thread.complete and not thread.lacks_innermost


def _is_partly_unread(frame: Frame, snapshot: Snapshot) -> bool:
    if frame.locals_missing:
        return True
    values = (snapshot.values[local.node] for local in frame.locals)
    return any(
        value.kind is Kind.UNKNOWN and value.status is not Status.REDACTED for value in values
    )


def _value_gaps(baseline: Snapshot, current: Snapshot) -> Iterator[str]:
    old, new = baseline.capture, current.capture
    if old.values is not new.values:
        yield (
            f"Values were captured at different levels ({old.values} and {new.values}):"
            " compared is what both show."
        )
    if old.locals != new.locals:
        yield (
            f"Different locals were selected ({old.locals!r} and {new.locals!r}):"
            " only frames with locals on both sides were compared."
        )


def _threads(count: int) -> str:
    return _counted(count, "thread")


def _variables(count: int) -> str:
    return _counted(count, "variable")


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
