"""Structural capture of values: breadth first into a flat table, no code of theirs is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attributes import attributes_of, learn_attributes
from .budget import next_slice, spent
from .kinds import K_FLOAT, K_OBJECT, K_UNKNOWN, plan_of
from .nodes import (
    EMPTY,
    MADE,
    NEVER_SHOWN,
    NOT_CAPTURED,
    REDACTED,
    ROW_OF_FALSE,
    ROW_OF_NONE,
    ROW_OF_TRUE,
    S_OK,
    S_REDACTED,
    S_TRUNCATED,
    S_UNREADABLE,
    row,
)
from .pack import NIL, pack_array, pack_float, pack_int
from .pristine import is_foreign

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["drain", "hide_known"]

_ROWS_PER_LOOK = 1000


def drain(work: Work, readers: Any) -> bool:
    """Write all queued values; False when the slice ended and the rest is marked truncated."""
    values, depths, rows = work["values"], work["depths"], work["rows"]
    in_time = True
    while work["head"] < len(values):
        at = work["head"]
        work["head"] += 1
        value, depth = values[at], depths[at]
        if depth == NEVER_SHOWN:
            rows.append(REDACTED)
        elif depth == MADE:
            rows.append(_row_of_made(work, value))
        elif depth < 0 or not in_time or spent(work):
            in_time = in_time and depth < 0
            rows.append(NOT_CAPTURED)
        elif value is None:
            rows.append(ROW_OF_NONE)
        elif value is True:
            rows.append(ROW_OF_TRUE)
        elif value is False:
            rows.append(ROW_OF_FALSE)
        else:
            rows.append(_write(work, readers, value, depth))
    return in_time


def _row_of_made(work: Work, number: float) -> bytes:
    type_index = pack_int(plan_of(work, float)[1])
    return row(K_FLOAT, type_index, S_OK, NIL + pack_float(number) + NIL + NIL + NIL)


def _write(work: Work, readers: Any, value: Any, depth: int) -> bytes:
    queued = len(work["values"])
    type_index = NIL
    for _ in range(3):
        try:
            plan = plan_of(work, type(value))
            type_index = pack_int(plan[1])
            if plan[6] and work["request"]["values"] != "full":
                learn_attributes(work, value, plan)
                return row(K_UNKNOWN, type_index, S_REDACTED, EMPTY)
            kind, status, length, content, items = readers[plan[0]](work, value, depth, plan)
            attributes, whole = attributes_of(work, value, depth, plan)
        except RuntimeError as error:  # another thread changed the container between two C calls
            if is_foreign(error):
                raise
            _take_back(work, queued)
            continue
        except (
            TypeError,
            ValueError,
            AttributeError,
            LookupError,
            MemoryError,
            OverflowError,
            SystemError,
        ) as error:
            if is_foreign(error):
                raise
            _take_back(work, queued)
            break
        if not whole and status == S_OK:
            status = S_TRUNCATED
        shown = NIL if length is None else pack_int(length)
        rest = shown + content + pack_int(id(value)) + _pairs(items) + _pairs(attributes)
        return row(kind, type_index, status, rest)
    return row(K_OBJECT, type_index, S_UNREADABLE, NIL + NIL + pack_int(id(value)) + NIL + NIL)


def _take_back(work: Work, queued: int) -> None:
    """Undo what a failed reading has queued, so that no node is an orphan."""
    values = work["values"]
    while len(values) > queued:
        work["seen"].pop(id(values.pop()), None)
        work["depths"].pop()
    if work["cut_node"] >= work["base"] + queued:
        work["cut_node"] = -1


def _pairs(items: Any) -> bytes:
    """Flat [key, node, key, node, ...]; keys are packed already."""
    if not items:
        return NIL
    out = [pack_array(len(items))]
    for i in range(0, len(items), 2):
        out.append(items[i])
        out.append(pack_int(items[i + 1]))
    return b"".join(out)


def hide_known(work: Work, rows: list[bytes]) -> None:
    """Redact rows in which a text stands that is hidden elsewhere under its name."""
    for start in range(0, len(rows), _ROWS_PER_LOOK):
        together = b"".join(rows[start : start + _ROWS_PER_LOOK])
        for known in work["known"]:
            if spent(work, 90):
                next_slice(work)
            if known not in together:
                continue
            for at in range(start, len(rows[: start + _ROWS_PER_LOOK])):
                if known in rows[at]:
                    rows[at] = REDACTED
