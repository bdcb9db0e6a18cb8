# ruff: noqa: PTH123, PTH208 - as small as can be
"""A small service that does not grow by itself; says how large it is when asked on stdin."""

import asyncio
import gc
import os
import queue
import resource
import sys
import threading
import time

gc.disable()
ready, stop = threading.Event(), threading.Event()
jobs = queue.Queue()


class Order:
    def __init__(self, number):
        self.number = number
        self.lines = [number, str(number)]
        self.customer = {"name": "bob", "password": "hunter2"}


orders = [Order(number) for number in range(50)]


def worker(level, order):
    table = {"order": order, "level": level}
    if level and table:
        worker(level - 1, order)
    else:
        jobs.get()


async def wait():
    await asyncio.Event().wait()


async def serve():
    tasks = [asyncio.create_task(wait()) for _ in range(20)]
    ready.set()
    await asyncio.gather(*tasks)


def memory_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def size():
    unreachable = gc.collect()
    return {
        "unreachable": unreachable,
        "objects": len(gc.get_objects()),
        "interned": sys.getunicodeinternedsize(),
        "fds": len(os.listdir("/proc/self/fd")),
        "modules": len(sys.modules),
        "types": len(type.__subclasses__(object)),
        "threads": len(os.listdir("/proc/self/task")),
        "memory": memory_bytes(),
    }


def answer():
    while os.read(0, 64):
        size()
        os.write(1, f"{size()!r}\n".encode())


for number in range(8):
    threading.Thread(target=worker, args=(10, orders[number]), daemon=True).start()
threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
ready.wait()
threading.Thread(target=answer, daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while True:
    for order in orders:
        order.number += 0
    time.sleep(0.001)
