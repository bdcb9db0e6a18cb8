"""Captured values: a flat table of nodes, so that cycles and shared objects are only indices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Item", "Kind", "Status", "Value"]


class Kind(StrEnum):
    """What a value is made of, decided by the C layout of its type and never by its own code."""

    NONE = "none"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    COMPLEX = "complex"
    STR = "str"
    BYTES = "bytes"
    LIST = "list"
    TUPLE = "tuple"
    DICT = "dict"
    SET = "set"
    DEQUE = "deque"
    TIME = "time"
    """A date, time or duration; ``value`` is its ISO 8601 text."""
    ENUM = "enum"
    EXCEPTION = "exception"
    TYPE = "type"
    FUNCTION = "function"
    MODULE = "module"
    CODE = "code"
    """A generator, coroutine, frame, traceback or code object; ``value`` says where it stands."""
    LOCK = "lock"
    ARRAY = "array"
    """A buffer of which only the shape is told (array, ndarray, memoryview, mmap)."""
    OBJECT = "object"
    UNKNOWN = "unknown"
    """Nothing about it could be known (redacted by name before a look, or not captured)."""


class Status(StrEnum):
    """Why a value is, or is not, shown; the last three are different reasons and never mixed."""

    OK = "ok"
    REDACTED = "redacted"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Item:
    """One member of a value.

    ``name`` is an attribute, field or string key; ``key`` is the node index of a key that is not
    a string; both are None in a sequence or set. ``attribute`` tells an attribute from a key.
    ``node`` is the index of the member in ``Snapshot.values``.
    """

    node: int
    name: str | None = None
    key: int | None = None
    attribute: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """One captured value.

    ``type`` is the qualified name of its exact type ("" when not known). ``length`` counts the
    elements of a container, the characters of a str, the bytes of a buffer and the bits of an
    int too large to show. ``value`` holds scalars only. A head (``len(items) < length``) has the
    status TRUNCATED.
    """

    kind: Kind
    type: str
    status: Status = Status.OK
    length: int | None = None
    value: bool | int | float | str | bytes | None = None
    items: tuple[Item, ...] = ()
    identity: int | None = None
    """Address in the target, to see whether a name is bound to the same object as before."""
