"""Runs a drawn program, whose threads park, and on request tells what is in their locals."""
# ruff: noqa: F401, ICN001, PYI024, S102 - drawn code runs here, with these names

import collections
import contextlib
import dataclasses
import datetime
import decimal
import enum
import functools
import itertools
import json
import os
import pathlib
import re
import sys
import threading
import time
import types

stop = threading.Event()
arrived = threading.Semaphore(0)
STARTS = []
HEAD = 8

Point = collections.namedtuple("Point", "x y")


class Plain:
    def __init__(self, a=1, b="two"):
        self.a, self.b = a, b

    def method(self):
        return self.a


class Wide:
    def __init__(self, size):
        for number in range(size):
            setattr(self, f"w{number}", number)


class Silent:
    def __init__(self):
        object.__setattr__(self, "known", 1)

    def __getattribute__(self, name):
        raise RuntimeError(name)


class Slots:
    __slots__ = ("never", "p")

    def __init__(self, p=1):
        self.p = p


class MoreSlots(Slots):
    __slots__ = ("__dict__", "q")

    def __init__(self, q=2):
        super().__init__()
        self.q, self.r = q, 3


class Int(int):
    pass


class Str(str):  # noqa: SLOT000 - as above
    pass


class List(list):
    pass


class Tuple(tuple):  # noqa: SLOT001 - with a dict
    pass


class Dict(dict):
    pass


class Set(set):
    pass


class Error(ValueError):
    pass


class Color(enum.Enum):
    RED = 1
    PAIR = (1, 2)


class Number(enum.IntFlag):
    ONE = 1
    TWO = 2


@dataclasses.dataclass(slots=True, frozen=True)
class Record:
    x: object = 1
    y: object = None


def park(*_args, **_names):
    arrived.release()
    stop.wait()


def having(owner, /, **attributes):
    for name, value in attributes.items():
        setattr(owner, name, value)
    return owner


def lacking(owner, *names):
    for name in names:
        delattr(owner, name)
    return owner


def touched(owner):
    vars(owner)
    return owner


def without(container, count):
    """Remove the first elements: what stood there stays behind in the tables of CPython."""
    for key in list(container)[:count]:
        if isinstance(container, dict):
            del container[key]
        else:
            container.remove(key)
    return container


def holding_itself(container):
    if isinstance(container, dict):
        container["itself"] = container
    else:
        container.append(container)
    return container


def raised(error, cause=None):
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def generate(size):
    got = yield size
    yield got


def started(generator):
    next(generator)
    return generator


@contextlib.contextmanager
def managed(value):
    yield [value]


SIZED = (str, bytes, bytearray, list, tuple, dict, set, frozenset, collections.deque)


def scalar(value, cls):
    """What an exact value is, in words."""
    if value is None or cls is bool or cls is float:
        return repr(value)
    if cls is int:
        return str(value)
    if cls is str:
        return value.encode("utf-8", "backslashreplace").decode()
    if cls is bytes or cls is bytearray:
        return value[:64].hex()
    return str(value) if cls is decimal.Decimal else None


def members(value, base):
    """Keys, if there are some, and values of the first members of a container."""
    if base is dict:
        pairs = list(itertools.islice(dict.items(value), HEAD))
        return [key for key, _ in pairs], [member for _, member in pairs]
    if base in {list, tuple, set, frozenset, collections.deque}:
        return [], list(itertools.islice(base.__iter__(value), HEAD))
    return [], []


def attributes(value, cls):
    found = {}
    for parent in cls.__mro__:
        if parent.__flags__ & 1 << 9 and not parent.__flags__ & 1 << 8:
            for name, slot in vars(parent).items():
                if type(slot) is types.MemberDescriptorType:
                    with contextlib.suppress(AttributeError):
                        found[name] = slot.__get__(value)
    with contextlib.suppress(AttributeError):
        found |= object.__getattribute__(value, "__dict__")
    return found


def fact(value, depth=3):
    cls = type(value)
    base = next((base for base in SIZED if issubclass(cls, base)), None)
    told = {"type": cls.__qualname__, "identity": id(value), "scalar": scalar(value, cls)}
    told["length"] = base.__len__(value) if base else None
    if depth:
        keys, found = members(value, base)
        told["keys"] = [fact(key, depth - 1) for key in keys]
        told["members"] = [fact(member, depth - 1) for member in found]
        if cls.__module__ == "__main__":
            told["attributes"] = {
                name: fact(one, depth - 1) for name, one in attributes(value, cls).items()
            }
    return told


def stack_of(frame):
    stack = []
    while frame:
        names = {
            name if isinstance(name, str) else "?": fact(value)
            for name, value in list(frame.f_locals.items())
        }
        place = frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno, frame.f_lasti
        stack.append({"place": place, "locals": names})
        frame = frame.f_back
    return stack


def tell():
    sys.stdin.readline()
    told = [
        {"ident": ident, "stack": stack_of(frame)}
        for ident, frame in sys._current_frames().items()
        if ident in drawn
    ]
    pathlib.Path(sys.argv[2]).write_text(json.dumps(told))
    print("told", flush=True)  # noqa: T201 - the answer


def fail(failure):
    threading.__excepthook__(failure)
    os._exit(1)


threading.excepthook = fail
sys.setswitchinterval(1.0)  # the probe has time for everything in one slice
exec(compile(pathlib.Path(sys.argv[1]).read_text(), "<drawn>", "exec"))
drawn = set()
for start in STARTS:
    thread = threading.Thread(target=start, daemon=True)
    thread.start()
    arrived.acquire()
    drawn.add(thread.ident)
threading.Thread(target=tell, daemon=True).start()
while any(frame.f_code is park.__code__ for frame in sys._current_frames().values()):
    time.sleep(0.001)
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while True:
    time.sleep(0.002)
