"""The end of a real sleep is predicted; the kernel's files and a quiet machine decide how well."""

from __future__ import annotations

import time

import pytest

from snapshotter.outside.memory import Memory
from snapshotter.outside.wake import WakeClock
from tests.support.targets import spawn_source

pytestmark = pytest.mark.live

SLEEP_S = 0.03
NEAR_NS = 2_000_000
SLEEPS = {
    "sleep": "time.sleep(S)",
    "event": "event.wait(S)",
    "lock": "lock.acquire(timeout=S)",
    "select": "select.select([], [], [], S)",
    "poll": "poll.poll(S * 1000)",
    "epoll": "epoll.poll(S)",
}
PROGRAM = """
import os, select, threading, time
S = {seconds}
event, lock, poll, epoll = threading.Event(), threading.Lock(), select.poll(), select.epoll()
lock.acquire()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
while True:
    {call}
    os.write(1, b"%d\\n" % time.monotonic_ns())
"""


@pytest.mark.parametrize("call", SLEEPS)
def test_the_end_of_a_sleep_is_predicted(target_python: str, call: str) -> None:
    source = PROGRAM.format(seconds=SLEEP_S, call=SLEEPS[call])
    with spawn_source(source, python=target_python) as target, Memory(target.pid) as memory:
        clock = WakeClock(target.pid, memory)
        predicted: set[int] = set()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            wake_ns = clock.next_wake_ns(target.pid)
            if wake_ns is not None:
                predicted.add(wake_ns)
            time.sleep(SLEEP_S / 3)
            real = [int(line) for line in target.stdout_text().split("\n")[:-1]]
            hits = [p for p in predicted if any(0 <= r - p + 100_000 < NEAR_NS for r in real)]
            if len(hits) >= 3:
                return
        if not predicted and call in {"select", "poll", "epoll"}:
            pytest.skip("this kernel does not tell since when a thread sleeps")
        pytest.fail(f"{sorted(predicted)[:5]} against {real[:8]}")
