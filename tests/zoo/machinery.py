"""The machinery of programs: locks, queues, files, contexts, code."""

import array
import asyncio
import concurrent.futures
import contextvars
import ctypes
import decimal
import io
import queue
import re
import socket
import sqlite3
import threading
import types
import typing

from zoo.trips import KEPT, EvilKey, case, evil, trip

CASES = []


@case(CASES, "large array, wild pointers")
def _():
    class Structure(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int), ("p", ctypes.POINTER(ctypes.c_int))]

    return [
        array.array("d", bytes(8 << 20)),
        ctypes.cast(0xDEAD000, ctypes.POINTER(ctypes.c_int)),
        Structure(),
        ctypes.py_object(),
        ctypes.cast(0xDEAD000, ctypes.c_char_p),
    ]


@case(CASES, "locks and what is built of them")
def _():
    lock = threading.Lock()
    lock.acquire()
    reentrant = threading.RLock()
    reentrant.acquire()
    return [
        lock,
        reentrant,
        threading.Condition(),
        threading.Event(),
        threading.Semaphore(2),
        threading.Barrier(2),
        threading.local(),
    ]


@case(CASES, "queues with hostile items")
def _():
    jobs = queue.Queue()
    jobs.put(evil(object)())
    ordered = queue.PriorityQueue()
    ordered.put((1, evil(int)(1)))
    simple = queue.SimpleQueue()
    simple.put(evil(object)())
    return [jobs, ordered, simple]


@case(CASES, "locked queue")
def _():
    jobs = queue.Queue()
    jobs.mutex.acquire()
    return jobs


@case(CASES, "thread that was not started")
def _():
    return threading.Thread(target=trip)


@case(CASES, "executor and future with hostile result")
def _():
    future = concurrent.futures.Future()
    future.set_result(evil(object)())
    future.add_done_callback(lambda done: trip("callback"))
    return [future, concurrent.futures.ThreadPoolExecutor(1)]


@case(CASES, "context variable with hostile default")
def _():
    variable = contextvars.ContextVar("v", default=evil(object)())
    token = variable.set(evil(object)())
    return [variable, token, contextvars.copy_context()]


@case(CASES, "file, socket, database")
def _():
    file = open("/dev/null")
    sock = socket.socket()
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.row_factory = sqlite3.Row
    row = database.execute("SELECT 'x' AS password").fetchone()
    KEPT.extend((file, sock, database))
    return [file, sock, database, database.cursor(), row]


@case(CASES, "pattern and match")
def _():
    return [re.compile(evil(str)("a")), re.match("a", "a" * 1000), re.compile(b"b")]


@case(CASES, "text stream over a hostile buffer")
def _():
    class Raw(io.RawIOBase):
        def readable(self):
            return True

        def writable(self):
            return True

        @property
        def closed(self):
            trip("Raw.closed")
            return False

        @property
        def name(self):
            trip("Raw.name")
            return "n"

    stream = io.TextIOWrapper(io.BufferedWriter(Raw()))
    KEPT.append(stream)
    return stream


@case(CASES, "decimals")
def _():
    return [
        decimal.Decimal("1.5"),
        evil(decimal.Decimal, skip=("__hash__",))("2"),
        decimal.Context(),
    ]


@case(CASES, "namespace with hostile members in a cycle")
def _():
    namespace = types.SimpleNamespace(a=evil(object)())
    namespace.me = namespace
    namespace.__dict__[EvilKey("password")] = "zoosecretCC2"
    return namespace


@case(CASES, "typing objects")
def _():
    return [typing.Optional[int], typing.TypeVar("T"), typing.NamedTuple("N", [("a", int)])(1)]


@case(CASES, "code with a constant whose hash trips")
def _():
    def function():
        return (1, 2)

    class Constant:
        def __hash__(self):
            trip("Constant.__hash__")
            return 1

        def __eq__(self, other):
            trip("Constant.__eq__")
            return True

    function.__code__ = function.__code__.replace(co_consts=(None, Constant()))
    return [function, function.__code__]


@case(CASES, "code with hostile names")
def _():
    def function():
        pass

    text = evil(str)
    code = function.__code__.replace(
        co_filename=text("f"), co_name=text("n"), co_qualname=text("q")
    )
    return [code, types.FunctionType(code, {})]


@case(CASES, "template string")
def _():
    value = evil(object)()
    return eval('t"{value}"', {"value": value})


@case(CASES, "future and event of asyncio")
def _():
    loop = asyncio.new_event_loop()
    KEPT.append(loop)
    return [loop.create_future(), asyncio.Event(), asyncio.Queue()]


@case(CASES, "sentinel")
def _():
    make = __builtins__.get("sentinel")
    return [make("MISSING") if make else ..., NotImplemented, object()]
