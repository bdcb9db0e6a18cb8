"""The outside view agrees, frame by frame, with the inside view and with py-spy."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.model import View
from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.view import OutsideReader
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.services import gunicorn, uvicorn
from tests.support.targets import DEADLINE_S, spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from _pytest.mark.structures import ParameterSet

    from snapshotter.model import Frame
    from snapshotter.outside.view import OutsideView

    type Kind = Callable[[str], contextlib.AbstractContextManager[int]]

pytestmark = pytest.mark.live

SECOND_NS = 1_000_000_000
PLAIN = """
import os, time
def wait():
    while True: time.sleep(0.01)
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
wait()
"""
GREENLETS = """
import os, time
import greenlet
def other():
    while True:
        here.switch()
def work():
    there = greenlet.greenlet(other)
    there.switch()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    while True: time.sleep(0.01)
here = greenlet.greenlet(work)
here.switch()
"""
GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, os, threading
def work(number):
    gevent.sleep(3600)
jobs = [gevent.spawn(work, number) for number in range(5)]
gevent.sleep(0)
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
gevent.joinall(jobs)
"""


@contextlib.contextmanager
def program(name: str, *args: str, python: str) -> Iterator[int]:
    with spawn(name, *args, python=python) as target:
        yield target.pid


@contextlib.contextmanager
def source(text: str, python: str) -> Iterator[int]:
    with spawn_source(text, python=python) as target:
        yield target.pid


@contextlib.contextmanager
def flask(python: str) -> Iterator[int]:
    with gunicorn("flask_app", "-k", "gthread", "--threads", "4", python=python) as service:
        service.get_in_background("/stuck/1")
        pid = service.worker_pid
        wait_until(lambda: "stuck" in functions(pid))
        yield pid


@contextlib.contextmanager
def flask_sync(python: str) -> Iterator[int]:
    with gunicorn("flask_app", python=python) as service:
        yield service.worker_pid


@contextlib.contextmanager
def fastapi(python: str) -> Iterator[int]:
    with uvicorn("fastapi_app", python=python) as service:
        service.get_in_background("/stuck/1")
        wait_until(lambda: "stuck" in functions(service.process.pid))
        yield service.process.pid


@contextlib.contextmanager
def idle_worker(python: str) -> Iterator[int]:
    with spawn("prefork.py", "idle", python=python) as target:
        pid = int(target.stdout_text().split()[0])
        wait_until(lambda: "Queue.get" in functions(pid))
        yield pid


KINDS: dict[str, Kind] = {
    "script": lambda python: source(PLAIN, python),
    "shapes": lambda python: program("shapes.py", "5", "tick", python=python),
    "flask": flask,
    "flask_sync": flask_sync,
    "fastapi": fastapi,
    "tasks": lambda python: program("many_tasks.py", "pool", python=python),
    "idle_worker": idle_worker,
    "greenlets": lambda python: source(GREENLETS, python),
    "gevent": lambda python: source(GEVENT, python),
}
LEAST = {"shapes": 24, "flask": 2, "fastapi": 2, "tasks": 1}
"""How many threads stand still at least; one where nothing is said."""
BLOCKED = {"idle_worker", "gevent", "flask_sync"}
"""Their main thread does not run: there is no inside view."""


def kinds(*left_out: str, slow: tuple[str, ...]) -> list[ParameterSet]:
    marks = [pytest.mark.slow]
    return [
        pytest.param(kind, marks=marks if kind in slow else ())
        for kind in KINDS
        if kind not in left_out
    ]


def view_of(pid: int) -> OutsideView:
    with Memory(pid) as memory:
        return OutsideReader(pid, memory, Runtime.attach(pid, memory)).read(budget_ns=SECOND_NS)


def functions(pid: int) -> set[str]:
    return {
        frame.qualname
        for thread in view_of(pid).threads
        if thread.stack
        for frame in thread.stack.frames
    }


def places(frames: Sequence[Frame]) -> list[tuple[str, str, int | None]]:
    return [(frame.filename, frame.qualname, frame.lineno) for frame in frames]


def stacks_of(view: OutsideView) -> dict[int, tuple[Frame, ...]]:
    return {one.os_tid or 0: one.stack.frames for one in view.threads if one.stack}


@pytest.mark.parametrize("kind", kinds(*BLOCKED, slow=("flask",)))
def test_threads_that_stand_still_are_told_as_from_inside(target_python: str, kind: str) -> None:
    options = CaptureOptions(patience_ns=5 * SECOND_NS, locals="none")
    compared: set[int] = set()
    with KINDS[kind](target_python) as pid, Observer.open(pid, options) as observer:
        end = time.monotonic() + DEADLINE_S
        while len(compared) < LEAST.get(kind, 1) and time.monotonic() < end:
            snapshot, again = observer.capture(), stacks_of(view_of(pid))
            for thread in snapshot.threads:
                if thread.view is not View.INSIDE or thread.outside is None:
                    continue
                if again.get(thread.native_id or 0) == thread.outside.frames:
                    assert places(thread.outside.frames) == places(thread.frames)
                    compared.add(thread.native_id or 0)

    assert len(compared) >= LEAST.get(kind, 1)


def py_spy() -> str:
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if not found:
        pytest.skip("py-spy is not installed: it belongs to the development requirements")
    return found


def spied(pid: int) -> dict[int, list[tuple[str, str, int | None]]]:
    """What py-spy says of the threads, by OS thread id; it stops the process meanwhile."""
    command = [py_spy(), "dump", "--json", "--full-filenames", "--pid", str(pid)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if result.returncode:
        if "support" in result.stderr:
            pytest.skip(f"py-spy does not read this version: {result.stderr.strip()}")
        return {}  # it met the process at an awkward moment
    return {
        thread["os_thread_id"]: [
            (frame["filename"], frame["name"], frame["line"])
            for frame in thread["frames"]
            if frame["filename"] != "__init__"  # a step of the interpreter, not of the program
        ]
        for thread in json.loads(result.stdout)
    }


@pytest.mark.parametrize("kind", kinds(slow=("flask_sync", "fastapi")))
def test_threads_that_stand_still_are_told_as_by_py_spy(target_python: str, kind: str) -> None:
    compared: set[int] = set()
    with KINDS[kind](target_python) as pid:
        end = time.monotonic() + DEADLINE_S
        while len(compared) < LEAST.get(kind, 1) and time.monotonic() < end:
            before, told, after = stacks_of(view_of(pid)), spied(pid), stacks_of(view_of(pid))
            for tid, frames in before.items():
                if tid in told and after.get(tid) == frames and frames:
                    assert places(frames) == told[tid]
                    compared.add(tid)

    assert len(compared) >= LEAST.get(kind, 1)
