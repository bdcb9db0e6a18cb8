"""What a target feels of us is short, and all of it is in the snapshot's account."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from snapshotter.model import View
from snapshotter.outside.procfs import thread_ids
from snapshotter.record.allowance import Allowance
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.observing import captured
from tests.support.targets import spawn_source

if TYPE_CHECKING:
    from snapshotter.model import Snapshot

pytestmark = pytest.mark.live

HEAD = """
import os, threading, time
def ready():
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
def work():
    n = 0
    while True:
        n = n + 1
"""
BUSY = "for _ in range(2): threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
PATIENCE_NS = 5_000_000_000


def is_inside(snapshot: Snapshot) -> bool:
    return View.INSIDE in snapshot.capture.views


def test_the_carrier_has_ended_when_the_controller_computes_again(target_python: str) -> None:
    with spawn_source(f"{HEAD}{BUSY}ready()\nwork()", python=target_python) as target:
        before = thread_ids(target.pid)
        with Observer.open(target.pid, CaptureOptions(patience_ns=PATIENCE_NS)) as observer:
            left = []
            for _ in range(20):
                assert is_inside(observer.capture())
                left.append(set(thread_ids(target.pid)) - set(before))
        # on a crowded machine one may be late; without being waited for most of them are
        assert sum(map(bool, left)) <= 2, left


def test_a_thread_of_the_application_is_not_waited_for_for_long(target_python: str) -> None:
    starts = """
def child():
    time.sleep(99)
def work():
    while True:
        threading.Thread(target=child, daemon=True).start()
        time.sleep(0.02)
"""
    with spawn_source(f"{HEAD}{BUSY}{starts}ready()\nwork()", python=target_python) as target:
        begin = time.monotonic()
        snapshot = captured(target.pid, patience_ns=PATIENCE_NS)
        assert is_inside(snapshot), snapshot.capture.missing
        assert time.monotonic() - begin < 10


def test_what_a_lone_main_thread_does_to_load_us_is_counted(target_python: str) -> None:
    with spawn_source(f"{HEAD}ready()\nwork()", python=target_python) as target:
        options = CaptureOptions(patience_ns=PATIENCE_NS, max_pause_ns=100_000)
        with Observer.open(target.pid, options) as observer:
            snapshot = observer.capture()
        pause = snapshot.capture.pause
        assert snapshot.capture.carrier == "main"
        assert pause is not None
        # its slice ends after 0.1 ms, but to unmarshal the probe takes several times as long
        assert pause.total_ns > 300_000


def test_a_watched_process_is_asked_only_within_its_allowance(target_python: str) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS)
    with (
        spawn_source(f"{HEAD}{BUSY}ready()\nwork()", python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        allowance = observer.allowance = Allowance(100_000_000)
        assert is_inside(observer.capture())
        allowance.spend(1_000_000_000)
        left_out = observer.capture()
        observer.allowance = None
        assert is_inside(observer.capture())
    assert not is_inside(left_out)
    assert any("left out this time" in sentence for sentence in left_out.capture.missing)
    assert all(thread.frames for thread in left_out.threads if not thread.is_main)


MOVING = """
def inner(box):
    i = 0
    while True:
        i += 1
        box[0] = i
def outer():
    a, b, c, d, e, f, g, h = [[{n: [n, str(n)]} for n in range(8)] for _ in range(8)]
    box = [0]
    inner(box)
"""


@pytest.mark.parametrize("max_pause_ns", [100_000, 300_000, 1_000_000])
def test_locals_of_a_running_thread_are_of_one_instant(
    target_python: str, max_pause_ns: int
) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS, max_pause_ns=max_pause_ns)
    told: list[tuple[Any, Any]] = []
    with (
        spawn_source(f"{HEAD}{BUSY}{MOVING}ready()\nouter()", python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        for _ in range(20):
            snapshot = observer.capture()
            main = next(thread for thread in snapshot.threads if thread.is_main)
            found = {
                local.name: snapshot.values[local.node]
                for frame in main.frames
                for local in frame.locals
            }
            if is_inside(snapshot) and {"i", "box"} <= found.keys() and found["box"].items:
                pair = found["i"].value, snapshot.values[found["box"].items[0].node].value
                told += [pair] if None not in pair else []  # None: no time was left for it
    assert all(i - 1 <= first <= i for i, first in told), told
    assert told or max_pause_ns < 1_000_000
