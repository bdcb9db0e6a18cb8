"""One pass along the frames of a thread, from copies of the pieces of memory they lie in."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Self

from snapshotter.errors import TornReadError
from snapshotter.outside.copies import Segment
from snapshotter.outside.layout import FieldsReader, fields_struct

if TYPE_CHECKING:
    from snapshotter.outside.copies import Copies
    from snapshotter.outside.runtime import Runtime

__all__ = ["MAX_CHUNK_BYTES", "MAX_FRAMES", "FrameLayout", "RawFrame", "StackHead", "Walk"]

MAX_FRAMES = 10_000
"""Of a deeper stack only the innermost frames are read."""

_CHUNK = Struct("<QQQ")  # previous, size, top: struct _stack_chunk of cpython/pystate.h
MAX_CHUNK_BYTES = 16 << 20
_MAX_STACK_BYTES = 48 << 20
_POINTER_BYTES = 8
_TAG_BITS = 3
_OWNED_BY_INTERPRETER = 3  # enum _frameowner of internal/pycore_interpframe_structs.h
_LARGEST_OWNER = 4
_MAX_STEPS = 3 * MAX_FRAMES


@dataclass(frozen=True, slots=True)
class StackHead:
    """What a thread state says of its stack: addresses."""

    frame: int
    chunk: int
    top: int


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame as it is in memory."""

    address: int
    executable: int
    instruction: int
    bytecode: int
    """Index of the thread's own bytecode copy; 0 in builds with a GIL."""


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """How to read ``_PyInterpreterFrame``."""

    fields: FieldsReader
    start: int
    """Offset of the first field that is read."""
    size: int
    """Bytes up to the end of the last field that is read."""
    bytecode: int
    """Offset of ``tlbc_index``, or -1 in builds with a GIL."""

    @classmethod
    def of(cls, runtime: Runtime) -> Self:
        """Return the layout of ``runtime``."""
        o = runtime.offsets
        fields, start = fields_struct(
            (
                (o.interpreter_frame_executable, "Q"),
                (o.interpreter_frame_previous, "Q"),
                (o.interpreter_frame_instr_ptr, "Q"),
                (o.interpreter_frame_owner, "B"),
            )
        )
        bytecode = o.interpreter_frame_tlbc_index if runtime.free_threaded else -1
        return cls(fields, start, start + fields.size, bytecode)

    def only_moved_on(self, segment: Segment, now: bytes) -> bool:
        """True when only the innermost frame, from ``stable`` on, runs another instruction."""
        at = segment.stable
        if at >= len(now) or now[:at] != segment.data[:at]:
            return False
        before = self.fields.unpack(segment.data, at + self.start)
        after = self.fields.unpack(now, at + self.start)
        return (before[0], before[1], before[3]) == (after[0], after[1], after[3])


class Walk:
    """Follows the frames of one thread, copying each chunk of its data stack with one read."""

    __slots__ = ("_base", "_data", "_head", "_layout", "_memory", "_next", "_segments", "_total")

    def __init__(self, memory: Copies, layout: FrameLayout, head: StackHead) -> None:
        """Begin at ``head``."""
        self._memory = memory
        self._layout = layout
        self._head = head
        self._segments: list[Segment] = []
        self._base, self._data, self._total = 0, b"", 0
        self._next = (0, 0, 0, 0)

    def run(self) -> tuple[list[RawFrame], list[Segment]]:
        """Return the frames, innermost first, and the copies that they were read from.

        Raises ``TornReadError`` when they do not form a chain down to the interpreter's entry.
        """
        self._next = self._chunk_header(self._head.chunk, self._head.top)
        unpack, start = self._layout.fields.unpack, self._layout.start
        found: list[RawFrame] = []
        address, steps, owner = self._head.frame, 0, _OWNED_BY_INTERPRETER
        while address and len(found) < MAX_FRAMES:
            steps += 1
            if steps > _MAX_STEPS:
                raise TornReadError("The chain of frames does not end.")
            data, at = self._bytes_at(address)
            here = address
            executable, address, instruction, owner = unpack(data, at + start)
            if owner > _LARGEST_OWNER:
                raise TornReadError("A frame belongs to nobody.")
            if owner < _OWNED_BY_INTERPRETER:
                bytecode = self._bytecode(data, at)
                found.append(RawFrame(here, executable & ~_TAG_BITS, instruction, bytecode))
        if not address and owner < _OWNED_BY_INTERPRETER:
            raise TornReadError("The chain of frames ends before the interpreter's first call.")
        return found, self._segments

    def _bytecode(self, data: bytes, at: int) -> int:
        if self._layout.bytecode < 0:
            return 0
        at += self._layout.bytecode
        return int.from_bytes(data[at : at + 4], "little")

    def _bytes_at(self, address: int) -> tuple[bytes, int]:
        size = self._layout.size
        at = address - self._base
        if self._data and at >= 0 and at + size <= len(self._data):
            return self._data, at
        chunk, used, previous, chunk_bytes = self._next
        if chunk and chunk <= address < chunk + chunk_bytes and address + size <= chunk + used:
            self._enter_chunk(chunk, used, previous)
            at = address - chunk
            if address == self._head.frame:
                self._segments[-1].stable = at
            return self._data, at
        # Frames of generators lie in their objects, entry frames on the C stack.
        data = self._memory.read(address, size)
        stable = 0 if address == self._head.frame else size
        self._segments.append(Segment(address, data, stable))
        return data, 0

    def _enter_chunk(self, chunk: int, used: int, previous: int) -> None:
        self._total += used
        if self._total > _MAX_STACK_BYTES:
            raise TornReadError("The data stack is implausibly large.")
        self._base, self._data = chunk, self._memory.read(chunk, used)
        self._segments.append(Segment(chunk, self._data, used))
        self._next = self._chunk_header(previous, 0)

    def _chunk_header(self, chunk: int, top: int) -> tuple[int, int, int, int]:
        """Return address, used bytes, address of the chunk before, and size of a chunk."""
        if not chunk:
            return 0, 0, 0, 0
        previous, size, words = _CHUNK.unpack(self._memory.read(chunk, _CHUNK.size))
        if not _CHUNK.size < size <= MAX_CHUNK_BYTES:
            raise TornReadError("A chunk of the data stack has no plausible size.")
        used = top - chunk if top else _CHUNK.size + _POINTER_BYTES * words
        if not _CHUNK.size <= used <= size:
            raise TornReadError("A chunk of the data stack is used beyond its size.")
        return chunk, used, previous, size
