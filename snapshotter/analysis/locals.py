"""Locals and variables of two snapshots: added, removed, changed, and the containers that grew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.analysis.align import align_frames, align_locals
from snapshotter.analysis.changes import (
    Change,
    Figure,
    LocalChange,
    Resize,
    Unit,
    ValueChange,
    VariableChange,
)
from snapshotter.analysis.seen import Seen
from snapshotter.analysis.signatures import is_module_dunder
from snapshotter.analysis.values import compare_values
from snapshotter.model import Kind, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snapshotter.analysis.changes import Elapsed
    from snapshotter.model import Frame, Local, Snapshot, Thread, Value, Variable

__all__ = ["local_changes", "resizes", "variable_changes"]

_CONTAINERS = frozenset({Kind.LIST, Kind.DICT, Kind.SET, Kind.DEQUE, Kind.ARRAY, Kind.BYTES})

type _Differences = tuple[tuple[ValueChange, ...], int]


def local_changes(
    baseline: Snapshot, current: Snapshot, pairs: Iterable[tuple[Thread, Thread]]
) -> Iterator[LocalChange]:
    """Compare the locals of aligned frames of threads that the same view saw on both sides."""
    for before, after in pairs:
        if before.view is not after.view:
            continue
        for old, new in align_frames(before.frames, after.frames):
            if _comparable(old) and _comparable(new):
                yield from _of_frame(baseline, current, after, old, new)


def _comparable(frame: Frame) -> bool:
    """Tell whether locals that are not there are really absent, and not merely left out."""
    return bool(frame.locals)


def _of_frame(
    baseline: Snapshot, current: Snapshot, thread: Thread, old: Frame, new: Frame
) -> Iterator[LocalChange]:
    for was, now in align_locals(old, new):
        local = now or was
        if local is None or is_module_dunder(new, local):
            continue
        changes, more = _one_sided_or_compared(baseline, current, was, now)
        if (was is None and old.locals_missing) or (now is None and new.locals_missing):
            continue
        if changes:
            yield LocalChange(thread, new, local.name, changes, more)


def _one_sided_or_compared(
    baseline: Snapshot,
    current: Snapshot,
    was: Local | Variable | None,
    now: Local | Variable | None,
) -> _Differences:
    before = None if was is None or was.node is None else Seen(baseline.values, was.node)
    after = None if now is None or now.node is None else Seen(current.values, now.node)
    if before is not None and after is not None:
        return compare_values(before, after)
    if after is not None:
        return (ValueChange("", Change.ADDED, None, after),), 0
    if before is not None:
        return (ValueChange("", Change.REMOVED, before, None),), 0
    return (), 0


def variable_changes(baseline: Snapshot, current: Snapshot) -> Iterator[VariableChange]:
    """Compare the variables that both sides were asked for."""
    old = {variable.expression: variable for variable in baseline.variables}
    for variable in current.variables:
        if variable.expression in old:
            changes, more = _one_sided_or_compared(
                baseline, current, old[variable.expression], variable
            )
            if changes:
                yield VariableChange(variable.expression, changes, more)


def resizes(
    locals_: Iterable[LocalChange], variables: Iterable[VariableChange], elapsed: Elapsed
) -> tuple[Resize, ...]:
    """Collect containers with another length: each once, by the plainest of its names.

    A container that many threads or names share is one object and one resize. A name that is
    bound to another container is a changed value and not a resize.
    """
    found: dict[object, Resize] = {}
    for resize in sorted(_candidates(locals_, variables, elapsed), key=_plainness):
        identity = resize.after.value.identity
        found.setdefault(
            (resize.frame, resize.expression) if identity is None else identity, resize
        )
    return tuple(sorted(found.values(), key=lambda each: -abs(each.figure.delta)))


def _candidates(
    locals_: Iterable[LocalChange], variables: Iterable[VariableChange], elapsed: Elapsed
) -> Iterator[Resize]:
    for local in locals_:
        for change in local.changes:
            yield from _resize(local.name, local.frame, change, elapsed)
    for variable in variables:
        for change in variable.changes:
            yield from _resize(variable.expression, None, change, elapsed)


def _resize(
    name: str, frame: Frame | None, change: ValueChange, elapsed: Elapsed
) -> Iterator[Resize]:
    if change.before is None or change.after is None or not change.length_delta:
        return
    old, new = change.before.value, change.after.value
    if old.length is None or new.length is None or not _same_container(old, new):
        return
    expression = name + change.path
    figure = Figure(expression, Unit.COUNT, old.length, new.length, elapsed)
    yield Resize(expression, frame, figure, change.after)


def _same_container(old: Value, new: Value) -> bool:
    if new.kind not in _CONTAINERS:
        return False
    return old.identity is None or new.identity is None or old.identity == new.identity


def _plainness(resize: Resize) -> tuple[bool, int, int]:
    foreign = resize.frame is not None and resize.frame.origin is not Origin.APP
    steps = resize.expression.count(".") + resize.expression.count("[")
    return foreign, steps, len(resize.expression)
