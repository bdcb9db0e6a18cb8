"""Fields of a reply, each asked for by name and type: what a stranger wrote is believed last."""

from __future__ import annotations

from typing import Any

__all__ = ["Fields", "ReplyError", "index", "maybe", "number", "text"]

_I64 = 1 << 63
_U64 = 1 << 64


class ReplyError(ValueError):
    """The reply is not one that our probe writes; the message says what is wrong."""


class Fields:
    """A map of which each field is asked for by name and type."""

    def __init__(self, fields: Any, what: str) -> None:  # noqa: ANN401 - from a stranger
        if type(fields) is not dict:
            raise ReplyError(f"{what} is not a map")
        self.fields: dict[str, Any] = fields

    def get[T](self, name: str, kind: type[T]) -> T:
        """Return a field of exactly this type. Raises ReplyError."""
        value = self.fields.get(name)
        if type(value) is not kind:
            raise ReplyError(f"{name} is missing or of another type")
        return value

    def number(self, name: str) -> int:
        """Return a field that is a number of 64 bits. Raises ReplyError."""
        return number(self.fields.get(name), name)

    def rows(self, name: str, width: int) -> list[list[Any]]:
        """Return a field that is a table with so many columns. Raises ReplyError."""
        rows = self.get(name, list)
        for row in rows:
            if type(row) is not list or len(row) != width:
                raise ReplyError(f"a row of {name} has another shape")
        return rows


def number(value: Any, name: str = "a number", limit: int = _U64) -> int:  # noqa: ANN401
    """Return a whole number of 64 bits. Raises ReplyError."""
    if type(value) is not int or not -_I64 <= value < limit:
        raise ReplyError(f"{name} is not a number")
    return value


def text(value: Any) -> str:  # noqa: ANN401
    """Return a text. Raises ReplyError."""
    if type(value) is not str:
        raise ReplyError("a text is of another type")
    return value


def maybe[T](value: Any, kind: type[T]) -> T | None:  # noqa: ANN401
    """Return a value of exactly this type, or None. Raises ReplyError."""
    if value is not None and type(value) is not kind:
        raise ReplyError("a field is of another type")
    return value


def index(value: Any, size: int) -> int:  # noqa: ANN401
    """Return a place in a table of this size. Raises ReplyError."""
    if type(value) is not int or not 0 <= value < size:
        raise ReplyError("an index points outside of its table")
    return value
