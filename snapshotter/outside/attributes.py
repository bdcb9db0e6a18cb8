"""Attributes of an object: slots, instance dict, or values that lie inline in the object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from snapshotter.outside.readings import Reading
from snapshotter.outside.values import Member

if TYPE_CHECKING:
    from snapshotter.outside.classes import ClassReader
    from snapshotter.outside.heap import Heap
    from snapshotter.outside.readings import Plan
    from snapshotter.outside.values import ValueTable

__all__ = ["attributes_of", "instance_items"]

_MAX_NAME: Final = 200
_VALUE_NAMES: Final = frozenset(
    "value _value _value_ coded_value _coded_value default".split()  # noqa: SIM905 - words
)


def attributes_of(
    table: ValueTable, address: int, depth: int, plan: Plan
) -> tuple[list[Member], bool]:
    """Return the attributes, and False when there are more than are shown."""
    if not plan.has_dict and not plan.slots:
        return [], not plan.has_c_members
    if depth >= table.limits.depth:
        return [], plan.reading is not Reading.OBJECT
    most = table.limits.attributes
    pairs: list[tuple[str, int]] = []
    for name, offset in plan.slots[:most]:
        value = table.heap.pages.u64(address + offset)
        if value:
            pairs.append((name, value))
    found = (
        instance_items(table.heap, table.classes, address, plan, most)
        if plan.has_dict
        else ([], True)
    )
    if found is None:
        return _members(table, pairs, plan, depth), False
    entries, whole = found
    pairs += [(_name(table, key), value) for key, value in entries]
    whole = whole and len(plan.slots) <= most and not plan.has_c_members
    return _members(table, pairs, plan, depth), whole


def instance_items(
    heap: Heap, classes: ClassReader, address: int, plan: Plan, most: int = 16
) -> tuple[list[tuple[int, int]], bool] | None:
    """Return the first entries of what is in an instance's ``__dict__``, and whether these are all.

    None where it has another form than a dict.
    """
    if not plan.has_dict:
        return [], True
    names = heap.pages.u64(address + plan.dict_offset)
    if names:
        if classes.plan(heap.type_of(names)).base is not Reading.DICT:
            return None
        return heap.dict_items(names, most), heap.dict_length(names) <= most
    if not plan.inline:
        return [], True
    entries = heap.shared_items(plan.cached_keys, address + plan.inline, most + 1)
    return entries[:most], len(entries) <= most


def _name(table: ValueTable, key: int) -> str:
    plan = table.classes.plan(table.heap.type_of(key))
    return table.heap.text(key, _MAX_NAME)[0] if plan.base is Reading.STR else "?"


def _members(
    table: ValueTable, pairs: list[tuple[str, int]], plan: Plan, depth: int
) -> list[Member]:
    scrubber = table.scrubber
    tells = scrubber.hides and scrubber.names_a_secret(
        (name, table.short_text(value)) for name, value in pairs
    )
    out = []
    for name, value in pairs:
        secret = scrubber.is_secret(name) or (scrubber.hides and name in plan.hidden)
        secret = secret or (tells and name in _VALUE_NAMES)
        shown = name.encode("utf-8", "backslashreplace").decode()
        node = table.add(value, depth + 1, secret=secret)
        out.append(Member(node, shown, attribute=True))
    return out
