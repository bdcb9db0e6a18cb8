"""The threads and tasks of a dump, their shared stacks and the locals that lie on them."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from snapshotter.model import (
    Counters,
    Frame,
    Local,
    Origin,
    OutsideStack,
    Task,
    TaskState,
    Thread,
    View,
)
from snapshotter.store.columns import Columns
from snapshotter.store.format import LINE_MAX, LINE_MIN, MAX_FRAMES_WRITTEN_OUT, MAX_ROWS
from snapshotter.store.tables import OWNER_OUTSIDE, OWNER_TASK, OWNER_THREAD
from snapshotter.store.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["read_stacks"]

type _Stack = tuple[Frame, ...]
type _Owner = tuple[str, int]


def read_stacks(
    document: Mapping[str, Any], strings: Sequence[str], values: int
) -> tuple[tuple[Thread, ...], tuple[Task, ...]]:
    """Return the threads and tasks of ``document``, which has ``values`` captured values.

    Raises WireError when anything in their tables cannot be.
    """
    stacks = _Stacks(document, strings, values)
    threads = tuple(_threads(Columns(document, "threads", strings), stacks))
    tasks = _tasks(Columns(document, "tasks", strings), stacks)
    stacks.check_all_locals_used()
    return threads, tuple(_with_awaiters(tasks, document, strings))


class _Stacks:
    """The distinct stacks of a file; ``of`` gives one to its owner, with the owner's locals."""

    def __init__(self, document: Mapping[str, Any], strings: Sequence[str], values: int) -> None:
        self._stacks = _distinct_stacks(document, strings)
        self._locals: dict[_Owner, dict[int, list[Local]]] = {}
        self._missing: dict[_Owner, dict[int, str]] = {}
        self._frames_left = MAX_FRAMES_WRITTEN_OUT
        self._read_locals(Columns(document, "locals", strings), values)
        self._read_missing(Columns(document, "locals_missing", strings))

    def __len__(self) -> int:
        return len(self._stacks)

    def of(self, stack_row: int, owner: str, row: int) -> _Stack:
        """Return the frames of stack ``stack_row`` as ``owner`` number ``row`` has them."""
        stack = self._stacks[stack_row]
        self._frames_left -= len(stack)
        if self._frames_left < 0:
            raise WireError("its stacks have more frames than allowed")
        found = self._locals.pop((owner, row), {})
        missing = self._missing.pop((owner, row), {})
        if not (found or missing):
            return stack
        frames = list(stack)
        for depth in found.keys() | missing.keys():
            if depth >= len(frames):
                raise WireError("a local lies below the bottom of its stack")
            locals_ = tuple(found.get(depth, ()))
            frames[depth] = _with_locals(frames[depth], locals_, missing.get(depth))
        return tuple(frames)

    def check_all_locals_used(self) -> None:
        """Raise WireError when locals are left over that nobody owns."""
        if self._locals or self._missing:
            raise WireError("some locals belong to no stack")

    def _read_locals(self, table: Columns, values: int) -> None:
        owners = table.texts("of")
        for owner, row, depth, name, node in zip(
            owners,
            table.rows_of("row", MAX_ROWS),
            table.rows_of("depth", MAX_ROWS),
            table.texts("name"),
            table.rows_of("value", values),
            strict=True,
        ):
            frames = self._locals.setdefault((owner, row), {})
            frames.setdefault(depth, []).append(Local(name, node))

    def _read_missing(self, table: Columns) -> None:
        owners = table.texts("of")
        for owner, row, depth, reason in zip(
            owners,
            table.rows_of("row", MAX_ROWS),
            table.rows_of("depth", MAX_ROWS),
            table.texts("reason"),
            strict=True,
        ):
            self._missing.setdefault((owner, row), {})[depth] = reason


def _with_locals(frame: Frame, locals_: tuple[Local, ...], missing: str | None) -> Frame:
    return Frame(
        filename=frame.filename,
        qualname=frame.qualname,
        lineno=frame.lineno,
        first_lineno=frame.first_lineno,
        origin=frame.origin,
        lasti=frame.lasti,
        locals=locals_,
        locals_missing=missing,
    )


def _distinct_stacks(document: Mapping[str, Any], strings: Sequence[str]) -> list[_Stack]:
    frames = _distinct_frames(document, strings)
    column = Columns(document, "stack_frames", strings).rows_of("frame", len(frames))
    lengths = Columns(document, "stacks", strings).integers("length", low=0, high=MAX_ROWS)
    ends = list(accumulate(lengths, initial=0))
    if ends[-1] != len(column):
        raise WireError("the stacks do not have as many frames as there are")
    return [tuple(frames[row] for row in column[start:end]) for start, end in pairwise(ends)]


