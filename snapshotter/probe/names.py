"""Names of threads, from the registry of ``threading``, read without its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attributes import instance_items, members_of
from .budget import next_slice, spent
from .kinds import INLINE_VALUES, dict_of_type, flags_of_type, mro_of, plan_of
from .nodes import hides_text
from .pack import FALSE, NIL, TRUE, pack_int, pack_text
from .pristine import entry_named, is_foreign, namespace_of

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["thread_names"]

_MOST_ATTRIBUTES = 64
_SHARE_FOR_NAMES = 70
_MOST_IDS = 1 << 22  # what Linux gives out


def thread_names(work: Work) -> list[bytes]:
    """(ident, name, daemon) from the registry of ``threading``, read without its lock."""
    out: list[bytes] = []
    limit = work["request"]["limits"]["threads"]
    plain: dict[int, bool] = {}
    done: dict[int, bool] = {}
    more = True
    while more:
        more = False
        active = entry_named(namespace_of(work["modules"].get("threading")), "_active")
        pairs = list(zip(range(limit), dict.items(active))) if type(active) is dict else []
        thread = active = None
        first = True
        for _, (ident, thread) in pairs:
            if type(ident) is not int or ident in done:
                continue
            # one is taken in each slice, however short it is: else there were no end
            if spent(work, _SHARE_FOR_NAMES) and not first:
                more = True
                break
            first = False
            done[ident] = True
            cls = type(thread)
            if id(cls) not in plain:
                work["kept_types"].append(cls)
                plain[id(cls)] = _has_plain_names(cls)
            if plain[id(cls)]:
                out.append(_thread_name(work, ident, thread))
        thread = None
        pairs.clear()
        if more and not next_slice(work):
            break
    return out


def _has_plain_names(cls: type) -> bool:
    """Whether ``_name`` and ``_daemonic`` of a Thread class are instance attributes only."""
    for parent in mro_of(cls):
        if parent is object:
            continue
        for key, _ in dict_of_type(parent).items():
            if type(key) is not str or key in ("_name", "_daemonic"):
                return False
    return True


def _thread_name(work: Work, ident: int, thread: Any) -> bytes:
    found: dict[str, Any] = {}
    if _has_no_dict(work, thread):
        for attribute in ("_name", "_daemonic", "_native_id"):
            try:
                # the generic look-up of object: no dict is left behind
                found[attribute] = object.__getattribute__(thread, attribute)
            except AttributeError as error:
                if is_foreign(error):
                    raise
    else:
        items = instance_items(work, thread, plan_of(work, type(thread)), _MOST_ATTRIBUTES)
        for name, value in items[0] if items else ():
            found[name] = value
    native_id = found.get("_native_id")
    if type(native_id) is int and 0 < native_id < _MOST_IDS:
        work["native_ids"][ident] = native_id
    text, daemon = found.get("_name"), found.get("_daemonic")
    packed = b"\x93" + pack_int(ident)
    packed += (
        NIL if type(text) is not str or hides_text(work, text[:240]) else pack_text(text[:200])
    )
    return packed + (NIL if type(daemon) is not bool else TRUE if daemon else FALSE)


def _has_no_dict(work: Work, thread: Any) -> bool:
    """Whether the attributes lie in the instance itself: then all their names are exact.

    In an instance dict a look-up could meet a key with code of its own.
    """
    cls = type(thread)
    plan = plan_of(work, cls)
    if plan[3] or not flags_of_type(cls) & INLINE_VALUES:
        return False
    members = members_of(work, thread, cls)
    return len(members) > 1
