"""One reader per layout: the content of a value through the C methods of its base type.

A reader returns (kind, status, length, packed content, flat items). It is called with the value,
its depth and the plan of its type, whose eighth member is the C type to read with: the methods of
that type are called on the instance, never those of a subclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import (
    K_BYTES,
    K_CODE,
    K_COMPLEX,
    K_DEQUE,
    K_DICT,
    K_ENUM,
    K_EXCEPTION,
    K_FLOAT,
    K_FUNCTION,
    K_INT,
    K_LIST,
    K_MODULE,
    K_OBJECT,
    K_SET,
    K_STR,
    K_TUPLE,
    K_TYPE,
    exact_text,
    qualname_of_type,
)
from .leaves import (
    read_date,
    read_datetime,
    read_decimal,
    read_lock,
    read_memoryview,
    read_ndarray,
    read_numpy_scalar,
    read_pattern,
    read_range,
    read_time,
    read_timedelta,
)
from .nodes import (
    S_OK,
    S_REDACTED,
    S_TRUNCATED,
    add_made,
    add_node,
    elements,
    hides_text,
    is_secret,
    mapping_items,
    named_elements,
)
from .pack import NIL, pack_bin, pack_float, pack_int, pack_text
from .pristine import namespace_of
from .texts import is_card_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .shapes import Content, Work

__all__ = ["make_readers"]

_LARGEST_BITS = 63
_MOST_BYTES = 64
_SMALLEST_CARD = 10**12
# A table far larger than what it holds (elements were deleted) is not searched for its elements.
_SPARSE_BYTES = 1 << 18


def _is_sparse(size_bytes: int, length: int) -> bool:
    return size_bytes > _SPARSE_BYTES and size_bytes > 512 * (length + 1)


def _status(shown: int, length: int) -> int:
    return S_OK if shown >= length else S_TRUNCATED


def read_int(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Up to 63 bits exactly; of a larger one its size in bits and its top 62 bits."""
    bits = int.bit_length(value)
    if bits <= _LARGEST_BITS:
        number = int.__int__(value)
        hides = number > _SMALLEST_CARD and work["request"]["values"] != "full"
        if hides and is_card_number(int.__repr__(number)):
            return K_INT, S_REDACTED, None, NIL, None
        return K_INT, S_OK, None, pack_int(number), None
    top = int.__int__(int.__rshift__(value, bits - 62))
    return K_INT, S_TRUNCATED, bits, pack_int(top), None


