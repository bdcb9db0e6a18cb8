"""Values of our own process, read through a memory that lies: bounded, and nothing but torn."""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import TornReadError, UnsupportedPythonError
from snapshotter.model import Status, ValueLevel
from snapshotter.outside.codes import CodeCache
from snapshotter.outside.details import DetailsReader, OutsideDetails, Wanted
from snapshotter.outside.memory import Memory
from snapshotter.outside.origin import Origins
from snapshotter.outside.pages import PagedMemory
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.selection import Selection
from tests.support.details import Details, see_own

if TYPE_CHECKING:
    from collections.abc import Iterator

PID = os.getpid()
LONGEST_S = 20.0


class LyingMemory(Memory):
    """Flips some bytes of about one block in ``rarity``; a block stays flipped the same way."""

    def __init__(self, seed: int, rarity: int) -> None:
        super().__init__(PID)
        self.seed = seed
        self.rarity = rarity
        self.lies = False
        self.bytes_read = 0

    def read_some(self, address: int, size: int) -> bytes:
        data = super().read_some(address, size)
        self.bytes_read += len(data)
        if not self.lies or hash((self.seed, address)) % self.rarity:
            return data
        chosen = random.Random(self.seed * 1_000_003 + address)  # noqa: S311 - repeatable
        bad = bytearray(data)
        for _ in range(chosen.randrange(1, 2 + len(bad) // 64)):
            at = chosen.randrange(len(bad)) & ~7
            word = chosen.choice(
                [0, 1, 8, 1 << 40, 1 << 63, (1 << 64) - 1, address, chosen.randrange(1 << 64)]
            )
            bad[at : at + 8] = word.to_bytes(8, "little")[: len(bad) - at]
        return bytes(bad)


@contextmanager
def parked_thread() -> Iterator[None]:
    """A thread of our own that stands still with values of many kinds."""
    stop, ready = threading.Event(), threading.Event()

    class Thing:
        __slots__ = ("slot",)

    class Other:
        def __init__(self) -> None:
            self.numbers = [1, 2]
            self.text = "text"

    def park() -> None:
        table = {"a": [1, 2, {"b": (3, 4.5, b"x")}], 5: {6, 7}, ("k",): frozenset("ab")}
        other, thing, text, big = Other(), Thing(), "ß" * 300, 1 << 5000
        thing.slot = table
        error = ValueError("wrong", other)
        ready.set()
        stop.wait()
        assert table and other and text and big and error  # noqa: PT018 - kept alive

    thread = threading.Thread(target=park)
    thread.start()
    try:
        ready.wait()
        yield
    finally:
        stop.set()
        thread.join()


def read_all(runtime: Runtime) -> OutsideDetails:
    details = DetailsReader(runtime, CodeCache(runtime, Origins()))
    threads = runtime.threads(runtime.main_interpreter())
    paths = (("sys", "implementation", "name"), (__name__, "PID"))
    wanted = Wanted(selection=Selection("all"), level=ValueLevel.FULL, variables=paths)
    return details.read(threads, wanted)


@pytest.mark.parametrize(("seed", "rarity"), [(1, 2), (2, 5), (3, 20), (4, 60), (5, 200)])
def test_lies_end_and_give_whole_tables(seed: int, rarity: int) -> None:
    started = time.monotonic()
    answers = 0
    with parked_thread(), LyingMemory(seed, rarity) as memory:
        runtime = Runtime.attach(PID, memory)
        for attempt in range(6):
            memory.seed = seed + 1000 * attempt
            memory.lies = True
            with suppress(TornReadError, UnsupportedPythonError):
                found = read_all(runtime)
                answers += 1
                for value in found.values:
                    for item in value.items:
                        assert 0 <= item.node < len(found.values)
                        assert item.key is None or 0 <= item.key < len(found.values)
                for thread in found.threads.values():
                    for frame in thread.frames:
                        assert all(0 <= x.node < len(found.values) for x in frame.locals)
            memory.lies = False
    assert time.monotonic() - started < LONGEST_S
    assert memory.bytes_read < 4 << 30
    assert answers or rarity < 60


def test_a_process_that_does_not_lie_is_read_whole() -> None:
    with parked_thread(), Memory(PID) as memory:
        found = read_all(Runtime.attach(PID, memory))
    frames = [frame for thread in found.threads.values() for frame in thread.frames]
    park = next(frame for frame in frames if frame.qualname.endswith("park"))
    names = {local.name: found.values[local.node] for local in park.locals}
    assert {"table", "other", "thing", "text", "big", "error"} <= set(names)
    assert all(value.status is not Status.UNREADABLE for value in names.values())


class ChangingMemory(Memory):
    """Each reading of one place gives another number."""

    def __init__(self) -> None:
        super().__init__(PID)
        self.place = 0
        self.count = 0

    def read_some(self, address: int, size: int) -> bytes:
        data = super().read_some(address, size)
        if address <= self.place < address + size:
            self.count += 1
            at = self.place - address
            data = data[:at] + bytes([self.count & 0xFF]) + data[at + 1 :]
        return data


def test_what_changes_at_each_look_is_unreadable() -> None:
    number, others = 1 << 200, ["steady"]
    with ChangingMemory() as memory:
        details = Details(Runtime.attach(PID, memory))
        memory.place = id(number) + 24 + 4 * 6
        found = see_own(details, {"moving": [number, others]})
    top = found.values[found.variables[0].node or 0]
    assert [found.values[item.node].status for item in top.items] == [
        Status.UNREADABLE,
        Status.OK,
    ]


def test_pages_notice_each_byte_that_changed() -> None:
    block = bytearray(200_000)
    start = id(block) + 1000
    with Memory(PID) as memory:
        pages = PagedMemory(memory)
        address = memory.u64(id(block) + 40)
        first = len(pages.spans)
        pages.read(address + 10, 70_000)
        middle = len(pages.spans)
        pages.u64(address + 80_000)
        last = len(pages.spans)
        assert not pages.refresh() or not pages.has_changed(first, last)
        block[50_010] = 1
        assert pages.refresh()
        assert pages.has_changed(first, middle)
        assert not pages.has_changed(middle, last)
        block[80_007] = 1
        pages.refresh()
        assert pages.has_changed(middle, last)
        pages.forget()
        assert pages.read(address + 50_010, 1) == b"\x01"
    assert start


def test_pages_read_over_the_edges_of_what_is_mapped() -> None:
    with mmap.mmap(-1, 3 * mmap.PAGESIZE) as area, Memory(PID) as memory:
        area[:] = bytes(range(256)) * (len(area) // 256)
        address = ctypes.addressof(ctypes.c_char.from_buffer(area))
        pages = PagedMemory(memory)
        assert pages.read(address, len(area)) == area[:]
        assert pages.u64(address + 8) == int.from_bytes(area[8:16], "little")
        for wrong in (0, 8, 1 << 47, 1 << 63, (1 << 64) - 4, -8):
            with pytest.raises(TornReadError):
                pages.u64(wrong)
        with pytest.raises(TornReadError):
            pages.read(address, 1 << 30)
