r"""From captured things to JSON: what JSON cannot say stays visible.

* Floats that are not finite are the texts "NaN", "Infinity" and "-Infinity".
* Integers beyond 64 bits are texts in hexadecimal, "0x1f…" or "-0x1f…". All others are numbers;
  a reader whose numbers are doubles loses digits of addresses and nanoseconds above 2**53.
* Bytes are text with one character, U+0000 to U+00FF, for each byte (ISO 8859-1).
* A lone surrogate is the six characters of its escape, such as "\udce9" written out.

Characters that a terminal could obey or that hide (control, format, private, unassigned) are
written as JSON escapes: a reader gets them as they are, a terminal does not.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unicodedata import category

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Scalar", "dumps", "scalar", "utc"]

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_INT_MIN = -(2**63)
_INT_MAX = 2**64 - 1
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})

type Scalar = bool | int | float | str | bytes | None


def scalar(value: Scalar) -> bool | int | float | str | None:
    """Return ``value`` as JSON can say it."""
    match value:
        case bool() | None:
            return value
        case int():
            return value if _INT_MIN <= value <= _INT_MAX else f"{value:#x}"
        case float():
            return value if math.isfinite(value) else _not_finite(value)
        case bytes():
            return value.decode("latin-1")
        case _:
            return value


def utc(at_ns: int) -> str:
    """Return a Unix time in nanoseconds as "2026-11-20T09:15:00.003Z", cut to milliseconds."""
    whole_s, rest_ns = divmod(at_ns, _NS_PER_S)
    text = datetime.fromtimestamp(whole_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest_ns // _NS_PER_MS:03d}Z"


def dumps(value: object) -> bytes:
    """Return plain containers and scalars as compact JSON in UTF-8.

    Raises TypeError for anything else.
    """
    try:
        data = orjson.dumps(value)
    except orjson.JSONEncodeError:
        # Rare enough to pay for only when it happens: some text has a lone surrogate.
        data = orjson.dumps(_map_texts(value, _visible))
    return data if data.isascii() and b"\x7f" not in data else _escape_hidden(data)


def _escape_hidden(document: bytes) -> bytes:
    """Write as escapes what does not show; in compact JSON all of that stands inside of texts."""
    text = document.decode()
    hidden = [char for char in set(text) if category(char) in _HIDDEN]
    return text.translate({ord(char): json.dumps(char)[1:-1] for char in hidden}).encode()


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _visible(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _map_texts(value: object, change: Callable[[str], str]) -> object:
    match value:
        case str():
            return change(value)
        case dict():
            return {change(key): _map_texts(inner, change) for key, inner in value.items()}
        case list() | tuple():
            return [_map_texts(inner, change) for inner in value]
        case _:
            return value
