"""Module variables asked for by name: ``module:dotted.path``, followed structurally."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import dict_of_type, mro_of, plan_of
from .nodes import add_node, any_is, is_secret
from .pack import NIL, pack_int, pack_text
from .pristine import is_foreign, modules_named, namespace_of
from .values import drain

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["pack_variables"]

_ABSENT = ("absent",)
_MOST_SEARCHED_KEYS = 20_000


def pack_variables(work: Work, readers: Any) -> list[bytes]:
    """(expression, node or nil, problem or nil) of each variable."""
    out: list[bytes] = []
    wanted = work["request"]["variables"]
    modules = modules_named(tuple([module for module, *_ in wanted])) if wanted else {}
    for module, *path in wanted:
        expression = module + ":" + ".".join(path)
        problem, value, secret = _follow(work, modules.get(module), path)
        if problem:
            out.append(b"\x93" + pack_text(expression) + NIL + pack_text(problem))
            continue
        node = add_node(work, value, 0, secret)
        value = None
        drain(work, readers)
        out.append(b"\x93" + pack_text(expression) + pack_int(node) + NIL)
    return out


def _follow(work: Work, module: Any, path: list[str]) -> tuple[str, Any, bool]:
    """Problem, value, and whether a name or a class on the way says that it is a secret."""
    if namespace_of(module) is None:
        return "no module of this name is loaded", None, False
    value = module
    secret = False
    for name in path:
        found = _member(work, value, name)
        if found is _ABSENT:
            return "nothing readable is called " + name, None, False
        if value is not module and work["request"]["values"] != "full":
            plan = plan_of(work, type(value))
            secret = secret or plan[6] or name in plan[5]
        secret = secret or is_secret(work, name)
        value = found
    return "", value, secret


def _entry(names: Any, wanted: str) -> Any:
    """The value of a str key, by iteration: a look-up could run the code of another key."""
    for _, (key, value) in list(zip(range(_MOST_SEARCHED_KEYS), dict.items(names))):
        if type(key) is str and key == wanted:
            return value
    return _ABSENT


def _member(work: Work, value: Any, name: str) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case per kind of owner
    """An attribute from instance or module dict, slot or class dict, a str key, or an index."""
    names = namespace_of(value)
    if names is not None:
        return _entry(names, name)
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
            except AttributeError as error:
                if is_foreign(error):
                    raise
                return _ABSENT
    if plan[2] is None:
        return _ABSENT
    names = plan[2](value)
    return _entry(names, name) if any_is(mro_of(type(names)), dict) else _ABSENT
