"""Attributes of an object: slots and instance dict, read without leaving a dict behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import R_OBJECT, exact_text, mro_of
from .nodes import add_node, any_is, is_secret, learn, names_a_secret
from .pack import pack_text
from .pristine import is_foreign

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["attributes_of", "instance_items", "learn_attributes"]

# Asking for an instance dict may make CPython create one (69 bytes) that stays for as long as
# the instance lives: so there is a bound on how often one dump may do so.
_MOST_DICTS = 300
_VALUE_NAMES = {"value", "_value", "_value_", "coded_value", "_coded_value", "default"}


def attributes_of(
    work: Work, value: Any, depth: int, plan: tuple[Any, ...]
) -> tuple[list[Any] | None, bool]:
    """Slots and instance dict as flat pairs; False when there is more than is shown."""
    getter, slots, hidden = plan[2], plan[3], plan[5]
    if getter is None and not slots:
        return None, True
    if depth >= work["request"]["limits"]["depth"]:
        return None, plan[0] != R_OBJECT
    most = work["request"]["limits"]["attributes"]
    pairs = slot_items(value, slots, most)
    found = instance_items(work, value, plan, most) if getter is not None else ([], True)
    if found is None:
        return _flat(work, pairs, hidden, depth), False
    members, whole = found
    whole = whole and len(members) <= most and len(slots) <= most
    return _flat(work, pairs + members[:most], hidden, depth), whole


def _flat(work: Work, pairs: list[Any], hidden: dict[str, bool], depth: int) -> list[Any]:
    out: list[Any] = []
    hides = work["request"]["values"] != "full"
    tells = names_a_secret(work, pairs)
    for name, member in pairs:
        secret = is_secret(work, name) or (hides and name in hidden)
        out.append(pack_text(name))
        out.append(add_node(work, member, depth + 1, secret or (tells and name in _VALUE_NAMES)))
    return out


def slot_items(value: Any, slots: list[Any], most: int) -> list[tuple[str, Any]]:
    """Name and value of the slots that have one."""
    pairs = []
    for name, get in slots[:most]:
        try:
            pairs.append((name, get(value)))
        except AttributeError as error:  # a slot without a value
            if is_foreign(error):
                raise
    return pairs


def instance_items(
    work: Work, value: Any, plan: tuple[Any, ...], most: int
) -> tuple[list[tuple[str, Any]], bool] | None:
    """Name and value of instance attributes, and whether these are all; None if not readable."""
    if plan[8] is not None:
        found = _without_dict(work, value, plan)
        if found is not None:
            return found, True
    if work["dicts_read"] >= _MOST_DICTS:
        return None
    work["dicts_read"] += 1
    return entries_of(plan[2](value), most)


def entries_of(namespace: Any, most: int) -> tuple[list[tuple[str, Any]], bool] | None:
    """The first entries of an instance dict under exact names."""
    if not any_is(mro_of(type(namespace)), dict):
        return None
    pairs = []
    for _, (name, member) in list(zip(range(most), dict.items(namespace))):
        if type(name) is str:
            pairs.append((name[:200], member))
        else:
            text = exact_text(name, 200) if any_is(mro_of(type(name)), str) else "?"
            pairs.append((text, member))
    return pairs, dict.__len__(namespace) <= most


def _without_dict(work: Work, value: Any, plan: tuple[Any, ...]) -> list[tuple[str, Any]] | None:
    """All attributes of an instance whose values lie in it (CPython's inline values).

    As long as there is no dict, the collector sees the values themselves, and all names are exact
    strings: looking one up runs nobody's code. The names are those that the class assigns to in
    its methods; if they account for every value, they are complete. None if not.
    """
    members = members_of(work, value, type(value))
    if len(members) == 1 and any_is(mro_of(type(members[0])), dict):
        return None  # that may be the instance dict
    get = object.__getattribute__
    pairs = []
    for name in plan[8]:
        try:
            pairs.append((name, get(value, name)))
        except AttributeError as error:
            if is_foreign(error):
                raise
    left = [id(member) for member in members]
    for _, member in pairs:
        if id(member) not in left:
            return None
        left.remove(id(member))
    return None if left else pairs


def members_of(work: Work, value: Any, cls: type) -> list[Any]:
    """What the collector sees in an instance, but for its class."""
    members: list[Any] = work["tools"]["referents"](value)
    for at in range(len(members)):
        if members[at] is cls:
            del members[at]
            break
    return members


def learn_attributes(work: Work, value: Any, plan: tuple[Any, ...]) -> None:
    """Learn the texts in an object whose class says that it is a secret."""
    found = instance_items(work, value, plan, 8) if plan[2] is not None else None
    for _, member in slot_items(value, plan[3], 8) + (found[0] if found else []):
        learn(work, member)
