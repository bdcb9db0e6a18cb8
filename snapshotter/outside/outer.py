"""The outer part of a stack whose innermost calls change at each look.

A thread that calls and returns all the time never stands still for as long as a look takes. Its
outermost calls do: they are looked at again and again, at uneven intervals over the whole time,
and what was the same each time is the outer part of a stack whose rest is not known.

One look proves that these calls were under way at one moment. Their frames are read, then how far
the data stack is in use, then the frames again:

- A frame on the data stack begins where that of the call before it ends. So one that is in use,
  with such a chain below it, is that of a call, and not what a call that returned left behind.
- The frame of a generator or coroutine is linked to its caller while it runs, and only then.

The same each time are address, code, instruction and caller of each frame. A call that returned
and was made anew in between, at the same place, is the same in this sense. Where only the
instruction differs, that call is named, and not shown: it was under way, but nowhere for long.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError
from snapshotter.outside.copies import Copies
from snapshotter.outside.walk import (
    CHUNK_HEAD,
    OWNED_BY_GENERATOR,
    OWNED_BY_INTERPRETER,
    OWNED_BY_THREAD,
    Walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from snapshotter.model.snapshot import Frame
    from snapshotter.outside.codes import CodeCache, CodeInfo
    from snapshotter.outside.copies import Segment
    from snapshotter.outside.memory import Memory
    from snapshotter.outside.walk import FrameLayout, RawFrame, StackHead

__all__ = ["Outer", "OuterPart", "Piece", "Sources", "equal_start", "follow", "spin"]

_LOOKS = 32
"""About so many over the whole time."""
_LEAST_LOOKS = 10
_LONGEST_PAUSE_NS = 20_000
"""Between the looks that are still to be taken when the time is up."""
_WORD = 8
_MOST_CHUNKS = 512


@dataclass(frozen=True, slots=True)
class OuterPart:
    """The outermost calls of a thread, innermost of them first, and why there are no others."""

    frames: tuple[Frame, ...]
    at_ns: int
    problem: str


@dataclass(frozen=True, slots=True)
class Sources:
    """What frames are read from, and how."""

    memory: Memory
    layout: FrameLayout
    codes: CodeCache
    resolve: Callable[[list[RawFrame]], tuple[Frame, ...]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame of a chain; ``end`` is the address at which its place on the data stack ends."""

    raw: RawFrame
    is_call: bool
    """False when it is the interpreter's own."""
    chunk: int = 0
    """0 when it lies apart: the frame of a generator, or an entry from C."""
    end: int = 0


def follow(
    chain: Iterable[RawFrame], chunks: Sequence[Segment], code_at: Callable[[int], CodeInfo]
) -> Iterator[Piece]:
    """Yield the frames of ``chain``, outermost first, as far as calls can lie like this.

    ``chunks`` are those of the data stack, the oldest first.
    """
    newer = iter(chunks)
    chunk, top, caller = 0, 0, 0
    for raw in chain:
        if raw.previous != caller:
            return
        caller = raw.address
        if not any(one.address <= raw.address < one.address + len(one.data) for one in chunks):
            if raw.owner not in {OWNED_BY_GENERATOR, OWNED_BY_INTERPRETER}:
                return
            yield Piece(raw, raw.owner == OWNED_BY_GENERATOR)
            continue
        if raw.address != top:
            entered = next(newer, None)
            if entered is None or raw.address != _first_frame(entered, chunk):
                return
            chunk = entered.address
        if raw.owner not in {OWNED_BY_THREAD, OWNED_BY_INTERPRETER}:
            return
        code = code_at(raw.executable)
        top = raw.address + code.frame_bytes
        yield Piece(raw, raw.owner == OWNED_BY_THREAD and not code.is_hidden, chunk, top)


def _first_frame(chunk: Segment, older: int) -> int | None:
    """Return where the first frame of a chunk lies; None if it does not follow ``older``."""
    if int.from_bytes(chunk.data[:_WORD], "little") != older:
        return None
    return chunk.address + CHUNK_HEAD.size + (0 if older else _WORD)  # the very first word is free


