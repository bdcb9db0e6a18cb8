"""The gap log: a file that a target's threads write into without I/O, and its reader.

The file is mapped by both sides and holds 64-bit words. Each channel is one region: the number
of gaps written so far, then a ring of (start, end) pairs in monotonic nanoseconds.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Self

from benchmarks.stats import Gap

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["GapLog", "channel_words"]

_WORD = 8
_SLOTS = 1 << 16
_CHANNELS = 2


def channel_words(view: memoryview, channel: int) -> memoryview:
    """Return the words of one channel (0 is the main thread, 1 the I/O thread)."""
    size = 1 + 2 * _SLOTS
    return view[channel * size : (channel + 1) * size]


class GapLog:
    """The mapped file, made by the harness or opened by the target."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Map ``path``; ``create`` makes it, all zero."""
        size = _CHANNELS * (1 + 2 * _SLOTS) * _WORD
        if create:
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)
        # Pages are touched now: a page fault in the loop would look like a gap.
        self._map.write(self._map[:])
        self.words = memoryview(self._map).cast("Q")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave it to the collector: a mapping cannot be closed while views of it are alive."""

    def written(self, channel: int) -> int:
        """Return how many gaps were written so far."""
        return channel_words(self.words, channel)[0]

    def read(self, channel: int, first: int = 0) -> list[Gap]:
        """Return the gaps from number ``first`` on that are still in the ring, oldest first."""
        words = channel_words(self.words, channel)
        written = words[0]
        first = max(first, written - _SLOTS + 64)  # those next to be overwritten are not trusted
        places = [1 + 2 * (number % _SLOTS) for number in range(first, written)]
        return [Gap(words[place], words[place + 1]) for place in places]
