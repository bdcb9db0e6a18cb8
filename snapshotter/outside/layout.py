"""Reads scattered fields of a structure with one unpack."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from struct import Struct, calcsize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FieldsReader", "fields_struct"]


class FieldsReader:
    """Unpacks fields, in the order they were asked for, from the bytes between first and last."""

    __slots__ = ("_order", "_struct", "size", "unpack")

    def __init__(self, places: tuple[tuple[int, str], ...], start: int) -> None:
        """Prepare for ``places``: pairs of byte offset and ``struct`` format character."""
        by_offset = sorted(range(len(places)), key=lambda index: places[index][0])
        form, at = "<", start
        for index in by_offset:
            offset, kind = places[index]
            if offset > at:
                form += f"{offset - at}x"
            form += kind
            at = offset + calcsize("<" + kind)
        self._struct = Struct(form)
        self._order = tuple(by_offset.index(index) for index in range(len(places)))
        self.size = self._struct.size
        in_order = self._order == tuple(range(len(places)))
        self.unpack: Callable[..., tuple[int, ...]] = (
            self._struct.unpack_from if in_order else self._unpack
        )
        """``unpack(data, at=0)`` returns the fields; byte ``at`` is the first field's place."""

    def _unpack(self, data: bytes, at: int = 0) -> tuple[int, ...]:
        values = self._struct.unpack_from(data, at)
        return tuple([values[index] for index in self._order])


@lru_cache(maxsize=64)
def fields_struct(places: tuple[tuple[int, str], ...]) -> tuple[FieldsReader, int]:
    """Return a reader for ``places`` and the offset at which its bytes begin.

    Raises ``ValueError`` when two fields overlap.
    """
    ordered = sorted(places)
    for (offset, kind), (following, _kind) in pairwise(ordered):
        if offset + calcsize("<" + kind) > following:
            message = f"fields overlap at offset {following}"
            raise ValueError(message)
    start = ordered[0][0]
    return FieldsReader(places, start), start
