from __future__ import annotations

import pytest

from snapshotter.errors import TornReadError
from snapshotter.outside.copies import Copies
from tests.support.image import PAGE, DamagedMemory, Image

START = 16 * PAGE
DATA = bytes(range(256)) * (PAGE // 256)


def memory() -> DamagedMemory:
    return DamagedMemory(Image(0, {START // PAGE: DATA}))


def test_what_was_copied_does_not_change() -> None:
    lying = memory()
    copies = Copies(lying, [(START, 100), (START + 200, 50)])
    lying.damaged[START // PAGE] = bytes(PAGE)
    assert copies.read(START + 10, 90) == DATA[10:100]
    assert copies.read(START + 200, 50) == DATA[200:250]
    assert not copies.is_incomplete
    assert copies.read(START + 90, 20) == bytes(20)
    assert copies.is_incomplete


def test_only_the_first_place_must_be_there() -> None:
    copies = Copies(memory(), [(START, 8), (8, 8)])
    with pytest.raises(TornReadError):
        copies.read(8, 8)
    with pytest.raises(TornReadError):
        Copies(memory(), [(8, 8)])


def test_the_innermost_frame_ends_what_must_not_change() -> None:
    copies = Copies(memory(), [(START, 100), (START + 200, 50)])
    assert [one.stable for one in copies.segments(START + 40)] == [40, 50]
    assert [one.stable for one in copies.segments(START + 200)] == [100, 0]
    assert [one.stable for one in copies.segments(0)] == [100, 50]
