"""Strict msgpack: one object within the limits, or a WireError that says why."""

from __future__ import annotations

import subprocess
import sys

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshotter.store.wire import WireError, pack, strict_unpack, text_from_wire, text_to_wire
from tests.support.examples import examples

_objects = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(_objects)
@examples(50)
def test_what_was_packed_comes_back(value: object) -> None:
    assert strict_unpack(pack(value), max_depth=20) == value


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_wire_error(data: bytes) -> None:
    try:
        strict_unpack(data)
    except WireError as error:
        reason = str(error)
    else:
        reason = "fine"
    assert reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "well-formed"),
        (b"\xc1", "well-formed"),
        (b"\x01\x02", "well-formed"),
        (b"\x92\x01", "well-formed"),
        (b"\xa1\xff", "well-formed"),
        (b"\xa3\xed\xa0\x80", "well-formed"),
        (b"\xd4\x01\x00", "well-formed"),
        (b"\xc7\x00\x05", "extension type"),
        (b"\xd7\xff" + b"\x00" * 8, "well-formed"),
        (b"\x81\x01\x02", "well-formed"),
        (b"\x81\xc4\x01k\x02", "two equal keys, or one that is not a text"),
        (b"\x82\xa1k\x01\xa1k\x02", "two equal keys"),
        (b"\x91" * 9 + b"\xc0", "deeper than 8"),
        (b"\x91" * 2000 + b"\xc0", "well-formed"),
        (b"\xdd\x7f\xff\xff\xff", "well-formed"),
        (b"\xdf\x7f\xff\xff\xff", "well-formed"),
        (b"\xdb\x7f\xff\xff\xff", "well-formed"),
    ],
)
def test_hostile_bytes_are_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        strict_unpack(data)


def test_each_limit_holds() -> None:
    with pytest.raises(WireError, match="more than the 3 allowed"):
        strict_unpack(pack("long"), max_bytes=3)
    with pytest.raises(WireError, match="more arrays, maps or members"):
        strict_unpack(pack([[1, 2], [3, 4]]), max_items=5)
    with pytest.raises(WireError, match="more arrays, maps or members"):
        strict_unpack(pack([[], [], []]), max_containers=3)
    with pytest.raises(WireError, match="deeper than 1"):
        strict_unpack(pack([[]]), max_depth=1)
    with pytest.raises(WireError, match="deeper than 0"):
        strict_unpack(pack({}), max_depth=0)

    assert strict_unpack(pack([[1, 2], [3, 4]]), max_items=6, max_containers=3, max_depth=2)


def test_subclasses_of_builtin_types_are_not_packed() -> None:
    class Text(str):
        __slots__ = ()

    with pytest.raises(TypeError):
        pack(Text("x"))


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_crosses_the_wire(text: str) -> None:
    assert text_from_wire(strict_unpack(pack(text_to_wire(text)))) == text


@pytest.mark.parametrize("value", [None, 1, b"\xff", ["x"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(WireError):
        text_from_wire(value)


def test_pure_python_msgpack_is_refused_with_a_next_step() -> None:
    program = """
from snapshotter.errors import SnapshotterError
from snapshotter.store.wire import strict_unpack
try:
    strict_unpack(b"\\x01")
except SnapshotterError as error:
    print(error.slug, error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"MSGPACK_PUREPYTHON": "1"},
        capture_output=True,
        check=True,
        text=True,
    )

    assert done.stdout.startswith("msgpack-without-c Reinstall msgpack")


def test_packed_with_another_msgpack_is_the_same() -> None:
    value = {"schema": "x", "n": [1, -1, 2**63, None, True, 1.5, b"\x00"]}

    assert pack(value) == msgpack.packb(value)
