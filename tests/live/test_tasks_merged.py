"""Tasks that the probe has no time for are read from outside."""

from __future__ import annotations

import time

import pytest

from snapshotter.model import View
from snapshotter.outside.tasks import TaskReader
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.live.test_probe_tasks import OWN_CODE
from tests.support.targets import DEADLINE_S, spawn, spawn_source

pytestmark = pytest.mark.live

OPTIONS = CaptureOptions(patience_ns=5_000_000_000)

# Two loops: asyncio's own in a thread, and in the main thread one that turns by itself, as
# uvloop's and that of nest_asyncio do.
OWN_LOOP = """
import asyncio, os, threading

class OwnLoop(asyncio.SelectorEventLoop):
    def run_forever(self):
        self._run_forever_setup()
        try:
            while not self._stopping:
                self._run_once()
        finally:
            self._run_forever_cleanup()

async def sleep():
    await asyncio.sleep(1000)

async def main():
    asyncio.create_task(sleep(), name="sleep")
    while True:
        await asyncio.sleep(0.002)

async def beside(is_ready):
    asyncio.current_task().set_name("beside")
    is_ready.set()
    await asyncio.sleep(1000)

if os.environ["BESIDE"]:
    is_ready = threading.Event()
    threading.Thread(target=lambda: asyncio.run(beside(is_ready)), daemon=True).start()
    is_ready.wait()
loop = OwnLoop()
loop.call_soon(os.write, int(os.environ["SNAP_READY_FD"]), b"ready\\n")
loop.run_until_complete(main())
"""


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


@pytest.mark.parametrize("beside", ["", "another loop"])
def test_tasks_of_a_loop_that_turns_by_itself_are_told(beside: str, target_python: str) -> None:
    with (
        spawn_source(OWN_LOOP, python=target_python, env={"BESIDE": beside}) as target,
        Observer.open(target.pid, OPTIONS) as observer,
    ):
        taken = observer.capture()

    names = [task.name for task in taken.tasks]
    assert View.INSIDE in taken.capture.views
    assert len(names) == taken.tasks_total == 2 + bool(beside)
    assert {"sleep", "beside"} & set(names) == ({"sleep", "beside"} if beside else {"sleep"})
    assert not [text for text in taken.capture.missing if "asyncio" in text]


@pytest.mark.parametrize("beside", ["", "another loop"])
def test_tasks_of_such_a_loop_that_cannot_be_read_are_missed(
    beside: str, target_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TaskReader, "read", lambda *_, **__: None)
    with (
        spawn_source(OWN_LOOP, python=target_python, env={"BESIDE": beside}) as target,
        Observer.open(target.pid, OPTIONS) as observer,
    ):
        taken = observer.capture()

    assert View.INSIDE in taken.capture.views
    assert [task.name for task in taken.tasks] == ["beside"] * bool(beside)
    assert taken.tasks_total is None
    assert len([text for text in taken.capture.missing if "asyncio task" in text]) == 1


def test_a_process_without_asyncio_is_not_searched_for_tasks(
    target_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[object] = []
    monkeypatch.setattr(TaskReader, "read", lambda *seen, **_: searched.append(seen))
    with (
        spawn("busy.py", python=target_python) as target,
        Observer.open(target.pid, OPTIONS) as observer,
    ):
        taken = observer.capture()

    assert View.INSIDE in taken.capture.views
    assert taken.tasks_total == 0
    assert not searched
