"""Both views of our own process tell the same of any value."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import json
import os
import re
import sys
import threading
import types
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from snapshotter.model import Status, ValueLevel
from tests.support.details import Details, details_of, see_own, tree
from tests.support.examples import examples
from tests.unit.probe.probing import see

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def own() -> Iterator[Details]:
    with details_of(os.getpid()) as details:
        yield details


def both(own: Details, value: object) -> tuple[object, object]:
    # outside first: the probe may leave an instance dict behind
    found = see_own(own, {"thing": value})
    node = found.variables[0].node
    assert node is not None, found.variables[0].problem
    seen = see(value)
    return tree(found.values, node), tree(seen.view.values, seen.node)


class Colour(enum.Enum):
    RED = 1


class Flags(enum.IntFlag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: int
    token: str


class Meta(type):
    pass


class Plain(metaclass=Meta):
    def __init__(self) -> None:
        self.a, self.b = 1, [1, {2: 3}]


class Slotted:
    __slots__ = ("a", "unset")

    def __init__(self) -> None:
        self.a = 5


class Surrogates:
    pass


Surrogates.__qualname__, Surrogates.__module__ = "Name\ud800", "place\udc80"


class Float(float):
    pass


class Octets(bytes):
    pass


class Both(dict, Plain):  # type: ignore[misc]
    pass


def bare(cls: type, *args: object, **attributes: object) -> Any:  # noqa: ANN401
    made = cls(*args)
    vars(made).update(attributes)
    return made


CASES: dict[str, object] = {
    "enum": Colour.RED,
    "flag": Flags.A,
    "flags": Flags.A | Flags.B,
    "named tuple": Point(1, "hidden"),
    "more elements than fields": tuple.__new__(Point, (1, "hidden", 3)),
    "fewer elements than fields": tuple.__new__(Point, (1,)),
    "plain": Plain(),
    "slots": Slotted(),
    "float subclass": bare(Float, 1.5, note=1),
    "bytes subclass": bare(Octets, b"abc", note=1),
    "dict and object": bare(Both, {"x": 1}, y=2),
    "class with metaclass": Plain,
    "metaclass": Meta,
    "thread": threading.current_thread(),
    "event": threading.Event(),
    "condition": threading.Condition(),
    "module": os,
    "builtin module": sys,
    "method": Plain().__init__,
    "slot wrapper": int.__add__,
    "mapping proxy": Plain.__dict__,
    "namespace": types.SimpleNamespace(a=1),
    "counter": collections.Counter("hello"),
    "chain map": collections.ChainMap({"a": 1}),
    "user dict": collections.UserDict(a=1),
    "ordered dict": collections.OrderedDict(a=1),
    "bounded deque": collections.deque(range(100), maxlen=7),
    "timezone": dt.datetime(2020, 2, 29, 1, 2, 3, tzinfo=dt.UTC),
    "far future": dt.date.max,
    "pattern": re.compile(rb"a.*"),
    "generator": (x for x in ()),
    "range of big numbers": range(10**30),
    "exception group": ExceptionGroup("several", [ValueError(1)]),
    "os error": FileNotFoundError(2, "No such file", "name"),
    "memoryview": memoryview(b"1234"),
    "released": memoryview(b"x"),
    "environment": os.environ,
    "locked": threading.Lock(),
    "undecodable type": Surrogates(),
    "undecodable": "\udc80" * 3,
    "power of two": -(1 << 120),
    "next to a power of two": -(1 << 120) - 1,
    "half of a power of two": -(3 << 119),
}
CASES["released"].release()  # type: ignore[attr-defined]
CASES["locked"].acquire()  # type: ignore[attr-defined]


@pytest.mark.parametrize("label", CASES)
def test_a_value_is_told_the_same(own: Details, label: str) -> None:
    outside, inside = both(own, CASES[label])
    assert outside == inside


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(1 << 300), max_value=1 << 300)
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=300)
    | st.binary(max_size=300)
    | st.binary(max_size=300).map(bytearray)
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.timedeltas()
)
HASHABLE = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=9)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.lists(inner, max_size=12).map(tuple)
        | st.lists(inner, max_size=80).map(collections.deque)
        | st.dictionaries(HASHABLE, inner, max_size=12)
        | st.dictionaries(st.text(max_size=9), inner, max_size=12)
        | st.sets(HASHABLE, max_size=20)
        | st.frozensets(HASHABLE, max_size=20)
    ),
    max_leaves=30,
)


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_any_value_is_told_the_same(own: Details, value: object) -> None:
    outside, inside = both(own, value)
    assert outside == inside


@pytest.mark.parametrize("digits", [1, 19, 20, 79, 80, 81, 152, 153, 400])
@pytest.mark.parametrize("exponent", [0, -1, -20, 5])
def test_a_decimal_is_whole_or_not_shown(own: Details, digits: int, exponent: int) -> None:
    number = decimal.Decimal((1, (7,) * digits, exponent))
    found = see_own(own, {"thing": number}).values[0]
    seen = see(number, carrier="thread").value
    for shown in (found, seen):
        assert (shown.status, shown.value) in {(Status.OK, str(number)), (Status.TRUNCATED, None)}
    assert found.status is seen.status


@pytest.mark.parametrize("removed", [0, 1, 5, 19, 20])
def test_containers_are_told_the_same_after_removals(own: Details, removed: int) -> None:
    table = {n: n for n in range(20)}
    texts = {str(n): n for n in range(20)}
    numbers = set(range(20))
    for n in range(removed):
        del table[n], texts[str(n)]
        numbers.discard(n)
    for value in (table, texts, numbers):
        outside, inside = both(own, value)
        assert outside == inside


def test_attributes_are_told_the_same_after_removals(own: Details) -> None:
    thing: Any = Plain()
    del thing.a
    thing.later = "later"
    thing.a = "again"
    outside, inside = both(own, thing)
    assert outside == inside
    for n in range(40):
        setattr(thing, f"more_{n}", n)
    outside, inside = both(own, thing)
    assert outside == inside


def test_members_that_are_no_objects_are_missing_from_outside(own: Details) -> None:
    scanner = json.JSONDecoder().scan_once
    (_, _, _, _, _, _, outside), (_, _, _, _, _, _, inside) = both(own, scanner)
    assert "strict" in {name for name, *_ in inside}
    assert {name for name, *_ in inside} - {name for name, *_ in outside} == {"strict"}
    assert see_own(own, {"thing": scanner}).values[0].status is Status.TRUNCATED


def test_a_class_that_is_called_int_is_none(own: Details) -> None:

    class Pretender:
        pass

    Pretender.__name__ = Pretender.__qualname__ = "int"
    found = see_own(own, {"thing": Pretender()}, level=ValueLevel.FULL)
    assert found.values[0].kind == "object"


@pytest.mark.parametrize(
    "source",
    [
        "np.zeros((2, 3))",
        "np.zeros((), dtype='i4')",
        "np.array([], dtype='U5')",
        "np.array(['a', 'bb'])",
        "np.array([b'abc'])",
        "np.array([object()])",
        "np.zeros(3, dtype='>i2')",
        "np.zeros(3, dtype=[('a', 'i4'), ('b', 'f8')])",
        "np.zeros((1000, 1000), dtype=bool)[::2]",
        "np.ma.masked_array([1, 2])",
        "np.int64(-5)",
        "np.uint64(2**64 - 1)",
        "np.uint8(200)",
        "np.float32(0.1)",
        "np.float16(0.5)",
        "np.float64(0.1)",
        "np.bool(True)",
        "np.complex128(1 + 2j)",
        "np.longdouble(1)",
        "np.str_('text')",
        "np.bytes_(b'octets')",
        "np.datetime64('2020-01-01')",
        "np.dtype('i4')",
    ],
)
def test_values_of_numpy_are_told_the_same(own: Details, source: str) -> None:
    np = pytest.importorskip("numpy")
    outside, inside = both(own, eval(source, {"np": np}))  # noqa: S307 - ours
    assert outside == inside
