"""Brings the whole process into one state, named by the argument, and keeps it there."""

import ctypes
import os
import sys
import threading
import time

arrived = threading.Semaphore(0)


def ready():
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")


def park(number):
    label = f"thread {number}"
    arrived.release()
    threading.Event().wait()
    return label


def parked(count):
    for number in range(count):
        threading.Thread(target=park, args=(number,), name=f"park-{number}", daemon=True).start()
    for _ in range(count):
        arrived.acquire()


def sleep():
    parked(2)
    ready()
    time.sleep(3600)


def gil_in_c():
    parked(3)
    note = "held"
    ready()
    ctypes.PyDLL(None).sleep(20)
    return note


def deadlock():
    first, second = threading.Lock(), threading.Lock()
    both = threading.Barrier(2)

    def one():
        mine, other = first, second
        with mine:
            both.wait()
            arrived.release()
            with other:
                pass

    def two():
        mine, other = second, first
        with mine:
            both.wait()
            arrived.release()
            with other:
                pass

    threads = [threading.Thread(target=run, name=run.__name__) for run in (one, two)]
    for thread in threads:
        thread.start()
    for _ in threads:
        arrived.acquire()
    ready()
    threads[0].join()


def many():
    parked(1000)
    ready()
    time.sleep(3600)


class Last:
    def __del__(self):
        reason = "the module is being cleared"
        ready()
        time.sleep(3600)
        del reason


def finalizing():
    globals()["last"] = Last()


globals()[sys.argv[1]]()
