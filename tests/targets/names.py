"""Threads that got their names in every way, in two interpreters, all waiting."""

import _thread
import ctypes
import os
import sys
import threading
import time
from concurrent import interpreters

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NAME = 15
arrived = threading.Semaphore(0)
kept = []


def named_late():
    threading.current_thread().name = "late"
    arrived.release()
    time.sleep(3600)


def unknown():
    arrived.release()
    time.sleep(3600)


def dummy():
    threading.current_thread()
    arrived.release()
    time.sleep(3600)


def named_by_the_system():
    LIBC.prctl(PR_SET_NAME, b"from-c", 0, 0, 0)
    arrived.release()
    time.sleep(3600)


def made_in_c(function):
    """Start a thread that Python learns of when it calls ``function``."""
    call = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: function())
    number = ctypes.c_ulong()
    kept.append((call, number))
    LIBC.pthread_create(ctypes.byref(number), None, call, None)


INNER = """
import os, threading, time
def inner_work():
    os.write({ready}, b"i")
    time.sleep(3600)
threading.Thread(target=inner_work, name="inner").start()
"""


def second_interpreter():
    read, write = os.pipe()
    other = interpreters.create()
    kept.append(other)
    threading.Thread(
        target=other.exec, args=(INNER.format(ready=write),), name="starter", daemon=True
    ).start()
    os.read(read, 1)


threading.Thread(target=named_late, daemon=True).start()
_thread.start_new_thread(unknown, ())
made_in_c(dummy)
made_in_c(named_by_the_system)
for _ in range(4):
    arrived.acquire()
second_interpreter()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
if "tick" in sys.argv:
    while True:
        time.sleep(0.005)
time.sleep(3600)
