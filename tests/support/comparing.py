"""Compares what two views tell of a value, and what one view tells with the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from snapshotter.model import Kind, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snapshotter.analysis.seen import Seen
    from snapshotter.model import Item, Value

__all__ = ["Comparison", "untruths"]

_SIZED: Final = {Kind.STR, Kind.BYTES, Kind.LIST, Kind.TUPLE, Kind.DICT, Kind.SET, Kind.DEQUE}
_SCALARS: Final = {Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.STR, Kind.BYTES}

type Fact = Mapping[str, Any]
"""What tests/targets/telling.py says of a value."""


def _is_left_out(value: Value) -> bool:
    """Whether no time was left for it."""
    return value.kind is Kind.UNKNOWN and value.status is Status.TRUNCATED


def _itself(value: Value) -> tuple[object, ...]:
    return value.kind, value.type, value.length, repr(value.value), value.identity


def _is_bare(value: Value) -> bool:
    """Whether it may have members that are not shown: it stands too deep in another value."""
    return not value.items and value.kind not in {Kind.STR, Kind.BYTES, Kind.FLOAT, Kind.NONE}


def _members(value: Value) -> tuple[list[Item], list[Item]]:
    """Members in order, and attributes by name: the views find these in different orders."""
    attributes = sorted(
        (one for one in value.items if one.attribute), key=lambda one: one.name or ""
    )
    return [one for one in value.items if not one.attribute], attributes


@dataclass(slots=True)
class Comparison:
    """Walks through pairs of values; ``problems`` are the paths at which they differ."""

    problems: list[str] = field(default_factory=list)
    compared: int = 0
    _pairs: set[tuple[int, int]] = field(default_factory=set)

    def compare(self, inside: Seen, outside: Seen, path: str) -> None:
        """Compare two readings of one value, members included."""
        pair = inside.node, outside.node
        if pair in self._pairs:
            return
        self._pairs.add(pair)
        one, other = inside.value, outside.value
        if _is_left_out(one) or _is_left_out(other):
            return
        self.compared += 1
        if _itself(one) != _itself(other):
            self.problems.append(f"{path}: {one} inside, {other} outside")
            return
        if _is_bare(one) or _is_bare(other):
            return  # the other view met it at another depth first
        if one.status is not other.status:
            self.problems.append(f"{path}: {one.status} inside, {other.status} outside")
        for first, second in zip(_members(one), _members(other), strict=True):
            self._compare_members(inside, outside, (first, second), path)

    def _compare_members(
        self, inside: Seen, outside: Seen, members: tuple[list[Item], list[Item]], path: str
    ) -> None:
        first, second = members
        is_head = inside.value.status is Status.TRUNCATED and len(first) == len(second)
        if [item.name for item in first] != [item.name for item in second]:
            if not (is_head and first[0].attribute):
                self.problems.append(f"{path}: {first} inside, {second} outside")
            return
        for at, (item, other) in enumerate(zip(first, second, strict=True)):
            below = f"{path}[{item.name or at}]"
            if item.key is not None and other.key is not None:
                self.compare(inside.at(item.key), outside.at(other.key), f"{below} key")
            self.compare(inside.at(item.node), outside.at(other.node), below)


def untruths(seen: Seen, fact: Fact, path: str) -> list[str]:
    """Return what is said of a value that is not so, or is said to be all of it and is not."""
    value = seen.value
    if value.kind is Kind.UNKNOWN:
        return []
    problems = [] if _is_true(value, fact) else [f"{path}: {value} of {fact}"]
    members, attributes = _members(value)
    known = fact.get("attributes")
    if known is not None:
        problems += _untrue_attributes(seen, attributes, known, path)
        shown = {item.name for item in attributes}
        if value.kind is Kind.OBJECT and value.status is Status.OK and shown < set(known):
            problems.append(f"{path}: {shown} as all of {set(known)}")
    if value.kind not in _SIZED or not fact.get("members"):
        return problems
    if value.status is Status.OK and len(members) < fact["length"]:
        problems.append(f"{path}: {len(members)} as all of {fact['length']}")
    for at, (item, told) in enumerate(zip(members, fact["members"], strict=False)):
        problems += untruths(seen.at(item.node), told, f"{path}[{at}]")
        if item.key is not None:
            problems += untruths(seen.at(item.key), fact["keys"][at], f"{path} key {at}")
        elif fact["keys"] and item.name != fact["keys"][at]["scalar"][: len(item.name or "")]:
            problems.append(f"{path}: {item.name} is {fact['keys'][at]}")
    return problems


def _untrue_attributes(
    seen: Seen, attributes: list[Item], known: Mapping[str, Fact], path: str
) -> list[str]:
    problems = []
    for item in attributes:
        if item.name in known:
            problems += untruths(seen.at(item.node), known[item.name], f"{path}.{item.name}")
        else:
            problems.append(f"{path}: no {item.name} in {set(known)}")
    return problems


def _is_true(value: Value, fact: Fact) -> bool:
    is_same = value.identity in {None, fact["identity"]}
    is_same = is_same and f".{value.type}".endswith(f".{fact['type']}")
    if not is_same or (value.kind in _SIZED and value.length != fact["length"]):
        return False
    if value.value is None or fact["scalar"] is None or value.kind not in _SCALARS:
        return True
    if value.kind is Kind.INT and value.length is not None:
        number = int(fact["scalar"])
        return (number.bit_length(), number >> value.length - 62) == (value.length, value.value)
    shown = value.value.hex() if isinstance(value.value, bytes) else str(value.value)
    if value.status is Status.TRUNCATED:
        return bool(fact["scalar"].startswith(shown))
    return bool(fact["scalar"] == shown)
