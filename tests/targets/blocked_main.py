"""The main thread blocks for ever in the way that is asked for; other threads do as they are told.

``blocked_main.py WAY [WORKER…]``
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time


def fill(numbers: list[int]) -> None:
    label = "busy worker"
    while True:
        numbers[0] += 1
        len(label)


def step(numbers: list[int]) -> None:
    label = "stepping worker"
    while True:
        time.sleep(0.01)
        numbers[0] += len(label)


def rest() -> None:
    label = "resting worker"
    while True:
        time.sleep(3600)
        len(label)


def block(way: str, sleeper: threading.Thread) -> None:
    where = f"blocked in {way}"
    match way:
        case "sleep":
            time.sleep(3600)
        case "lock":
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        case "join":
            sleeper.join()
    len(where)


def work(kind: str) -> None:
    match kind:
        case "busy":
            fill([0])
        case "step":
            step([0])
        case "rest":
            rest()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    resting = threading.Thread(target=rest, daemon=True)
    resting.start()
    for number, kind in enumerate(sys.argv[2:]):
        threading.Thread(target=work, args=(kind,), name=f"{kind}-{number}", daemon=True).start()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    block(sys.argv[1], resting)
