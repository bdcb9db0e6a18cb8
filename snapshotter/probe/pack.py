"""msgpack, written by hand: bytes go straight into the reply, without a container per value.

Source: the MessagePack specification (2013). Only what the reply needs, exact builtin types only.
"""

from __future__ import annotations

__all__ = [
    "pack_array",
    "pack_bin",
    "pack_bin_head",
    "pack_float",
    "pack_int",
    "pack_map",
    "pack_text",
    "pack_word",
]


NIL = b"\xc0"
FALSE = b"\xc2"
TRUE = b"\xc3"


def pack_int(number: int) -> bytes:
    """An exact int that fits 64 bits (the caller cuts larger ones)."""
    if 0 <= number < 128:
        return number.to_bytes(1, "big")
    if number >= 0:
        if number < 0x10000:
            return b"\xcd" + number.to_bytes(2, "big")
        if number < 0x100000000:
            return b"\xce" + number.to_bytes(4, "big")
        return b"\xcf" + number.to_bytes(8, "big")
    return b"\xd3" + number.to_bytes(8, "big", signed=True)


def pack_text(text: str) -> bytes:
    """An exact str; what UTF-8 cannot hold (lone surrogates) is written as a visible escape."""
    data = text.encode("utf-8", "backslashreplace")
    size = len(data)
    if size < 32:
        return (0xA0 | size).to_bytes(1, "big") + data
    if size < 0x10000:
        return b"\xda" + size.to_bytes(2, "big") + data
    return b"\xdb" + size.to_bytes(4, "big") + data


def pack_word(text: str | None) -> bytes:
    """A str or nil."""
    return NIL if text is None else pack_text(text)


def pack_bin(data: bytes) -> bytes:
    """Exact bytes."""
    return pack_bin_head(len(data)) + data


def pack_bin_head(size: int) -> bytes:
    """The head of so many bytes."""
    return b"\xc6" + size.to_bytes(4, "big")


def pack_float(number: float) -> bytes:
    """An exact float, through its hexadecimal text: ``struct`` may not be loaded."""
    return b"\xd9" + len(text := float.hex(number).encode()).to_bytes(1, "big") + text


def pack_array(size: int) -> bytes:
    """The head of an array of this size."""
    return b"\xdd" + size.to_bytes(4, "big") if size > 15 else (0x90 | size).to_bytes(1, "big")


def pack_map(size: int) -> bytes:
    """The head of a map of this size."""
    return b"\xdf" + size.to_bytes(4, "big") if size > 15 else (0x80 | size).to_bytes(1, "big")
