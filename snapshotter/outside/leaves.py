"""What is in values that have no members of their own: times, numbers, code, locks, modules."""
# ruff: noqa: ARG001 - all readers have one signature: they stand in one table

from __future__ import annotations

import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError
from snapshotter.model.values import Kind, Status
from snapshotter.outside.readings import Reading

if TYPE_CHECKING:
    from snapshotter.outside.readings import Plan
    from snapshotter.outside.values import Content, Scalar, ValueTable

__all__ = [
    "nothing",
    "read_builtin",
    "read_code",
    "read_date",
    "read_datetime",
    "read_decimal",
    "read_function",
    "read_generator",
    "read_lock",
    "read_memoryview",
    "read_module",
    "read_time",
    "read_timedelta",
    "visible",
]

_MAX_NAME: Final = 200
_MAX_FILENAME: Final = 300
_DECIMAL_WORDS: Final = 8
_DECIMAL_DIGITS_PER_WORD: Final = 19
_LONGEST_DECIMAL: Final = 80


def nothing(kind: Kind, status: Status = Status.OK, value: Scalar = None) -> Content:
    """Return the content of a value without length and members."""
    return kind, status, None, value, []


def _code_text(table: ValueTable, code: int) -> str:
    code &= ~3  # a tagged reference, where it is that of a frame
    if table.classes.plan(table.heap.type_of(code)).reading is not Reading.CODE:
        raise TornReadError(f"No code object at {code:#x}.")
    pages, offsets = table.heap.pages, table.heap.layout
    qualname, _ = table.heap.text(pages.u64(code + offsets.code_qualname), _MAX_NAME)
    filename, _ = table.heap.text(pages.u64(code + offsets.code_filename), _MAX_FILENAME)
    line = int.from_bytes(pages.read(code + offsets.code_line, 4), "little", signed=True)
    return visible(f"{qualname} ({filename}:{line})")


def read_function(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """Name and place of a Python function."""
    code = table.heap.pages.u64(address + 48)
    return nothing(Kind.FUNCTION, value=_code_text(table, code))


def read_builtin(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """The name of a C function."""
    pages = table.heap.pages
    return nothing(
        Kind.FUNCTION, value=table.heap.c_text(pages.u64(pages.u64(address + 16)), _MAX_NAME)
    )


def read_module(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """The name of a module, if it stands among the first entries of its dict."""
    names = table.heap.pages.u64(address + 16)
    for key, value in table.heap.dict_items(names, 8) if names else ():
        if table.classes.text_if_exact(key, _MAX_NAME) == "__name__":
            text = table.classes.text_if_exact(value, _MAX_NAME)
            if text is not None:
                return nothing(Kind.MODULE, value=visible(text))
    return nothing(Kind.MODULE, Status.TRUNCATED)


def read_code(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """Name and place of a code object."""
    return nothing(Kind.CODE, value=_code_text(table, address))


def read_generator(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """Name and place of a generator, coroutine or asynchronous generator."""
    code = table.heap.pages.u64(address + table.heap.layout.gen_frame)
    return nothing(Kind.CODE, value=_code_text(table, code))


def read_lock(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """State, and owner of an RLock, as CPython itself writes it."""
    state = "locked" if table.heap.pages.read(address + 16, 1)[0] & 1 else "unlocked"
    if plan.reading is Reading.LOCK:
        return nothing(Kind.LOCK, value=f"<{state} _thread.lock object at {address:#x}>")
    owner, level = table.heap.pages.words(address + 24, 2)
    count = level + 1 if state == "locked" else 0
    detail = f"owner={owner} count={count}"
    return nothing(Kind.LOCK, value=f"<{state} _thread.RLock object {detail} at {address:#x}>")


def read_memoryview(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """The size of a buffer."""
    if table.heap.pages.read(address + 40, 4)[0] & 1:
        raise TornReadError("The memoryview is released.")
    return Kind.ARRAY, Status.OK, table.heap.pages.u64(address + 72), None, []


def visible(text: str) -> str:
    """Write out what UTF-8 cannot hold (lone surrogates)."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _date(data: bytes) -> str:
    return f"{data[0] << 8 | data[1]:04}-{data[2]:02}-{data[3]:02}"


def _time(data: bytes) -> str:
    text = f"{data[0]:02}:{data[1]:02}:{data[2]:02}"
    micro = int.from_bytes(data[3:6], "big")
    return f"{text}.{micro:06}" if micro else text


def read_date(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """A date as ISO 8601."""
    return nothing(Kind.TIME, value=_date(table.heap.pages.read(address + 25, 4)))


def _zone_status(data: bytes) -> Status:
    """Of a time with a zone (``hastzinfo``) not all is told."""
    return Status.TRUNCATED if data[0] else Status.OK


def read_time(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """A time of day as ISO 8601, without the offset of its zone."""
    data = table.heap.pages.read(address + 24, 7)
    return nothing(Kind.TIME, _zone_status(data), value=_time(data[1:]))


def read_datetime(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """A date and time, without the offset of its zone."""
    data = table.heap.pages.read(address + 24, 11)
    return nothing(Kind.TIME, _zone_status(data), value=f"{_date(data[1:])}T{_time(data[5:])}")


def read_timedelta(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """A duration as ISO 8601 with days and seconds."""
    days, seconds, micros = struct.unpack("<iii", table.heap.pages.read(address + 24, 12))
    return nothing(Kind.TIME, value=f"P{days}DT{seconds}.{micros:06}S")


def read_decimal(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """``PyDecObject``: flags, exponent, digits, words used and allocated, their address."""
    flags, exponent, digits, count, _, data = struct.unpack(
        "<Bxxxxxxxqqqqq", table.heap.pages.read(address + 24, 48)
    )
    sign = flags & 1
    if flags & 0xE:  # infinity, NaN, signalling NaN
        special = "F" if flags & 2 else "n" if flags & 4 else "N"
        if special != "F" and digits:
            return nothing(Kind.FLOAT, Status.TRUNCATED)
        return nothing(Kind.FLOAT, value=str(Decimal((sign, (), special))))  # type: ignore[arg-type]
    if not 0 < count <= _DECIMAL_WORDS or not 0 < digits <= count * _DECIMAL_DIGITS_PER_WORD:
        return nothing(Kind.FLOAT, Status.TRUNCATED)
    words = table.heap.pages.words(data, count)
    number = sum(word * 10 ** (_DECIMAL_DIGITS_PER_WORD * at) for at, word in enumerate(words))
    text = str(Decimal((sign, tuple(map(int, str(number))), exponent)))
    if len(text) > _LONGEST_DECIMAL:
        return nothing(Kind.FLOAT, Status.TRUNCATED)
    return nothing(Kind.FLOAT, value=text)