class Outer:
    """Looks at the outermost calls of one thread until a deadline."""

    __slots__ = (
        "_at_ns",
        "_due_ns",
        "_ends_moving",
        "_known",
        "_looks",
        "_pace_ns",
        "_pieces",
        "_read_head",
        "_sources",
    )

    def __init__(
        self, sources: Sources, read_head: Callable[[], StackHead], deadline_ns: int
    ) -> None:
        """Begin with nothing; ``read_head`` raises ``TornReadError`` when the thread ended."""
        self._sources = sources
        self._read_head = read_head
        self._pieces: list[Piece] = []
        self._ends_moving = False
        """Whether the last piece is a call that was at another instruction at some look."""
        self._known: dict[int, tuple[int, bytes]] = {}
        """Copies of the data stack in which all was the same."""
        self._looks = 0
        self._at_ns = 0
        self._due_ns = time.monotonic_ns()
        self._pace_ns = max(0, deadline_ns - self._due_ns) // _LOOKS

    def look_if_due(self) -> None:
        """Look again if it is time. Raises ``TornReadError`` when the thread ended."""
        begun_ns = time.monotonic_ns()
        if begun_ns < self._due_ns:
            return
        self.look()
        now_ns = time.monotonic_ns()
        pause_ns = self._pace_ns * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        # at a deep stack a look takes long, and the thread is to be tried in between
        self._due_ns = now_ns + max(int(pause_ns), 2 * (now_ns - begun_ns))

    def look(self) -> None:
        """Keep what is the same once more, or begin when nothing is. Raises as ``look_if_due``."""
        if self._pieces:
            self._at_ns = time.monotonic_ns()
            self._keep_the_same()
            self._looks += 1
            return
        self._looks, self._ends_moving, self._known = 0, False, {}
        head = self._read_head()
        with suppress(TornReadError):
            self._pieces = self._begin(head)

    def result(self) -> OuterPart | None:
        """Return what was the same at all looks; None if nothing was, or they were too few.

        Raises ``TornReadError`` when the thread ended.
        """
        if 2 * self._looks < _LEAST_LOOKS:
            return None  # there was no time
        while self._pieces and self._looks < _LEAST_LOOKS:
            spin(random.randrange(_LONGEST_PAUSE_NS))  # noqa: S311 - jitter
            self.look()
        if not self._pieces:
            return None
        try:
            frames = self._sources.resolve([one.raw for one in self._calls()])
            names = {one.raw.executable: self._name(one.raw) for one in self._pieces[-1:]}
        except TornReadError:
            return None
        self.look()  # until now the frames have kept their code objects alive
        kept = len(self._calls())
        if not kept:
            return None
        last = names.get(self._pieces[-1].raw.executable) if self._ends_moving else None
        return _part(frames[len(frames) - kept :], self._at_ns, last)

    def _calls(self) -> list[Piece]:
        """Return those that stand still, innermost first."""
        still = self._pieces[:-1] if self._ends_moving else self._pieces
        return [one for one in reversed(still) if one.is_call]

    def _name(self, raw: RawFrame) -> str:
        code = self._sources.codes.get(raw.executable)
        return f"{code.qualname} ({os.path.basename(code.filename)})"

    def _begin(self, head: StackHead) -> list[Piece]:
        """Take the frames as they are, of two moments maybe: the looks will tell."""
        if not head.chunk or not head.frame:
            return []
        copies = Copies(self._sources.memory, [(head.chunk, head.top - head.chunk)])
        walk = Walk(copies, self._sources.layout, head)
        walk.run()
        found = []
        with suppress(TornReadError):
            for piece in follow(reversed(walk.chain), walk.chunks[::-1], self._sources.codes.get):
                found.append(piece)  # noqa: PERF402 - as far as it goes
        return found

    def _keep_the_same(self) -> None:
        """Drop all from the first on that is not a call which is under way as it was."""
        same, moves = self._compare(len(self._pieces))
        in_use = self._in_use()
        again, moves_again = self._compare(same)
        if again == same:
            moves_again |= moves or (self._ends_moving and same == len(self._pieces))
        while again and not _is_under_way(self._pieces[again - 1], in_use):
            again, moves_again = again - 1, False
        del self._pieces[again:]
        self._ends_moving = moves_again

    def _compare(self, most: int) -> tuple[int, bool]:
        """Return how many are the same, and whether the last of them is at another instruction."""
        layout, memory = self._sources.layout, self._sources.memory
        copies = self._copy(most)
        equal = {chunk: self._equal_bytes(chunk, *copy) for chunk, copy in copies.items()}
        for index, piece in enumerate(self._pieces[:most]):
            raw, address = piece.raw, piece.raw.address
            start, data = copies.get(piece.chunk, (address, b""))
            if address + layout.size - start <= equal.get(piece.chunk, 0):
                continue
            if not piece.chunk:
                with suppress(TornReadError):
                    data = memory.read(address, layout.size)
            now = layout.raw(address, data, address - start) if data else None
            if now == raw:
                continue
            if now is None or replace(now, instruction=raw.instruction) != raw:
                return index, False
            return index + 1, True
        self._known = copies
        return most, False

    def _copy(self, most: int) -> dict[int, tuple[int, bytes]]:
        copies = {}
        for chunk, (start, end) in self._extents(most).items():
            with suppress(TornReadError):
                copies[chunk] = start, self._sources.memory.read(start, end - start)
        return copies

    def _equal_bytes(self, chunk: int, start: int, data: bytes) -> int:
        """Return how many of the first bytes need no second look: they are known."""
        known_start, known = self._known.get(chunk, (0, b""))
        return equal_start(data, known) if known_start == start else 0

    def _extents(self, most: int) -> dict[int, tuple[int, int]]:
        """Return from where to where the frames lie in each chunk of the data stack."""
        found: dict[int, tuple[int, int]] = {}
        for piece in self._pieces[:most]:
            if piece.chunk:
                address = piece.raw.address
                start, _ = found.get(piece.chunk, (address, 0))
                found[piece.chunk] = start, address + self._sources.layout.size
        return found

    def _in_use(self) -> dict[int, int]:
        """Return up to which address each chunk of the data stack is in use."""
        head = self._read_head()
        found: dict[int, int] = {}
        chunk, top = head.chunk, head.top
        with suppress(TornReadError):
            while chunk and chunk not in found and len(found) < _MOST_CHUNKS:
                header = self._sources.memory.read(chunk, CHUNK_HEAD.size)
                previous, size, words = CHUNK_HEAD.unpack(header)
                # how far one is in use was noted when the next one was begun
                top = top or chunk + CHUNK_HEAD.size + _WORD * words
                if not chunk < top <= chunk + size:
                    break
                found[chunk] = top
                chunk, top = previous, 0
        return found


def _is_under_way(piece: Piece, in_use: dict[int, int]) -> bool:
    """Whether this is a call, and was under way when ``in_use`` was read."""
    if not piece.is_call:
        return False
    if piece.chunk:
        return piece.end <= in_use.get(piece.chunk, 0)
    return piece.raw.previous != 0


def _part(frames: tuple[Frame, ...], at_ns: int, last: str | None) -> OuterPart:
    """``last`` is what the innermost of ``frames`` called, where that was the same each time."""
    caller = frames[0]
    place = f"{os.path.basename(caller.filename)}:{caller.lineno or '?'}"
    calls = f"in calls from {caller.qualname} ({place})" + (f" to {last}" if last else "")
    problem = f"Its innermost calls changed at each look, {calls}; shown are those"
    return OuterPart(frames, at_ns, f"{problem} that were under way each time.")


def spin(duration_ns: int) -> None:
    """Wait for less time than a sleep can."""
    end = time.monotonic_ns() + duration_ns
    while time.monotonic_ns() < end:
        pass


def equal_start(one: bytes, other: bytes) -> int:
    """Return how many of the first bytes are the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
