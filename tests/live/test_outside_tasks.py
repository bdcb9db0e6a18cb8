"""asyncio tasks as read from outside are those that the probe finds from inside."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from snapshotter.analysis.awaited import tasks_awaited
from snapshotter.model import TaskState, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from snapshotter.render.tables import tasks_section
from tests.support.details import details_of
from tests.support.synthetic import tiny_snapshot
from tests.support.targets import DEADLINE_S, spawn, spawn_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from snapshotter.model import Task

pytestmark = pytest.mark.live

PATIENCE_NS = 5_000_000_000


def told(task: Task) -> tuple[object, ...]:
    frames = [(frame.filename, frame.qualname, frame.lineno, frame.lasti) for frame in task.frames]
    waits = task.waits_for
    if frames and frames[0][1] == "sleep" and frames[-1][1] == "main":
        waits = None  # the pacing task waits for another future each time
    return task.name, task.state, task.loop, task.thread_ident, waits, task.awaited_by, frames


def test_tasks_equal_those_from_inside(target_python: str) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS)
    with (
        spawn("task_zoo.py", "0.002", python=target_python) as target,
        details_of(target.pid) as details,
        Observer.open(target.pid, options) as observer,
    ):
        end = time.monotonic() + DEADLINE_S
        inside = observer.capture()
        while len(inside.tasks) < 20 and time.monotonic() < end:
            inside = observer.capture()
        found = details.read("none")
        while len(found.tasks) < 20 and time.monotonic() < end:  # one of them moves
            found = details.read("none")

    assert inside.tasks_total == found.tasks_total == 20
    wanted = {task.identity: told(task) for task in inside.tasks}
    outside = {task.identity: told(task) for task in found.tasks}
    assert {key: outside[key] for key in wanted} == wanted


def test_tasks_of_a_sleeping_program_are_told(target_python: str) -> None:
    with spawn("task_zoo.py", python=target_python) as target, details_of(target.pid) as details:
        found = details.read("none")

    by_name = {task.name: task for task in found.tasks}
    first, second = by_name["first outer"], by_name["second outer"]
    assert found.tasks_total == len(found.tasks) == 20
    assert first.loop != second.loop
    assert first.thread_ident != second.thread_ident
    assert [frame.qualname for frame in first.frames] == ["Event.wait", "inner", "middle", "outer"]
    follower = next(
        task for task in found.tasks if task.name == "follower" and task.loop == first.loop
    )
    assert follower.waits_for == f"Task {first.identity:#x}"
    assert all(task.state is TaskState.PENDING for task in found.tasks)


def test_a_thousand_tasks_are_read_whole(target_python: str) -> None:
    with spawn("many_tasks.py", python=target_python) as target, details_of(target.pid) as details:
        found = details.read("none")
        while len(found.tasks) < 1001:  # a busy machine: the time was not enough
            found = details.read("none")

    crawlers = [task for task in found.tasks if task.name and task.name.startswith("crawl-")]
    assert len(crawlers) == 1000
    assert {len(task.frames) for task in crawlers} == {3}
    assert found.tasks_total == 1001


def test_a_program_without_asyncio_has_no_tasks(target_python: str) -> None:
    with (
        spawn("value_zoo.py", "blocked", python=target_python) as target,
        details_of(target.pid) as details,
    ):
        assert details.read("none").tasks == ()


def awaiters_by_name(tasks: Iterable[Task]) -> dict[str | None, list[str]]:
    names = {task.identity: task.name or "" for task in tasks}
    return {task.name: sorted(names[by] for by in task.awaited_by) for task in tasks}


def test_who_awaits_whom_is_what_asyncio_says(target_python: str) -> None:
    with (
        spawn("task_awaits.py", "3", "1000", python=target_python) as target,
        details_of(target.pid) as details,
    ):
        told = json.loads(target.stdout_text())
        tasks = details.read("none").tasks
        screen = Console(width=200, file=io.StringIO(), highlight=False)
        screen.print(tasks_section(replace(tiny_snapshot(), tasks=tasks, tasks_total=len(tasks))))
        shown = screen.file.getvalue()  # type: ignore[attr-defined]

    assert awaiters_by_name(tasks) == told
    names = {task.identity: task.name for task in tasks}
    awaited = {
        names[identity]: {task.name for task in found}
        for identity, found in tasks_awaited(tasks).items()
    }
    assert awaited == {
        "gather": {"gathered 0", "gathered 1", "gathered 2"},
        "nest": {"nested 0", "nested 1", "nested 2"},
        "group": {"grouped 0", "grouped 1"},
        "wait": {"waited 0", "waited 1"},
        "complete": {"completed 0", "completed 1"},
        "shield": {"shielded 0"},
        "left": {"right"},
        "right": {"left"},
        "sharer 0": {"shared 0"},
        "sharer 1": {"shared 0"},
        "sharer 2": {"shared 0"},
    }
    assert "4 tasks with this stack: gather, sharer 0, sharer 1, sharer 2" in shown
    assert "for _GatheringFuture, awaits gathered 0, gathered 1, gathered 2, shared 0\n" in shown
    assert ", awaits grouped 0, grouped 1\n" in shown


@pytest.mark.parametrize("many", [3, 1000])
def test_who_awaits_whom_equals_what_the_probe_says(target_python: str, many: int) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS)
    with (
        spawn("task_awaits.py", str(many), "0.002", python=target_python) as target,
        details_of(target.pid) as details,
        Observer.open(target.pid, options) as observer,
    ):
        end = time.monotonic() + DEADLINE_S
        inside = observer.capture()
        while len(inside.tasks) < many + 23 and time.monotonic() < end:
            inside = observer.capture()
        outside = details.read("none")
        while len(outside.tasks) < many + 23 and time.monotonic() < end:
            outside = details.read("none")
        told = json.loads(target.stdout_text())

    assert View.INSIDE in inside.capture.views
    assert awaiters_by_name(inside.tasks) == awaiters_by_name(outside.tasks) == told
    by_identity = {task.identity: task.awaited_by for task in inside.tasks}
    assert {task.identity: task.awaited_by for task in outside.tasks} == by_identity
    gather = next(task.identity for task in inside.tasks if task.name == "gather")
    assert len(tasks_awaited(inside.tasks)[gather]) == many


LATE = """
import os, sys
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
sys.stdin.readline()
import asyncio
async def main():
    task = asyncio.create_task(asyncio.sleep(1000), name="late")
    await asyncio.sleep(0)
    print("now", flush=True)
    await asyncio.sleep(1000)
