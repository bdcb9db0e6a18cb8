# ruff: noqa: ANN401 - what is captured is of any type
"""What is shown of each kind of value, where it is cut, and that sharing and cycles are kept."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import gc
import re
import sys
import threading
import types
from typing import Any

import numpy as np
import pytest

from snapshotter.model import Kind, Status
from tests.unit.probe.probing import Seen, see, see_locals, survey
from tests.unit.probe.variables import module_of


class _Colour(enum.Enum):
    RED = 1


class _Flag(enum.IntFlag):
    X = 1
    Y = 2


def _generator() -> Any:
    yield 1


SCALARS = [
    (None, Kind.NONE, None),
    (True, Kind.BOOL, True),
    (False, Kind.BOOL, False),
    (0, Kind.INT, 0),
    (-1, Kind.INT, -1),
    ((1 << 63) - 1, Kind.INT, (1 << 63) - 1),
    (-(1 << 63) + 1, Kind.INT, -(1 << 63) + 1),
    (1.5, Kind.FLOAT, 1.5),
    (float("inf"), Kind.FLOAT, float("inf")),
    ("text", Kind.STR, "text"),
    ("", Kind.STR, ""),
    (b"data", Kind.BYTES, b"data"),
    (bytearray(b"data"), Kind.BYTES, b"data"),
    (dt.date(2026, 11, 20), Kind.TIME, "2026-11-20"),
    (dt.datetime(2026, 1, 2, 3, 4, 5), Kind.TIME, "2026-01-02T03:04:05"),  # noqa: DTZ001
    (dt.time(3, 4, 5, 6), Kind.TIME, "03:04:05.000006"),
    (dt.timedelta(days=1, seconds=2), Kind.TIME, "P1DT2.000000S"),
    (_Colour.RED, Kind.ENUM, "RED"),
    (int, Kind.TYPE, "int"),
    (sys, Kind.MODULE, "sys"),
    (len, Kind.FUNCTION, "len"),
    (np.float64(2.5), Kind.FLOAT, 2.5),
    (np.int16(7), Kind.INT, 7),
    (np.bool_(True), Kind.INT, 1),  # noqa: FBT003
    (np.zeros((3, 4)), Kind.ARRAY, "3x4 <f8"),
    (np.zeros(2, dtype=[("a", "i4")]), Kind.ARRAY, "2 |V4"),
]


@pytest.mark.parametrize(("value", "kind", "content"), SCALARS)
def test_a_scalar_is_shown_exactly(value: object, kind: Kind, content: object) -> None:
    shown = see(value).value
    assert (shown.kind, shown.status) == (kind, Status.OK)
    assert shown.value == content
    assert type(shown.value) is type(content)


def test_of_a_time_with_a_zone_the_zone_is_not_told() -> None:
    stamp = see(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)).value
    assert (stamp.status, stamp.value) == (Status.TRUNCATED, "2026-01-02T03:04:05")
    clock = see(dt.time(3, 4, 5, tzinfo=dt.UTC)).value
    assert (clock.status, clock.value) == (Status.TRUNCATED, "03:04:05")


def test_parts_of_a_complex_number_are_no_objects_of_the_target() -> None:
    shown = see(complex(1.5, float("inf")))
    parts = [(item.name, shown.view.values[item.node]) for item in shown.value.items]
    assert [(name, part.type, part.value) for name, part in parts] == [
        ("real", "float", 1.5),
        ("imag", "float", float("inf")),
    ]
    assert [part.identity for _, part in parts] == [None, None]


def test_a_decimal_is_read_in_a_carrier_thread_only() -> None:
    assert see(decimal.Decimal("1.50")).value.status is Status.TRUNCATED
    assert see(decimal.Decimal("1.50"), carrier="thread").value.value == "1.50"


@pytest.mark.parametrize("number", ["1" * 81, "1" * 152, "-1." + "1" * 76 + "E+99"])
def test_no_digits_of_a_long_decimal_are_taken_for_all(number: str) -> None:
    shown = see(decimal.Decimal(number), carrier="thread").value
    assert (shown.status, shown.value) == (Status.TRUNCATED, None)


@pytest.mark.parametrize(
    "number",
    [1 << 63, -(1 << 64), (1 << 5_000_000) - 1, -(1 << 3_000_000)],
    ids=["64 bits", "65 bits", "five million bits", "three million bits"],
)
def test_of_a_huge_int_size_and_top_are_shown(number: int) -> None:
    shown = see(number).value
    assert shown.status is Status.TRUNCATED
    assert shown.length == number.bit_length()
    assert shown.value == number >> (number.bit_length() - 62)


def test_a_text_is_cut_and_tells_its_length() -> None:
    shown = see("é" * 1000).value
    assert (shown.status, shown.length, shown.value) == (Status.TRUNCATED, 1000, "é" * 120)


def test_a_named_tuple_with_more_elements_than_fields_is_not_whole() -> None:
    point = collections.namedtuple("point", "x y")  # noqa: PYI024
    assert see(tuple.__new__(point, (1, 2))).value.status is Status.OK
    assert see(tuple.__new__(point, (1, 2, 3))).value.status is Status.TRUNCATED


def test_containers_are_cut_at_items_and_depth() -> None:
    shown = see([[[["deep"]]], *range(100)])
    assert shown.value.length == 101
    assert shown.value.status is Status.TRUNCATED
    assert len(shown.value.items) == 8
    assert shown[0].value.status is Status.OK
    assert shown[0][0].value.status is Status.TRUNCATED
    assert shown[0][0].value.length == 1
    assert shown[0][0].value.items == ()


@pytest.mark.parametrize("make", [list, tuple, set, frozenset, collections.deque])
def test_sequences_and_sets_give_their_elements(make: Any) -> None:
    shown = see(make([7]))
    assert shown.value.length == 1
    assert shown[0].value.value == 7


def test_a_dict_gives_keys_in_order_and_other_keys_as_nodes() -> None:
    shown = see({"b": 1, "a": 2, 5: 3, (1, 2): 4})
    assert shown.names() == ["b", "a", None, None]
    key = shown.value.items[2].key
    assert key is not None
    assert shown.view.values[key].value == 5


def test_a_frozen_dict_is_a_dict_where_there_is_one() -> None:
    frozen = getattr(__builtins__, "frozendict", None)
    if frozen is None:
        pytest.skip("since Python 3.15")
    assert see(frozen(a=1))["a"].value.value == 1


@pytest.mark.parametrize("make", [collections.OrderedDict, collections.Counter])
def test_subclasses_of_dict_are_read_as_dicts(make: Any) -> None:
    assert see(make(a=1))["a"].value.value == 1


def test_cycles_and_shared_objects_are_kept() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    shared = [1]
    seen = see_locals({"cycle": cycle, "pair": (shared, shared)})
    assert seen["cycle"].value.items[0].node == seen["cycle"].node
    first, second = seen["pair"].value.items
    assert first.node == second.node


class _Plain:
    def __init__(self) -> None:
        self.one = 1
        self.two = "zwei"


class _Slotted:
    __slots__ = ("here", "missing")

    def __init__(self) -> None:
        self.here = 1


class _Both(_Slotted):
    def __init__(self) -> None:
        super().__init__()
        self.more = 2


@dataclasses.dataclass
class _Point:
    x: int
    y: int = 2


def _changed() -> _Plain:
    thing = _Plain()
    thing.three = 3  # type: ignore[attr-defined]
    return thing


def _with_dict() -> _Plain:
    thing = _Plain()
    vars(thing)
    return thing


def _only_a_dict() -> object:
    class Holder:
        def __init__(self) -> None:
            self.table = {"one": 9}

    return Holder()


def _hidden_by_default() -> object:
    class Late:
        one = 1

        def __init__(self) -> None:
            self.other = 1

        def never(self) -> None:
            self.one = 5

    return Late()


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (_Plain(), {"one": 1, "two": "zwei"}),
        (_changed(), {"one": 1, "two": "zwei", "three": 3}),
        (_with_dict(), {"one": 1, "two": "zwei"}),
        (_Slotted(), {"here": 1}),
        (_Both(), {"here": 1, "more": 2}),
        (_Point(1), {"x": 1, "y": 2}),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (type("Sub", (types.SimpleNamespace,), {})(a=1), {"a": 1}),
        (_only_a_dict(), {"table": None}),
        (_hidden_by_default(), {"other": 1}),
        (type("Empty", (), {})(), {}),
    ],
)
def test_attributes_are_shown_as_they_are(thing: object, expected: dict[str, object]) -> None:
    shown = see(thing)
    assert {name: shown[str(name)].value.value for name in shown.names()} == expected
    assert all(item.attribute for item in shown.value.items)


def test_no_dict_is_left_with_an_instance() -> None:
    things = [_Plain() for _ in range(200)]
    assert len(see(things, items=200, nodes=5000).value.items) == 200
    # references to the class and to each value
    assert {len(gc.get_referents(thing)) for thing in things} == {3}


def test_a_named_tuple_shows_its_fields() -> None:
    point = collections.namedtuple("Point", "x y")(1, 2)  # noqa: PYI024
    assert see(point).names() == ["x", "y"]


def test_a_function_a_method_and_a_generator_say_where_they_stand() -> None:
    assert "_generator (" in str(see(_generator).value.value)
    assert "_generator (" in str(see(_generator()).value.value)
    method = see(_Plain().__init__)
    assert method.names() == ["__func__", "__self__"]


def test_an_exception_shows_arguments_and_what_caused_it() -> None:
    try:
        try:
            raise KeyError("inner")  # noqa: TRY301
        except KeyError as inner:
            raise ValueError("outer", 5) from inner
    except ValueError as error:
        shown = see(error)
    assert shown.value.kind is Kind.EXCEPTION
    assert shown["args"][1].value.value == 5
    assert shown["__cause__"].value.type == "KeyError"


def test_locks_patterns_and_ranges_are_described() -> None:
    lock = threading.RLock()
    with lock:
        assert "owner=" in str(see(lock).value.value)
    assert see(re.compile("a+"))["pattern"].value.value == "a+"
    assert see(range(1, 9))["stop"].value.value == 9


def test_sparse_tables_are_not_searched() -> None:
    sparse = dict.fromkeys(range(1_000_000))
    for key in range(999_999):
        del sparse[key]
    shown = see(sparse).value
    assert (shown.status, shown.length, shown.items) == (Status.TRUNCATED, 1, ())


def test_flags_and_members_show_names() -> None:
    assert see(_Flag.X | _Flag.Y).value.kind in {Kind.ENUM, Kind.INT}


def test_one_node_stands_for_all_beyond_the_limit() -> None:
    seen = see([[n, n + 1000] for n in range(8)], nodes=6)
    kinds = [value.status for value in seen.view.values]
    assert len(kinds) == 7
    assert kinds[-1] is Status.TRUNCATED


def test_a_released_buffer_is_unreadable() -> None:
    view = memoryview(b"abc")
    assert see(view).value.length == 3
    view.release()
    assert see(view).value.status is Status.UNREADABLE


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("box.one", 1),
        ("table.key", 5),
        ("rows.1", 20),
        ("Box.CLASS", 7),
        ("slots.here", 1),
        ("module.inner", 9),
    ],
)
def test_a_variable_is_followed_along_its_path(path: str, expected: int) -> None:
    module = types.ModuleType("made")
    vars(module)["inner"] = 9
    values = {
        "module": module,
        "box": _Plain(),
        "table": {"key": 5},
        "rows": [10, 20],
        "Box": type("Box", (), {"CLASS": 7}),
        "slots": _Slotted(),
    }
    with module_of(values) as variables:
        view = survey(variables=[[variables[0][0], *path.split(".")]])
    node = view.variables[0].node
    assert node is not None
    assert Seen(view, node).value.value == expected


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        (["no_such_module", "x"], "no module"),
        (["sys", "no_such_name"], "no_such_name"),
        (["sys", "path", "99999"], "99999"),
        (["sys", "implementation", "nothing"], "nothing"),
    ],
)
def test_a_variable_that_is_not_there_is_explained(variable: list[str], problem: str) -> None:
    found = survey(variables=[variable]).variables[0]
    assert found.node is None
    assert problem in str(found.problem)
