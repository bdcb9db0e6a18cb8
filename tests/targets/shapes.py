"""Threads that stand still in stacks of every shape; prints what the interpreter says of them.

Arguments: a number of further threads, and `tick` for a main thread that sleeps in short steps.
"""
# ruff: noqa: B009, N802, PERF401, PLC2401, S102, SIM105, T201, TRY301 - odd shapes are the point

import asyncio
import contextlib
import contextvars
import functools
import json
import os
import sys
import threading
import time

stop = threading.Event()
arrived = threading.Semaphore(0)


def park(*_args, **_kwargs):
    arrived.release()
    stop.wait()
    return 0


def through_map():
    return list(map(park, [1]))


def through_sorted():
    return sorted([1], key=lambda _: min([1], key=park))


def through_context():
    return contextvars.copy_context().run(functools.partial(park, 1))


class Parked:
    def __init__(self, step):
        if step == 99:
            park()


def through_constructor():
    for step in range(100):  # so that the call is a specialized one
        Parked(step)


def numbers():
    yield 1
    yield park()


def more_numbers():
    yield from numbers()


def through_generator():
    for _ in more_numbers():
        pass


def through_generator_in_c():
    return sum(n for n in more_numbers())


async def inner():
    park()


async def outer():
    await inner()


def through_coroutine():
    try:
        outer().send(None)
    except StopIteration:
        pass


async def async_numbers():
    yield 1
    park()
    yield 2


async def consume():
    return [n async for n in async_numbers()]


def through_asyncio():
    asyncio.run(consume())


def recurse(depth):
    # Many locals: a frame of some hundred bytes, so that several chunks are needed.
    a = b = c = d = e = f = g = h = i = j = k = m = n = o = p = q = depth
    if depth:
        return recurse(depth - 1) + a + b + c + d + e + f + g + h + i + j + k + m + n + o + p + q
    return park()


def through_recursion():
    return recurse(900)


def recurse_in_c(depth):
    if depth:
        return max([depth], key=lambda _: recurse_in_c(depth - 1))
    return park()


def through_recursion_in_c():
    return recurse_in_c(40)


def through_class_body():
    class Body:
        value = park()

    return Body


class Attribute:
    def __getattr__(self, name):
        return park()

    def __del__(self):
        park()


def through_getattr():
    return getattr(Attribute(), "missing")


def through_finalizer():
    held = Attribute()
    del held


def through_handler():
    try:
        raise ValueError
    except ValueError:
        try:
            raise KeyError
        finally:
            park()


def through_exec():
    exec("\n\n\nasync def f():\n    park()\ntry:\n    f().send(None)\nexcept StopIteration: pass")


def through_comprehension():
    return [[park() for _ in range(1)] for _ in range(1)]


def twice(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) + function(*args)

    return wrapper


class Callable:
    @staticmethod
    def static():
        return park()

    @classmethod
    def of_class(cls):
        return cls.static()

    @property
    def value(self):
        return self.of_class()

    def __call__(self):
        return self.value


@twice
@functools.cache
def through_decorators():
    return Callable()()


@contextlib.contextmanager
def managed():
    yield
    park()


def through_context_manager():
    with managed():
        pass


def grüße_雪():
    park()


def frames_of(frame):
    found = []
    while frame is not None:
        code = frame.f_code
        found.append([code.co_filename, code.co_qualname, frame.f_lineno, frame.f_lasti])
        frame = frame.f_back
    return found


def main():
    shapes = [value for name, value in globals().items() if name.startswith("through_")]
    shapes.append(grüße_雪)
    threads = [threading.Thread(target=shape, daemon=True) for shape in shapes]
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        threads.append(threading.Thread(target=through_map, daemon=True))
    for thread in threads:
        thread.start()
    for _ in threads:
        arrived.acquire()
    wait_until_all_stand(threads)
    report = {}
    for thread in threads:
        report[str(thread.native_id)] = frames_of(sys._current_frames()[thread.ident])
    mine = frames_of(sys._getframe())
    mine[0][2:] = [sys._getframe().f_lineno + 6, None]
    report[str(threading.get_native_id())] = mine
    print(json.dumps(report), flush=True)
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    if "tick" in sys.argv:
        tick()
    sys.stdin.readline()


def tick():
    while True:
        time.sleep(0.005)


def wait_until_all_stand(threads):
    def standing(thread):
        frame = sys._current_frames()[thread.ident]
        return frame.f_code.co_qualname == "Condition.wait"

    while not all(standing(thread) for thread in threads):
        stop.wait(0.01)


main()
