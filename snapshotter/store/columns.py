"""Checked access to the tables and groups of a file that may be hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snapshotter.store.format import INT_MAX, INT_MIN
from snapshotter.store.wire import WireError, text_from_wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from enum import StrEnum

__all__ = ["Columns", "Group", "from_hexadecimal", "texts"]

_INT: frozenset[type] = frozenset({int})
_BOOL: frozenset[type] = frozenset({bool})
_NUMBER: frozenset[type] = frozenset({int, float})
_SCALAR: frozenset[type] = frozenset({bool, int, float, bytes, type(None)})
_NONE: frozenset[type] = frozenset({type(None)})


class Columns:
    """The columns of one table. Each method returns one of them, checked, with equal lengths."""

    def __init__(self, document: Mapping[str, Any], table: str, strings: Sequence[str]) -> None:
        section = document.get(table)
        if type(section) is not dict:
            raise WireError(f"the table {table} is missing")
        self._section: dict[str, Any] = section
        self._table = table
        self._strings = strings
        self._rows: int | None = None

    def integers(self, name: str, *, low: int = INT_MIN, high: int = INT_MAX) -> list[int]:
        """Return a column of integers between ``low`` and ``high`` inclusive."""
        return self._in_range(name, self._column(name, _INT), low=low, high=high)

    def maybe_integers(
        self, name: str, *, low: int = INT_MIN, high: int = INT_MAX
    ) -> list[int | None]:
        """Return a column of integers or None."""
        column = self._maybe_column(name, _INT)
        self._in_range(name, [cell for cell in column if cell is not None], low=low, high=high)
        return column

    def rows_of(self, name: str, count: int) -> list[int]:
        """Return a column of row numbers of a table with ``count`` rows."""
        return self.integers(name, low=0, high=count - 1)

    def maybe_rows_of(self, name: str, count: int) -> list[int | None]:
        """Return a column of row numbers or None."""
        return self.maybe_integers(name, low=0, high=count - 1)

    def flags(self, name: str) -> list[bool]:
        """Return a column of booleans."""
        return self._column(name, _BOOL)

    def maybe_flags(self, name: str) -> list[bool | None]:
        """Return a column of booleans or None."""
        return self._maybe_column(name, _BOOL)

    def numbers(self, name: str) -> list[int | float]:
        """Return a column of integers and floats."""
        return self._column(name, _NUMBER)

    def scalars(self, name: str) -> list[bool | int | float | bytes | None]:
        """Return a column of scalars that are not text."""
        return self._column(name, _SCALAR)

    def texts(self, name: str) -> list[str]:
        """Return a column of texts, looked up in the string table."""
        return [self._strings[index] for index in self.rows_of(name, len(self._strings))]

    def maybe_texts(self, name: str) -> list[str | None]:
        """Return a column of texts or None."""
        strings = self._strings
        column = self.maybe_rows_of(name, len(strings))
        return [None if index is None else strings[index] for index in column]

    def words[E: StrEnum](self, name: str, words: type[E]) -> list[E]:
        """Return a column of members of ``words``."""
        column = self.rows_of(name, len(self._strings))
        members = self._members(name, words, set(column))
        return [members[index] for index in column]

    def maybe_words[E: StrEnum](self, name: str, words: type[E]) -> list[E | None]:
        """Return a column of members of ``words`` or None."""
        column = self.maybe_rows_of(name, len(self._strings))
        members = self._members(name, words, {index for index in column if index is not None})
        return [None if index is None else members[index] for index in column]

    def _members[E: StrEnum](self, name: str, words: type[E], used: set[int]) -> dict[int, E]:
        place = f"{self._table}.{name}"
        return {index: _word(place, self._strings[index], words) for index in used}

    def _column(self, name: str, types: frozenset[type]) -> list[Any]:
        column = self._section.get(name)
        if type(column) is not list:
            raise WireError(f"the column {self._table}.{name} is missing")
        if self._rows is None:
            self._rows = len(column)
        if len(column) != self._rows:
            raise WireError(f"the column {self._table}.{name} has another length than its table")
        if not types.issuperset(map(type, column)):
            raise WireError(f"the column {self._table}.{name} holds a value of another type")
        return column

    def _maybe_column(self, name: str, types: frozenset[type]) -> list[Any]:
        # Absent means nil in every row; a table is read from a column that it must have.
        if self._section.get(name) is None and self._rows is not None:
            return [None] * self._rows
        return self._column(name, types | _NONE)

    def _in_range(self, name: str, column: list[int], *, low: int, high: int) -> list[int]:
        if column and not (low <= min(column) and max(column) <= high):
            raise WireError(f"the column {self._table}.{name} points outside of what there is")
        return column


class Group:
    """The fields of one group (or of the file itself). Each method returns one, checked."""

    def __init__(self, fields: object, name: str) -> None:
        if type(fields) is not dict:
            raise WireError(f"the group {name} is missing")
        self._fields: dict[str, Any] = fields
        self._name = name

    def integer(self, name: str) -> int:
        """Return an integer field."""
        return self._field(name, int)

    def maybe_integer(self, name: str) -> int | None:
        """Return an integer field or None."""
        return self._maybe(name, int)

    def flag(self, name: str) -> bool:
        """Return a boolean field."""
        return self._field(name, bool)

    def text(self, name: str) -> str:
        """Return a text field."""
        return text_from_wire(self._fields.get(name))

    def maybe_text(self, name: str) -> str | None:
        """Return a text field or None."""
        return None if self._fields.get(name) is None else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a field that is an array of texts."""
        return texts(self._field(name, list))

    def word[E: StrEnum](self, name: str, words: type[E]) -> E:
        """Return a field that is a member of ``words``."""
        return _word(f"{self._name}.{name}", self.text(name), words)

    def words[E: StrEnum](self, name: str, words: type[E]) -> tuple[E, ...]:
        """Return a field that is an array of members of ``words``."""
        return tuple(_word(f"{self._name}.{name}", text, words) for text in self.texts(name))

    def hexadecimal(self, name: str) -> int:
        """Return an integer field of any width, kept as hexadecimal text."""
        return from_hexadecimal(self.text(name))

    def _field[T](self, name: str, kind: type[T]) -> T:
        value = self._fields.get(name)
        if type(value) is not kind:
            raise WireError(f"the field {self._name}.{name} is missing or of another type")
        return value

    def _maybe[T](self, name: str, kind: type[T]) -> T | None:
        return None if self._fields.get(name) is None else self._field(name, kind)


def texts(column: Iterable[object]) -> tuple[str, ...]:
    """Return the texts of an array that should hold nothing else."""
    return tuple(map(text_from_wire, column))


def from_hexadecimal(text: str) -> int:
    """Return the integer that is written as ``text``."""
    try:
        return int(text, 16)
    except ValueError as error:
        raise WireError("a wide integer is not written in hexadecimal") from error


def _word[E: StrEnum](place: str, text: str, words: type[E]) -> E:
    try:
        return words(text)
    except ValueError as error:
        raise WireError(f"{place} is a word that this version does not know") from error
