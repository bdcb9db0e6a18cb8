"""Comparison of two captured values: where they differ, described by paths and bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.analysis.changes import Change, ValueChange
from snapshotter.analysis.labels import (
    LONGEST_NAME,
    is_attribute,
    is_keyed,
    is_unseen,
    is_whole,
    may_lack_attributes,
    members,
)
from snapshotter.analysis.seen import Seen
from snapshotter.model import Kind, Status

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from snapshotter.analysis.labels import Member
    from snapshotter.model import Value

__all__ = ["Comparison"]

MAX_CHANGES = 12
MAX_DEPTH = 6

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

type _Pair = tuple[int, int]
"""A node of the table before, and one of the table after."""
type _Found = tuple[tuple[ValueChange, ...], int]
"""The differences that are told, and how many more there are."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What two values show: how they differ themselves, and which members belong together."""

    own: tuple[ValueChange, ...]
    members: tuple[tuple[str, _Pair], ...]


class Comparison:
    """Compares values of two tables; what many names lead to is looked at once for all of them.

    Only what was captured is compared: of the heads of two long containers the members that both
    show, of a redacted value its type and length. An equal value in another object is one
    ``REBOUND``, and tells nothing else.

    ``across_views`` is for values that two views have read: then types, lengths and simple values
    are compared, and only where both are exact. Whatever the views may describe differently, such
    as the attributes of an object that are there, tells nothing.
    """

    def __init__(
        self,
        before: tuple[Value, ...],
        after: tuple[Value, ...],
        *,
        across_views: bool = False,
        longest_name: int = LONGEST_NAME,
    ) -> None:
        """Prepare to compare two tables, one of which may have names cut to ``longest_name``."""
        self._before = before
        self._after = after
        self._across_views = across_views
        self._longest_name = longest_name
        self._looks: dict[_Pair, _Look] = {}
        self._depths: dict[_Pair, int] = {}
        self._holders: dict[_Pair, set[_Pair]] = {}
        self._differing: set[_Pair] = set()
        self._known: dict[_Pair, _Found] = {}

    def differences(self, before: int, after: int) -> _Found:
        """Return the differences of two values, outermost first, and how many more there are."""
        pair = before, after
        if pair not in self._known:
            self._explore(pair)
            self._known[pair] = self._told(pair)
        return self._known[pair]

    def _explore(self, root: _Pair) -> None:
        """Look at all pairs below, and find out which of them lead to a difference."""
        queue = deque([(root, 0)])
        while queue:
            pair, depth = queue.popleft()
            if depth >= self._depths.get(pair, MAX_DEPTH + 1):
                continue
            self._depths[pair] = depth
            look = self._looks[pair] = self._looks.get(pair) or self._look(pair)
            if look.own:
                self._note_difference(pair)
            for _, member in look.members:
                self._holders.setdefault(member, set()).add(pair)
                if member in self._differing:
                    self._note_difference(pair)
                queue.append((member, depth + 1))

    def _note_difference(self, pair: _Pair) -> None:
        left = [pair]
        while left:
            each = left.pop()
            if each not in self._differing:
                self._differing.add(each)
                left.extend(self._holders.get(each, ()))

    def _told(self, root: _Pair) -> _Found:
        found = list(self._changes_below(root)) if root in self._differing else []
        before, after = Seen(self._before, root[0]), Seen(self._after, root[1])
        if not found and _is_other_object(before.value, after.value):
            return (ValueChange("", Change.REBOUND, before, after),), 0
        return _most_telling(found), max(0, len(found) - MAX_CHANGES)

    def _changes_below(self, root: _Pair) -> Iterator[ValueChange]:
        """Yield each difference of an object once, by its shortest path.

        The interpreter shares numbers and texts as it likes: those are told wherever they stand.
        """
        queue = deque([(root, "", 0)])
        met = {root}
        while queue:
            pair, path, depth = queue.popleft()
            look = self._looks[pair]
            for change in look.own:
                yield ValueChange(path + change.path, change.change, change.before, change.after)
            for step, member in look.members if depth < MAX_DEPTH else ():
                if member in self._differing and member not in met:
                    if self._are_objects(member):
                        met.add(member)
                    queue.append((member, path + step, depth + 1))

    def _are_objects(self, pair: _Pair) -> bool:
        kinds = {self._before[pair[0]].kind, self._after[pair[1]].kind}
        return kinds.isdisjoint(_NO_IDENTITY)

    def _look(self, pair: _Pair) -> _Look:
        before, after = Seen(self._before, pair[0]), Seen(self._after, pair[1])
        old, new = before.value, after.value
        differs = _differs_exactly if self._across_views else _differs_itself
        own = [ValueChange("", Change.CHANGED, before, after)] if differs(old, new) else []
        if not _same_type(old, new) or not (old.items or new.items):
            return _Look(tuple(own), ())
        both = [members(side, self._longest_name) for side in (before, after)]
        sides = _Members(before, after, *both)
        if not self._across_views or old.kind in {Kind.DICT, Kind.SET}:
            own.extend(_came_and_went(sides, attributes=not self._across_views))
        return _Look(tuple(own), tuple(_common(sides)))


