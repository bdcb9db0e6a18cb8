"""Objects made in C: proxies, buffers, files, locks, iterators, exceptions, code."""

import array
import asyncio
import concurrent.futures
import contextvars
import ctypes
import decimal
import functools
import io
import itertools
import mmap
import operator
import queue
import re
import socket
import sqlite3
import tempfile
import threading
import types
import typing
import unittest.mock
import weakref

from zoo.trips import KEPT, EvilKey, case, evil, trip

CASES = []


@case(CASES, "weak proxy of a hostile object")
def _():
    thing = evil(object)()
    KEPT.append(thing)
    return weakref.proxy(thing)


@case(CASES, "callable weak proxy of a hostile object")
def _():
    def function():
        trip("function")

    KEPT.append(function)
    return weakref.proxy(function)


@case(CASES, "weak reference with a callback")
def _():
    thing = evil(object)()
    KEPT.append(thing)
    return weakref.ref(thing, lambda ref: trip("callback"))


@case(CASES, "weak containers with hostile members")
def _():
    class Member:
        def __eq__(self, other):
            trip("__eq__")
            return True

        def __hash__(self):
            trip("__hash__")
            return 1

    member = Member()
    KEPT.append(member)
    return [weakref.WeakSet([member]), weakref.WeakValueDictionary(a=member)]


@case(CASES, "finalizer")
def _():
    thing = type("Thing", (), {})()
    KEPT.append(thing)
    return weakref.finalize(thing, trip, "finalize")


@case(CASES, "mock whose children trip")
def _():
    class Mock(unittest.mock.MagicMock):
        def _get_child_mock(self, /, **words):
            trip("child")
            return unittest.mock.MagicMock(**words)

        def __repr__(self):
            trip("__repr__")
            return "mock"

    return Mock()


@case(CASES, "sentinel, call and specified mock")
def _():
    class Thing:
        def method(self):
            trip("method")

    mock = unittest.mock
    return [mock.sentinel.x, mock.call.a.b(1), mock.create_autospec(Thing), mock.AsyncMock()]


@case(CASES, "generator that was not started")
def _():
    def numbers():
        trip("body")
        yield 1

    return numbers()


@case(CASES, "suspended generator")
def _():
    def numbers():
        try:
            yield 1
            trip("advanced")
            yield 2
        finally:
            trip("closed")

    generator = numbers()
    next(generator)
    return generator


@case(CASES, "coroutine that is never awaited")
def _():
    async def work():
        trip("body")

    coroutine = work()
    KEPT.append(coroutine)
    return coroutine


@case(CASES, "asynchronous generator")
def _():
    async def numbers():
        trip("body")
        yield 1

    return numbers()


@case(CASES, "iterator without end")
def _():
    class Endless:
        def __iter__(self):
            trip("__iter__")
            return self

        def __next__(self):
            trip("__next__")
            return 1

        def __length_hint__(self):
            trip("__length_hint__")
            return 1 << 62

    return [Endless(), itertools.repeat(1), itertools.count(), itertools.cycle([1])]


@case(CASES, "exceptions with hostile arguments in a cycle")
def _():
    class Odd(Exception):
        def __str__(self):
            trip("Odd.__str__")
            return "odd"

        __repr__ = __str__

        @property
        def args(self):
            trip("Odd.args")

        @property
        def __context__(self):
            trip("Odd.__context__")

        @property
        def __cause__(self):
            trip("Odd.__cause__")

    one = Odd(evil(object)())
    two = ValueError(one)
    BaseException.__context__.__set__(one, two)
    two.__context__ = one
    two.add_note("note")
    return [one, two]


@case(CASES, "exception group five hundred deep")
def _():
    error = ValueError(1)
    for _ in range(500):
        error = ExceptionGroup("g", [error])
    return error


@case(CASES, "exception with attributes and slots")
def _():
    class Odd(OSError):
        __slots__ = ("password",)

    error = Odd(2, evil(str)("no"), evil(str)("file"))
    error.password = "zoosecretCC1"
    error.extra = evil(object)()
    return error


@case(CASES, "traceback and frame")
def _():
    try:
        raise ValueError(evil(object)())
    except ValueError as error:
        return [error.__traceback__, error.__traceback__.tb_frame]


@case(CASES, "module with __getattr__")
def _():
    module = types.ModuleType("m")

    def getattribute(name):
        trip(f"module.__getattr__({name})")
        raise AttributeError(name)

    module.__getattr__ = getattribute
    module.__dir__ = lambda: (trip("module.__dir__"), [])[1]
    return module


@case(CASES, "module with hostile entries first")
def _():
    module = types.ModuleType("m")
    module.__dict__.clear()
    module.__dict__[EvilKey("__name__")] = "m"
    module.__dict__["__spec__"] = evil(object)()
    module.__dict__["__loader__"] = evil(object)()
    return module


@case(CASES, "partial, cache and dispatcher with hostile parts")
def _():
    def function(*args):
        trip("function")

    partial = functools.partial(function, evil(object)(), k=evil(object)())
    partial.attribute = evil(object)()
    return [partial, functools.lru_cache(function), functools.singledispatch(function)]


@case(CASES, "getters of operator")
def _():
    return [
        operator.attrgetter("a.b"),
        operator.itemgetter(EvilKey("a")),
        operator.methodcaller("run", evil(object)()),
        functools.cmp_to_key(trip)(1),
    ]


@case(CASES, "view of a truncated mapping of a file")
def _():
    file = tempfile.TemporaryFile()
    file.truncate(1 << 20)
    mapping = mmap.mmap(file.fileno(), 1 << 20)
    view = memoryview(mapping)
    file.truncate(0)
    KEPT.append(file)
    return [view, mapping, view[10:20]]


@case(CASES, "exporter of buffers")
def _():
    class Exporter:
        def __buffer__(self, flags):
            trip("__buffer__")
            return memoryview(b"x")

    return Exporter()


@case(CASES, "memory view of a hostile bytearray")
def _():
    return memoryview(evil(bytearray)(b"abc"))


@case(CASES, "released memory view")
def _():
    view = memoryview(b"abc")
    view.release()
    return view


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
