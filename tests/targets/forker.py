"""Forks again and again; a child in which a script ran, or that has inherited a file, says so.

Arguments: how (os, c), how many, number of other threads. A child that CPython lets begin a
script says so with "began": after a fork from C it cannot be kept from it. Such a child may also
find the mutex of the GIL locked by a thread that it does not have: "stuck".
"""

import ctypes
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path

how, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
parent = os.getpid()
OURS = {"_thread.start_new_thread", "sys._current_frames"}
seen = set()
STUCK_S = 5


def watch(event, _):
    if os.getpid() != parent and (event in OURS or event == "cpython.remote_debugger_script"):
        seen.add(event)


def step(n):
    return n + 1


def child():
    for n in range(2000):
        step(n)
    if any("/snapshotter-" in link(fd) for fd in Path("/proc/self/fd").iterdir()):
        os.write(1, b"inherited\n")
    if seen & OURS:
        os.write(1, b"ran\n")
    elif seen:
        os.write(1, b"began\n")
    os._exit(0)


def link(fd):
    try:
        return str(fd.readlink())
    except OSError:
        return ""


def wait_for(pid):
    child = os.pidfd_open(pid)
    if not select.select([child], [], [], STUCK_S)[0]:
        os.write(1, b"stuck\n")
        os.kill(pid, signal.SIGKILL)
    os.close(child)
    os.waitpid(pid, 0)


sys.addaudithook(watch)
for _ in range(threads):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
fork = os.fork if how == "os" else ctypes.PyDLL(None).fork
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while not select.select([sys.stdin], [], [], 0.002)[0]:
    step(1)
for _ in range(count):
    pid = fork()
    if pid == 0:
        child()
    wait_for(pid)
    for n in range(300):
        step(n)
os.write(1, b"done\n")