asyncio.run(main())
"""


def test_asyncio_that_comes_late_is_found(target_python: str) -> None:
    with spawn_source(LATE, python=target_python) as target, details_of(target.pid) as details:
        assert details.read("none").tasks == ()
        target.tell("go")
        target.wait_for(target.stdout_text)
        target.wait_for(lambda: len(details.read("none").tasks) == 2)
        assert "late" in {task.name for task in details.read("none").tasks}


def test_families_of_tasks_are_what_each_loop_says_of_itself(target_python: str) -> None:
    """Task groups, gathers, timeouts, shields and eager tasks, in the loops of two threads."""
    with spawn("task_families.py", python=target_python) as target:
        told = {
            name: task
            for loop in json.loads(target.stdout_text()).values()
            for name, task in loop.items()
        }
        with details_of(target.pid) as details:
            found = {task.name: task for task in details.read("none").tasks}

    assert len(told) == 2 * 11
    assert set(told) <= set(found)
    assert len({found[name].loop for name in told}) == 2
    for name, wanted in told.items():
        task = found[name]
        assert task.identity == wanted["identity"], name
        assert [[frame.qualname, frame.lineno] for frame in task.frames] == wanted["stack"], name
        assert task.state is TaskState.PENDING
        awaiters = [by.name for by in found.values() if by.identity in task.awaited_by]
        assert sorted(map(str, awaiters)) == wanted["awaited_by"], name
        assert task.waits_for == f"{wanted['waits']} {wanted['waits_identity']:#x}", name
        thread_of = found[f"{name.split()[0]} group"].thread_ident
        assert task.thread_ident == thread_of
    for loop in ("first", "second"):
        group = told[f"{loop} group"]
        assert found[f"{loop} follower"].waits_for == f"Task {group['identity']:#x}"
