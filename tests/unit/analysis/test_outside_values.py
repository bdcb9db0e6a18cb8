"""Locals that were read from outside are compared like those from inside, but not with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from snapshotter.analysis.diff import diff
from snapshotter.model import View
from tests.support.samples import snapshot

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


def test_locals_of_different_views_are_not_compared() -> None:
    found = diff(seen_from_outside(0), snapshot(1))
    assert not found.locals
    assert any("from outside in the other" in sentence for sentence in found.not_compared)
