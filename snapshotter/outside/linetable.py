"""The location table of a code object: from the offset of an instruction to its line.

The format is that of PEP 626/657, described in CPython's ``InternalDocs/code_objects.md``.
"""

from __future__ import annotations

import re

__all__ = ["line_at"]

# The first byte of an entry has its highest bit set, the others have not.
_ENTRY = re.compile(rb"[\x80-\xff][\x00-\x7f]*", re.DOTALL)
_UNIT_BYTES = 2
_NO_LOCATION = 15
_LONG, _NO_COLUMNS = 14, 13
_FIRST_ONE_LINE = 10
_MAX_VARINT_BYTES = 6


def line_at(table: bytes, first_line: int, lasti: int) -> int | None:
    """Return the line of the instruction at byte offset ``lasti`` (as in ``f_lasti``).

    ``table`` is ``co_linetable`` and ``first_line`` is ``co_firstlineno``. None when the
    instruction has no line, or the table does not reach so far. A negative offset means that the
    frame has not started and gives the first line.
    """
    if lasti < 0:
        return first_line
    line = first_line
    left = lasti // _UNIT_BYTES
    for match in _ENTRY.finditer(table):
        at = match.start()
        kind = table[at] >> 3 & 15
        if kind >= _FIRST_ONE_LINE and kind != _NO_LOCATION:
            line += _line_delta(table, at + 1, kind)
        left -= (table[at] & 7) + 1
        if left < 0:
            return None if kind == _NO_LOCATION else line
    return None


def _line_delta(table: bytes, at: int, kind: int) -> int:
    if kind not in {_LONG, _NO_COLUMNS}:
        return kind - _FIRST_ONE_LINE
    value = 0
    for index, byte in enumerate(table[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 63) << 6 * index
        if not byte & 64:
            break
    return -(value >> 1) if value & 1 else value >> 1
