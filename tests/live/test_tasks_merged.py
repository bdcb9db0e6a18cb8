"""Tasks that the probe has no time for are read from outside."""

from __future__ import annotations

import time

import pytest

from snapshotter.model import View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.live.test_probe_tasks import OWN_CODE
from tests.support.targets import DEADLINE_S, spawn, spawn_source

pytestmark = pytest.mark.live

OPTIONS = CaptureOptions(patience_ns=5_000_000_000)


def test_a_process_with_one_thread_has_all_its_tasks(target_python: str) -> None:
    end = time.monotonic() + DEADLINE_S
    with (
        spawn("many_tasks.py", python=target_python) as target,
        Observer.open(target.pid, OPTIONS) as observer,
    ):
        taken = observer.capture()
        while View.INSIDE not in taken.capture.views or len(taken.tasks) < 1001:
            assert time.monotonic() < end, taken.capture
            taken = observer.capture()

    assert taken.capture.carrier == "main"
    assert taken.tasks_total == 1001
    assert not [text for text in taken.capture.missing if "asyncio" in text]
    assert sum(len(task.frames) == 3 for task in taken.tasks) == 1000


def test_tasks_that_the_probe_may_not_list_are_told(target_python: str) -> None:
    with (
        spawn_source(OWN_CODE, python=target_python) as target,
        Observer.open(target.pid, OPTIONS) as observer,
    ):
        taken = observer.capture()

    assert View.INSIDE in taken.capture.views
    assert {task.name for task in taken.tasks} == {"Task-1", "own"}
    assert not [text for text in taken.capture.missing if "asyncio" in text]
