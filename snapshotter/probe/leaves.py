"""Readers of values made in C that hold little: times, numbers of other modules, locks, buffers.

They are called as those of :mod:`.readers` are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import K_ARRAY, K_FLOAT, K_INT, K_LOCK, K_OBJECT, K_TIME, dict_of_type, name_of_type
from .nodes import S_OK, S_TRUNCATED, add_node
from .pack import NIL, pack_float, pack_int, pack_text
from .pristine import is_made_in_c

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Content, Work

__all__ = ["read_date", "read_datetime", "read_decimal", "read_lock", "read_memoryview"]

_LARGEST_NUMBER_BITS = 63
_LONGEST_DECIMAL = 80


def _digits(number: int, width: int) -> str:
    text = int.__repr__(number)
    return "0" * (width - len(text)) + text


def _date_text(cls: Any, value: Any) -> str:
    get = cls.__dict__
    year, month, day = (get[name].__get__(value) for name in ("year", "month", "day"))
    return _digits(year, 4) + "-" + _digits(month, 2) + "-" + _digits(day, 2)


def _time_text(cls: Any, value: Any) -> str:
    get = cls.__dict__
    hour, minute, second = (get[name].__get__(value) for name in ("hour", "minute", "second"))
    text = _digits(hour, 2) + ":" + _digits(minute, 2) + ":" + _digits(second, 2)
    micro = get["microsecond"].__get__(value)
    return text + "." + _digits(micro, 6) if micro else text


def _zone_status(cls: Any, value: Any) -> int:
    """Of a time with a zone not all is told."""
    return S_OK if cls.__dict__["tzinfo"].__get__(value) is None else S_TRUNCATED


def read_date(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """A date as ISO 8601."""
    return K_TIME, S_OK, None, pack_text(_date_text(plan[7], value)), None


def read_time(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """A time of day; its zone is not asked, that could be code of the application."""
    return K_TIME, _zone_status(plan[7], value), None, pack_text(_time_text(plan[7], value)), None


def read_datetime(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """A date and time, without the offset of its zone (that could be code)."""
    date = _date_text(work["special"].get("date", plan[7]), value)
    text = date + "T" + _time_text(plan[7], value)
    return K_TIME, _zone_status(plan[7], value), None, pack_text(text), None


def read_timedelta(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """A duration as ISO 8601 with days and seconds."""
    get = plan[7].__dict__
    days, seconds, micros = (
        get[name].__get__(value) for name in ("days", "seconds", "microseconds")
    )
    text = "P" + int.__repr__(days) + "DT" + int.__repr__(seconds)
    return K_TIME, S_OK, None, pack_text(text + "." + _digits(micros, 6) + "S"), None


def read_decimal(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The digits of a Decimal of ordinary size.

    Only in the carrier thread: in a thread without a decimal context C makes one, and that of
    the carrier goes with it.
    """
    if work["carrier"] != "thread" or plan[7].__sizeof__(value) > 256:
        return K_FLOAT, S_TRUNCATED, None, NIL, None
    text = plan[7].__str__(value)
    if len(text) > _LONGEST_DECIMAL:  # cut, it would read as another number
        return K_FLOAT, S_TRUNCATED, None, NIL, None
    return K_FLOAT, S_OK, None, pack_text(text), None


def read_lock(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """State (and owner, of an RLock) as C itself writes it."""
    return K_LOCK, S_OK, None, pack_text(plan[7].__repr__(value)[:120]), None


def read_range(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Start, stop and step of a range or slice."""
    if depth >= work["request"]["limits"]["depth"]:
        return K_OBJECT, S_TRUNCATED, None, NIL, None
    items: list[Any] = []
    for name in ("start", "stop", "step"):
        member = plan[7].__dict__[name].__get__(value)
        items += [pack_text(name), add_node(work, member, depth + 1)]
    return K_OBJECT, S_OK, None, NIL, items


def read_memoryview(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The size of a buffer; its pages are never touched, they may be gone."""
    return K_ARRAY, S_OK, memoryview.__dict__["nbytes"].__get__(value), NIL, None


def read_ndarray(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Shape and dtype of a numpy array, never its elements."""
    get = plan[7].__dict__
    shape = get["shape"].__get__(value)
    size = get["size"].__get__(value)
    text = "x".join([int.__repr__(n) for n in shape[:16]])
    dtype = work["special"].get("dtype")
    if dtype is not None:
        text += " " + dict_of_type(dtype)["str"].__get__(get["dtype"].__get__(value))[:64]
    return K_ARRAY, S_OK, size, pack_text(text.strip()), None


def read_numpy_scalar(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The number in a numpy scalar of numpy's own types."""
    cls = type(value)
    if is_made_in_c(cls) and name_of_type(cls)[:3] in ("int", "uin", "boo", "flo"):
        number = plan[7].__dict__["item"](value)
        if type(number) is int and int.bit_length(number) <= _LARGEST_NUMBER_BITS:
            return K_INT, S_OK, None, pack_int(number), None
        if type(number) is bool:
            return K_INT, S_OK, None, pack_int(int.__int__(number)), None
        if type(number) is float:
            return K_FLOAT, S_OK, None, pack_float(number), None
    return K_OBJECT, S_TRUNCATED, None, NIL, None


def read_pattern(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The text of a regular expression."""
    if depth >= work["request"]["limits"]["depth"]:
        return K_OBJECT, S_TRUNCATED, None, NIL, None
    pattern = plan[7].__dict__["pattern"].__get__(value)
    return K_OBJECT, S_OK, None, NIL, [pack_text("pattern"), add_node(work, pattern, depth + 1)]