def read_float(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """A double."""
    return K_FLOAT, S_OK, None, pack_float(float.__float__(value)), None


def read_complex(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Both parts, as items."""
    descriptors = complex.__dict__
    real = descriptors["real"].__get__(value)
    imag = descriptors["imag"].__get__(value)
    items = [pack_text("real"), add_made(work, real), pack_text("imag"), add_made(work, imag)]
    return K_COMPLEX, S_OK, None, NIL, items


def text_content(work: Work, text: str, length: int) -> tuple[int, bytes]:
    """Status and packed form of a text head at the level that was asked for."""
    if work["request"]["values"] == "shapes":
        return S_REDACTED, NIL
    if hides_text(work, text):
        return S_REDACTED, NIL
    shown = text[: work["request"]["limits"]["text"]]
    return _status(len(shown), length), pack_text(shown)


def read_str(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The head of a text. The secret rules look a little further than what is shown."""
    length = str.__len__(value)
    head = exact_text(value, 2 * work["request"]["limits"]["text"])
    status, content = text_content(work, head, length)
    return K_STR, status, length, content, None


def _bytes_content(work: Work, head: bytes, length: int) -> Content:
    # without NUL bytes UTF-16 reads like other text
    status, _ = text_content(work, head.replace(b"\0", b"").decode("latin-1"), length)
    if status == S_REDACTED:
        return K_BYTES, S_REDACTED, length, NIL, None
    return K_BYTES, _status(_MOST_BYTES, length), length, pack_bin(head[:_MOST_BYTES]), None


def read_bytes(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The head of bytes; what reads as text follows the rules for text."""
    head = bytes.__getitem__(value, slice(0, 4 * _MOST_BYTES))
    return _bytes_content(work, head, bytes.__len__(value))


def read_bytearray(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The same of a bytearray."""
    head = bytes(bytearray.__getitem__(value, slice(0, 4 * _MOST_BYTES)))
    return _bytes_content(work, head, bytearray.__len__(value))


def read_list(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The head of a list."""
    length = list.__len__(value)
    if depth >= work["request"]["limits"]["depth"]:
        return K_LIST, _status(0, length), length, NIL, None
    most = work["request"]["limits"]["items"]
    items = elements(work, list.__getitem__(value, slice(0, most)), depth)
    return K_LIST, _status(most, length), length, NIL, items


def read_tuple(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The head of a tuple, under field names where its class is a namedtuple."""
    length = tuple.__len__(value)
    if depth >= work["request"]["limits"]["depth"]:
        return K_TUPLE, _status(0, length), length, NIL, None
    if plan[4] is not None:
        most = work["request"]["limits"]["attributes"]
        head = tuple.__getitem__(value, slice(0, most))
        return (
            K_TUPLE,
            _status(min(most, len(plan[4])), length),
            length,
            NIL,
            named_elements(work, head, plan[4], depth),
        )
    most = work["request"]["limits"]["items"]
    items = elements(work, tuple.__getitem__(value, slice(0, most)), depth)
    return K_TUPLE, _status(most, length), length, NIL, items


def read_dict(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The first items of a dict, iterated in C: no key is ever looked up."""
    cls = plan[7]
    length = cls.__len__(value)
    if depth >= work["request"]["limits"]["depth"]:
        return K_DICT, _status(0, length), length, NIL, None
    if _is_sparse(cls.__sizeof__(value), length):
        return K_DICT, S_TRUNCATED, length, NIL, None
    most = work["request"]["limits"]["items"]
    pairs = [pair for _, pair in list(zip(range(most), cls.items(value)))]
    return K_DICT, _status(most, length), length, NIL, mapping_items(work, pairs, depth)


def read_set(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Some elements of a set or frozenset."""
    cls = plan[7]
    length = cls.__len__(value)
    if depth >= work["request"]["limits"]["depth"]:
        return K_SET, _status(0, length), length, NIL, None
    if _is_sparse(cls.__sizeof__(value), length):
        return K_SET, S_TRUNCATED, length, NIL, None
    most = work["request"]["limits"]["items"]
    members = [member for _, member in list(zip(range(most), cls.__iter__(value)))]
    return K_SET, _status(most, length), length, NIL, elements(work, members, depth)


def read_deque(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The left end of a deque."""
    cls = plan[7]
    length = cls.__len__(value)
    if depth >= work["request"]["limits"]["depth"]:
        return K_DEQUE, _status(0, length), length, NIL, None
    most = work["request"]["limits"]["items"]
    members = [member for _, member in list(zip(range(most), cls.__iter__(value)))]
    return K_DEQUE, _status(most, length), length, NIL, elements(work, members, depth)


def read_exception(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Arguments, cause and context of an exception."""
    if depth >= work["request"]["limits"]["depth"]:
        return K_EXCEPTION, S_TRUNCATED, None, NIL, None
    get = BaseException.__dict__
    items = [pack_text("args"), add_node(work, get["args"].__get__(value), depth + 1)]
    for name in ("__cause__", "__context__"):
        other = get[name].__get__(value)
        if other is not None:
            items += [pack_text(name), add_node(work, other, depth + 1)]
    return K_EXCEPTION, S_OK, None, NIL, items


def read_type(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The name of a class."""
    return K_TYPE, S_OK, None, pack_text(exact_text(qualname_of_type(value), 200)), None


def _code_text(code: Any) -> str:
    return (
        exact_text(code.co_qualname, 200)
        + " ("
        + exact_text(code.co_filename, 300)
        + ":"
        + int.__repr__(code.co_firstlineno)
        + ")"
    )


def read_function(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Name and place of a Python function."""
    return (
        K_FUNCTION,
        S_OK,
        None,
        pack_text(_code_text(plan[7].__dict__["__code__"].__get__(value))),
        None,
    )


def read_builtin(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The name of a C function (its qualified name would ask the type of its self)."""
    name = plan[7].__dict__["__name__"].__get__(value)
    return K_FUNCTION, S_OK, None, pack_text(exact_text(name, 200)), None


def read_method(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Function and self of a bound method."""
    if depth >= work["request"]["limits"]["depth"]:
        return K_FUNCTION, S_TRUNCATED, None, NIL, None
    items: list[Any] = []
    for name in ("__func__", "__self__"):
        member = plan[7].__dict__[name].__get__(value)
        items += [pack_text(name), add_node(work, member, depth + 1)]
    return K_FUNCTION, S_OK, None, NIL, items


def read_module(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The name of a module, if it stands among the first entries of its dict."""
    for _, (key, name) in zip(range(8), dict.items(namespace_of(value) or {})):
        if type(key) is str and key == "__name__" and type(name) is str:
            return K_MODULE, S_OK, None, pack_text(name[:200]), None
    return K_MODULE, S_TRUNCATED, None, NIL, None


def read_code(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Name and place of a code object."""
    return K_CODE, S_OK, None, pack_text(_code_text(value)), None


def read_generator(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Name and place of a generator, coroutine or asynchronous generator."""
    for prefix in ("gi_code", "cr_code", "ag_code"):
        if prefix in plan[7].__dict__:
            code = plan[7].__dict__[prefix].__get__(value)
            return K_CODE, S_OK, None, pack_text(_code_text(code)), None
    return K_CODE, S_TRUNCATED, None, NIL, None


def read_enum(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """The name of an enum member, from its instance dict; its value follows as an attribute."""
    if plan[2] is not None:
        for _, (key, name) in zip(range(8), dict.items(plan[2](value))):
            if type(key) is str and key == "_name_" and type(name) is str:
                secret = is_secret(work, name)
                return K_ENUM, S_OK, None, NIL if secret else pack_text(name[:200]), None
    return K_ENUM, S_TRUNCATED, None, NIL, None


def read_opaque(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """A weak reference or proxy: never followed."""
    return K_OBJECT, S_OK, None, NIL, None


def read_object(work: Work, value: Any, depth: int, plan: Any) -> Content:
    """Any other object: its type, and its attributes where they can be read in C."""
    return K_OBJECT, S_OK, None, NIL, None


def make_readers() -> tuple[Callable[..., Content], ...]:
    """The readers in the order of the ``R_`` numbers of :mod:`.kinds`."""
    return (
        read_int,
        read_float,
        read_complex,
        read_str,
        read_bytes,
        read_bytearray,
        read_list,
        read_tuple,
        read_dict,
        read_set,
        read_deque,
        read_date,
        read_time,
        read_datetime,
        read_timedelta,
        read_decimal,
        read_exception,
        read_type,
        read_function,
        read_builtin,
        read_method,
        read_module,
        read_code,
        read_generator,
        read_lock,
        read_range,
        read_memoryview,
        read_ndarray,
        read_numpy_scalar,
        read_pattern,
        read_enum,
        read_opaque,
        read_object,
    )
