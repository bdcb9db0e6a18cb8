"""Catches the exception of its own signal handler, again and again, and counts.

Arguments: what it does in between (busy, sleeps), number of other threads. Writes one line for
each signal that it has caught: how often its handler has run since the line before.
"""

import contextlib
import os
import signal
import sys
import threading
import time


class ToldError(Exception):
    pass


calls = []


def tell(*_):
    calls.append(1)
    raise ToldError


def step(n):
    return n + 1


def busy():
    n = 0
    while True:
        n = step(n)


def sleeps():
    while True:
        time.sleep(0.005)
        step(1)


def run_until_told(work):
    with contextlib.suppress(ToldError):
        work()


for _ in range(int(sys.argv[2])):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
work = globals()[sys.argv[1]]
signal.signal(signal.SIGUSR1, tell)
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while True:
    run_until_told(work)
    os.write(1, b"%d\n" % len(calls))
    calls.clear()
