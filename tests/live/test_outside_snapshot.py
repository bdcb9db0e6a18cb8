"""Snapshots of programs whose main thread cannot answer: everything that can be read is there."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.model import MainState, Status, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions, CarrierChoice
from snapshotter.store.decode import decode
from snapshotter.store.encode import encode
from tests.secrets.corpus import CASES, secret_of
from tests.support.targets import DEADLINE_S, spawn, spawn_source

if TYPE_CHECKING:
    from snapshotter.model import Frame, Snapshot, Value

pytestmark = pytest.mark.live

SHORT_NS = 200_000_000


def frame_of(snapshot: Snapshot, qualname: str) -> Frame:
    return next(
        frame
        for thread in snapshot.threads
        for frame in thread.frames
        if frame.qualname == qualname
    )


def value_of(snapshot: Snapshot, qualname: str, name: str) -> Value:
    frame = frame_of(snapshot, qualname)
    return next(snapshot.values[one.node] for one in frame.locals if one.name == name)


def test_a_blocked_program_is_told_whole(target_python: str) -> None:
    options = CaptureOptions(
        patience_ns=SHORT_NS, variables=("__main__:CONFIG.levels", "__main__:nothing")
    )
    with (
        spawn("value_zoo.py", "blocked", python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        # it says that it is ready just before it waits
        target.wait_for(lambda: observer.capture().capture.main is MainState.BLOCKED)
        snapshot = observer.capture()

    capture = snapshot.capture
    assert capture.views == (View.OUTSIDE,)
    assert capture.main is MainState.BLOCKED
    assert capture.missing[0].startswith("no inside view: ")
    assert capture.missing[1:] == ("__main__:nothing: nothing readable is called nothing",)
    assert snapshot.gc is not None
    assert snapshot.gc.enabled
    assert snapshot.tasks_total == 0
    levels, nothing = snapshot.variables
    assert snapshot.values[levels.node or 0].length == 3
    assert nothing.node is None
    assert {thread.name for thread in snapshot.threads} >= {"MainThread", "scalars", "objects"}
    assert all(thread.daemon is not thread.is_main for thread in snapshot.threads)
    assert value_of(snapshot, "scalars", "small").value == 42
    assert value_of(snapshot, "objects", "color").value == "RED"
    assert value_of(snapshot, "secrets", "password").status is Status.REDACTED
    for thread in snapshot.threads:
        assert thread.view is View.OUTSIDE
        assert thread.complete
        assert thread.outside is not None
        assert [frame.qualname for frame in thread.frames] == [
            frame.qualname for frame in thread.outside.frames
        ]
    assert decode(encode(snapshot)) == snapshot


@pytest.mark.parametrize("policy", ["none", "all", "__main__:scalars:s*,no:*:*"])
def test_the_policy_for_locals_is_that_of_the_inside_view(target_python: str, policy: str) -> None:
    options = CaptureOptions(patience_ns=SHORT_NS, locals=policy)
    with (
        spawn("value_zoo.py", "blocked", python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        snapshot = observer.capture()

    with_locals = {
        frame.qualname for thread in snapshot.threads for frame in thread.frames if frame.locals
    }
    if policy == "none":
        assert with_locals == set()
        assert snapshot.values == ()
    elif policy == "all":
        assert with_locals >= {"scalars", "Thread.run", "Thread._bootstrap", "<module>"}
    else:
        assert with_locals == {"scalars"}
        names = {one.name for one in frame_of(snapshot, "scalars").locals}
        assert names == {"small", "smallest"}


def test_tasks_of_an_idle_loop_are_in_the_snapshot(target_python: str) -> None:
    with (
        spawn("task_zoo.py", python=target_python) as target,
        Observer.open(target.pid, CaptureOptions(patience_ns=SHORT_NS)) as observer,
    ):
        snapshot = observer.capture()

    assert snapshot.capture.views == (View.OUTSIDE,)
    assert snapshot.tasks_total == len(snapshot.tasks) == 20
    assert decode(encode(snapshot)).tasks == snapshot.tasks


MANY = """
import os, threading, time
arrived = threading.Semaphore(0)
def park(number):
    text, numbers = f"thread {number}", [number, {"n": number}]
    arrived.release()
    threading.Event().wait()
for number in range(400):
    threading.Thread(target=park, args=(number,), daemon=True).start()
for _ in range(400):
    arrived.acquire()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
while True:
    time.sleep(0.001)
"""


def _parked_from_outside(snapshot: Snapshot) -> list[Frame]:
    """The frames of parked threads that came from outside with their locals."""
    return [
        frame
        for thread in snapshot.threads
        if thread.view is View.OUTSIDE and not thread.is_main
        for frame in thread.frames
        if frame.qualname == "park" and frame.locals_missing is None
    ]


def test_threads_that_the_probe_did_not_reach_are_told_from_outside(target_python: str) -> None:
    options = CaptureOptions(
        patience_ns=5_000_000_000, carrier=CarrierChoice.MAIN, max_pause_ns=1_000_000
    )
    with (
        spawn_source(MANY, python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        end = time.monotonic() + DEADLINE_S
        whole: list[Frame] = []
        while not whole and time.monotonic() < end:  # on a busy machine one has no time for values
            snapshot = observer.capture()
            whole = _parked_from_outside(snapshot)

    assert View.INSIDE in snapshot.capture.views
    assert whole
    for frame in whole:
        found = {one.name: snapshot.values[one.node] for one in frame.locals}
        assert found["text"].value == f"thread {found['number'].value}"
        assert found["numbers"].length == 2


PLANTED = """
import os, sys, threading
sys.path.insert(0, {root!r})
from tests.secrets.corpus import CASES, secret_of
arrived = threading.Semaphore(0)
def hold(number):
    class Body:
        locals()[CASES[number].name] = CASES[number].hide(secret_of(number))
        arrived.release()
        threading.Event().wait()
for number in range(len(CASES)):
    threading.Thread(target=hold, args=(number,), daemon=True).start()
for _ in CASES:
    arrived.acquire()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
sys.stdin.readline()
"""


def test_no_planted_secret_is_in_a_snapshot(target_python: str) -> None:
    source = PLANTED.format(root=str(Path(__file__).parents[2]))
    options = CaptureOptions(patience_ns=SHORT_NS, locals="all")
    with (
        spawn_source(source, python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        snapshot = observer.capture()

    assert len(snapshot.values) > len(CASES)
    data = encode(snapshot)
    leaked = [
        case.label
        for number, case in enumerate(CASES)
        for plain in (secret_of(number).encode(),)
        if plain in data
        or plain.upper() in data
        or secret_of(number).encode("utf-16-le") in data
        or base64.b64encode(plain)[:10] in data
    ]
    assert leaked == []
