"""What is in a value: one reader per layout, each giving what the probe's reader gives."""
# ruff: noqa: ARG001 - all readers have one signature: they stand in one table

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError
from snapshotter.model.values import Kind, Status
from snapshotter.outside.attributes import attributes_of, instance_items
from snapshotter.outside.leaves import (
    nothing,
    read_builtin,
    read_code,
    read_date,
    read_datetime,
    read_decimal,
    read_function,
    read_generator,
    read_lock,
    read_memoryview,
    read_module,
    read_time,
    read_timedelta,
    visible,
)
from snapshotter.outside.numbers import read_array, read_scalar
from snapshotter.outside.readings import Reading
from snapshotter.outside.values import Member, Node
from snapshotter.probe.redaction import holds_what_is_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from snapshotter.outside.readings import Plan
    from snapshotter.outside.values import Content, ValueTable

    type ContentReader = Callable[[ValueTable, int, int, Plan], Content]

__all__ = ["write_node"]

_MOST_BYTES: Final = 64
_SPARSE_BYTES: Final = 1 << 18
_LARGEST_BITS: Final = 63
_MAX_NAME: Final = 200
_MOST_PARTS: Final = 8


def write_node(table: ValueTable, address: int, depth: int, plan: Plan) -> Node:
    """Decode the object at ``address``. Raises ``TornReadError``."""
    if plan.secret and table.scrubber.hides:
        _learn_attributes(table, address, plan)
        return Node(Kind.UNKNOWN, plan.name, Status.REDACTED)
    kind, status, length, value, members = _READERS[plan.reading](table, address, depth, plan)
    attributes, whole = attributes_of(table, address, depth, plan)
    if not whole and status is Status.OK:
        status = Status.TRUNCATED
    return Node(kind, plan.name, status, length, value, members + attributes, address)


def _learn_attributes(table: ValueTable, address: int, plan: Plan) -> None:
    for _, offset in plan.slots[:8]:
        table.learn(table.heap.pages.u64(address + offset))
    attributes = instance_items(table.heap, table.classes, address, plan)
    for _, value in attributes[0] if attributes else ():
        table.learn(value)


def _status(shown: int, length: int) -> Status:
    return Status.OK if shown >= length else Status.TRUNCATED


