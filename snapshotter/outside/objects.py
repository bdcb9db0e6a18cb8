"""Reads str, bytes and type names from another process, every length bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError

if TYPE_CHECKING:
    from snapshotter.outside.runtime import Runtime

__all__ = ["ObjectReader"]

_MAX_TEXT_CHARS = 4096
_MAX_PLAUSIBLE_CHARS = 1 << 40
_OPTIMISTIC_BYTES = 256
_MAX_TYPE_NAME_BYTES = 256
_COMPACT_EXTRA_BYTES = 16
"""``utf8_length`` and ``utf8`` of a compact str that is not ASCII."""
_ENCODINGS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}


class ObjectReader:
    """Reads values of exact builtin types; raises ``TornReadError`` where they make no sense."""

    __slots__ = ("_kind_shift", "_memory", "_offsets")

    def __init__(self, runtime: Runtime) -> None:
        """Read with the memory and offsets of ``runtime``."""
        self._memory = runtime.memory
        self._offsets = runtime.offsets
        # ``interned`` before it is a two-bit field, in free-threaded builds a byte of its own.
        self._kind_shift = 8 if runtime.free_threaded else 2

    def text(self, address: int) -> str:
        """Return the str at ``address``, cut after 4096 characters, always encodable as UTF-8."""
        o = self._offsets
        header = o.unicode_object_asciiobject_size
        data = self._memory.read_some(address, header + _OPTIMISTIC_BYTES)
        if len(data) < header:
            raise TornReadError(f"No str at {address:#x}.")
        length = _unsigned(data, o.unicode_object_length, 8)
        state = _unsigned(data, o.unicode_object_state, 4) >> self._kind_shift
        kind, is_compact, is_ascii = state & 7, state >> 3 & 1, state >> 4 & 1
        if kind not in _ENCODINGS or not is_compact or length > _MAX_PLAUSIBLE_CHARS:
            raise TornReadError(f"No plausible str at {address:#x}.")
        start = header + (0 if is_ascii else _COMPACT_EXTRA_BYTES)
        size = min(length, _MAX_TEXT_CHARS) * kind
        if start + size <= len(data):
            raw = data[start : start + size]
        else:
            raw = self._memory.read(address + start, size)
        return _decode(raw, kind) + ("…" if length > _MAX_TEXT_CHARS else "")

    def octets(self, address: int, max_bytes: int) -> bytes:
        """Return the bytes object at ``address``; more than ``max_bytes`` are not plausible."""
        o = self._offsets
        length = self._memory.u64(address + o.bytes_object_ob_size)
        if length > max_bytes:
            raise TornReadError(f"No plausible bytes object at {address:#x}.")
        return self._memory.read(address + o.bytes_object_ob_sval, length) if length else b""

    def type_name(self, address: int) -> str:
        """Return ``tp_name`` of the type at ``address``."""
        name = self._memory.u64(address + self._offsets.type_object_tp_name)
        data = self._memory.read_some(name, _MAX_TYPE_NAME_BYTES)
        return data.partition(b"\0")[0].decode("utf-8", "replace")


def _unsigned(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _decode(raw: bytes, kind: int) -> str:
    try:
        text = raw.decode(_ENCODINGS[kind], "surrogatepass")
    except UnicodeDecodeError as error:
        raise TornReadError("A str holds no valid characters.") from error
    # Undecodable bytes of file names are lone surrogates: written out, so that all can store them.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
