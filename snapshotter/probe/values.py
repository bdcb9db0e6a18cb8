"""Structural capture of values: breadth first into a flat table, no code of theirs is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .budget import spent
from .kinds import (
    K_BOOL,
    K_NONE,
    K_OBJECT,
    K_UNKNOWN,
    R_OBJECT,
    exact_text,
    mro_of,
    plan_of,
)
from .pack import FALSE, NIL, TRUE, pack_array, pack_int, pack_text
from .redaction import follows_secret_name, name_is_secret, text_is_secret

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["add_node", "add_root", "drain", "forget_values"]

S_OK, S_REDACTED, S_TRUNCATED, S_UNREADABLE = range(4)
_NEVER_SHOWN = -1
# Reading an instance dict makes CPython keep a dict object (69 bytes) for as long as the
# instance lives: so there is a bound on how many one dump may read.
_MOST_DICTS = 300


def row(kind: int, type_index: bytes, status: int, rest: bytes) -> bytes:
    """A node: kind, type, status, then length, value, identity, items, attributes."""
    return b"\x98" + pack_int(kind) + type_index + pack_int(status) + rest


_EMPTY = NIL + NIL + NIL + NIL + NIL
_NOT_CAPTURED = row(K_UNKNOWN, NIL, S_TRUNCATED, _EMPTY)
_REDACTED = row(K_UNKNOWN, NIL, S_REDACTED, _EMPTY)
_NONE = row(K_NONE, NIL, S_OK, _EMPTY)
_TRUE = row(K_BOOL, NIL, S_OK, NIL + TRUE + NIL + NIL + NIL)
_FALSE = row(K_BOOL, NIL, S_OK, NIL + FALSE + NIL + NIL + NIL)


def is_secret(work: Work, name: str) -> bool:
    """Whether values of this name are hidden at the level that was asked for."""
    if work["request"]["values"] == "full":
        return False
    found = work["names"].get(name)
    if found is None:
        found = work["names"][name] = name_is_secret(name)
    return found


def hides_text(work: Work, text: str) -> bool:
    """Whether a text (already cut) is hidden at the level that was asked for."""
    return work["request"]["values"] != "full" and text_is_secret(text)


def add_root(work: Work, name: str, value: Any) -> int:
    """Queue a local or variable under its name; the index of its node."""
    return add_node(work, value, 0, is_secret(work, name))


def add_node(work: Work, value: Any, depth: int, secret: bool = False) -> int:  # noqa: FBT001, FBT002 - the fourth word of a hot call
    """Queue a value; the index of its node (of the one node for all that is cut off, if full)."""
    values = work["values"]
    index = work["base"] + len(values)
    if secret:
        values.append(None)
        work["depths"].append(_NEVER_SHOWN)
        return index
    known = work["seen"].get(id(value))
    if known is not None:
        return known
    if index >= work["request"]["limits"]["nodes"]:
        return cut_off(work)
    values.append(value)
    work["depths"].append(depth)
    work["seen"][id(value)] = index
    return index


def cut_off(work: Work) -> int:
    """The one node that stands for everything beyond the limit."""
    if work["cut_node"] < 0:
        work["cut_node"] = work["base"] + len(work["values"])
        work["values"].append(None)
        work["depths"].append(_NEVER_SHOWN - 1)
    return work["cut_node"]


def drain(work: Work, readers: Any) -> bool:
    """Write all queued values; False when the slice ended and the rest is marked truncated."""
    values, depths, rows = work["values"], work["depths"], work["rows"]
    in_time = True
    while work["head"] < len(values):
        at = work["head"]
        work["head"] += 1
        value, depth = values[at], depths[at]
        if depth == _NEVER_SHOWN:
            rows.append(_REDACTED)
        elif depth < 0 or not in_time or spent(work):
            in_time = in_time and depth < 0
            rows.append(_NOT_CAPTURED)
        elif value is None:
            rows.append(_NONE)
        elif value is True:
            rows.append(_TRUE)
        elif value is False:
            rows.append(_FALSE)
        else:
            rows.append(_write(work, readers, value, depth))
    return in_time


def forget_values(work: Work) -> None:
    """Let go of every value: from here on their ids mean nothing any more."""
    work["base"] += len(work["values"])
    work["values"].clear()
    work["depths"].clear()
    work["seen"].clear()
    work["head"] = 0


def _write(work: Work, readers: Any, value: Any, depth: int) -> bytes:
    plan = plan_of(work, type(value))
    type_index = pack_int(plan[1])
    if plan[6] and work["request"]["values"] != "full":
        return row(K_UNKNOWN, type_index, S_REDACTED, _EMPTY)
    queued = len(work["values"])
    for _ in range(3):
        try:
            kind, status, length, content, items = readers[plan[0]](work, value, depth, plan)
            attributes, whole = _attributes(work, value, depth, plan)
        except RuntimeError:  # another thread changed the container between two C calls
            _take_back(work, queued)
            continue
        except (
            TypeError,
            ValueError,
            AttributeError,
            LookupError,
            MemoryError,
            OverflowError,
            SystemError,
        ):
            _take_back(work, queued)
            break
        if not whole and status == S_OK:
            status = S_TRUNCATED
        shown = NIL if length is None else pack_int(length)
        identity = pack_int(id(value))
        return row(
            kind,
            type_index,
            status,
            shown + content + identity + _pairs(items) + _pairs(attributes),
        )
    return row(K_OBJECT, type_index, S_UNREADABLE, NIL + NIL + pack_int(id(value)) + NIL + NIL)


def _take_back(work: Work, queued: int) -> None:
    """Undo what a failed reading has queued, so that no node is an orphan."""
    values = work["values"]
    while len(values) > queued:
        work["seen"].pop(id(values.pop()), None)
        work["depths"].pop()
    if work["cut_node"] >= work["base"] + queued:
        work["cut_node"] = -1


def _pairs(items: Any) -> bytes:
    """Flat [key, node, key, node, ...]; keys are packed already."""
    if not items:
        return NIL
    out = [pack_array(len(items))]
    for i in range(0, len(items), 2):
        out.append(items[i])
        out.append(pack_int(items[i + 1]))
    return b"".join(out)


def elements(work: Work, members: Any, depth: int) -> list[Any]:
    """Items of a sequence or set; what follows a secret name in it is hidden."""
    out: list[Any] = []
    secret = False
    for member in members:
        out.append(NIL)
        out.append(add_node(work, member, depth + 1, secret))
        secret = False
        if type(member) is str and len(member) <= 64:
            secret = work["request"]["values"] != "full" and follows_secret_name(member)
        elif type(member) is bytes and len(member) <= 64:
            text = member.decode("latin-1")
            secret = work["request"]["values"] != "full" and follows_secret_name(text)
    return out


def named_elements(work: Work, members: Any, names: list[str], depth: int) -> list[Any]:
    """Items of a namedtuple, under the names of its fields."""
    out: list[Any] = []
    for name, member in zip(names, members):
        out.append(pack_text(name[:200]))
        out.append(add_node(work, member, depth + 1, is_secret(work, name)))
    return out


def mapping_items(work: Work, pairs: Any, depth: int) -> list[Any]:
    """Items of a dict: str keys are packed in place, other keys are nodes of their own."""
    out: list[Any] = []
    shapes = work["request"]["values"] == "shapes"
    text_limit = work["request"]["limits"]["text"]
    for _, (key, value) in pairs:
        if type(key) is str:
            name = key[:text_limit]
            if shapes or hides_text(work, name):
                out.append(pack_int(add_node(work, None, depth + 1, secret=True)))
            else:
                out.append(pack_text(name))
            secret = is_secret(work, name)
        else:
            secret = type(key) is bytes and is_secret(work, key[:64].decode("latin-1"))
            out.append(pack_int(add_node(work, key, depth + 1)))
        out.append(add_node(work, value, depth + 1, secret))
    return out


def _attributes(  # noqa: C901 - one decision per line
    work: Work, value: Any, depth: int, plan: tuple[Any, ...]
) -> tuple[Any, bool]:
    """Slots and instance dict as flat pairs; False when there is more than is shown."""
    getter, slots, hidden = plan[2], plan[3], plan[5]
    if getter is None and not slots:
        return None, True
    if depth >= work["request"]["limits"]["depth"]:
        return None, plan[0] != R_OBJECT
    most = work["request"]["limits"]["attributes"]
    out: list[Any] = []
    for name, get in slots:
        if len(out) >= 2 * most:
            break
        try:
            _attribute(work, out, name, get(value), depth, name in hidden)
        except AttributeError:  # a slot without a value
            continue
    if getter is None:
        return out, len(slots) <= most
    if work["dicts_read"] >= _MOST_DICTS:
        return out, False
    work["dicts_read"] += 1
    namespace = getter(value)
    if not any_is(mro_of(type(namespace)), dict):
        return out, False
    for _, (name, member) in list(zip(range(most), dict.items(namespace))):
        if type(name) is str:
            _attribute(work, out, name[:200], member, depth, name in hidden)
        else:
            shown = exact_text(name, 200) if any_is(mro_of(type(name)), str) else "?"
            _attribute(work, out, shown, member, depth, hidden=False)
    return out, dict.__len__(namespace) + len(slots) <= most


def _attribute(  # noqa: PLR0913, PLR0917 - one hot call
    work: Work,
    out: list[Any],
    name: str,
    member: Any,
    depth: int,
    hidden: bool,  # noqa: FBT001
) -> None:
    secret = is_secret(work, name) or (hidden and work["request"]["values"] != "full")
    out.append(pack_text(name))
    out.append(add_node(work, member, depth + 1, secret))


def any_is(types: tuple[type, ...], wanted: type) -> bool:
    """``wanted in types`` without the ``__eq__`` of a metaclass."""
    for cls in types:
        if cls is wanted:
            return True
    return False
