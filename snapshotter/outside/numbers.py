"""Arrays and scalars of numpy 2: shape and type of an array, never its elements.

``PyArrayObject_fields`` and ``PyArray_Descr`` of ``numpy/ndarraytypes.h``.
"""
# ruff: noqa: ARG001 - all readers have one signature: they stand in one table

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError
from snapshotter.model.values import Kind, Status
from snapshotter.outside.leaves import nothing

if TYPE_CHECKING:
    from snapshotter.outside.readings import Plan
    from snapshotter.outside.values import Content, ValueTable

__all__ = ["read_array", "read_scalar"]

_DIMENSIONS, _SHAPE, _DTYPE = 24, 32, 56
_KIND, _BYTE_ORDER, _ITEM_SIZE = 24, 26, 40
_MOST_DIMENSIONS: Final = 64
_SHOWN_DIMENSIONS: Final = 16
_PLAIN_KINDS: Final = "biufcSUVO"
_VALUE: Final = 16
_FORMATS: Final = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "longlong": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "ulonglong": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}
_LARGEST: Final = 1 << 63


def read_array(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """The shape of an array, its number of elements and their type."""
    pages = table.heap.pages
    count = int.from_bytes(pages.read(address + _DIMENSIONS, 4), "little")
    if count > _MOST_DIMENSIONS:
        raise TornReadError(f"No plausible array at {address:#x}.")
    shape = pages.words(pages.u64(address + _SHAPE), count)
    size = math.prod(shape)
    if size >= _LARGEST:
        raise TornReadError(f"No plausible array at {address:#x}.")
    text = "x".join(map(str, shape[:_SHOWN_DIMENSIONS]))
    dtype = _dtype(table, pages.u64(address + _DTYPE))
    status = Status.OK if dtype else Status.TRUNCATED
    return Kind.ARRAY, status, size, f"{text} {dtype}".strip(), []


def _dtype(table: ValueTable, address: int) -> str:
    """``dtype.str`` of types without a unit, "" of others."""
    pages = table.heap.pages
    kind, order = (
        chr(pages.read(address + _KIND, 1)[0]),
        chr(pages.read(address + _BYTE_ORDER, 1)[0]),
    )
    if kind not in _PLAIN_KINDS or order not in "=<>|":
        return ""
    size = pages.u64(address + _ITEM_SIZE)
    if size >= _LARGEST:
        raise TornReadError(f"No plausible dtype at {address:#x}.")
    if kind == "O":
        return "|O"
    return f"{'<' if order == '=' else order}{kind}{size // 4 if kind == 'U' else size}"


def read_scalar(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """The number in a scalar of numpy's own types."""
    form = _FORMATS.get(plan.short.rpartition(".")[2]) if plan.is_made_in_c else None
    if form is None:
        return nothing(Kind.OBJECT, Status.TRUNCATED)
    data = table.heap.pages.read(address + _VALUE, struct.calcsize(form))
    number: int | float = struct.unpack("<" + form, data)[0]
    if isinstance(number, float):
        return nothing(Kind.FLOAT, value=number)
    if number >= _LARGEST:
        return nothing(Kind.OBJECT, Status.TRUNCATED)
    return nothing(Kind.INT, value=int(number))
