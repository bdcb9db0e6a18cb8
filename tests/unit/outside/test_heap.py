"""Objects that cannot be: made by hand in a page of memory."""

from __future__ import annotations

import os
import struct

import pytest

from snapshotter.errors import TornReadError
from snapshotter.outside.heap import Heap
from snapshotter.outside.layouts import ObjectLayout
from snapshotter.outside.memory import Memory
from snapshotter.outside.pages import PagedMemory
from snapshotter.outside.runtime import Runtime
from tests.support.image import PAGE, DamagedMemory, Image

PID = os.getpid()
START = 0x10000


def heap_of(data: bytes) -> Heap:
    """A heap that has only these bytes, from START on."""
    with Memory(PID) as memory:
        layout = ObjectLayout.of(Runtime.attach(PID, memory))
    page = data.ljust(PAGE, b"\0")
    return Heap(PagedMemory(DamagedMemory(Image(PID, {START // PAGE: page}))), layout)


def int_object(count: int, *digits: int) -> bytes:
    """A positive int that claims ``count`` digits of 30 bits."""
    return struct.pack(f"<qqQ{len(digits)}I", 1, 0, count << 3, *digits)


def test_a_large_int_gives_its_top_bits() -> None:
    number = 0x1234_5678_9ABC_DEF0_1234_5678_9ABC
    digits = [number >> 30 * at & (1 << 30) - 1 for at in range(4)]
    top, bits = heap_of(int_object(4, *digits)).integer(START)
    assert bits == number.bit_length()
    assert top == number >> bits - 62


@pytest.mark.parametrize("digits", [(1, 1, 1, 1, 0), (0, 0, 0, 0, 0, 0), (5, 0)])
def test_an_int_that_begins_with_zeros_is_none(digits: tuple[int, ...]) -> None:
    with pytest.raises(TornReadError):
        heap_of(int_object(len(digits), *digits)).integer(START)
