"""How instances of a type are read: the types whose layout is known, and the plan for each type."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from snapshotter.outside.layouts import HEAP_TYPE, IMMUTABLE_TYPE

__all__ = ["MODULE_TYPES", "OWN_TYPES", "SECRET_TYPES", "Plan", "Reading", "is_made_in_c"]

SECRET_TYPES: Final = frozenset(
    {
        "SecretStr",
        "SecretBytes",
        "Secret",
        "Fernet",
        "RSAPrivateKey",
        "_RSAPrivateKey",
        "Ed25519PrivateKey",
        "EllipticCurvePrivateKey",
        "SigningKey",
        "PrivateKey",
        "Password",
    }
)
"""Names of classes whose instances are never shown."""


class Reading(Enum):
    """How the content of an instance is read."""

    INT = auto()
    FLOAT = auto()
    COMPLEX = auto()
    STR = auto()
    BYTES = auto()
    BYTEARRAY = auto()
    LIST = auto()
    TUPLE = auto()
    DICT = auto()
    SET = auto()
    DEQUE = auto()
    DATE = auto()
    TIME = auto()
    DATETIME = auto()
    TIMEDELTA = auto()
    DECIMAL = auto()
    EXCEPTION = auto()
    TYPE = auto()
    FUNCTION = auto()
    BUILTIN = auto()
    METHOD = auto()
    MODULE = auto()
    CODE = auto()
    GENERATOR = auto()
    LOCK = auto()
    RLOCK = auto()
    RANGE = auto()
    MEMORYVIEW = auto()
    PATTERN = auto()
    ARRAY = auto()
    NUMPY_SCALAR = auto()
    ENUM = auto()
    NONE = auto()
    BOOL = auto()
    OPAQUE = auto()
    OBJECT = auto()
    FOREIGN = auto()
    """Of a type whose layout is not the one that we know: never looked into."""


OWN_TYPES: Final = {
    "NoneType": Reading.NONE,
    "bool": Reading.BOOL,
    "int": Reading.INT,
    "float": Reading.FLOAT,
    "complex": Reading.COMPLEX,
    "str": Reading.STR,
    "bytes": Reading.BYTES,
    "bytearray": Reading.BYTEARRAY,
    "list": Reading.LIST,
    "tuple": Reading.TUPLE,
    "dict": Reading.DICT,
    "frozendict": Reading.DICT,
    "set": Reading.SET,
    "frozenset": Reading.SET,
    "range": Reading.RANGE,
    "slice": Reading.RANGE,
    "memoryview": Reading.MEMORYVIEW,
    "BaseException": Reading.EXCEPTION,
    "type": Reading.TYPE,
    "function": Reading.FUNCTION,
    "builtin_function_or_method": Reading.BUILTIN,
    "method": Reading.METHOD,
    "module": Reading.MODULE,
    "code": Reading.CODE,
    "generator": Reading.GENERATOR,
    "coroutine": Reading.GENERATOR,
    "async_generator": Reading.GENERATOR,
    "weakref.ReferenceType": Reading.OPAQUE,
    "weakref.ProxyType": Reading.OPAQUE,
    "weakref.CallableProxyType": Reading.OPAQUE,
    "types.SimpleNamespace": Reading.OBJECT,
}
"""Static types of the interpreter itself: they lie in its own data."""

MODULE_TYPES: Final = {
    "collections.deque": Reading.DEQUE,
    "datetime.date": Reading.DATE,
    "datetime.time": Reading.TIME,
    "datetime.datetime": Reading.DATETIME,
    "datetime.timedelta": Reading.TIMEDELTA,
    "decimal.Decimal": Reading.DECIMAL,
    "_thread.lock": Reading.LOCK,
    "_thread.RLock": Reading.RLOCK,
    "re.Pattern": Reading.PATTERN,
    "numpy.ndarray": Reading.ARRAY,
    "numpy.generic": Reading.NUMPY_SCALAR,
}
"""Types of extension modules: made in C, and of the size that we know."""


@dataclass(slots=True)
class Plan:
    """How to read instances of one type."""

    name: str
    """As it is shown: with its module, but for builtins."""
    short: str
    """``tp_name`` of a static type, else the qualified name."""
    reading: Reading
    base: Reading
    """The layout that its instances begin with: another one than ``reading`` for enum members."""
    flags: int
    has_dict: bool
    """Whether its instances have attributes that may be shown."""
    dict_offset: int
    """Byte offset of the pointer to the instance dict; negative is before the object."""
    inline: int
    """Offset of inline values, 0 if there are none."""
    cached_keys: int
    slots: tuple[tuple[str, int], ...]
    has_c_members: bool
    """Whether there are members beside ``slots`` that are no objects: they are not read."""
    fields: tuple[str, ...] | None
    hidden: frozenset[str]
    secret: bool
    head: bytes
    spans: tuple[int, int] = (0, 0)

    @property
    def is_made_in_c(self) -> bool:
        """Whether no class statement made it."""
        return is_made_in_c(self.flags)


def is_made_in_c(flags: int) -> bool:
    """Whether a type with these ``tp_flags`` comes from C, and not from a class statement."""
    return not flags & HEAP_TYPE or flags & IMMUTABLE_TYPE != 0
