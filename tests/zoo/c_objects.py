"""Objects made in C: proxies, buffers, iterators, exceptions, modules."""

import functools
import itertools
import mmap
import operator
import tempfile
import types
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
