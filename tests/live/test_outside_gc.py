"""The collector as read from outside is the one that the gc module knows."""

from __future__ import annotations

import json

import pytest

from tests.support.details import details_of
from tests.support.targets import spawn

pytestmark = pytest.mark.live

MARGIN_NS = 200_000_000
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


def test_recent_collections_are_those_that_the_callbacks_saw(target_python: str) -> None:
    with spawn("gc_log.py", python=target_python) as target, details_of(target.pid) as details:
        told = json.loads(target.stdout_text())
        version = details.runtime.version
        found = details.read("none").gc

    assert found is not None
    assert not found.enabled
    for generation, wanted in zip(found.generations, told["stats"], strict=True):
        assert {name: getattr(generation, name) for name in KNOWN} | generation.extra == wanted
    assert [one.count for one in found.generations][1:] == told["count"][1:]
    assert [one.threshold for one in found.generations] == [200, 3, 4]
    if version < (3, 15):
        assert found.recent == ()
        return
    for number, size in enumerate((11, 3, 3)):
        runs = [run for run in told["runs"] if run[0] == number]
        recent = [run for run in found.recent if run.generation == number]
        assert len(recent) == min(size, len(runs)) > 1
        for run, (_, collected, started_ns, stopped_ns) in zip(
            recent, runs[-len(recent) :], strict=True
        ):
            # the callbacks are called within the run that they tell of, or right around it
            assert abs(run.started_ns - started_ns) < MARGIN_NS
            assert run.duration_ns <= stopped_ns - started_ns + MARGIN_NS
            assert run.collected in {collected, None}
            assert run.heap_objects > 0
        assert all(run.collected is not None for run in recent[1:])
    total = sum(one.extra["duration"] for one in found.generations)
    assert sum(run.duration_ns for run in found.recent) / 1e9 <= total * 1.01
