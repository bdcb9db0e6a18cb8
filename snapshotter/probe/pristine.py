"""The interpreter's own types and functions, told apart from replacements by the application.

An application may replace ``len`` or ``time.sleep`` (gevent, freezegun, a debugger do). Whatever
the probe calls is first proved to be made in C: a type that no class statement made, or a
builtin function of the right name.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["missing_builtins", "module_named", "namespace_of", "pick", "pristine_builtins"]

HEAP_TYPE = 1 << 9
IMMUTABLE_TYPE = 1 << 8


def pristine_builtins(found: dict[str, Any]) -> dict[str, Any]:
    """Keep of a builtins dict what CPython made itself.

    Runs before anything else and therefore without any builtin name: types come from literals.
    """
    type_: Any = ().__class__.__class__
    dict_: Any = {}.__class__
    str_ = "".__class__
    function_: Any = [].append.__class__
    flags_of = type_.__dict__["__flags__"].__get__
    name_of = function_.__dict__["__name__"].__get__
    kept: dict[str, Any] = {}
    for key, value in dict_.items(found):
        if type_(key) is not str_:
            continue
        kind = type_(value)
        if kind is type_:
            if not flags_of(value) & 512:  # HEAP_TYPE: made by a class statement
                kept[key] = value
        elif kind is function_ and name_of(value) == key:
            kept[key] = value
    return kept


# Functions made from here on see these builtins only, whatever the application has replaced.
__builtins__: Any = pristine_builtins(__builtins__)  # type: ignore[arg-type,no-redef]

_NEEDED = """AttributeError BaseException LookupError MemoryError OverflowError RuntimeError
SystemError TypeError ValueError bool bytearray bytes complex dict float frozenset globals id int
len list max memoryview object range set slice str tuple type zip""".split()


def missing_builtins() -> list[str]:
    """Names that the probe needs and that the application has replaced or removed."""
    found: Any = __builtins__
    return [name for name in _NEEDED if name not in found]


_SAMPLE: list[object] = []


def is_made_in_c(cls: type) -> bool:
    """Whether a type's layout and methods come from C and cannot have been changed since."""
    flags: int = type.__dict__["__flags__"].__get__(cls)
    return not flags & HEAP_TYPE or bool(flags & IMMUTABLE_TYPE)


def namespace_of(module: Any) -> dict[Any, Any] | None:
    """The dict of a module object (or of an instance of a subclass), read by the C descriptor."""
    for cls in type.__dict__["__mro__"].__get__(type(module)):
        if type.__dict__["__name__"].__get__(cls) == "module" and is_made_in_c(cls):
            namespace: dict[Any, Any] = cls.__dict__["__dict__"].__get__(module)
            return namespace if type(namespace) is dict else None
    return None


def module_named(name: str) -> Any:
    """A loaded module, or None; nothing is imported, and no key's own code is asked."""
    modules = sys.modules
    if type(modules) is not dict:
        return None
    for _ in range(3):
        try:
            for key, module in dict.items(modules):
                if type(key) is str and key == name:
                    return module
            return None  # noqa: TRY300 - the loop may fail, not this line
        except RuntimeError:  # another thread imported something meanwhile
            continue
    return None


def pick(module: Any, wanted: tuple[str, ...]) -> dict[str, Any]:
    """The genuine C functions and types of these names in a module; replaced ones are absent."""
    namespace = namespace_of(module)
    if namespace is None:
        return {}
    return pick_from(namespace, wanted)


def pick_from(namespace: dict[Any, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    """The same, from a plain dict of names."""
    function_type: Any = type(_SAMPLE.append)
    name_of = function_type.__dict__["__name__"].__get__
    found: dict[str, Any] = {}
    for key, value in dict.items(namespace):
        if type(key) is not str or key not in wanted:
            continue
        if (type(value) is function_type and name_of(value) == key) or (
            type(value) is type and is_made_in_c(value)
        ):
            found[key] = value
    return found
