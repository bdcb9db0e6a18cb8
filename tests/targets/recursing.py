"""A recursion of tiny calls without a pause, in the main thread or, with "worker", beside it."""

import os
import sys
import threading


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def work():
    while True:
        fib(25)


if sys.argv[1:] == ["worker"]:
    thread = threading.Thread(target=work, name="worker", daemon=True)
    thread.start()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    thread.join()
else:
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    work()