def _distinct_frames(document: Mapping[str, Any], strings: Sequence[str]) -> list[Frame]:
    table = Columns(document, "codes", strings)
    codes = list(
        zip(
            table.texts("filename"),
            table.texts("qualname"),
            table.integers("first_lineno", low=LINE_MIN, high=LINE_MAX),
            table.words("origin", Origin),
            strict=True,
        )
    )
    table = Columns(document, "frames", strings)
    rows = zip(
        table.rows_of("code", len(codes)),
        table.maybe_integers("lineno", low=LINE_MIN, high=LINE_MAX),
        table.maybe_integers("lasti", low=LINE_MIN, high=LINE_MAX),
        strict=True,
    )
    frames = []
    for code, lineno, lasti in rows:
        filename, qualname, first_lineno, origin = codes[code]
        frames.append(Frame(filename, qualname, lineno, first_lineno, origin, lasti))
    return frames


def _threads(table: Columns, stacks: _Stacks) -> Iterator[Thread]:
    idents = table.integers("ident")
    stack_rows = table.rows_of("stack", len(stacks))
    rows = zip(
        idents,
        table.maybe_integers("native_id"),
        table.maybe_texts("name"),
        table.maybe_flags("daemon"),
        table.flags("is_main"),
        table.words("view", View),
        table.integers("at_ns"),
        [stacks.of(stack, OWNER_THREAD, row) for row, stack in enumerate(stack_rows)],
        table.flags("complete"),
        table.maybe_texts("note"),
        _counters(table),
        _outside(table, stacks),
        table.maybe_flags("holds_gil"),
        table.integers("interpreter"),
        strict=True,
    )
    return (Thread(*row) for row in rows)


def _counters(table: Columns) -> Iterator[Counters | None]:
    states = table.maybe_texts("state")
    rows = zip(
        states,
        table.maybe_texts("wchan"),
        table.maybe_integers("voluntary_switches"),
        table.maybe_integers("involuntary_switches"),
        table.maybe_integers("cpu_ns"),
        table.maybe_integers("start_ticks"),
        (at_ns or 0 for at_ns in table.maybe_integers("counters_at_ns")),
        strict=True,
    )
    return (
        None if state is None else Counters(*row) for state, row in zip(states, rows, strict=True)
    )


def _outside(table: Columns, stacks: _Stacks) -> Iterator[OutsideStack | None]:
    rows: Iterable[tuple[int | None, int | None, int | None, bool | None]] = zip(
        table.maybe_rows_of("outside_stack", len(stacks)),
        table.maybe_integers("outside_at_ns"),
        table.maybe_integers("outside_tries"),
        table.maybe_flags("outside_truncated"),
        strict=True,
    )
    for row, (stack, at_ns, tries, truncated) in enumerate(rows):
        if stack is None:
            yield None
        else:
            frames = stacks.of(stack, OWNER_OUTSIDE, row)
            yield OutsideStack(
                frames, at_ns or 0, 1 if tries is None else tries, truncated=truncated is True
            )


def _tasks(table: Columns, stacks: _Stacks) -> list[Task]:
    rows = zip(
        table.integers("identity"),
        table.maybe_texts("name"),
        table.words("state", TaskState),
        table.integers("loop"),
        table.maybe_integers("thread_ident"),
        table.rows_of("stack", len(stacks)),
        table.maybe_texts("waits_for"),
        strict=True,
    )
    tasks = []
    for row, (identity, name, state, loop, thread_ident, stack, waits_for) in enumerate(rows):
        frames = stacks.of(stack, OWNER_TASK, row)
        tasks.append(Task(identity, name, state, loop, thread_ident, frames, waits_for))
    return tasks


def _with_awaiters(
    tasks: list[Task], document: Mapping[str, Any], strings: Sequence[str]
) -> list[Task]:
    if "task_awaiters" not in document:  # written before it was known
        return tasks
    table = Columns(document, "task_awaiters", strings)
    awaiters: dict[int, list[int]] = {}
    for row, by in zip(table.rows_of("task", len(tasks)), table.integers("awaiter"), strict=True):
        awaiters.setdefault(row, []).append(by)
    for row, found in awaiters.items():
        tasks[row] = replace(tasks[row], awaited_by=tuple(found))
    return tasks
