"""The interpreter's own types and functions, told apart from replacements by the application.

An application may replace ``len`` or ``time.sleep`` (gevent, freezegun, a debugger do). Whatever
the probe calls is first proved to be made in C: a type that no class statement made, or a
builtin function of the right name.

Nothing at the top level of the probe's modules uses a builtin name: it runs with the builtins of
the interrupted frame. Functions see the proved ones.
"""

from __future__ import annotations

import _imp
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "TYPE",
    "entry_named",
    "fresh_module",
    "is_foreign",
    "missing_builtins",
    "modules_named",
    "namespace_of",
    "pick",
    "pristine_builtins",
]

HEAP_TYPE = 1 << 9
IMMUTABLE_TYPE = 1 << 8
TYPE: Any = ().__class__.__class__
"""``type``, from a literal."""
_FUNCTION: Any = [].append.__class__
_FLAGS = TYPE.__dict__["__flags__"].__get__

_NEEDED = """AttributeError BaseException LookupError MemoryError OSError OverflowError RuntimeError
SystemError TypeError ValueError bool bytearray bytes complex dict float frozenset id int len list
max memoryview object range set slice str tuple type zip""".split()


def pristine_builtins(found: dict[str, Any]) -> dict[str, Any]:
    """Keep of a builtins dict what CPython made itself, and put back what is needed.

    Runs before anything else and therefore without any builtin name.
    """
    dict_: Any = {}.__class__
    str_ = "".__class__
    name_of = _FUNCTION.__dict__["__name__"].__get__
    kept: dict[str, Any] = {}
    for key, value in dict_.items(found):
        if TYPE(key) is not str_:
            continue
        kind = TYPE(value)
        if kind is TYPE:
            if not _FLAGS(value) & 512:  # HEAP_TYPE: made by a class statement
                kept[key] = value
        elif kind is _FUNCTION and name_of(value) == key:
            kept[key] = value
    for name in _NEEDED:
        if name not in kept:
            _put_back(kept)
            break
    return kept


def _put_back(kept: dict[str, Any]) -> None:
    """Find replaced types among all that exist, and write three functions anew."""
    name_of = TYPE.__dict__["__name__"].__get__
    subclasses_of = TYPE.__dict__["__subclasses__"]
    base = TYPE.__dict__["__mro__"].__get__(TYPE)[-1]
    hash_of = base.__dict__["__hash__"]
    wanted = {*_NEEDED}
    found = [base]
    for cls in found:  # grows while it is iterated
        if _FLAGS(cls) & 512:
            continue
        name = name_of(cls)
        if name in wanted:
            kept.setdefault(name, cls)
        if cls is base or name[-9:] == "Exception" or name[-5:] == "Error" or name == "int":
            found += subclasses_of(cls)
    kept.setdefault("len", lambda sized: sized.__len__())
    kept.setdefault("max", lambda one, other: one if one > other else other)  # noqa: FURB136
    # the inverse of how C makes a hash of an address
    turned: Any = lambda value: hash_of(value) & (1 << 64) - 1  # noqa: E731
    kept.setdefault("id", lambda value: (turned(value) << 4 | turned(value) >> 60) & (1 << 64) - 1)


# Functions made from here on see these builtins only, whatever the application has replaced.
__builtins__: Any = pristine_builtins(__builtins__)  # type: ignore[arg-type,no-redef]


def missing_builtins() -> list[str]:
    """Names that the probe needs and that could not be put back."""
    found: Any = __builtins__
    return [name for name in _NEEDED if name not in found]


def is_made_in_c(cls: type) -> bool:
    """Whether a type's layout and methods come from C and cannot have been changed since."""
    flags: int = _FLAGS(cls)
    return not flags & HEAP_TYPE or flags & IMMUTABLE_TYPE != 0


def is_foreign(error: BaseException) -> bool:
    """Whether an exception is not the answer of a C function that we called: to be handed on.

    On the main thread the exception of a signal handler may land in any line of ours, and be of
    a class that we catch. Such a one ends in a frame that is not ours, or is of a class of its own.
    """
    home: str = _OWN_CODE.co_filename
    home = home[: home.rfind("/") + 1] or home
    trace: Any = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = home if trace is None else trace.tb_frame.f_code.co_filename
    return type(place) is not str or not place.startswith(home) or not is_made_in_c(type(error))


_OWN_CODE: Any = is_foreign.__code__


def namespace_of(module: Any) -> dict[Any, Any] | None:
    """The dict of a module object (or of an instance of a subclass), read by the C descriptor."""
    for cls in TYPE.__dict__["__mro__"].__get__(type(module)):
        if TYPE.__dict__["__name__"].__get__(cls) == "module" and is_made_in_c(cls):
            namespace: dict[Any, Any] = cls.__dict__["__dict__"].__get__(module)
            return namespace if type(namespace) is dict else None
    return None


def modules_named(names: tuple[str, ...]) -> dict[str, Any]:
    """Those of these modules that are loaded; nothing is imported, no key's own code is asked."""
    modules = sys.modules
    found: dict[str, Any] = {}
    if type(modules) is dict:
        # one C call: another thread may import something meanwhile
        for key, module in list(dict.items(modules)):
            if type(key) is str and key in names:
                found[key] = module
    return found


def fresh_module(name: str, *, execute: bool) -> Any:
    """A new module object of a builtin module, outside of ``sys.modules``; None if impossible.

    Its functions refer back to it: the caller clears its namespace, so that no cycle is left.
    """
    tools = pick(_imp, ("create_builtin", "exec_builtin"))
    if len(tools) < 2:
        return None
    namespace_type: Any = type(sys.implementation)
    module = tools["create_builtin"](namespace_type(name=name))
    if execute:
        tools["exec_builtin"](module)
    return module


def entry_named(namespace: dict[Any, Any] | None, wanted: str) -> Any:
    """The value of a name in a module's dict, None if there is none; by iteration in C."""
    for key, value in list(dict.items(namespace)) if namespace is not None else ():
        if type(key) is str and key == wanted:
            return value
    return None


def pick(module: Any, wanted: tuple[str, ...]) -> dict[str, Any]:
    """The genuine C functions and types of these names in a module; replaced ones are absent."""
    namespace = namespace_of(module)
    if namespace is None:
        return {}
    return pick_from(namespace, wanted)


def pick_from(namespace: dict[Any, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    """The same, from a plain dict of names."""
    name_of = _FUNCTION.__dict__["__name__"].__get__
    mro_of_type = TYPE.__dict__["__mro__"].__get__
    found: dict[str, Any] = {}
    for key, value in list(dict.items(namespace)):
        if type(key) is not str or key not in wanted:
            continue
        kind = type(value)
        if kind is _FUNCTION:
            if name_of(value) == key:
                found[key] = value
        elif is_made_in_c(kind) and mro_of_type(kind)[-2:][0] is TYPE and is_made_in_c(value):
            found[key] = value  # a type, of type itself or of a metaclass made in C
    return found
