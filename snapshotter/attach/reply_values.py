"""Decodes the table of captured values in a reply."""

from __future__ import annotations

from typing import Any

from snapshotter.attach.reply_fields import Fields, ReplyError, index, maybe, number, text
from snapshotter.model import Item, Kind, Status, Value
from snapshotter.probe.kinds import KINDS, STATUSES

__all__ = ["decode_values"]

_KINDS = tuple(Kind(name) for name in KINDS)
_STATUSES = tuple(Status(name) for name in STATUSES)
_OBVIOUS_TYPES = {Kind.NONE: "NoneType", Kind.BOOL: "bool"}


def decode_values(message: Fields) -> tuple[Value, ...]:
    """Return the table; items point into it. Raises ReplyError, ValueError and the like."""
    types = [text(name) for name in message.get("types", list)]
    rows = message.rows("nodes", 8)
    return tuple(_value(row, types, len(rows)) for row in rows)


def _value(row: list[Any], types: list[str], nodes: int) -> Value:
    kind_number, type_number, status, length, content, identity, items, attributes = row
    kind = _KINDS[index(kind_number, len(_KINDS))]
    if type_number is None:  # these are so frequent that the probe leaves their types out
        name = _OBVIOUS_TYPES.get(kind, "")
    else:
        name = types[index(type_number, len(types))]
    members = (*_items(items, nodes, attribute=False), *_items(attributes, nodes, attribute=True))
    return Value(
        kind=kind,
        type=name,
        status=_STATUSES[index(status, len(_STATUSES))],
        length=None if length is None else number(length),
        value=_scalar(kind, content),
        items=members,
        identity=None if identity is None else number(identity),
    )


def _scalar(kind: Kind, content: Any) -> bool | int | float | str | bytes | None:  # noqa: ANN401
    if content is None or type(content) in (bool, bytes):
        return content  # type: ignore[no-any-return]
    if type(content) is int:
        return number(content)
    written = text(content)
    if kind is Kind.FLOAT and ("0x" in written or written in {"inf", "-inf", "nan", "-nan"}):
        return float.fromhex(written)
    return written


def _items(flat: Any, nodes: int, *, attribute: bool) -> list[Item]:  # noqa: ANN401
    if flat is None:
        return []
    if type(flat) is not list or len(flat) % 2:
        raise ReplyError("the members of a value have another shape")
    made = []
    for key, node in zip(flat[::2], flat[1::2], strict=True):
        if type(key) is int:
            made.append(Item(node=index(node, nodes), key=index(key, nodes)))
        else:
            name = maybe(key, str)
            made.append(Item(node=index(node, nodes), name=name, attribute=attribute))
    return made
