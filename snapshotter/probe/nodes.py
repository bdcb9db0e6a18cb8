"""The table of nodes: values are queued under an index, secrets are dropped before they get in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import K_BOOL, K_NONE, K_UNKNOWN, exact_text, mro_of
from .pack import FALSE, NIL, TRUE, pack_int, pack_text
from .redaction import (
    LONGEST_KNOWN,
    MOST_KNOWN,
    follows_secret_name,
    holds_what_is_named,
    is_announced_element,
    is_worth_knowing,
    may_name_a_secret,
    name_is_secret,
    password_option,
)
from .texts import text_is_secret

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["add_node", "add_root", "elements", "forget_values", "mapping_items"]

S_OK, S_REDACTED, S_TRUNCATED, S_UNREADABLE = 0, 1, 2, 3
NEVER_SHOWN = -1
CUT_OFF = -2
MADE = -3
_LONGEST_NAME = 64
_MOST_PARTS = 8


def row(kind: int, type_index: bytes, status: int, rest: bytes) -> bytes:
    """A node: kind, type, status, then length, value, identity, items, attributes."""
    return b"\x98" + pack_int(kind) + type_index + pack_int(status) + rest


EMPTY = NIL + NIL + NIL + NIL + NIL
NOT_CAPTURED = row(K_UNKNOWN, NIL, S_TRUNCATED, EMPTY)
REDACTED = row(K_UNKNOWN, NIL, S_REDACTED, EMPTY)
ROW_OF_NONE = row(K_NONE, NIL, S_OK, EMPTY)
ROW_OF_TRUE = row(K_BOOL, NIL, S_OK, NIL + TRUE + NIL + NIL + NIL)
ROW_OF_FALSE = row(K_BOOL, NIL, S_OK, NIL + FALSE + NIL + NIL + NIL)


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
        learn(work, value)
    else:
        known = work["seen"].get(id(value))
        if known is not None:
            return known
    if index >= work["request"]["limits"]["nodes"]:
        return _cut_off(work)
    if secret:
        values.append(None)
        work["depths"].append(NEVER_SHOWN)
        return index
    values.append(value)
    work["depths"].append(depth)
    work["seen"][id(value)] = index
    return index


def add_made(work: Work, number: float) -> int:
    """Queue a number that is no object of the target: it has no identity."""
    index = work["base"] + len(work["values"])
    if index >= work["request"]["limits"]["nodes"]:
        return _cut_off(work)
    work["values"].append(number)
    work["depths"].append(MADE)
    return index


def _cut_off(work: Work) -> int:
    """The one node that stands for everything beyond the limit."""
    if work["cut_node"] < 0:
        work["cut_node"] = work["base"] + len(work["values"])
        work["values"].append(None)
        work["depths"].append(CUT_OFF)
    return work["cut_node"]


def forget_values(work: Work) -> None:
    """Let go of every value: from here on their ids mean nothing any more."""
    work["base"] += len(work["values"])
    work["values"].clear()
    work["depths"].clear()
    work["seen"].clear()
    work["head"] = 0


def elements(work: Work, members: Any, depth: int) -> list[Any]:
    """Items of a sequence or set; what follows a secret name in it is hidden."""
    out: list[Any] = []
    option = before = ""
    scrubs = work["request"]["values"] != "full"
    for member in members:
        text = short_text(member) if scrubs else ""
        out.append(NIL)
        hidden = is_announced_element(text, before, option)
        out.append(add_node(work, member, depth + 1, hidden))
        option = option or password_option(text)
        before = text
    return out


def short_text(value: Any) -> str:
    """A text or bytes short enough to be a name, as an exact str; "" for anything else."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= _LONGEST_NAME else ""
    if kind is bytes:
        return value.decode("latin-1") if len(value) <= _LONGEST_NAME else ""
    if kind is int or value is None or kind is float:
        return ""
    mro = mro_of(kind)
    if any_is(mro, str) and str.__len__(value) <= _LONGEST_NAME:
        return exact_text(value, _LONGEST_NAME)
    if any_is(mro, bytes) and bytes.__len__(value) <= _LONGEST_NAME:
        return bytes.__getitem__(value, slice(0, _LONGEST_NAME)).decode("latin-1")
    return ""


def named_elements(work: Work, members: Any, names: list[str], depth: int) -> list[Any]:
    """Items of a namedtuple, under the names of its fields."""
    out: list[Any] = []
    pairs = list(zip(names, members))
    tells = names_a_secret(work, pairs)
    for name, member in pairs:
        secret = is_secret(work, name) or (tells and holds_what_is_named(name))
        out.append(pack_text(name[:200]))
        out.append(add_node(work, member, depth + 1, secret))
    return out


def names_a_secret(work: Work, pairs: list[tuple[Any, Any]]) -> bool:
    """``{"name": "DB_PASSWORD", "value": ...}``: whether one member says that another is secret."""
    if work["request"]["values"] == "full":
        return False
    for name, value in pairs:
        if type(name) is str and may_name_a_secret(name):
            text = short_text(value)
            if text != "" and follows_secret_name(text):
                return True
    return False


def mapping_items(work: Work, pairs: list[tuple[Any, Any]], depth: int) -> list[Any]:
    """Items of a dict: str keys are packed in place, other keys are nodes of their own."""
    out: list[Any] = []
    shapes = work["request"]["values"] == "shapes"
    text_limit = work["request"]["limits"]["text"]
    tells = names_a_secret(work, pairs)
    for key, value in pairs:
        if type(key) is str:
            name = key[:text_limit]
            secret = is_secret(work, name) or (tells and holds_what_is_named(name))
            if shapes or hides_text(work, name):
                out.append(pack_int(add_node(work, None, depth + 1, secret=True)))
            else:
                out.append(pack_text(name))
        else:
            name = short_text(key)
            secret = name != "" and (is_secret(work, name) or (tells and holds_what_is_named(name)))
            secret = secret or has_secret_name(work, key)
            out.append(pack_int(add_node(work, key, depth + 1)))
        out.append(add_node(work, value, depth + 1, secret))
    return out


def has_secret_name(work: Work, key: Any) -> bool:
    """``("db", "password")``: whether a key is a tuple, and part of it the name of a secret."""
    if not any_is(mro_of(type(key)), tuple):
        return False
    for part in tuple.__getitem__(key, slice(0, _MOST_PARTS)):
        name = short_text(part)
        if name != "" and is_secret(work, name):
            return True
    return False


def any_is(types: tuple[type, ...], wanted: type) -> bool:
    """``wanted in types`` without the ``__eq__`` of a metaclass."""
    for cls in types:
        if cls is wanted:
            return True
    return False


def learn(work: Work, value: Any) -> None:
    """Remember the head of a hidden text, so that it is hidden wherever else it turns up.

    A password stands in ``password`` and in the ``args`` of the caller, in a command, in a URL.
    Plain words and short numbers are left out: they would hide half of the reply.
    """
    kind = type(value)
    if work["request"]["values"] == "full" or len(work["known"]) >= MOST_KNOWN:
        return
    if kind is str:
        data = value[:LONGEST_KNOWN].encode("utf-8", "backslashreplace")
    elif kind is bytes:
        data = value[:LONGEST_KNOWN]
    else:
        return
    if is_worth_knowing(data):
        work["known"][data] = True