def _most_telling(found: list[ValueChange]) -> tuple[ValueChange, ...]:
    """Choose those that are told, in their order; that something grew is left out last."""
    by_worth = sorted(range(len(found)), key=lambda at: not found[at].length_delta)
    return tuple(found[at] for at in sorted(by_worth[:MAX_CHANGES]))


@dataclass(frozen=True, slots=True)
class _Members:
    """Two values with their members by label."""

    before: Seen
    after: Seen
    old: dict[Hashable, Member | None]
    new: dict[Hashable, Member | None]


def _came_and_went(sides: _Members, *, attributes: bool) -> Iterator[ValueChange]:
    before, after = sides.before, sides.after
    if is_keyed(after.value) and is_whole(before):
        told = attributes and not may_lack_attributes(before.value)
        for step, node in _missing_in(sides.old, sides.new, attributes=told):
            yield ValueChange(step, Change.ADDED, None, after.at(node))
    if is_keyed(before.value) and is_whole(after):
        told = attributes and not may_lack_attributes(after.value)
        for step, node in _missing_in(sides.new, sides.old, attributes=told):
            yield ValueChange(step, Change.REMOVED, before.at(node), None)


def _missing_in(
    known: dict[Hashable, Member | None],
    others: dict[Hashable, Member | None],
    *,
    attributes: bool,
) -> Iterator[Member]:
    for label, member in others.items():
        if member is not None and label not in known and (attributes or not is_attribute(member)):
            yield member


def _common(sides: _Members) -> Iterator[tuple[str, _Pair]]:
    for label, member in sides.new.items():
        known = sides.old.get(label)
        if known is not None and member is not None:
            yield member[0], (known[1], member[1])


def _differs_itself(old: Value, new: Value) -> bool:
    """Tell whether two values differ apart from their members."""
    if is_unseen(old) or is_unseen(new):
        return False
    if Status.UNREADABLE in {old.status, new.status} or Kind.UNKNOWN in {old.kind, new.kind}:
        return _other_type_name(old, new)
    if not _same_type(old, new) or old.length != new.length:
        return True
    if Status.REDACTED in {old.status, new.status}:
        return False
    return not _may_be_equal(old, new)


def _may_be_equal(old: Value, new: Value) -> bool:
    """Compare what is shown; of texts that were cut, the heads that both sides have."""
    first, second = old.value, new.value
    if first is None or second is None:
        return True
    # of a time with a zone only the zone is not told
    if Status.TRUNCATED in {old.status, new.status} and old.kind in {Kind.STR, Kind.BYTES}:
        if isinstance(first, str) and isinstance(second, str):
            return first.startswith(second) or second.startswith(first)
        if isinstance(first, bytes) and isinstance(second, bytes):
            return first.startswith(second) or second.startswith(first)
    return _scalar(old) == _scalar(new)


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


def _other_type_name(old: Value, new: Value) -> bool:
    return bool(old.type and new.type) and old.type != new.type


def _same_type(old: Value, new: Value) -> bool:
    """Compare types; one that a side does not know ("") is no difference."""
    return old.kind is new.kind and not _other_type_name(old, new)


def _scalar(value: Value) -> tuple[type, object]:
    # True == 1 and 0.0 == -0.0; NaN differs from itself. Their text tells them as a reader would.
    shown = repr(value.value) if isinstance(value.value, float) else value.value
    return type(value.value), shown


def _is_other_object(old: Value, new: Value) -> bool:
    known = old.identity is not None and new.identity is not None
    return known and old.identity != new.identity and old.kind not in _NO_IDENTITY
