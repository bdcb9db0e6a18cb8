"""By what a member of a value is found again in another snapshot: its name, key or place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.model import Kind, Status

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from snapshotter.analysis.seen import Seen
    from snapshotter.model import Item, Value

__all__ = [
    "LONGEST_NAME",
    "Member",
    "is_attribute",
    "is_keyed",
    "is_unseen",
    "is_whole",
    "may_lack_attributes",
    "members",
]

_UNORDERED = frozenset({Kind.SET})
_NEVER_LABELLED = frozenset({Kind.OBJECT, Kind.SET})
_DEEPEST_KEY = 4
LONGEST_NAME = 1_000
"""Longer than any that is captured."""

type Member = tuple[str, int]
"""The step of a path that leads to it, and its node."""
type _Key = tuple[Hashable, str]
"""What equals only the same key, and how that key reads."""


def members(seen: Seen, longest_name: int = LONGEST_NAME) -> dict[Hashable, Member | None]:
    """Map the label of each member to it; to None where two members have one label.

    Long names are cut, so that two of them may look alike: nobody knows which is which. The other
    side may have cut them to ``longest_name``.
    """
    found: dict[Hashable, Member | None] = {}
    for label, step, node in _labelled(seen, longest_name):
        found[label] = None if label in found else (step, node)
    return found


def is_whole(seen: Seen) -> bool:
    """Tell whether all members were captured, so that a member not there is really absent."""
    value = seen.value
    if value.status is not Status.OK:
        return False
    if value.length is not None and len(value.items) < value.length:
        return False
    unordered = value.kind in _UNORDERED
    keys = (item.node if unordered else item.key for item in value.items)
    return not any(key is not None and _may_be_any_key(seen.at(key)) for key in keys)


def may_lack_attributes(value: Value) -> bool:
    """Tell whether attributes may have been left out: deep in others, only plain objects say so."""
    return value.kind is not Kind.OBJECT and not any(item.attribute for item in value.items)


def is_attribute(member: Member) -> bool:
    """Tell an attribute from a key or an element."""
    return member[0].startswith(".")


def is_keyed(value: Value) -> bool:
    """Tell whether members have names; of a sequence the length says what came and went."""
    named = any(item.name is not None or item.key is not None for item in value.items)
    return named or value.kind in _UNORDERED


def is_unseen(value: Value) -> bool:
    """Tell whether nothing is known of a value, as when no time was left for it."""
    return value.kind is Kind.UNKNOWN and not value.type


def _may_be_any_key(key: Seen) -> bool:
    """Tell whether the other side may show a key that this one hides, or has not whole."""
    value = key.value
    if value.status is Status.UNREADABLE:
        return True
    if value.kind in _NEVER_LABELLED or _key(key) is not None:
        return False
    return value.status is not Status.OK or value.kind is Kind.TUPLE


def _labelled(seen: Seen, longest_name: int) -> Iterator[tuple[Hashable, str, int]]:
    value = seen.value
    for index, item in enumerate(value.items):
        if item.name is not None:
            name = item.name[:longest_name]
            yield (item.attribute, name), f".{name}" if item.attribute else f"[{name!r}]", item.node
        elif item.key is not None:
            if key := _key(seen.at(item.key)):
                yield key[0], f"[{key[1]}]", item.node
        elif value.kind in _UNORDERED:
            yield from _set_member(seen, item)
        else:
            yield index, f"[{index}]", item.node


def _set_member(seen: Seen, item: Item) -> Iterator[tuple[Hashable, str, int]]:
    if key := _key(seen.at(item.node)):
        yield key[0], f"{{{key[1]}}}", item.node


def _key(seen: Seen, depth: int = 0) -> _Key | None:
    """Return what tells a key from all others; None for one that does not show that."""
    value = seen.value
    if value.status is not Status.OK:
        return None
    if value.kind is Kind.TUPLE:
        return None if depth >= _DEEPEST_KEY else _key_of_tuple(seen, depth)
    # an enum member has its value as an attribute, its name tells it
    if (value.items and value.kind is not Kind.ENUM) or (
        value.value is None and value.kind is not Kind.NONE
    ):
        return None
    shown = repr(value.value)
    return (value.type, shown if shown == "nan" else value.value), shown  # NaN is not itself


def _key_of_tuple(seen: Seen, depth: int) -> _Key | None:
    value = seen.value
    if len(value.items) != value.length:
        return None
    parts = [_key(seen.at(item.node), depth + 1) for item in value.items]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    shown = ", ".join(text for _, text in known) + ("," if len(known) == 1 else "")
    return (value.type, tuple(label for label, _ in known)), f"({shown})"
