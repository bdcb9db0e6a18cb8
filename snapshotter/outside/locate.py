"""Finds ``_PyRuntime`` in a process: its mappings, the ELF files behind them, then its data."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.errors import (
    NoSuchProcessError,
    NotPythonError,
    SnapshotterError,
    TornReadError,
    UnsupportedPythonError,
    check_files,
)
from snapshotter.outside.elf import section_address
from snapshotter.outside.memory import not_permitted, without_memory
from snapshotter.outside.offsets import COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.outside.memory import Memory

__all__ = ["Mapping", "find_runtime", "read_mappings"]

_SECTION = b".PyRuntime"
_MAX_MAPS_BYTES = 32 << 20
_MAX_FILES = 1000
_MAX_SCAN_BYTES = 64 << 20
_SCAN_CHUNK_BYTES = 1 << 20
_SETTLE_TRIES = 20
_SETTLE_S = 0.002
_DELETED = " (deleted)"
_OLD_PYTHON = re.compile(r"(?:lib)?python(\d)\.?(\d+)")


@dataclass(frozen=True, slots=True)
class Mapping:
    """A file-backed line of ``/proc/<pid>/maps``."""

    start: int
    end: int
    permissions: str
    offset: int
    file: str
    """Device and inode as one text, equal for mappings of the same file."""
    path: str

    @property
    def range(self) -> str:
        """The name of the mapping in ``/proc/<pid>/map_files``."""
        return f"{self.start:x}-{self.end:x}"

    @property
    def is_python(self) -> bool:
        """True when the file is called like an interpreter or its library."""
        return "python" in os.path.basename(self.path)


def find_runtime(pid: int, memory: Memory) -> int:
    """Return the address of ``_PyRuntime``.

    Raises ``NotPythonError``, ``UnsupportedPythonError`` (a Python without the table),
    ``NotPermittedError`` and ``NoSuchProcessError``.
    """
    executable = _executable(pid)
    mappings = _settled_mappings(pid, executable)
    if not mappings:
        raise without_memory(pid)
    candidates = _candidates(mappings, executable)
    for first in candidates:
        address = _from_file(pid, memory, first, executable)
        if address is not None:
            return address
    for first in candidates:
        if first.is_python or first.path == executable:
            address = _from_data(memory, mappings, first)
            if address is not None:
                return address
    raise _not_found(pid, mappings, executable)


def _settled_mappings(pid: int, executable: str | None) -> tuple[Mapping, ...]:
    """Return the mappings; wait a little for those of a program that exec has just begun."""
    for _ in range(_SETTLE_TRIES):
        mappings = read_mappings(pid)
        if mappings or executable is None:
            return mappings
        time.sleep(_SETTLE_S)
    return ()


def read_mappings(pid: int) -> tuple[Mapping, ...]:
    """Return the file-backed mappings of ``pid``, by address; empty for a zombie.

    Raises ``NotPermittedError`` and ``NoSuchProcessError``.
    """
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            data = file.read(_MAX_MAPS_BYTES)
    except PermissionError as error:
        raise not_permitted(pid) from error
    except (FileNotFoundError, ProcessLookupError) as error:
        raise NoSuchProcessError(
            f"There is no process {pid}.", hint="List Python processes with: snap ps"
        ) from error
    except OSError as error:
        check_files(error)
        raise
    return tuple(_parse_mappings(data))


def _parse_mappings(data: bytes) -> Iterator[Mapping]:
    for line in data.splitlines():
        parts = os.fsdecode(line).split(None, 5)
        if len(parts) < 6 or parts[4] == "0" or not parts[5].startswith("/"):  # noqa: PLR2004
            continue
        start, _, end = parts[0].partition("-")
        with suppress(ValueError):
            yield Mapping(
                start=int(start, 16),
                end=int(end, 16),
                permissions=parts[1],
                offset=int(parts[2], 16),
                file=f"{parts[3]} {parts[4]}",
                path=parts[5],
            )


def _candidates(mappings: tuple[Mapping, ...], executable: str | None) -> list[Mapping]:
    """First mapping of each file that has code, the likeliest interpreter first."""
    with_code = {mapping.file for mapping in mappings if "x" in mapping.permissions}
    found = [
        mapping
        for mapping in mappings
        if mapping.offset == 0
        and mapping.file in with_code
        and not mapping.path.startswith("/dev/")
    ]
    found.sort(key=lambda mapping: (not mapping.is_python, mapping.path != executable))
    return found[:_MAX_FILES]


def _from_file(pid: int, memory: Memory, first: Mapping, executable: str | None) -> int | None:
    # map_files is the very inode even when it was deleted, replaced or lies in another mount
    # namespace, but needs CAP_CHECKPOINT_RESTORE; /proc/<pid>/exe is so without it.
    names = [f"/proc/{pid}/map_files/{first.range}"]
    if first.path == executable:
        names.append(f"/proc/{pid}/exe")
    if not first.path.endswith(_DELETED):
        names.append(f"/proc/{pid}/root{first.path}")
    for name in names:
        try:
            section = section_address(name, _SECTION)
        except OSError:
            continue
        if section is None:
            return None
        address = first.start + section[0] - section[1]
        if _has_cookie(memory, address):
            return address
    return None


def _from_data(memory: Memory, mappings: tuple[Mapping, ...], first: Mapping) -> int | None:
    """Look for the cookie in the writable data of a file that cannot be opened any more."""
    for mapping in mappings:
        if mapping.file != first.file or "w" not in mapping.permissions:
            continue
        end = min(mapping.end, mapping.start + _MAX_SCAN_BYTES)
        for address in range(mapping.start, end, _SCAN_CHUNK_BYTES):
            try:
                data = memory.read_some(address, min(_SCAN_CHUNK_BYTES, end - address))
            except TornReadError:
                break
            at = _aligned_find(data)
            if at is not None:
                return address + at
    return None


def _aligned_find(data: bytes) -> int | None:
    at = data.find(COOKIE)
    while at >= 0:
        if at % 8 == 0:
            return at
        at = data.find(COOKIE, at + 1)
    return None


def _has_cookie(memory: Memory, address: int) -> bool:
    try:
        return memory.read(address, len(COOKIE)) == COOKIE
    except TornReadError:
        return False


def _executable(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


def _not_found(pid: int, mappings: tuple[Mapping, ...], executable: str | None) -> SnapshotterError:
    for mapping in mappings:
        name = os.path.basename(mapping.path)
        match = _OLD_PYTHON.match(name)
        if match and "x" in mapping.permissions:
            return UnsupportedPythonError(
                f"Process {pid} runs Python {match[1]}.{match[2]} ({name}), "
                "and snapshotter reads CPython 3.14 and 3.15.",
                hint="Run the program with CPython 3.14 or newer.",
            )
    shown = os.path.basename(executable) if executable else "unknown program"
    return NotPythonError(
        f"No CPython interpreter was found in process {pid} ({shown}).",
        hint="List Python processes with: snap ps",
    )
