"""Comparison of two captured values: where they differ, described by paths and bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snapshotter.analysis.changes import Change, ValueChange
from snapshotter.model import Kind, Status

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from snapshotter.analysis.seen import Seen
    from snapshotter.model import Item, Value

__all__ = ["compare_values"]

MAX_CHANGES = 12
MAX_DEPTH = 6

_UNORDERED = frozenset({Kind.SET})
_SIMPLE = frozenset(
    {Kind.NONE, Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.COMPLEX, Kind.STR, Kind.BYTES}
)
_SIZED = frozenset(
    {Kind.INT, Kind.STR, Kind.BYTES, Kind.LIST, Kind.TUPLE, Kind.DICT, Kind.SET, Kind.DEQUE}
)
"""Kinds whose length stands in the object itself, so that no view can count it otherwise."""
_NO_IDENTITY = frozenset(
    {
        Kind.NONE,
        Kind.BOOL,
        Kind.INT,
        Kind.FLOAT,
        Kind.COMPLEX,
        Kind.STR,
        Kind.BYTES,
        Kind.TIME,
        Kind.ENUM,
        Kind.TYPE,
        Kind.UNKNOWN,
    }
)
"""Kinds whose objects the interpreter shares as it likes, so that identity says little."""


def compare_values(
    before: Seen, after: Seen, *, across_views: bool = False
) -> tuple[tuple[ValueChange, ...], int]:
    """Return the differences of two values, outermost first, and how many more there are.

    Only what was captured is compared: of the heads of two long containers the members that both
    show, of a redacted value its type and length. An equal value in another object is one
    ``REBOUND``, and tells nothing else.

    ``across_views`` is for values that two views have read: then types, lengths and simple values
    are compared, and only where both are exact. Whatever the views may describe differently, such
    as the attributes of an object that are there, tells nothing.
    """
    comparison = _Comparison(across_views)
    comparison.compare(before, after, "", 0)
    if not comparison.found and _is_other_object(before.value, after.value):
        return (ValueChange("", Change.REBOUND, before, after),), 0
    found = comparison.found
    return tuple(found[:MAX_CHANGES]), max(0, len(found) - MAX_CHANGES)


@dataclass(slots=True)
class _Comparison:
    """One walk through two values; pairs of nodes are compared once, so that cycles end."""

    across_views: bool
    found: list[ValueChange] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def compare(self, before: Seen, after: Seen, path: str, depth: int) -> None:
        pair = (before.node, after.node)
        if pair in self.seen or depth > MAX_DEPTH:
            return
        self.seen.add(pair)
        old, new = before.value, after.value
        differs = _differs_exactly if self.across_views else _differs_itself
        if differs(old, new):
            self.found.append(ValueChange(path, Change.CHANGED, before, after))
        if _same_type(old, new):
            self._compare_members(before, after, path, depth)

    def _compare_members(self, before: Seen, after: Seen, path: str, depth: int) -> None:
        old, new = _members(before), _members(after)
        unordered = before.value.kind in _UNORDERED
        came_and_went = not self.across_views or before.value.kind in {Kind.DICT, Kind.SET}
        for label, (step, node) in new.items():
            known = old.get(label)
            if known is not None:
                self.compare(before.at(known[1]), after.at(node), path + step, depth + 1)
            elif came_and_went and _is_whole(before) and (unordered or _is_keyed(after.value)):
                change = ValueChange(path + step, Change.ADDED, None, after.at(node))
                self.found.append(change)
        if came_and_went and _is_whole(after) and (unordered or _is_keyed(before.value)):
            self.found.extend(
                ValueChange(path + step, Change.REMOVED, before.at(node), None)
                for label, (step, node) in old.items()
                if label not in new
            )


def _differs_itself(old: Value, new: Value) -> bool:
    """Tell whether two values differ apart from their members."""
    if _is_unseen(old) or _is_unseen(new):
        return False
    if not _same_type(old, new) or old.length != new.length:
        return True
    if Status.REDACTED in {old.status, new.status} or Status.UNREADABLE in {old.status, new.status}:
        return False
    return _scalar(old) != _scalar(new)


def _differs_exactly(old: Value, new: Value) -> bool:
    """Tell whether two readings of two views differ in something that both read exactly."""
    unread = {Status.UNREADABLE} & {old.status, new.status}
    if unread or Kind.UNKNOWN in {old.kind, new.kind} or not (old.type and new.type):
        return False
    if old.type != new.type:
        return True
    if old.kind is not new.kind:
        return False
    if old.kind in _SIZED and None not in {old.length, new.length} and old.length != new.length:
        return True
    # of a time with a zone only the zone is not told
    is_told = old.status is Status.OK or old.kind is Kind.TIME
    exact = is_told and old.status is new.status
    return exact and old.kind in _SIMPLE and _scalar(old) != _scalar(new)


def _is_unseen(value: Value) -> bool:
    """Tell whether nothing is known of a value, as when no time was left for it."""
    return value.kind is Kind.UNKNOWN and not value.type


def _same_type(old: Value, new: Value) -> bool:
    """Compare types; one that a side does not know ("") is no difference."""
    known = bool(old.type and new.type)
    return old.kind is new.kind and (not known or old.type == new.type)


def _scalar(value: Value) -> tuple[type, object]:
    # True == 1 and 0.0 == -0.0; NaN differs from itself. Their text tells them as a reader would.
    shown = repr(value.value) if isinstance(value.value, float) else value.value
    return type(value.value), shown


def _is_other_object(old: Value, new: Value) -> bool:
    known = old.identity is not None and new.identity is not None
    return known and old.identity != new.identity and old.kind not in _NO_IDENTITY


def _is_whole(seen: Seen) -> bool:
    """Tell whether all members were captured, so that a member not there is really absent."""
    value = seen.value
    if value.status is not Status.OK:
        return False
    if value.length is not None and len(value.items) < value.length:
        return False
    # By what a member is found: there may have been no time for its key.
    labels = (item.node if value.kind in _UNORDERED else item.key for item in value.items)
    return not any(label is not None and _is_unseen(seen.values[label]) for label in labels)


def _is_keyed(value: Value) -> bool:
    """Tell whether members have names; of a sequence the length says what came and went."""
    return any(item.name is not None or item.key is not None for item in value.items)


def _members(seen: Seen) -> Mapping[Hashable, tuple[str, int]]:
    """Map a label, the same on both sides, to the step of a path and the node of each member."""
    return {label: (step, node) for label, step, node in _labelled(seen)}


def _labelled(seen: Seen) -> Iterator[tuple[Hashable, str, int]]:
    value = seen.value
    for index, item in enumerate(value.items):
        if item.name is not None:
            step = f".{item.name}" if item.attribute else f"[{item.name!r}]"
            yield (item.attribute, item.name), step, item.node
        elif item.key is not None:
            key = seen.values[item.key]
            if _is_scalar(key):
                yield (key.type, key.value), f"[{key.value!r}]", item.node
        elif value.kind in _UNORDERED:
            yield from _set_member(seen, item)
        else:
            yield index, f"[{index}]", item.node


def _set_member(seen: Seen, item: Item) -> Iterator[tuple[Hashable, str, int]]:
    member = seen.values[item.node]
    if _is_scalar(member):
        yield (member.type, member.value), f"{{{member.value!r}}}", item.node


def _is_scalar(value: Value) -> bool:
    return (
        value.status is Status.OK
        and not value.items
        and (value.value is not None or value.kind is Kind.NONE)
    )
