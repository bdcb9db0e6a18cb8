"""Locals and variables of two snapshots: added, removed, changed, and the containers that grew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
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
from snapshotter.analysis.values import Comparison
from snapshotter.model import Kind, Origin, View
from snapshotter.model.limits import limits_for
from snapshotter.model.snapshot import TORN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snapshotter.analysis.changes import Elapsed
    from snapshotter.model import Frame, Local, Snapshot, Thread, Value, Variable

__all__ = [
    "local_changes",
    "mixed_threads",
    "mixed_variables",
    "resizes",
    "torn_variables",
    "variable_changes",
]

_CONTAINERS = frozenset({Kind.LIST, Kind.DICT, Kind.SET, Kind.DEQUE, Kind.ARRAY, Kind.BYTES})

type _Found = tuple[tuple[ValueChange, ...], int]


@dataclass(frozen=True, slots=True)
class _Sides:
    """The tables of values of both snapshots, and the views that read what is compared."""

    before: tuple[Value, ...]
    after: tuple[Value, ...]
    views: tuple[View, View]
    comparison: Comparison

    @property
    def are_mixed(self) -> bool:
        return self.views[0] is not self.views[1]

    def differences(self, was: Local | Variable | None, now: Local | Variable | None) -> _Found:
        """Compare one name; what only one side has is told where one view read both sides."""
        before = None if was is None or was.node is None else Seen(self.before, was.node)
        after = None if now is None or now.node is None else Seen(self.after, now.node)
        if before is not None and after is not None:
            return self.comparison.differences(before.node, after.node)
        if self.are_mixed or (before is None and after is None):
            return (), 0
        change = Change.ADDED if before is None else Change.REMOVED
        return (ValueChange("", change, before, after),), 0


def _sides(baseline: Snapshot, current: Snapshot, old: View, new: View) -> _Sides:
    longest_name = min(limits_for(each.capture.values).text for each in (baseline, current))
    comparison = Comparison(
        baseline.values,
        current.values,
        across_views=old is not new,
        longest_name=longest_name,
    )
    return _Sides(baseline.values, current.values, (old, new), comparison)


def local_changes(
    baseline: Snapshot, current: Snapshot, pairs: Iterable[tuple[Thread, Thread]]
) -> Iterator[LocalChange]:
    """Compare the locals of aligned frames; of two views what both read exactly."""
    sides_of = cache(partial(_sides, baseline, current))
    for before, after in pairs:
        sides = sides_of(before.view, after.view)
        for old, new in align_frames(before, after):
            if _comparable(old) and _comparable(new):
                yield from _of_frame(sides, after, old, new)


def _comparable(frame: Frame) -> bool:
    """Tell whether locals that are not there are really absent, and not merely left out."""
    return bool(frame.locals)


def _of_frame(sides: _Sides, thread: Thread, old: Frame, new: Frame) -> Iterator[LocalChange]:
    for was, now in align_locals(old, new):
        local = now or was
        if local is None or is_module_dunder(new, local):
            continue
        if (was is None and old.locals_missing) or (now is None and new.locals_missing):
            continue
        changes, more = sides.differences(was, now)
        if changes:
            yield LocalChange(thread, new, local.name, changes, sides.views, more)


def variable_changes(baseline: Snapshot, current: Snapshot) -> Iterator[VariableChange]:
    """Compare the variables that both sides were asked for."""
    sides_of = cache(partial(_sides, baseline, current))
    for before, after in _variable_pairs(baseline, current):
        if not _is_torn(before, after):
            sides = sides_of(_view_of(before, baseline), _view_of(after, current))
            changes, more = sides.differences(before, after)
            if changes:
                yield VariableChange(after.expression, changes, sides.views, more)


def _variable_pairs(baseline: Snapshot, current: Snapshot) -> Iterator[tuple[Variable, Variable]]:
    old = {variable.expression: variable for variable in baseline.variables}
    for variable in current.variables:
        if variable.expression in old:
            yield old[variable.expression], variable


def _is_torn(*sides: Variable) -> bool:
    """Tell whether a variable that is there could not be read."""
    return any(side.problem == TORN for side in sides)


def torn_variables(baseline: Snapshot, current: Snapshot) -> int:
    """Count the variables that were not compared for that reason."""
    return sum(_is_torn(*pair) for pair in _variable_pairs(baseline, current))


def _view_of(variable: Variable, snapshot: Snapshot) -> View:
    """Return the view that it comes from; in old files the probe's, unless there is none."""
    if variable.view is not None:
        return variable.view
    return View.INSIDE if View.INSIDE in snapshot.capture.views else View.OUTSIDE


def mixed_threads(pairs: Iterable[tuple[Thread, Thread]]) -> int:
    """Count the threads whose locals were compared although two views had read them."""
    return sum(
        before.view is not after.view
        and any(_comparable(old) and _comparable(new) for old, new in align_frames(before, after))
        for before, after in pairs
    )


def mixed_variables(baseline: Snapshot, current: Snapshot) -> int:
    """Count the variables that were compared although two views had read them."""
    return sum(
        before.node is not None
        and after.node is not None
        and _view_of(before, baseline) is not _view_of(after, current)
        for before, after in _variable_pairs(baseline, current)
    )


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
        yield from _resizes_of(local.name, local.frame, local, elapsed)
    for variable in variables:
        yield from _resizes_of(variable.expression, None, variable, elapsed)


def _resizes_of(
    name: str, frame: Frame | None, told: LocalChange | VariableChange, elapsed: Elapsed
) -> Iterator[Resize]:
    for change in told.changes:
        if change.before is None or change.after is None or not change.length_delta:
            continue
        old, new = change.before.value, change.after.value
        if old.length is not None and new.length is not None and _same_container(old, new):
            expression = name + change.path
            figure = Figure(expression, Unit.COUNT, old.length, new.length, elapsed)
            yield Resize(expression, frame, figure, change.after, told.views)


def _same_container(old: Value, new: Value) -> bool:
    if new.kind not in _CONTAINERS:
        return False
    return old.identity is None or new.identity is None or old.identity == new.identity


def _plainness(resize: Resize) -> tuple[bool, int, int]:
    foreign = resize.frame is not None and resize.frame.origin is not Origin.APP
    steps = resize.expression.count(".") + resize.expression.count("[")
    return foreign, steps, len(resize.expression)
