"""What is taken for the outer part of a stack, on a stack made by hand that changes at will."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from snapshotter.errors import TornReadError
from snapshotter.model import Frame, Origin
from snapshotter.outside.copies import Segment
from snapshotter.outside.layout import fields_struct
from snapshotter.outside.memory import Memory
from snapshotter.outside.outer import Outer, OuterPart, Sources, equal_start, follow
from snapshotter.outside.walk import (
    CHUNK_HEAD,
    OWNED_BY_GENERATOR,
    OWNED_BY_INTERPRETER,
    OWNED_BY_THREAD,
    FrameLayout,
    RawFrame,
    StackHead,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.outside.codes import CodeCache, CodeInfo

CHUNK, NEXT_CHUNK, GENERATOR, ENTRY = 0x10000, 0x30000, 0x50000, 0x70000
CHUNK_BYTES = 0x4000
FIRST = CHUNK + CHUNK_HEAD.size + 8
FRAME_BYTES = 0x60
FIELDS, START = fields_struct(((0, "Q"), (8, "Q"), (56, "Q"), (74, "B")))
LAYOUT = FrameLayout(FIELDS, START, START + FIELDS.size, -1)
CODES = {
    0x1000 + 0x100 * index: name for index, name in enumerate(["main", "work", "step", "leaf"])
}
MAIN, WORK, STEP, LEAF = CODES
HIDDEN = 0x2000


def code_at(address: int) -> CodeInfo:
    name = CODES.get(address, "hidden")
    code = SimpleNamespace(
        frame_bytes=FRAME_BYTES, qualname=name, filename="/srv/app.py", is_hidden=address == HIDDEN
    )
    return cast("CodeInfo", code)


def resolve(raw: list[RawFrame]) -> tuple[Frame, ...]:
    return tuple(
        Frame("/srv/app.py", CODES[one.executable], one.instruction, 1, Origin.APP) for one in raw
    )


def call(index: int, code: int, previous: int, *, line: int = 1) -> RawFrame:
    """Return the frame at the place with this number on the data stack."""
    address = FIRST + index * FRAME_BYTES
    return RawFrame(address, code, line, 0, previous, OWNED_BY_THREAD)


def at(index: int) -> int:
    return FIRST + index * FRAME_BYTES


ENTERED = RawFrame(ENTRY, 0, 1, 0, 0, OWNED_BY_INTERPRETER)
CHAIN = (
    ENTERED,
    call(0, MAIN, ENTRY, line=10),
    call(1, WORK, at(0), line=20),
    call(2, STEP, at(1), line=30),
    call(3, LEAF, at(2), line=40),
)
HEADER = CHUNK_HEAD.pack(0, CHUNK_BYTES, 0)


def followed(chain: tuple[RawFrame, ...], *chunks: Segment) -> list[RawFrame]:
    found = chunks or (Segment(CHUNK, HEADER + bytes(CHUNK_BYTES - len(HEADER)), CHUNK_BYTES),)
    return [piece.raw for piece in follow(chain, found, code_at)]


def test_calls_that_follow_one_another_are_taken() -> None:
    assert followed(CHAIN) == list(CHAIN)


@pytest.mark.parametrize(
    ("bad", "taken"),
    [
        (replace(CHAIN[3], address=CHAIN[3].address + 8), 3),  # within another one: left behind
        (replace(CHAIN[3], previous=at(0)), 3),
        (replace(CHAIN[3], owner=OWNED_BY_GENERATOR), 3),
        (replace(CHAIN[3], address=GENERATOR), 3),
        (replace(CHAIN[3], address=CHUNK_HEAD.size + CHUNK), 3),
    ],
)
def test_what_cannot_be_a_call_there_ends_them(bad: RawFrame, taken: int) -> None:
    assert followed((*CHAIN[:3], bad, CHAIN[4])) == list(CHAIN[:taken])


def test_the_first_frame_begins_behind_the_word_that_is_left_free() -> None:
    assert followed((ENTERED, replace(CHAIN[1], address=FIRST - 8))) == [ENTERED]
    assert followed((replace(CHAIN[1], previous=1),)) == []


def test_generators_and_entries_lie_apart() -> None:
    generator = RawFrame(GENERATOR, STEP, 1, 0, ENTRY + 0x100, OWNED_BY_GENERATOR)
    entry = RawFrame(ENTRY + 0x100, 0, 1, 0, at(0), OWNED_BY_INTERPRETER)
    chain = (*CHAIN[:2], entry, generator, call(1, LEAF, GENERATOR))
    assert followed(chain) == list(chain)


@pytest.mark.parametrize(("older", "taken"), [(CHUNK, 3), (0, 2), (CHUNK + 8, 2)])
def test_a_new_chunk_follows_the_one_before_it(older: int, taken: int) -> None:
    first = Segment(CHUNK, HEADER + bytes(CHUNK_BYTES - len(HEADER)), CHUNK_BYTES)
    header = CHUNK_HEAD.pack(older, CHUNK_BYTES, 0)
    second = Segment(NEXT_CHUNK, header + bytes(0x1000), 0x1000)
    chain = (*CHAIN[:2], replace(CHAIN[2], address=NEXT_CHUNK + CHUNK_HEAD.size))
    assert followed(chain, first, second) == list(chain[:taken])


class Stack(Memory):
    """A memory in which each frame can be changed, and a head that says how much is in use."""

    def __init__(self) -> None:
        self.frames = {one.address: one for one in CHAIN}
        self.depth = 4
        self.header = HEADER
        self.chunk = CHUNK
        self.on_head: Callable[[], None] = lambda: None

    def read_some(self, address: int, size: int) -> bytes:
        data = bytearray(size)
        if address == NEXT_CHUNK:
            return CHUNK_HEAD.pack(CHUNK, CHUNK_BYTES, 0)[:size]
        if address < CHUNK or (address >= CHUNK + CHUNK_BYTES and address not in self.frames):
            raise TornReadError("Nothing can be read there.")
        if address == CHUNK:
            data[: len(HEADER)] = self.header[:size]
        for frame in self.frames.values():
            place = frame.address - address
            if 0 <= place <= size - LAYOUT.size:
                data[place : place + 8] = frame.executable.to_bytes(8, "little")
                data[place + 8 : place + 16] = frame.previous.to_bytes(8, "little")
                data[place + 56 : place + 64] = frame.instruction.to_bytes(8, "little")
                data[place + 74] = frame.owner
        return bytes(data)

    def head(self) -> StackHead:
        self.on_head()
        if self.chunk != CHUNK:
            return StackHead(self.chunk + CHUNK_HEAD.size, self.chunk, self.chunk + 0x1000)
        return StackHead(at(self.depth - 1), CHUNK, at(self.depth))

    def begin_chunk(self, depth: int) -> None:
        """Have the frame after these lie in another chunk."""
        self.header = CHUNK_HEAD.pack(0, CHUNK_BYTES, (at(depth) - CHUNK - CHUNK_HEAD.size) // 8)
        self.chunk = NEXT_CHUNK

    def put(self, frame: RawFrame) -> None:
        self.frames[frame.address] = frame


@dataclass
class Looking:
    stack: Stack
    outer: Outer

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.outer.look()

    def shown(self) -> list[tuple[str, int | None]]:
        part = self.outer.result()
        return [(one.qualname, one.lineno) for one in part.frames] if part else []

    def part(self) -> OuterPart:
        part = self.outer.result()
        assert part is not None
        return part


@pytest.fixture
def looking() -> Looking:
    stack = Stack()
    codes = cast("CodeCache", SimpleNamespace(get=code_at))
    sources = Sources(stack, LAYOUT, codes, resolve)
    return Looking(stack, Outer(sources, stack.head, time.monotonic_ns()))


def test_what_is_the_same_at_each_look_is_shown(looking: Looking) -> None:
    looking.look(5)
    looking.stack.put(call(3, STEP, at(2)))
    looking.look(5)
    assert looking.shown() == [("step", 30), ("work", 20), ("main", 10)]
    assert looking.part().problem == (
        "Its innermost calls changed at each look, in calls from step (app.py:30);"
        " shown are those that were under way each time."
    )


def test_a_call_that_goes_on_is_named_and_not_shown(looking: Looking) -> None:
    looking.look(5)
    looking.stack.put(call(2, STEP, at(1), line=31))
    looking.look()
    looking.stack.put(call(2, STEP, at(1), line=30))
    looking.look(4)
    assert looking.shown() == [("work", 20), ("main", 10)]
    assert "in calls from work (app.py:20) to step (app.py);" in looking.part().problem


def test_another_call_at_its_place_ends_the_part_before_it(looking: Looking) -> None:
    looking.look(5)
    looking.stack.put(call(2, STEP, at(1), line=31))
    looking.look()
    looking.stack.put(call(2, LEAF, at(1)))
    looking.look(4)
    assert looking.shown() == [("work", 20), ("main", 10)]
    assert "in calls from work (app.py:20);" in looking.part().problem


def test_a_call_that_returned_is_not_shown_though_its_frame_is_still_there(
    looking: Looking,
) -> None:
    looking.look(5)
    looking.stack.depth = 2
    looking.look()
    looking.stack.depth = 4
    looking.look(5)
    assert looking.shown() == [("work", 20), ("main", 10)]


def test_what_changes_within_a_look_is_not_shown(looking: Looking) -> None:
    looking.look(5)
    looking.stack.on_head = lambda: looking.stack.put(call(1, LEAF, at(0)))
    looking.look()
    looking.stack.on_head = lambda: None
    looking.look(5)
    assert looking.shown() == [("main", 10)]


def test_a_generator_is_shown_while_it_is_linked_to_its_caller(looking: Looking) -> None:
    generator = RawFrame(GENERATOR, STEP, 5, 0, at(0), OWNED_BY_GENERATOR)
    looking.stack.put(generator)
    looking.stack.put(call(1, LEAF, GENERATOR))
    looking.stack.depth = 2
    looking.look(11)
    assert looking.shown() == [("leaf", 1), ("step", 5), ("main", 10)]
    looking.stack.depth = 1
    looking.look()
    assert looking.shown() == [("step", 5), ("main", 10)]
    looking.stack.put(replace(generator, previous=0))
    looking.look()
    assert looking.shown() == [("main", 10)]


def test_a_step_of_the_interpreter_is_not_shown(looking: Looking) -> None:
    looking.stack.put(call(2, HIDDEN, at(1)))
    looking.look(11)
    assert looking.shown() == [("leaf", 40), ("work", 20), ("main", 10)]
    looking.stack.depth = 3
    looking.look()
    assert looking.shown() == [("work", 20), ("main", 10)]


def test_what_was_left_behind_in_a_full_chunk_is_not_shown(looking: Looking) -> None:
    """A large frame did not fit behind the second, where a small one was before."""
    looking.look(5)
    looking.stack.begin_chunk(2)
    looking.look()
    assert looking.shown() == [("work", 20), ("main", 10)]


def test_too_few_looks_show_nothing(looking: Looking) -> None:
    looking.look(4)
    assert looking.shown() == []


def test_nothing_in_common_shows_nothing_and_begins_anew(looking: Looking) -> None:
    looking.look(8)
    looking.stack.put(call(0, WORK, ENTRY))
    looking.look()
    assert looking.shown() == []
    looking.look(11)
    assert looking.shown()[-1] == ("work", 1)


def test_the_end_of_the_thread_is_told(looking: Looking) -> None:
    looking.look(8)

    def ended() -> None:
        raise TornReadError("Thread 7 ended.")

    looking.stack.on_head = ended
    with pytest.raises(TornReadError, match="ended"):
        looking.look()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"", b"", 0),
        (b"abc", b"abc", 3),
        (b"abc", b"xbc", 0),
        (b"abcd", b"abxd", 2),
        (b"ab", b"", 0),
        (b"ab", b"abc", 2),
    ],
)
def test_equal_bytes_at_the_start_are_counted(one: bytes, other: bytes, same: int) -> None:
    assert equal_start(one, other) == same
