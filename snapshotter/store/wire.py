"""Strict msgpack: bytes that a stranger wrote become plain objects, or one WireError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import msgpack

from snapshotter.errors import SnapshotterError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WireError", "pack", "strict_unpack", "text_from_wire", "text_to_wire"]

MAX_BYTES = 2 * 1024 * 1024
MAX_ITEMS = 1_000_000
MAX_CONTAINERS = 100_000
MAX_DEPTH = 8

# The decoder reserves an array at its announced length before it has seen a member, at up to a
# thousand levels of nesting: this bound keeps the worst such bomb at a gigabyte that is reserved
# and never touched. No honest message needs a longer array.
MAX_ARRAY_LENGTH = 131_072
MAX_MAP_LENGTH = 4_096


class WireError(ValueError):
    """The bytes are not one msgpack object within the limits; the message says what is wrong."""


def pack(value: object) -> bytes:
    """Return ``value`` as msgpack.

    Only exact builtin types are accepted (no subclass, no date). Raises TypeError for any other
    type, OverflowError for an integer outside of 64 bits and UnicodeEncodeError for a string with
    a lone surrogate (see ``text_to_wire``).
    """
    packed: bytes = msgpack.packb(value, use_bin_type=True, strict_types=True)
    return packed


def strict_unpack(
    data: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_items: int = MAX_ITEMS,
    max_containers: int = MAX_CONTAINERS,
    max_depth: int = MAX_DEPTH,
) -> Any:  # noqa: ANN401  what a stranger wrote can be of any type; the caller checks
    """Decode one msgpack object that may be hostile.

    ``max_items`` bounds the members of all arrays and maps together, ``max_containers`` their
    number, ``max_depth`` their nesting (a scalar has depth 0). Extension types, keys that are not
    str, duplicate keys, text that is not UTF-8 and trailing bytes are refused. Time and memory
    grow with ``max_bytes``: at most 0.5 s and 70 bytes per byte.

    Raises WireError, and SnapshotterError when msgpack lacks its C extension.
    """
    _require_extension()
    if len(data) > max_bytes:
        raise WireError(f"it has {len(data)} bytes, more than the {max_bytes} allowed")
    budget = _Budget(max_items, max_containers)
    try:
        value = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            list_hook=budget.array,
            object_pairs_hook=budget.map,
            ext_hook=_no_extension_type,
            max_array_len=min(MAX_ARRAY_LENGTH, max_items),
            max_map_len=min(MAX_MAP_LENGTH, max_items),
            max_ext_len=0,
        )
    except WireError:
        raise
    except (ValueError, OverflowError, TypeError, MemoryError, RecursionError) as error:
        raise WireError(f"it is not one well-formed msgpack object ({_reason(error)})") from error
    _check_depth(value, max_depth)
    return value


def text_to_wire(text: str) -> str | bytes:
    """Return ``text`` itself, or its bytes when lone surrogates keep it from being UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")
    return text


def text_from_wire(value: object) -> str:
    """Undo ``text_to_wire``; raises WireError for anything it cannot have returned."""
    if type(value) is str:
        return value
    if type(value) is not bytes:
        raise WireError(f"a text is {type(value).__name__}")
    try:
        return value.decode(errors="surrogatepass")
    except UnicodeDecodeError as error:
        raise WireError("a text is not UTF-8") from error


class _Budget:
    """Counts members and containers while they are decoded, so that a flood ends early."""

    __slots__ = ("containers", "items")

    def __init__(self, items: int, containers: int) -> None:
        self.items = items
        self.containers = containers

    def array(self, array: list[object]) -> list[object]:
        self._spend(array)
        return array

    def map(self, pairs: list[tuple[object, object]]) -> dict[str, object]:
        self._spend(pairs)
        mapping = {key: value for key, value in pairs if type(key) is str}
        if len(mapping) != len(pairs):
            raise WireError("a map has two equal keys, or one that is not a text")
        return mapping

    def _spend(self, container: Sequence[object]) -> None:
        self.containers -= 1
        self.items -= len(container)
        if self.containers < 0 or self.items < 0:
            raise WireError("it has more arrays, maps or members than allowed")


def _require_extension() -> None:
    # The pure Python fallback needs a minute for 16 MB of hostile input.
    if msgpack.Unpacker.__module__ != "msgpack._cmsgpack":
        message = "The msgpack package is installed without its C extension."
        raise SnapshotterError(
            message,
            hint="Reinstall msgpack from a wheel, and unset MSGPACK_PUREPYTHON.",
            slug="msgpack-without-c",
        )


def _no_extension_type(code: int, _data: bytes) -> NoReturn:
    raise WireError(f"it holds an extension type ({code})")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _check_depth(value: object, max_depth: int) -> None:
    level = [value] if type(value) in (list, dict) else []
    for _ in range(max_depth):
        if not level:
            return
        level = [child for container in level for child in _containers_in(container)]
    if level:
        raise WireError(f"it is nested deeper than {max_depth} levels")


def _containers_in(container: Any) -> list[object]:  # noqa: ANN401  a list or a dict
    members = container.values() if type(container) is dict else container
    return [member for member in members if type(member) in (list, dict)]
