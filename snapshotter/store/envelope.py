"""The first and last bytes of a dump: what it is, and whether it is whole and unaltered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgpack

from snapshotter.errors import StorageError, UnreadableFileError
from snapshotter.store.format import (
    END_MARK,
    MAJOR,
    MAX_CONTAINERS,
    MAX_DEPTH,
    MAX_FILE_BYTES,
    MAX_ROWS,
    SCHEMA_PREFIX,
    TRAILER_BYTES,
)
from snapshotter.store.wire import WireError, pack, strict_unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["malformed", "seal", "unseal"]

_CRC_KEY = pack("crc32")
_END = pack("end") + pack(END_MARK)
_CRC_KEY_AT = -TRAILER_BYTES
_CRC_AT = slice(_CRC_KEY_AT + len(_CRC_KEY) + 1, -len(_END))
_UINT32 = b"\xce"

# A map header (fixmap, map 16), the key "schema", and a short text of our own.
_HEAD = re.compile(
    rb"(?:[\x80-\x8f]|\xde..)\xa6schema[\xa0-\xbf]" + SCHEMA_PREFIX.encode() + rb"(\d{1,9})",
    re.DOTALL,
)


def seal(document: Mapping[str, object], *, major: int = MAJOR) -> bytes:
    """Return the file that holds ``document``: schema first, checksum and end mark last.

    Raises StorageError (``dump-too-large``) when no reader would accept it.
    """
    longest = max(map(_rows, document.values()), default=0)
    if longest > MAX_ROWS:
        message = f"The snapshot has {longest} entries of one kind, more than a dump can hold."
        raise _too_large(message)
    body = bytearray(msgpack.Packer().pack_map_header(len(document) + 3))
    body += pack("schema") + pack(f"{SCHEMA_PREFIX}{major}")
    for key, value in document.items():
        body += pack(key) + pack(value)
    if len(body) + TRAILER_BYTES > MAX_FILE_BYTES:
        raise _too_large(f"The snapshot takes {len(body)} bytes, more than a dump can hold.")
    return bytes(body + _CRC_KEY + _UINT32 + crc32(body).to_bytes(4) + _END)


def unseal(data: bytes, *, name: str) -> tuple[int, dict[str, Any]]:
    """Return the major version and the map of the file ``data``; ``name`` is for messages.

    Raises UnreadableFileError: ``dump-too-large``, ``not-a-dump``, ``newer-schema``, ``torn``,
    ``altered`` or ``malformed``.
    """
    if len(data) > MAX_FILE_BYTES:
        # The reader stops there: how large the file is, nobody knows here.
        message = f"{name} is larger than any dump (more than {MAX_FILE_BYTES:,} bytes)."
        raise UnreadableFileError(message, slug="dump-too-large")
    major = _major(data, name=name)
    _check_whole(data, name=name)
    try:
        document = strict_unpack(
            data,
            max_bytes=MAX_FILE_BYTES,
            max_items=MAX_FILE_BYTES,
            max_containers=MAX_CONTAINERS,
            max_depth=MAX_DEPTH,
        )
    except WireError as error:
        raise malformed(name, error) from error
    return major, document


def malformed(name: str, error: WireError) -> UnreadableFileError:
    """Return the error for a whole file whose content cannot be."""
    message = f"{name} is not a valid dump: {error}."
    hint = "If snapshotter wrote it and nothing changed it since, report this as a bug."
    return UnreadableFileError(message, hint=hint, slug="malformed")


def _rows(value: object) -> int:
    if isinstance(value, dict):
        return max((len(column) for column in value.values() if type(column) is list), default=0)
    return len(value) if isinstance(value, list) else 0


def _too_large(message: str) -> StorageError:
    hint = "Capture less: --locals none, or fewer --var."
    return StorageError(message, hint=hint, slug="dump-too-large")


def _major(data: bytes, *, name: str) -> int:
    head = _HEAD.match(data)
    if head is None:
        if data:
            raise UnreadableFileError(f"{name} is not a dump of snapshotter.", slug="not-a-dump")
        hint = "Its writer was cut off; copy it again from where it was recorded."
        raise UnreadableFileError(f"{name} is empty.", hint=hint, slug="torn")
    major = int(head[1])
    if major > MAJOR:
        message = f"{name} was written in format {major}, and this version reads up to {MAJOR}."
        hint = "Read it with the snapshotter that wrote it, or a newer one."
        raise UnreadableFileError(message, hint=hint, slug="newer-schema")
    return major


def _check_whole(data: bytes, *, name: str) -> None:
    if not (data.endswith(_END) and data[_CRC_KEY_AT:].startswith(_CRC_KEY + _UINT32)):
        message = f"{name} is torn: its end is missing."
        hint = "It was cut off while it was written or copied; copy it again."
        raise UnreadableFileError(message, hint=hint, slug="torn")
    if crc32(memoryview(data)[:_CRC_KEY_AT]) != int.from_bytes(data[_CRC_AT]):
        message = f"{name} was altered after it was written: its checksum does not match."
        hint = "Copy it again from where it was recorded."
        raise UnreadableFileError(message, hint=hint, slug="altered")
