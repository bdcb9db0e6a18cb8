"""Memory of another process through a cache of blocks: each is copied once, then compared once.

What is decoded from the copies is of one instant when no byte that was used has changed until all
of them were read again: each byte then had its value at the moment between the two passes.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError
from snapshotter.outside.give_way import give_way

if TYPE_CHECKING:
    from snapshotter.outside.memory import Memory

__all__ = ["PagedMemory"]

_SHIFT = 14
_BLOCK_BYTES = 1 << _SHIFT
"""A pool of CPython's small-object allocator."""
_IN_BLOCK = _BLOCK_BYTES - 1
_PAGE_BYTES = 4096
_MAX_BLOCKS = 4096
_MAX_READ_BYTES = 1 << 20
_U64 = Struct("<Q")


class PagedMemory:
    """Reads through copies of whole blocks, and notes each place that was used in ``spans``."""

    __slots__ = ("_blocks", "_changed", "_memory", "spans")

    def __init__(self, memory: Memory) -> None:
        """Read from ``memory``, which stays the caller's."""
        self._memory = memory
        self._blocks: dict[int, bytes] = {}
        self._changed: dict[int, bytes] = {}
        self.spans: list[tuple[int, int]] = []
        """(address, size) of each reading, in order; a reader that wants to know which bytes a
        result was made of remembers the length of this list before and after."""

    def u64(self, address: int) -> int:
        """Return the unsigned 64-bit integer at ``address``. Raises ``TornReadError``."""
        self.spans.append((address, 8))
        data = self._blocks.get(address >> _SHIFT)
        at = address & _IN_BLOCK
        if data is None or at + 8 > len(data):
            data, at = self._piece(address, 8), 0
        value: int = _U64.unpack_from(data, at)[0]
        return value

    def read(self, address: int, size: int) -> bytes:
        """Return exactly ``size`` bytes at ``address``.

        Raises ``TornReadError`` when they are not all readable, or implausibly many.
        """
        self.spans.append((address, size))
        data = self._blocks.get(address >> _SHIFT)
        at = address & _IN_BLOCK
        if data is not None and at + size <= len(data):
            return data[at : at + size]
        return self._piece(address, size)

    def words(self, address: int, count: int) -> tuple[int, ...]:
        """Return ``count`` unsigned 64-bit integers at ``address``."""
        if not count:
            return ()
        data = memoryview(self.read(address, 8 * count))
        return tuple(data.cast("Q"))

    def refresh(self) -> bool:
        """Read all blocks again; True when some of them are not as they were."""
        self._changed = {}
        for number, data in self._blocks.items():
            now = self._copy(number)
            if now != data:
                self._changed[number] = now
        return bool(self._changed)

    def has_changed(self, first: int, last: int) -> bool:
        """Return whether, at the last ``refresh``, a byte of ``spans[first:last]`` had changed."""
        changed = self._changed
        for address, size in self.spans[first:last]:
            number, end = address >> _SHIFT, address + size - 1 >> _SHIFT
            if (number in changed or end != number) and self.differs(address, size):
                return True
        return False

    def differs(self, address: int, size: int) -> bool:
        """Return whether, at the last ``refresh``, one of these bytes had changed."""
        while size > 0:
            number, at = address >> _SHIFT, address & _IN_BLOCK
            part = min(size, _BLOCK_BYTES - at)
            now = self._changed.get(number)
            if now is not None and now[at : at + part] != self._blocks[number][at : at + part]:
                return True
            address += part
            size -= part
        return False

    def forget(self) -> None:
        """Drop all copies: the next reading is fresh."""
        self._blocks.clear()
        self._changed = {}
        self.spans.clear()

    def _piece(self, address: int, size: int) -> bytes:
        """Put bytes together that lie in several blocks, or in blocks not yet copied."""
        if not 0 < size <= _MAX_READ_BYTES:
            raise TornReadError(f"{size} bytes at {address:#x} cannot be one object.")
        parts = []
        while size > 0:
            number, at = address >> _SHIFT, address & _IN_BLOCK
            data = self._blocks.get(number)
            if data is None:
                data = self._load(number)
            part = min(size, _BLOCK_BYTES - at)
            piece = data[at : at + part]
            if len(piece) != part:  # behind a hole: rare, not worth a copy
                piece = self._memory.read(address, part)
            parts.append(piece)
            address += part
            size -= part
        return b"".join(parts)

    def _load(self, number: int) -> bytes:
        if len(self._blocks) >= _MAX_BLOCKS:
            raise TornReadError("More memory than is plausible would have to be read.")
        data = self._blocks[number] = self._copy(number)
        return data

    def _copy(self, number: int) -> bytes:
        give_way()
        start = number << _SHIFT
        for skipped in range(0, _BLOCK_BYTES, _PAGE_BYTES):
            try:
                data = self._memory.read_some(start + skipped, _BLOCK_BYTES - skipped)
            except TornReadError:
                continue
            return bytes(skipped) + data
        return b""
