"""Locals read from outside are compared like those from inside, and with them where exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from snapshotter.analysis.changes import Change
from snapshotter.analysis.diff import diff
from snapshotter.model import Kind, Local, Status, Value, View
from tests.support.samples import APP, Values, frame, snapshot

if TYPE_CHECKING:
    from snapshotter.model import Snapshot


def seen_from_outside(step: int) -> Snapshot:
    whole = snapshot(step)
    threads = tuple(replace(thread, view=View.OUTSIDE) for thread in whole.threads)
    return replace(whole, threads=threads, capture=replace(whole.capture, views=(View.OUTSIDE,)))


def test_locals_of_the_outside_view_are_compared() -> None:
    inside = diff(snapshot(0), snapshot(1))
    outside = diff(seen_from_outside(0), seen_from_outside(1))
    assert outside.locals
    assert [(one.name, one.changes) for one in outside.locals] == [
        (one.name, one.changes) for one in inside.locals
    ]
    assert outside.gc
    assert not any("no inside view" in sentence for sentence in outside.not_compared)


def of_audit(whole: Snapshot, view: View, **values: object) -> Snapshot:
    """Return the snapshot with one thread whose only frame has these locals."""
    table = Values()
    names = [Local(name, table.add(value, identity=7)) for name, value in values.items()]
    one = replace(whole.threads[2], view=view, frames=(frame(f"{APP}/a.py:9", "run", *names),))
    views = (View.OUTSIDE,) if view is View.OUTSIDE else (View.OUTSIDE, View.INSIDE)
    capture = replace(whole.capture, views=views)
    return replace(whole, threads=(one,), values=tuple(table.nodes), variables=(), capture=capture)


@pytest.mark.parametrize("views", list(permutations(View)))
def test_what_both_views_read_exactly_is_compared(views: tuple[View, View]) -> None:
    before = of_audit(snapshot(0), views[0], trail=list(range(20)), sent=1, name="a", spare=None)
    after = of_audit(snapshot(1), views[1], trail=list(range(46)), sent=2, name="a", spare=0)
    found = diff(before, after)
    assert [(one.name, one.views) for one in found.locals] == [
        ("trail", views), ("sent", views), ("spare", views),
    ]  # fmt: skip
    (trail,) = found.resizes
    assert (trail.figure.before, trail.figure.after, trail.views) == (20, 46, views)
    assert any("locals of 1 thread" in sentence for sentence in found.not_compared)


def test_what_views_may_describe_differently_tells_nothing() -> None:
    def at(view: View, kind: Kind, value: str, **more: object) -> Snapshot:
        odd = Value(kind, "app.Odd", value=value)
        return of_audit(snapshot(), view, odd=odd, **more)

    before = at(View.OUTSIDE, Kind.OBJECT, "a", gone=1, late=Value(Kind.UNKNOWN, ""))
    after = at(View.INSIDE, Kind.CODE, "b", new=1, late=3)
    assert not diff(before, after).locals
    before = at(View.OUTSIDE, Kind.TIME, "a", cut=Value(Kind.STR, "str", Status.TRUNCATED, 200))
    after = at(View.INSIDE, Kind.TIME, "b", cut=Value(Kind.STR, "str", Status.OK, 200, "b"))
    assert not diff(before, after).locals


def test_attributes_are_compared_and_not_said_to_come_or_go() -> None:
    def at(view: View, **fields: object) -> Snapshot:
        table = Values()
        node = table.object("app.Order", identity=7, **fields)
        whole = of_audit(snapshot(), view)
        top = frame(f"{APP}/a.py:9", "run", Local("order", node))
        one = replace(whole.threads[0], frames=(top,))
        return replace(whole, threads=(one,), values=tuple(table.nodes))

    before = at(View.INSIDE, state="open", lazy=1, items={"a": 1})
    after = at(View.OUTSIDE, state="paid", items={"a": 1, "b": 2})
    (order,) = diff(before, after).locals
    assert [(one.path, one.change) for one in order.changes] == [
        (".state", Change.CHANGED), (".items", Change.CHANGED), (".items['b']", Change.ADDED),
    ]  # fmt: skip


def test_variables_of_different_views_are_compared_exactly_too() -> None:
    found = diff(seen_from_outside(0), snapshot(1))
    assert [one.views for one in found.variables] == [(View.OUTSIDE, View.INSIDE)]
    assert any(sentence.endswith("1 variable.") for sentence in found.not_compared)


def test_one_view_on_both_sides_needs_no_remark() -> None:
    found = diff(snapshot(0), snapshot(1))
    assert {one.views for one in found.locals} == {(View.INSIDE, View.INSIDE)}
    assert not any("simple value" in sentence for sentence in found.not_compared)
