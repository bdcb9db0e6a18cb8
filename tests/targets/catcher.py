"""Catches the exception of its own signal handler, again and again, and counts.

Arguments: what it does in between (busy, sleeps), number of other threads, and "slow" for a
program in which to unmarshal takes long. Writes one line for each signal that it has caught: its
name, and how often handlers have run since the line before.
"""

import marshal
import os
import signal
import sys
import threading
import time


class ToldError(Exception):
    pass


calls = []


def tell(signum, _):
    calls.append(signum)
    raise ToldError(signal.Signals(signum).name)


def slow_loads(data, /, loads=marshal.loads):
    end = time.monotonic() + 0.03
    while time.monotonic() < end:
        step(1)
    return loads(data)


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


def report(told):
    """Another signal may come meanwhile: this one is then the context of the next."""
    names = []
    while told is not None:
        names.append(str(told))
        told = told.__context__
    os.write(1, "".join(f"{name}:{len(calls)}\n" for name in names).encode())
    calls.clear()


for _ in range(int(sys.argv[2])):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
if "slow" in sys.argv:
    marshal.loads = slow_loads
work = globals()[sys.argv[1]]
for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
    signal.signal(number, tell)
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while True:
    try:
        try:
            try:
                work()
            except ToldError as one:
                report(one)
        except ToldError as two:
            report(two)
    except ToldError as three:
        report(three)
