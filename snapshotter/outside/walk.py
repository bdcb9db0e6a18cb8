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

__all__ = [
    "CHUNK_HEAD",
    "MAX_CHUNK_BYTES",
    "MAX_FRAMES",
    "OWNED_BY_GENERATOR",
    "OWNED_BY_INTERPRETER",
    "OWNED_BY_THREAD",
    "FrameLayout",
    "RawFrame",
    "StackHead",
    "Walk",
]

MAX_FRAMES = 10_000
"""Of a deeper stack only the innermost frames are read."""

CHUNK_HEAD = Struct("<QQQ")
"""previous, size, top: struct _stack_chunk of cpython/pystate.h."""
MAX_CHUNK_BYTES = 16 << 20
_MAX_STACK_BYTES = 48 << 20
_POINTER_BYTES = 8
_TAG_BITS = 3
# enum _frameowner of internal/pycore_interpframe_structs.h
OWNED_BY_THREAD = 0
OWNED_BY_GENERATOR = 1
OWNED_BY_INTERPRETER = 3
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
    previous: int
    """Address of the frame that called it, 0 for the outermost."""
    owner: int


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

    def raw(self, address: int, data: bytes, at: int) -> RawFrame:
        """Return the frame at ``address``, whose bytes begin at ``at`` of ``data``."""
        executable, previous, instruction, owner = self.fields.unpack(data, at + self.start)
        bytecode = 0
        if self.bytecode >= 0:
            at += self.bytecode
            bytecode = int.from_bytes(data[at : at + 4], "little")
        return RawFrame(address, executable & ~_TAG_BITS, instruction, bytecode, previous, owner)

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

    __slots__ = (
        "_base",
        "_data",
        "_head",
        "_layout",
        "_memory",
        "_next",
        "_segments",
        "_total",
        "chain",
        "chunks",
    )

    def __init__(self, memory: Copies, layout: FrameLayout, head: StackHead) -> None:
        """Begin at ``head``."""
        self._memory = memory
        self._layout = layout
        self._head = head
        self._segments: list[Segment] = []
        self._base, self._data, self._total = 0, b"", 0
        self._next = (0, 0, 0, 0)
        self.chain: list[RawFrame] = []
        """All frames, those of the interpreter as well, innermost first."""
        self.chunks: list[Segment] = []
        """The copied chunks of the data stack, the newest first."""

    def run(self) -> tuple[list[RawFrame], list[Segment]]:
        """Return the frames, innermost first, and the copies that they were read from.

        Raises ``TornReadError`` when they do not form a chain down to the interpreter's entry.
        """
        self._next = self._chunk_header(self._head.chunk, self._head.top)
        make = self._layout.raw
        found: list[RawFrame] = []
        address, steps, owner = self._head.frame, 0, OWNED_BY_INTERPRETER
        while address and len(found) < MAX_FRAMES:
            steps += 1
            if steps > _MAX_STEPS:
                raise TornReadError("The chain of frames does not end.")
            data, at = self._bytes_at(address)
            raw = make(address, data, at)
            address, owner = raw.previous, raw.owner
            if owner > _LARGEST_OWNER:
                raise TornReadError("A frame belongs to nobody.")
            self.chain.append(raw)
            if owner < OWNED_BY_INTERPRETER:
                found.append(raw)
        if not address and owner < OWNED_BY_INTERPRETER:
            raise TornReadError("The chain of frames ends before the interpreter's first call.")
        return found, self._segments

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
        self.chunks.append(Segment(chunk, self._data, used))
        self._segments.append(self.chunks[-1])
        self._next = self._chunk_header(previous, 0)

    def _chunk_header(self, chunk: int, top: int) -> tuple[int, int, int, int]:
        """Return address, used bytes, address of the chunk before, and size of a chunk."""
        if not chunk:
            return 0, 0, 0, 0
        previous, size, words = CHUNK_HEAD.unpack(self._memory.read(chunk, CHUNK_HEAD.size))
        if not CHUNK_HEAD.size < size <= MAX_CHUNK_BYTES:
            raise TornReadError("A chunk of the data stack has no plausible size.")
        used = top - chunk if top else CHUNK_HEAD.size + _POINTER_BYTES * words
        if not CHUNK_HEAD.size <= used <= size:
            raise TornReadError("A chunk of the data stack is used beyond its size.")
        return chunk, used, previous, size
