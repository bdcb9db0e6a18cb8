"""The collector as read from outside is the one that the gc module knows."""

from __future__ import annotations

import json

import pytest

from tests.support.details import details_of
from tests.support.targets import spawn

pytestmark = pytest.mark.live

KNOWN = ("collections", "collected", "uncollectable")


def test_figures_equal_those_of_the_gc_module(target_python: str) -> None:
    with (
        spawn("collecting.py", python=target_python) as target,
        details_of(target.pid) as details,
    ):
        told = json.loads(target.stdout_text())
        found = details.read("none").gc

    assert found is not None
    assert found.enabled
    assert [generation.threshold for generation in found.generations] == [700, 11, 12]
    for generation, wanted in zip(found.generations, told["stats"], strict=True):
        assert {name: getattr(generation, name) for name in KNOWN} | generation.extra == wanted
    assert found.garbage == 1
    assert found.callbacks == ("called", "Cycle.__init__", "len")
    assert found.freeze_count == told["frozen"]


def test_frozen_objects_are_counted_while_they_are_few(target_python: str) -> None:
    with (
        spawn("collecting.py", "freeze", python=target_python) as target,
        details_of(target.pid) as details,
    ):
        told = json.loads(target.stdout_text())
        found = details.read("none").gc

    assert found is not None
    assert told["frozen"] > 2000
    assert found.freeze_count is None


def test_recent_collections_are_told_where_the_version_remembers_them(target_python: str) -> None:
    with (
        spawn("collecting.py", python=target_python) as target,
        details_of(target.pid) as details,
    ):
        version = details.runtime.version
        found = details.read("none").gc

    assert found is not None
    if version < (3, 15):
        assert found.recent == ()
        return
    assert [run.generation for run in found.recent].count(0) == 11
    assert [run.generation for run in found.recent].count(1) == 3
    assert found.recent[-1].generation == 2
    assert [run.started_ns for run in found.recent] == sorted(
        run.started_ns for run in found.recent
    )
    for run in found.recent:
        assert 0 <= run.duration_ns < 1_000_000_000
        assert run.heap_objects > 100
    young = [run for run in found.recent if run.generation == 0]
    assert young[0].collected is None
    assert all(run.collected is not None and run.collected >= 0 for run in young[1:])
