"""Finds a section in an ELF file of which nothing is trusted."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from struct import Struct

__all__ = ["section_address"]

_HEADER = Struct("<4sBB10x2xHI8xQQ4xHHHHHH")
_PROGRAM = Struct("<IIQQQQQQ")
_SECTION = Struct("<IIQQQQIIQQ")
_MAGIC = b"\x7fELF"
_CLASS_64 = 2
_LITTLE_ENDIAN = 1
_LOADED = 1
_MAX_NAMES_BYTES = 4 << 20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class _Header:
    program_offset: int
    section_offset: int
    program_size: int
    program_count: int
    section_size: int
    section_count: int
    names_index: int


def section_address(fd_or_path: int | str, name: bytes) -> tuple[int, int] | None:
    """Return (address, load base) of section ``name`` as linked, or None when there is none.

    The run-time address is ``start of the first mapping + address - load base``. A file that is
    not a regular, well-formed 64-bit little-endian ELF file gives None; raises ``OSError`` when it
    cannot be opened.
    """
    if isinstance(fd_or_path, int):
        return _search(fd_or_path, name)
    if not stat.S_ISREG(os.stat(fd_or_path).st_mode):  # never open a device or FIFO
        return None
    fd = os.open(fd_or_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return _search(fd, name)
    finally:
        os.close(fd)


def _search(fd: int, name: bytes) -> tuple[int, int] | None:
    header = _read_header(fd)
    if header is None:
        return None
    base = _load_base(fd, header)
    address = _find_section(fd, header, name)
    return None if base is None or address is None else (address, base)


def _read_header(fd: int) -> _Header | None:
    data = _pread(fd, _HEADER.size, 0)
    if data is None:
        return None
    magic, width, order, _machine, _version, program_offset, section_offset, *sizes = (
        _HEADER.unpack(data)
    )
    if magic != _MAGIC or width != _CLASS_64 or order != _LITTLE_ENDIAN:
        return None
    header = _Header(program_offset, section_offset, *sizes[1:])
    if header.program_size != _PROGRAM.size or header.section_size != _SECTION.size:
        return None
    return header


def _load_base(fd: int, header: _Header) -> int | None:
    """Address, as linked, of the page that the first mapping of the file begins with."""
    table = _pread(fd, header.program_count * _PROGRAM.size, header.program_offset)
    for kind, _flags, _offset, address, *_rest in _PROGRAM.iter_unpack(table or b""):
        if kind == _LOADED:
            return int(address) & ~(_PAGE_BYTES - 1)
    return None


def _find_section(fd: int, header: _Header, name: bytes) -> int | None:
    table = _pread(fd, header.section_count * _SECTION.size, header.section_offset)
    if table is None or header.names_index >= header.section_count:
        return None
    sections = list(_SECTION.iter_unpack(table))
    names_offset, names_size = sections[header.names_index][4:6]
    names = _pread(fd, min(names_size, _MAX_NAMES_BYTES), names_offset)
    if names is None:
        return None
    wanted = name + b"\0"
    for section in sections:
        if names.startswith(wanted, section[0]) and section[3]:
            return int(section[3])
    return None


def _pread(fd: int, size: int, offset: int) -> bytes | None:
    if not 0 < size <= _MAX_NAMES_BYTES or not 0 <= offset < 1 << 62:
        return None
    data = os.pread(fd, size, offset)
    return data if len(data) == size else None
