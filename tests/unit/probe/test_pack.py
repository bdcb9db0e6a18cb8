from __future__ import annotations

import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshotter.probe import pack


def _unpack(data: bytes) -> object:
    return msgpack.unpackb(data, raw=False, strict_map_key=False)


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_an_int_is_read_back_by_msgpack(number: int) -> None:
    assert _unpack(pack.pack_int(number)) == number


@given(st.text())
def test_a_text_is_read_back_by_msgpack(text: str) -> None:
    expected = text.encode("utf-8", "backslashreplace").decode()
    assert _unpack(pack.pack_text(text)) == expected


@pytest.mark.parametrize("size", [0, 1, 31, 32, 255, 256, 65_535, 65_536, 100_000])
def test_texts_and_bytes_of_every_head_are_read_back(size: int) -> None:
    assert _unpack(pack.pack_text("x" * size)) == "x" * size
    assert _unpack(pack.pack_bin(b"x" * size)) == b"x" * size


def test_lone_surrogates_become_visible_escapes() -> None:
    assert _unpack(pack.pack_text("a\udfffb")) == "a\\udfffb"


@given(st.floats())
def test_a_float_travels_as_exact_hexadecimal_text(number: float) -> None:
    text = _unpack(pack.pack_float(number))
    assert isinstance(text, str)
    again = float.fromhex(text)
    assert again == number or (math.isnan(again) and math.isnan(number))
    assert math.copysign(1, again) == math.copysign(1, number) or math.isnan(number)


@pytest.mark.parametrize("size", [0, 15, 16, 300])
def test_heads_of_arrays_and_maps_announce_their_size(size: int) -> None:
    assert _unpack(pack.pack_array(size) + pack.NIL * size) == [None] * size
    entries = b"".join(pack.pack_int(i) + pack.TRUE for i in range(size))
    assert _unpack(pack.pack_map(size) + entries) == dict.fromkeys(range(size), True)


def test_a_word_may_be_missing() -> None:
    assert _unpack(pack.pack_word(None)) is None
    assert _unpack(pack.pack_word("x")) == "x"
    assert _unpack(pack.FALSE) is False
