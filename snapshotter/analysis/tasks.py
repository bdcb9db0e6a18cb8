"""asyncio tasks of two snapshots: which came, which went, which are elsewhere or otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.analysis.changes import Change, Elapsed, Figure, TaskChange, TaskChanges, Unit
from snapshotter.analysis.signatures import place_signature

if TYPE_CHECKING:
    from snapshotter.model import Snapshot, Task

__all__ = ["has_all_tasks", "task_changes"]

type _Key = tuple[int, int]


def task_changes(baseline: Snapshot, current: Snapshot, *, elapsed: Elapsed) -> TaskChanges:
    """Compare tasks by identity, loop and name (an address alone is soon used again).

    A task that is not in a snapshot came or went only if all tasks are in it.
    """
    old = {_key(task): task for task in baseline.tasks}
    new = {_key(task): task for task in current.tasks}
    pairs = [(old[key], new[key]) for key in new if key in old and _may_be_one(old[key], new[key])]
    stayed = {_key(task) for _, task in pairs}
    came = (new[key] for key in new if key not in stayed and has_all_tasks(baseline))
    gone = (old[key] for key in old if key not in stayed and has_all_tasks(current))
    changes = (
        *(TaskChange(None, task, Change.ADDED) for task in came),
        *(TaskChange(task, None, Change.REMOVED) for task in gone),
        *(TaskChange(*pair, Change.CHANGED) for pair in pairs if _differ(*pair)),
    )
    return TaskChanges(_total(baseline, current, elapsed), changes)


def has_all_tasks(snapshot: Snapshot) -> bool:
    """Tell whether no task is missing in a snapshot."""
    return snapshot.tasks_total is not None and snapshot.tasks_total <= len(snapshot.tasks)


def _key(task: Task) -> _Key:
    return task.identity, task.loop


def _may_be_one(before: Task, after: Task) -> bool:
    """Compare names, where both are known."""
    return before.name == after.name or None in {before.name, after.name}


def _differ(before: Task, after: Task) -> bool:
    if before.state is not after.state:
        return True
    return place_signature(before.frames) != place_signature(after.frames)


def _total(baseline: Snapshot, current: Snapshot, elapsed: Elapsed) -> Figure | None:
    if baseline.tasks_total is None or current.tasks_total is None:
        return None
    return Figure("tasks", Unit.COUNT, baseline.tasks_total, current.tasks_total, elapsed)
