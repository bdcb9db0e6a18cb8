"""The probe reads asyncio tasks without running a line of their own classes."""

from __future__ import annotations

import pytest

from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.targets import spawn_source

pytestmark = pytest.mark.live

OWN_CODE = """
import asyncio, os, sys

ready = False

class Mixed:
    def __hash__(self):
        if ready:
            os.write(1, b"hashed\\n")
        return 7

class MyTask(Mixed, asyncio.Task):
    pass

async def main():
    global ready
    own = MyTask(asyncio.sleep(1000), loop=asyncio.get_running_loop(), name="own")
    await asyncio.sleep(0)
    ready = True
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    while not own.done():
        await asyncio.sleep(0.002)

asyncio.run(main())
"""


# A future of a class with a hash of its own that awaits a task: C would put it into a set.
OWN_FUTURE = """
import asyncio, os

ready = False

class MyFuture(asyncio.Future):
    def __hash__(self):
        if ready:
            os.write(1, b"hashed\\n")
        return 7

async def leaf():
    await asyncio.sleep(1000)

async def main():
    global ready
    task = asyncio.create_task(leaf(), name="leaf")
    asyncio.future_add_to_awaited_by(task, MyFuture())
    await asyncio.sleep(0)
    ready = True
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    while not task.done():
        await asyncio.sleep(0.002)

asyncio.run(main())
"""


def test_futures_with_a_hash_are_not_asked_for_it(target_python: str) -> None:
    options = CaptureOptions(patience_ns=5_000_000_000)
    with (
        spawn_source(OWN_FUTURE, python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        taken = observer.capture()
        said = target.stdout_text()

    assert taken.capture.slices
    assert said == ""
    assert {task.name for task in taken.tasks} >= {"leaf"}


def test_tasks_with_an_inherited_hash_are_not_asked_for_it(target_python: str) -> None:
    options = CaptureOptions(patience_ns=5_000_000_000)
    with (
        spawn_source(OWN_CODE, python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        taken = observer.capture()
        said = target.stdout_text()

    assert taken.capture.slices
    assert said == ""
