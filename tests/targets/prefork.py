"""A master with forked workers that take work from a queue, as celery's prefork pool does.

With the argument `idle` there is no work.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time


def do_work(number: int, done: multiprocessing.Value) -> int:
    started = time.monotonic()
    while time.monotonic() - started < 0.01:
        pass
    with done.get_lock():
        done.value += 1
    return number


def worker(work: multiprocessing.Queue, done: multiprocessing.Value) -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)  # die with the master, however
    while True:
        do_work(work.get(), done)


def main() -> None:
    context = multiprocessing.get_context("fork")
    work, done = context.Queue(), context.Value("i", 0)
    children = [
        context.Process(target=worker, args=(work, done), name=f"prefork-{n}", daemon=True)
        for n in range(2)
    ]
    for child in children:
        child.start()
    sys.stdout.write(" ".join(str(child.pid) for child in children) + "\n")
    sys.stdout.flush()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    number = 0
    while True:
        number += 1
        if work.qsize() < 10 and "idle" not in sys.argv:
            work.put(number)
        time.sleep(0.002)


if __name__ == "__main__":
    main()
