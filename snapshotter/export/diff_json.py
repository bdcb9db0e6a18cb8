"""The JSON shape of a comparison: the records of the analysis, field by field."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from snapshotter.analysis.changes import Diff, ThreadChange
from snapshotter.analysis.seen import Seen
from snapshotter.export.encoding import scalar, utc
from snapshotter.export.json import place_dict, skipped_files
from snapshotter.export.values import ValueTrees
from snapshotter.model import Frame, Recording, Snapshot, Task, Thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from snapshotter.analysis.recordings import RecordingDiff

__all__ = ["DIFF_SCHEMA", "RECORDING_DIFF_SCHEMA", "diff_dict"]

DIFF_SCHEMA = "snapshotter.diff/1"
RECORDING_DIFF_SCHEMA = "snapshotter.recording-diff/1"

_MOST_VALUES_EACH = 1_000
_MOST_VALUES = 200_000
"""Of all changes together: what many names lead to stands in each of them anew."""


def diff_dict(diff: Diff | RecordingDiff) -> dict[str, Any]:
    """Return ``diff`` as plain containers.

    A snapshot is only named (time, pid, place in its recording), a thread outside of ``threads``
    too; a captured value is the tree of the json format. What a record computes from its fields
    (``delta``, ``rate_per_s``, …) stands beside them.
    """
    schema = DIFF_SCHEMA if isinstance(diff, Diff) else RECORDING_DIFF_SCHEMA
    told = _values_told(diff if isinstance(diff, Diff) else diff.last)
    each = min(_MOST_VALUES_EACH, _MOST_VALUES // max(told, 1))
    return {"schema": schema, **_record(diff, each)}


def _values_told(diff: Diff) -> int:
    changes = [one.changes for one in diff.locals] + [one.changes for one in diff.variables]
    return 2 * sum(map(len, changes)) + len(diff.resizes)


def _plain(value: Any, most: int) -> Any:  # noqa: ANN401  any field of any record
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool | int | float | str | bytes | None):
        return scalar(value)
    if isinstance(value, tuple | list | frozenset):
        return [_plain(each, most) for each in value]
    if bounded := _BOUNDED.get(type(value)):
        return bounded(value, most)
    if special := _SPECIAL.get(type(value)):
        return special(value)
    if is_dataclass(value):
        return _record(value, most)
    raise TypeError(f"a diff holds {type(value).__name__}, which has no JSON shape")


def _record(record: Any, most: int) -> dict[str, Any]:  # noqa: ANN401  any dataclass
    """Return a record; of each value in it no more than ``most`` nodes."""
    named = {field.name: _plain(getattr(record, field.name), most) for field in fields(record)}
    return named | {name: _plain(value, most) for name, value in _computed(record)}


def _computed(record: Any) -> Iterable[tuple[str, object]]:  # noqa: ANN401  any dataclass
    """Return the properties that are a plain figure or word; others repeat a field."""
    for name, member in vars(type(record)).items():
        if isinstance(member, property):
            value = getattr(record, name)
            if isinstance(value, bool | int | float | str | None):
                yield name, value


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "captured_at": utc(snapshot.captured_at_ns),
        "captured_at_ns": snapshot.captured_at_ns,
        "monotonic_ns": snapshot.monotonic_ns,
        "pid": snapshot.process.pid,
        "sequence": None if snapshot.tick is None else snapshot.tick.sequence,
    }


def _recording(recording: Recording) -> dict[str, Any]:
    snapshots = recording.snapshots
    return {
        "directory": None if recording.directory is None else str(recording.directory),
        "snapshots": len(snapshots),
        "first": _snapshot(snapshots[0]) if snapshots else None,
        "last": _snapshot(snapshots[-1]) if snapshots else None,
        "skipped": skipped_files(recording),
    }


def _thread(thread: Thread) -> dict[str, Any]:
    return {
        "ident": thread.ident,
        "native_id": thread.native_id,
        "name": thread.name,
        "is_main": thread.is_main,
        "view": thread.view.value,
    }


def _thread_with_stack(thread: Thread | None) -> dict[str, Any] | None:
    if thread is None:
        return None
    return _thread(thread) | {"frames": [place_dict(frame) for frame in thread.frames]}


def _thread_change(change: ThreadChange, most: int) -> dict[str, Any]:
    return _record(change, most) | {
        "before": _thread_with_stack(change.before),
        "after": _thread_with_stack(change.after),
    }


def _task(task: Task) -> dict[str, Any]:
    return {
        "identity": task.identity,
        "name": task.name,
        "state": task.state.value,
        "frames": [place_dict(frame) for frame in task.frames],
        "waits_for": task.waits_for,
    }


def _seen(seen: Seen, most: int) -> dict[str, Any]:
    return ValueTrees(seen.values, max_values=most).tree(seen.node)


_BOUNDED: Mapping[type, Callable[[Any, int], Any]] = {Seen: _seen, ThreadChange: _thread_change}
_SPECIAL: Mapping[type, Callable[[Any], Any]] = {
    Frame: place_dict,
    Recording: _recording,
    Snapshot: _snapshot,
    Task: _task,
    Thread: _thread,
}
