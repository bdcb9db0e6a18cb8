"""Module variables asked for by name: ``module:dotted.path``, followed structurally."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import dict_of_type, mro_of, plan_of
from .pack import NIL, pack_int, pack_text
from .pristine import module_named, namespace_of
from .values import add_root, any_is, drain

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["pack_variables"]

_ABSENT = ("absent",)


def pack_variables(work: Work, readers: Any) -> list[bytes]:
    """(expression, node or nil, problem or nil) of each variable."""
    out = []
    for module, *path in work["request"]["variables"]:
        expression = module + ":" + ".".join(path)
        loaded = module_named(module)
        problem, value = _follow(work, loaded, path)
        if problem:
            out.append(b"\x93" + pack_text(expression) + NIL + pack_text(problem))
            continue
        node = add_root(work, path[-1], value)
        value = None
        drain(work, readers)
        out.append(b"\x93" + pack_text(expression) + pack_int(node) + NIL)
    return out


def _follow(work: Work, module: Any, path: list[str]) -> tuple[str, Any]:
    if module is None:
        return "no module of this name is loaded", None
    value = module
    for name in path:
        names = namespace_of(value) if value is module else None
        found = _entry(names, name) if names is not None else _member(work, value, name)
        if found is _ABSENT:
            return "nothing readable is called " + name, None
        value = found
    return "", value


def _entry(names: Any, wanted: str) -> Any:
    """The value of a str key, by iteration: a look-up could run the code of another key."""
    for key, value in list(dict.items(names)):
        if type(key) is str and key == wanted:
            return value
    return _ABSENT


def _member(work: Work, value: Any, name: str) -> Any:  # noqa: C901, PLR0911 - one case per kind of owner
    """An attribute from instance dict, slot or class dict, a str key, or an index."""
    if type(value) is type:
        for parent in mro_of(value):
            for key, member in dict_of_type(parent).items():
                if type(key) is str and key == name:
                    return member
        return _ABSENT
    if any_is(mro_of(type(value)), dict):
        return _entry(value, name)
    if type(value) in (list, tuple) and name.isdecimal() and len(name) < 10:
        at = 0
        for digit in name:
            at = at * 10 + ord(digit) - 48
        return value[at] if at < len(value) else _ABSENT
    plan = plan_of(work, type(value))
    for slot, get in plan[3]:
        if slot == name:
            try:
                return get(value)
            except AttributeError:
                return _ABSENT
    if plan[2] is None:
        return _ABSENT
    names = plan[2](value)
    return _entry(names, name) if any_is(mro_of(type(names)), dict) else _ABSENT
