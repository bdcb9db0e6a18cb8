"""Waits in one call, named by the argument, until a signal ends it: SIGTERM 7, SIGINT 9."""

import asyncio
import concurrent.futures
import fcntl
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path


def ready():
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")


def in_background(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def sleep():
    time.sleep(3600)


def wait_in_select():
    select.select([sys.stdin], [], [])


def poll():
    waiting = select.poll()
    waiting.register(sys.stdin, select.POLLIN)
    waiting.poll()


def epoll():
    read, _ = os.pipe()
    waiting = select.epoll()
    waiting.register(read, select.EPOLLIN)
    waiting.poll()


def idle_asyncio():
    async def wait():
        await asyncio.Event().wait()

    asyncio.run(wait())


def read():
    os.read(0, 1)


def accept():
    socket.create_server(("127.0.0.1", 0)).accept()


def recv():
    one, _other = socket.socketpair()
    one.recv(1)


def lock():
    held = threading.Lock()
    held.acquire()
    held.acquire()


def rlock():
    held = threading.RLock()
    taken = threading.Event()

    def keep():
        held.acquire()
        taken.set()
        time.sleep(3600)

    in_background(keep)
    taken.wait()
    held.acquire()


def event():
    threading.Event().wait()


def join():
    in_background(time.sleep, 3600).join()


def get():
    queue.Queue().get()


def popen():
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
    try:
        child.wait()
    finally:
        child.kill()


def pause():
    signal.pause()


def result():
    concurrent.futures.Future().result()


def flock():
    path = Path(__file__)
    with path.open() as first, path.open() as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(second, fcntl.LOCK_EX)


def long_c_call():
    while True:
        sum(range(10**7))


class ToldError(Exception):
    pass


def custom():
    def tell(*_):
        raise ToldError

    signal.signal(signal.SIGTERM, tell)
    signal.signal(signal.SIGINT, tell)
    try:
        time.sleep(3600)
    except ToldError:
        os.write(1, b"told\n")
    sys.exit(5)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
ready()
try:
    globals()[sys.argv[1]]()
except KeyboardInterrupt:
    sys.exit(9)
finally:
    os.write(1, b"bye\n")
