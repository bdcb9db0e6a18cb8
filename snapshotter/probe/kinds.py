"""What a type is made of: decided once per type, by identity, from C descriptors alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .pack import pack_text
from .pristine import (
    HEAP_TYPE,
    IMMUTABLE_TYPE,
    TYPE,
    entry_named,
    is_foreign,
    is_made_in_c,
    namespace_of,
    pick,
)

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["KINDS", "STATUSES", "catalogue_types", "exact_text", "plan_of"]

KINDS = (
    "none",
    "bool",
    "int",
    "float",
    "complex",
    "str",
    "bytes",
    "list",
    "tuple",
    "dict",
    "set",
    "deque",
    "time",
    "enum",
    "exception",
    "type",
    "function",
    "module",
    "code",
    "lock",
    "array",
    "object",
    "unknown",
)
"""Names of the kinds, by the number that stands in the reply."""
STATUSES = ("ok", "redacted", "truncated", "unreadable")

# numbers are written out: ``range`` would be that of the interrupted frame
K_NONE, K_BOOL, K_INT, K_FLOAT, K_COMPLEX, K_STR, K_BYTES = 0, 1, 2, 3, 4, 5, 6
K_LIST, K_TUPLE, K_DICT, K_SET, K_DEQUE, K_TIME, K_ENUM = 7, 8, 9, 10, 11, 12, 13
K_EXCEPTION, K_TYPE, K_FUNCTION, K_MODULE, K_CODE = 14, 15, 16, 17, 18
K_LOCK, K_ARRAY, K_OBJECT, K_UNKNOWN = 19, 20, 21, 22

# Readers: how the content is read. More than one may give the same kind.
R_INT, R_FLOAT, R_COMPLEX, R_STR, R_BYTES, R_BYTEARRAY = 0, 1, 2, 3, 4, 5
R_LIST, R_TUPLE, R_DICT, R_SET, R_DEQUE, R_DATE, R_TIME = 6, 7, 8, 9, 10, 11, 12
R_DATETIME, R_TIMEDELTA, R_DECIMAL, R_EXCEPTION, R_TYPE = 13, 14, 15, 16, 17
R_FUNCTION, R_BUILTIN, R_METHOD, R_MODULE, R_CODE = 18, 19, 20, 21, 22
R_GENERATOR, R_LOCK, R_RANGE, R_MEMORYVIEW, R_NDARRAY = 23, 24, 25, 26, 27
R_NUMPY_SCALAR, R_PATTERN, R_ENUM, R_OPAQUE, R_OBJECT, R_NAMESPACE = 28, 29, 30, 31, 32, 33

_SECRET_TYPES = {
    *"""SecretStr SecretBytes Secret Fernet RSAPrivateKey _RSAPrivateKey Ed25519PrivateKey
    EllipticCurvePrivateKey SigningKey PrivateKey Password""".split()
}
_DOC_OF_DICT = "dictionary for instance variables"
_MOST_SCANNED = 3000
_BUILTINS: Any = __builtins__
_MOST_SEARCHED = 500
_MOST_FIELDS = 256
LONGEST_PLACE = 4096
"""Characters of the name of a file or of a function, as many as are read from outside."""
_FIELD_TABLES = {"__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__"}
INLINE_VALUES = 1 << 2

mro_of = TYPE.__dict__["__mro__"].__get__
flags_of_type = TYPE.__dict__["__flags__"].__get__
dict_of_type = TYPE.__dict__["__dict__"].__get__
qualname_of_type = TYPE.__dict__["__qualname__"].__get__
name_of_type = TYPE.__dict__["__name__"].__get__
dictoffset_of = TYPE.__dict__["__dictoffset__"].__get__


def exact_text(text: Any, size: int) -> str:
    """The head of a str, also of an instance of a hostile subclass, as an exact str."""
    head = str.__getitem__(text, slice(0, size))
    return head if type(head) is str else ""


def _a_generator() -> Any:
    yield


async def _a_coroutine() -> None: ...


async def _an_async_generator() -> Any:
    yield


def catalogue_types(work: Work) -> None:
    """Fill ``work["catalogue"]``: id of a C type -> reader; and the few types used by name."""
    known = work["catalogue"]
    generator = work["special"]["generator"] = type(_a_generator())
    for cls, reader in (
        (int, R_INT),
        (float, R_FLOAT),
        (complex, R_COMPLEX),
        (str, R_STR),
        (bytes, R_BYTES),
        (bytearray, R_BYTEARRAY),
        (list, R_LIST),
        (tuple, R_TUPLE),
        (dict, R_DICT),
        (set, R_SET),
        (frozenset, R_SET),
        (range, R_RANGE),
        (slice, R_RANGE),
        (memoryview, R_MEMORYVIEW),
        (BaseException, R_EXCEPTION),
        (type, R_TYPE),
        (type(exact_text), R_FUNCTION),
        (type([].append), R_BUILTIN),
        (type(exact_text.__get__(0)), R_METHOD),
        (type(exact_text.__code__), R_CODE),
        (generator, R_GENERATOR),
        (type(_an_async_generator()), R_GENERATOR),
        (type(sys.implementation), R_NAMESPACE),
    ):
        known[id(cls)] = reader
    frozen = entry_named(_BUILTINS, "frozendict")  # since 3.15
    if frozen is not None:
        known[id(frozen)] = R_DICT
    coroutine = _a_coroutine()
    known[id(type(coroutine))] = R_GENERATOR
    work["special"]["coroutine"] = type(coroutine)
    coroutine.close()  # a coroutine that was never awaited would warn
    for cls in mro_of(type(sys)):
        if is_made_in_c(cls) and name_of_type(cls) == "module":
            known[id(cls)] = R_MODULE
    _catalogue_modules(work)


def _catalogue_modules(work: Work) -> None:
    """The same for C types of modules that happen to be loaded; nothing is imported."""
    known = work["catalogue"]
    for module, names in (
        ("_collections", (("deque", R_DEQUE),)),
        (
            "_datetime",
            (
                ("datetime", R_DATETIME),
                ("date", R_DATE),
                ("time", R_TIME),
                ("timedelta", R_TIMEDELTA),
            ),
        ),
        ("_decimal", (("Decimal", R_DECIMAL),)),
        ("_thread", (("lock", R_LOCK), ("RLock", R_LOCK))),
        ("numpy", (("ndarray", R_NDARRAY), ("generic", R_NUMPY_SCALAR), ("dtype", R_OPAQUE))),
        ("re", (("Pattern", R_PATTERN),)),
        (
            "_weakref",
            (
                ("ReferenceType", R_OPAQUE),
                ("ProxyType", R_OPAQUE),
                ("CallableProxyType", R_OPAQUE),
            ),
        ),
    ):
        found = pick(work["modules"].get(module), tuple([name for name, _ in names]))
        for name, reader in names:
            if name in found:
                known[id(found[name])] = reader
                work["special"][name] = found[name]
    enum = entry_named(namespace_of(work["modules"].get("enum")), "Enum")
    if enum is not None:
        work["special"]["Enum"] = enum


def plan_of(work: Work, cls: type) -> tuple[Any, ...]:
    """How to read instances of a type.

    (reader, index of its name, getter of the instance dict, slots, fields, hidden fields,
    secret, class to read with, names of inline attributes)
    """
    plan: tuple[Any, ...] | None = work["plans"].get(id(cls))
    if plan is None:
        work["kept_types"].append(cls)  # ids stay true while we use them
        plan = work["plans"][id(cls)] = _make_plan(work, cls)
    return plan


def _make_plan(work: Work, cls: type) -> tuple[Any, ...]:
    mro = mro_of(cls) or (cls,)
    reader, base = R_OBJECT, cls
    enum = work["special"].get("Enum")
    is_enum = False
    for parent in mro:
        found = work["catalogue"].get(id(parent))
        if found is not None and reader == R_OBJECT:
            reader, base = found, parent
        if parent is enum:
            is_enum = True
    text = exact_text(qualname_of_type(cls), 200)
    module, getter, slots, fields, hidden = _scan_class(cls, mro, reader)
    short = text.rpartition(".")[2]
    work["types"].append(pack_text(module + "." + text if module else text))
    if is_enum:
        reader = R_ENUM
    secret = short in _SECRET_TYPES
    inline = None
    if reader == R_NAMESPACE:
        reader, getter = R_OBJECT, dict_of_type(base)["__dict__"].__get__
    elif getter and reader == R_OBJECT and not slots and flags_of_type(cls) & INLINE_VALUES:
        inline = _assigned_names(mro)
    return (reader, len(work["types"]) - 1, getter, slots, fields, hidden, secret, base, inline)


def _assigned_names(mro: tuple[type, ...]) -> list[str] | None:
    """Names that the methods of a class assign to (``__static_attributes__``), and fields.

    None when one of them is a class attribute too: that might be code, or be taken for the
    attribute of an instance that has none.
    """
    names: dict[str, bool] = {}
    owned: dict[str, bool] = {}
    for parent in mro:
        if parent is object:
            continue
        entries = list(zip(range(_MOST_SEARCHED), dict_of_type(parent).items()))
        if is_made_in_c(parent) or len(entries) == _MOST_SEARCHED:
            return None
        for _, (key, value) in entries:
            if type(key) is not str:
                return None
            owned[key] = True
            if key == "__static_attributes__" and type(value) is tuple:
                names |= {name: True for name in value if type(name) is str}
            elif key == "__dataclass_fields__" and type(value) is dict:
                names |= {name: True for name in list(dict.keys(value)) if type(name) is str}
    return None if names.keys() & owned.keys() else list(names)


def _scan_class(  # noqa: C901, PLR0912 - one pass: each class dict is iterated once only
    cls: type, mro: tuple[type, ...], reader: int
) -> tuple[Any, ...]:
    """One pass over the class dicts: module, ``__dict__`` getter, slots, fields, repr=False."""
    module = ""
    getter = None
    slots: list[Any] = []
    fields: Any = None
    hidden: dict[str, bool] = {}
    scanned = 0
    if is_made_in_c(cls) and reader not in (R_OBJECT, R_EXCEPTION):
        return _module_of_c_type(cls), None, slots, None, hidden
    for parent in mro[:64]:
        if parent is object or (is_made_in_c(parent) and parent is not BaseException):
            if parent is cls:
                module = _module_of_c_type(cls)
            continue
        entries = list(zip(range(_MOST_SCANNED - scanned), dict_of_type(parent).items()))
        scanned += len(entries)
        for _, (key, value) in entries:
            if type(key) is not str:
                continue
            kind = type(value)
            if kind is _MEMBER:
                if value.__objclass__ is parent and key[:2] != "__" and len(slots) < 64:
                    slots.append((key, value.__get__))
            elif kind is _GETSET:
                if key == "__dict__" and getter is None and _is_the_dict(cls, parent, value):
                    getter = value.__get__
            elif key == "__module__" and parent is cls and kind is str:
                module = value[:200]
            elif key == "_fields" and reader == R_TUPLE and kind is tuple and fields is None:
                fields = [name for name in value[:64] if type(name) is str]
            elif key in _FIELD_TABLES:
                _hide_fields(value, hidden)
    return module, getter, slots, fields, hidden


_CODE: Any = exact_text.__code__.__class__
_MEMBER: Any = _CODE.__dict__["co_filename"].__class__
_GETSET: Any = _CODE.__dict__["co_code"].__class__


def _module_of_c_type(cls: type) -> str:
    """``collections.deque`` for a C type; builtins are written without their module."""
    name = name_of_type(cls)
    if not flags_of_type(cls) & HEAP_TYPE:
        # __module__ of a static type is computed in C from tp_name
        module = TYPE.__dict__["__module__"].__get__(cls)
        if type(module) is str and module != "builtins":
            return str(module[:200])
        return ""
    for key, value in dict_of_type(cls).items():
        if type(key) is str and key == "__module__" and type(value) is str:
            return value[:200] if value != name else ""
    return ""


def _is_the_dict(cls: type, parent: type, descriptor: Any) -> bool:
    """Whether this is the ``__dict__`` getter that CPython itself put into a class.

    A C extension may have one of its own that runs code (wrapt's proxies do): accepted are the
    generated one, known by its doc, and that of BaseException.
    """
    owner = descriptor.__objclass__
    # 3.14 makes one for each class, 3.15 has one for all, which belongs to ``object``
    if not dictoffset_of(cls) or (owner is not parent and owner is not mro_of(cls)[-1]):
        return False
    flags = flags_of_type(parent)
    if not flags & HEAP_TYPE or flags & IMMUTABLE_TYPE:
        return parent is BaseException
    return bool(descriptor.__doc__ == _DOC_OF_DICT)


def _hide_fields(fields: Any, hidden: dict[str, bool]) -> None:
    """Names of ``dataclasses.field(repr=False)`` and the like of attrs and pydantic.

    The author asked not to show them.
    """
    if type(fields) is dict:
        pairs = [pair for _, pair in list(zip(range(_MOST_FIELDS), dict.items(fields)))]
    elif TYPE.__dict__["__mro__"].__get__(type(fields))[-2:][0] is tuple:
        some = tuple.__getitem__(fields, slice(0, _MOST_FIELDS))
        pairs = [(_slot(field, "name"), field) for field in some]
    else:
        return
    for name, field in pairs:
        if type(name) is str and _slot(field, "repr") is False:
            hidden[name] = True


def _slot(value: Any, wanted: str) -> Any:
    """The value of a slot of the class itself, None if there is none."""
    cls = type(value)
    for key, member in list(dict_of_type(cls).items()):
        if type(key) is str and key == wanted and type(member) is _MEMBER:
            try:
                return member.__get__(value) if member.__objclass__ is cls else None
            except AttributeError as error:
                if is_foreign(error):
                    raise
    return None
