"""Pages of a live target, copied once, and read again as a memory that was damaged by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from snapshotter.errors import TornReadError
from snapshotter.outside.memory import MAX_READ_BYTES, Memory

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DamagedMemory", "Image", "RecordingMemory"]

PAGE = 4096
WORDS = (0, 1, 2, 3, 7, 8, 255, 1 << 31, 1 << 32, 1 << 40, 1 << 47, 1 << 63, (1 << 64) - 1)


class RecordingMemory(Memory):
    """Keeps every page that is read."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.pages: dict[int, bytes] = {}

    def read_some(self, address: int, size: int) -> bytes:
        data = super().read_some(address, size)
        for page in range(address // PAGE, (address + len(data) - 1) // PAGE + 1):
            if page not in self.pages:
                self.pages[page] = super().read_some(page * PAGE, PAGE)
        return data


@dataclass(slots=True)
class Image:
    """Pages by number."""

    pid: int
    pages: dict[int, bytes]

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            for page, data in self.pages.items():
                file.write(page.to_bytes(8, "little") + data)

    @classmethod
    def load(cls, pid: int, path: Path) -> Self:
        raw = path.read_bytes()
        step = PAGE + 8
        return cls(
            pid,
            {
                int.from_bytes(raw[at : at + 8], "little"): raw[at + 8 : at + step]
                for at in range(0, len(raw), step)
            },
        )


class DamagedMemory(Memory):
    """Answers from an image of which some words, bytes or whole pages are not as they were."""

    def __init__(self, image: Image) -> None:
        self.pid = image.pid
        self.fd = -1
        self.image = image
        self.numbers = sorted(image.pages)
        self.damaged: dict[int, bytes] = {}
        self.bytes_read = 0

    def read_some(self, address: int, size: int) -> bytes:
        if not PAGE <= address < 1 << 56 or not 0 < size <= MAX_READ_BYTES:
            raise TornReadError("No real place.")
        parts = []
        while size > 0:
            page, at = divmod(address, PAGE)
            data = self.damaged.get(page, self.image.pages.get(page))
            if not data or at >= len(data):
                break
            part = data[at : at + size]
            parts.append(part)
            address += len(part)
            size -= len(part)
            if at + len(part) < PAGE:
                break
        found = b"".join(parts)
        if not found:
            raise TornReadError("Nothing is there.")
        self.bytes_read += len(found)
        return found

    def write(self, address: int, data: bytes) -> None:
        raise AssertionError(f"{len(data)} bytes were written at {address:#x}")

    def heal(self) -> None:
        self.damaged.clear()
        self.bytes_read = 0

    def damage(self, chosen: random.Random, hot: tuple[int, ...] = ()) -> None:
        """Change a few places; half of them near the addresses in ``hot``."""
        for _ in range(chosen.choice((1, 1, 1, 2, 3, 8, 40))):
            page, at = self._place(chosen, hot)
            self._change(chosen, page, at)

    def _place(self, chosen: random.Random, hot: tuple[int, ...]) -> tuple[int, int]:
        if hot and chosen.randrange(2):
            address = chosen.choice(hot) + 8 * chosen.randrange(-8, 64)
            if address // PAGE in self.image.pages:
                return divmod(address & ~7, PAGE)
        return chosen.choice(self.numbers), 8 * chosen.randrange(PAGE // 8)

    def _change(self, chosen: random.Random, page: int, at: int) -> None:
        data = bytearray(self.damaged.get(page, self.image.pages[page]))
        how = chosen.randrange(100)
        if how < 3:
            self.damaged[page] = b""
            return
        if how < 6:
            self.damaged[page] = self.image.pages[chosen.choice(self.numbers)]
            return
        if len(data) < PAGE:
            return
        if how < 40:
            data[at + chosen.randrange(8)] = chosen.choice((0, 1, 2, 127, 128, 255))
        else:
            data[at : at + 8] = next(self._words(chosen, data[at : at + 8])).to_bytes(8, "little")
        self.damaged[page] = bytes(data)

    def _words(self, chosen: random.Random, before: bytes) -> Iterator[int]:
        how = chosen.randrange(4)
        if how == 0:
            yield chosen.choice(WORDS)
        elif how == 1:  # a pointer to some other place
            yield chosen.choice(self.numbers) * PAGE + 8 * chosen.randrange(PAGE // 8)
        elif how == 2:  # a pointer a little beside
            was = int.from_bytes(before, "little")
            yield (was + chosen.choice((-64, -8, -1, 1, 8, 16, 64, 4096))) % (1 << 64)
        else:
            yield chosen.randrange(1 << 64)
