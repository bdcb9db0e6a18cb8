"""Pieces of memory that were copied together, read as if they were the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snapshotter.outside.memory import Memory

__all__ = ["Copies", "Segment"]


@dataclass(slots=True)
class Segment:
    """A copied piece of memory; only the first ``stable`` bytes must not change."""

    address: int
    data: bytes
    stable: int


class Copies:
    """Copies some pieces at once; what else is asked for is read, and told by ``is_incomplete``."""

    __slots__ = ("_memory", "_pieces", "is_incomplete")

    def __init__(self, memory: Memory, places: Sequence[tuple[int, int]]) -> None:
        """Copy ``places``: pairs of address and size. The first must be readable.

        Raises ``TornReadError`` and ``ProcessEndedError``.
        """
        self._memory = memory
        self._pieces: list[tuple[int, bytes]] = []
        self.is_incomplete = False
        for at, (address, size) in enumerate(places):
            try:
                self._pieces.append((address, memory.read(address, size)))
            except TornReadError:
                if not at:
                    raise

    def read(self, address: int, size: int) -> bytes:
        """Return ``size`` bytes at ``address``, of a copy or else of the memory itself."""
        for start, data in self._pieces:
            at = address - start
            if 0 <= at <= len(data) - size:
                return data[at : at + size]
        self.is_incomplete = True
        return self._memory.read(address, size)

    def segments(self, moving: int) -> list[Segment]:
        """Return the copies; the frame at address ``moving`` alone may go on meanwhile."""
        found = []
        for address, data in self._pieces:
            at = moving - address
            found.append(Segment(address, data, at if 0 <= at < len(data) else len(data)))
        return found