def _read_int(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    number, bits = table.heap.integer(address)
    if bits > _LARGEST_BITS:
        return Kind.INT, Status.TRUNCATED, bits, number, []
    if table.scrubber.hides_number(number):
        return nothing(Kind.INT, Status.REDACTED)
    return nothing(Kind.INT, value=number)


def _float_at(table: ValueTable, address: int) -> float:
    number: float = struct.unpack("<d", table.heap.pages.read(address, 8))[0]
    return number


def _read_float(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    return nothing(Kind.FLOAT, value=_float_at(table, address + table.heap.layout.float_value))


def _read_complex(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    parts = []
    for name, offset in (("real", 16), ("imag", 24)):
        part = Node(Kind.FLOAT, "float", value=_float_at(table, address + offset))
        parts.append(Member(table.add_made(part), name))
    return Kind.COMPLEX, Status.OK, None, None, parts


def _is_hidden(table: ValueTable, text: str) -> bool:
    return table.scrubber.shapes or table.scrubber.hides_text(text)


def _read_str(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    """The secret rules look a little further than what is shown."""
    most = table.limits.text
    head, length = table.heap.text(address, 2 * most)
    if _is_hidden(table, head):
        return Kind.STR, Status.REDACTED, length, None, []
    shown = head[:most]
    return Kind.STR, _status(len(shown), length), length, visible(shown), []


def _octets(table: ValueTable, head: bytes, length: int) -> Content:
    # without NUL bytes UTF-16 reads like other text
    if _is_hidden(table, head.replace(b"\0", b"").decode("latin-1")):
        return Kind.BYTES, Status.REDACTED, length, None, []
    return Kind.BYTES, _status(_MOST_BYTES, length), length, head[:_MOST_BYTES], []


def _read_bytes(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    head, length = table.heap.octets(address, 4 * _MOST_BYTES)
    return _octets(table, head, length)


def _read_bytearray(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    length, allocated, _, start = table.heap.pages.words(address + 16, 4)
    if length > allocated:
        raise TornReadError(f"No plausible bytearray at {address:#x}.")
    size = min(length, 4 * _MOST_BYTES)
    return _octets(table, table.heap.pages.read(start, size) if size else b"", length)


def _elements(table: ValueTable, members: Iterable[int], depth: int) -> list[Member]:
    """Items of a sequence or set; what follows a secret name in it is hidden."""
    scrubber = table.scrubber
    addresses = [_real(member) for member in members]
    texts = (table.short_text(one) if scrubber.hides else "" for one in addresses)
    return [
        Member(table.add(one, depth + 1, secret=hidden))
        for one, hidden in zip(addresses, scrubber.hidden_elements(texts), strict=True)
    ]


def _real(address: int) -> int:
    if not address:
        raise TornReadError("A place in a container holds nothing.")
    return address


def _read_list(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    most = table.limits.items if depth < table.limits.depth else 0
    items, length = table.heap.list_items(address, most)
    status = _status(most, length)
    return Kind.LIST, status, length, None, _elements(table, items, depth)


def _read_tuple(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    limits = table.limits
    most = limits.items if plan.fields is None else limits.attributes
    most = most if depth < limits.depth else 0
    items, length = table.heap.tuple_items(address, most)
    if plan.fields is None:
        return Kind.TUPLE, _status(most, length), length, None, _elements(table, items, depth)
    status = _status(min(most, len(plan.fields)), length)
    members = _named(table, list(zip(plan.fields, items, strict=False)), depth)
    return Kind.TUPLE, status, length, None, members


def _named(table: ValueTable, pairs: list[tuple[str, int]], depth: int) -> list[Member]:
    tells = _names_a_secret(table, pairs)
    out = []
    for name, item in pairs:
        secret = table.scrubber.is_secret(name) or (tells and holds_what_is_named(name))
        out.append(Member(table.add(_real(item), depth + 1, secret=secret), visible(name)))
    return out


def _names_a_secret(table: ValueTable, pairs: list[tuple[str, int]]) -> bool:
    if not table.scrubber.hides:
        return False
    return table.scrubber.names_a_secret((name, table.short_text(item)) for name, item in pairs)


def _read_dict(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    heap = table.heap
    length = heap.dict_length(address)
    if depth >= table.limits.depth:
        return Kind.DICT, _status(0, length), length, None, []
    if _is_sparse(heap.dict_bytes(address), length):
        return Kind.DICT, Status.TRUNCATED, length, None, []
    most = table.limits.items
    entries = heap.dict_items(address, most)
    return Kind.DICT, _status(most, length), length, None, _entries(table, entries, depth)


def _is_sparse(size_bytes: int, length: int) -> bool:
    """Whether a table is far larger than what it holds: elements were deleted."""
    return size_bytes > _SPARSE_BYTES and size_bytes > 512 * (length + 1)


def _entries(table: ValueTable, entries: list[tuple[int, int]], depth: int) -> list[Member]:
    """Items of a dict: str keys are names, other keys nodes of their own."""
    scrubber = table.scrubber
    names = [table.classes.text_if_exact(key, table.limits.text) for key, _ in entries]
    tells = scrubber.hides and scrubber.names_a_secret(
        (name, table.short_text(value))
        for name, (_, value) in zip(names, entries, strict=True)
        if name is not None
    )
    out = []
    for name, (key, value) in zip(names, entries, strict=True):
        called = name if name is not None else table.short_text(key)
        secret = called != "" and (
            scrubber.is_secret(called) or (tells and holds_what_is_named(called))
        )
        secret = secret or (name is None and _has_secret_name(table, key))
        if name is None:
            member = Member(0, key=table.add(key, depth + 1))
        elif _is_hidden(table, name):
            member = Member(0, key=table.add_hidden())
        else:
            member = Member(0, visible(name))
        member.node = table.add(value, depth + 1, secret=secret)
        out.append(member)
    return out


def _has_secret_name(table: ValueTable, key: int) -> bool:
    """``("db", "password")``: whether a key is a tuple, and part of it the name of a secret."""
    plan = table.classes.plan(table.heap.type_of(key))
    if not table.scrubber.hides or plan.base is not Reading.TUPLE:
        return False
    parts, _ = table.heap.tuple_items(key, _MOST_PARTS)
    return any(table.scrubber.is_secret(table.short_text(_real(part))) for part in parts)


def _read_set(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    most = table.limits.items if depth < table.limits.depth else 0
    items, length, size_bytes = table.heap.set_items(address, most)
    if most and _is_sparse(size_bytes, length):
        return Kind.SET, Status.TRUNCATED, length, None, []
    return Kind.SET, _status(most, length), length, None, _elements(table, items, depth)


def _read_deque(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    most = table.limits.items if depth < table.limits.depth else 0
    items, length = table.heap.deque_items(address, most)
    return Kind.DEQUE, _status(most, length), length, None, _elements(table, items, depth)


def _fields(
    table: ValueTable, address: int, places: Iterable[tuple[str, int]], depth: int
) -> list[Member]:
    """Objects that are pointed to from fixed places, under their names."""
    out = []
    for name, offset in places:
        value = _real(table.heap.pages.u64(address + offset))
        out.append(Member(table.add(value, depth + 1), name))
    return out


def _read_exception(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    if depth >= table.limits.depth:
        return nothing(Kind.EXCEPTION, Status.TRUNCATED)
    places = [("args", 24)]
    for name, offset in (("__cause__", 56), ("__context__", 48)):
        if table.heap.pages.u64(address + offset):
            places.append((name, offset))
    return Kind.EXCEPTION, Status.OK, None, None, _fields(table, address, places, depth)


def _read_type(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    return nothing(Kind.TYPE, value=visible(table.classes.name_of(address)))


def _read_method(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    if depth >= table.limits.depth:
        return nothing(Kind.FUNCTION, Status.TRUNCATED)
    places = (("__func__", 16), ("__self__", 24))
    return Kind.FUNCTION, Status.OK, None, None, _fields(table, address, places, depth)


def _read_range(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    if depth >= table.limits.depth:
        return nothing(Kind.OBJECT, Status.TRUNCATED)
    places = (("start", 16), ("stop", 24), ("step", 32))
    return Kind.OBJECT, Status.OK, None, None, _fields(table, address, places, depth)


def _read_pattern(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    if depth >= table.limits.depth:
        return nothing(Kind.OBJECT, Status.TRUNCATED)
    return Kind.OBJECT, Status.OK, None, None, _fields(table, address, [("pattern", 48)], depth)


def _read_enum(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    attributes = instance_items(table.heap, table.classes, address, plan, most=8)
    for key, value in attributes[0] if attributes else ():
        if table.classes.text_if_exact(key, _MAX_NAME) == "_name_":
            name = table.classes.text_if_exact(value, _MAX_NAME)
            if name is not None:
                hidden = table.scrubber.is_secret(name)
                return nothing(Kind.ENUM, value=None if hidden else visible(name))
    return nothing(Kind.ENUM, Status.TRUNCATED)


def _read_object(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    return nothing(Kind.OBJECT)


def _read_foreign(table: ValueTable, address: int, depth: int, plan: Plan) -> Content:
    raise TornReadError(f"The layout of {plan.name} is another one in this build.")


_READERS: Final[Mapping[Reading, ContentReader]] = {
    Reading.INT: _read_int,
    Reading.FLOAT: _read_float,
    Reading.COMPLEX: _read_complex,
    Reading.STR: _read_str,
    Reading.BYTES: _read_bytes,
    Reading.BYTEARRAY: _read_bytearray,
    Reading.LIST: _read_list,
    Reading.TUPLE: _read_tuple,
    Reading.DICT: _read_dict,
    Reading.SET: _read_set,
    Reading.DEQUE: _read_deque,
    Reading.DATE: read_date,
    Reading.TIME: read_time,
    Reading.DATETIME: read_datetime,
    Reading.TIMEDELTA: read_timedelta,
    Reading.DECIMAL: read_decimal,
    Reading.EXCEPTION: _read_exception,
    Reading.TYPE: _read_type,
    Reading.FUNCTION: read_function,
    Reading.BUILTIN: read_builtin,
    Reading.METHOD: _read_method,
    Reading.MODULE: read_module,
    Reading.CODE: read_code,
    Reading.GENERATOR: read_generator,
    Reading.LOCK: read_lock,
    Reading.RLOCK: read_lock,
    Reading.RANGE: _read_range,
    Reading.MEMORYVIEW: read_memoryview,
    Reading.PATTERN: _read_pattern,
    Reading.ARRAY: read_array,
    Reading.NUMPY_SCALAR: read_scalar,
    Reading.ENUM: _read_enum,
    Reading.OPAQUE: _read_object,
    Reading.OBJECT: _read_object,
    Reading.FOREIGN: _read_foreign,
    Reading.NONE: _read_object,
    Reading.BOOL: _read_object,
}
