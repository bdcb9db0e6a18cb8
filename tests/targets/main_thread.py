"""Brings the main thread into one state, named by the argument, and keeps it there."""

import atexit
import ctypes
import os
import select
import socket
import sys
import threading
import time


def ready():
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")


def forever():
    time.sleep(3600)  # here: forever


def lock():
    held = threading.Lock()
    held.acquire()
    ready()
    held.acquire()  # here: lock


def sleep():
    ready()
    forever()


def wait_in_select():
    ready()
    select.select([sys.stdin], [], [])  # here: select


def join():
    thread = threading.Thread(target=forever, daemon=True)
    thread.start()
    ready()
    thread.join()  # here: join


def read():
    ready()
    sys.stdin.buffer.raw.read(1)  # here: read


def accept():
    server = socket.create_server(("127.0.0.1", 0))
    ready()
    server.accept()  # here: accept


def child():
    pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    ready()
    os.waitpid(pid, 0)  # here: child


def busy():
    ready()
    while True:
        pass


def hold_gil_asleep():
    ready()
    ctypes.PyDLL(None).sleep(3600)  # here: gil


def wait_for_gil():
    def keep():
        ready()
        sum(range(10**13))

    threading.Thread(target=keep, daemon=True).start()
    while True:
        time.sleep(0.01)


def shutdown():
    threading.Thread(target=forever).start()
    ready()


def exit_handler():
    atexit.register(forever)
    ready()


def fork_of_thread():
    def fork():
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            ready()
            while os.getppid() == parent:
                time.sleep(0.05)
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()

    threading.Thread(target=fork).start()
    forever()


globals()[sys.argv[1]]()
