"""Parked threads whose locals are values of every kind; the main thread goes on in short sleeps."""
# ruff: noqa: F841, ICN001, PYI024, S105, TRY301 - locals are there to be looked at

import collections
import dataclasses
import datetime
import decimal
import enum
import os
import re
import sys
import threading
import time
import types

stop = threading.Event()
arrived = threading.Semaphore(0)
CONFIG = {"levels": [1, 2, 3], "nested": {"deep": {"deeper": "text"}}, 7: "seven"}

Point = collections.namedtuple("Point", "x y password")


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


class Number(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    YES = "yes"


class Plain:
    kind = "plain"

    def __init__(self):
        self.a = 1
        self.b = "two"
        self.password = "correct horse"

    def method(self):
        return self.a


class Many:
    def __init__(self):
        for number in range(40):
            setattr(self, f"attribute_{number}", number)


class Slots:
    __slots__ = ("first", "never", "second")

    def __init__(self):
        self.first = 1
        self.second = [1]


class SlotsAndDict(Slots):
    def __init__(self):
        super().__init__()
        self.third = 3


@dataclasses.dataclass
class Record:
    x: int = 1
    hidden: str = dataclasses.field(default="not to be shown", repr=False)


class MyInt(int):
    pass


class MyStr(str):
    __slots__ = ()


class MyDict(dict):
    pass


class MyList(list):
    pass


class MyError(ValueError):
    pass


def generate():
    yield 1


async def coroutine():
    pass


def park():
    arrived.release()
    stop.wait()


def scalars():
    none, yes, no = None, True, False
    zero, small, negative, largest, smallest = 0, 42, -7, 2**63 - 1, -(2**63) + 1
    over, big, big_negative, huge = 2**63, 10**100, -(10**100), 1 << 100_000
    real, tiny, infinite = 1.5, 5e-324, float("-inf")
    complex_number = 1 - 2.5j
    card = 4111111111111111
    park()


def texts():
    empty, ascii_text, latin, wide, astral = "", "hello", "grün", "雪 und Ω", "🐍" * 3
    long_text, long_wide = "a b c " * 100, "雪 " * 300
    lone = "a\ud800\udc00b"
    octets, no_octets, many_octets = b"abc\x00", b"", bytes(range(256))
    array, no_array, many_array = bytearray(b"hello" * 3), bytearray(), bytearray(range(200))
    shifted = bytearray(b"0123456789" * 10)
    del shifted[:15]
    subclass = MyStr("of a subclass")
    park()


def containers():
    numbers, nothing, nested = [1, 2, 3], [], [1, [2, [3, [4, [5]]]]]
    pair, no_tuple, long_tuple = (1, "two"), (), tuple(range(100))
    table = {"a": 1, 2: 3, (1, 2): "tuple", b"raw": None}
    no_table, big_table, deleted = {}, {str(n): n for n in range(100)}, dict.fromkeys(range(20))
    for key in range(15):
        del deleted[key]
    sparse = dict.fromkeys(range(50_000))
    for key in range(49_999):
        del sparse[key]
    some_set, no_set, frozen, big_set = {1, 2, 3}, set(), frozenset("abc"), set(range(1000))
    queue, no_queue, ring = collections.deque([1, 2]), collections.deque(), collections.deque()
    ring.extend(range(500))
    ring.rotate(77)
    ordered = collections.OrderedDict(b=1, a=2)
    ordered.move_to_end("b")
    default, counter = collections.defaultdict(list, a=[1]), collections.Counter("hello")
    own_dict, own_list = MyDict(a=1), MyList([1, 2])
    own_dict.note = "attribute of a dict"
    cycle = []
    cycle.append(cycle)
    shared = ["both"]
    twice = [shared, shared]
    park()


def objects():
    point, color, number, word = Point(1, 2, "hush hush"), Color.RED, Number.ONE, Word.YES
    plain, many, slots, both = Plain(), Many(), Slots(), SlotsAndDict()
    with_dict = Plain()
    vars(with_dict)["later"] = 3
    without = Plain()
    del without.a
    without.a = 5
    record, integer = Record(), MyInt(5)
    integer.note = "on an int"
    namespace = types.SimpleNamespace(q=1, r=[2])
    bare, ellipsis, missing = object(), ..., NotImplemented
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise MyError("outer", 2) from error
    except MyError as error:
        caught = error
    caught.code = 17
    park()


def callables():
    a_class, builtin_class, meta = Plain, dict, type
    function, builtin, method, builtin_method = generate, len, Plain().method, [].append
    module, code, generator, coro = os, generate.__code__, generate(), coroutine()
    lock, held, reentrant, free = (
        threading.Lock(),
        threading.Lock(),
        threading.RLock(),
        threading.RLock(),
    )
    held.acquire()
    reentrant.acquire()
    reentrant.acquire()
    pattern, some_range, some_slice = re.compile("a+b"), range(3), slice(1, None, 2)
    view, descriptor = memoryview(bytearray(100)), Plain.__dict__["method"]
    park()
    coro.close()


def times():
    date, clock = datetime.date(2020, 1, 2), datetime.time(1, 2, 3, 4)
    stamp = datetime.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
    whole, span = datetime.datetime(1999, 12, 31), datetime.timedelta(-1, 5, 6)  # noqa: DTZ001
    plain, big = decimal.Decimal("-123.4500"), decimal.Decimal("1E+50")
    digits, infinite = decimal.Decimal("1" * 50), decimal.Decimal("-Infinity")
    park()


def secrets():
    password = "correct horse battery"
    args = ["--password", "another horse", "visible"]
    pair = {"name": "DB_PASSWORD", "value": "third horse 7"}
    url = "postgres://me:fourth-horse@db/orders"
    elsewhere = "run with correct horse battery now"
    headers = {"Authorization": "Bearer abcdefghijklmnop", "Accept": "text"}
    park()


def cells():
    captured = [1, 2]

    def inner():
        own = "own"
        sys._getframe().f_locals["written"] = [own, "by a debugger"]
        park()
        return captured, own

    inner()


def class_body():
    class Body:
        number = 1
        text = park()

    return Body


def main():
    shapes = [
        scalars,
        texts,
        containers,
        objects,
        callables,
        times,
        secrets,
        cells,
        class_body,
    ]
    for shape in shapes:
        threading.Thread(target=shape, name=shape.__name__, daemon=True).start()
    for _ in shapes:
        arrived.acquire()
    while any(frame.f_code.co_name == "park" for frame in sys._current_frames().values()):
        time.sleep(0.001)
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    if "blocked" in sys.argv:
        sys.stdin.readline()
    while True:
        time.sleep(0.002)


main()
