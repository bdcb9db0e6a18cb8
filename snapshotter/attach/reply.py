"""Decodes the probe's reply. The target may be hostile: nothing in it is believed unchecked."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from snapshotter.attach.reply_fields import Fields, ReplyError, index, maybe, number, text
from snapshotter.attach.reply_values import decode_values
from snapshotter.model import (
    Frame,
    GcState,
    Generation,
    Interpreter,
    Kind,
    Local,
    SignalHandler,
    Status,
    Task,
    TaskState,
    Value,
    Variable,
    View,
)
from snapshotter.model.limits import Limits
from snapshotter.outside.linetable import line_at
from snapshotter.store.wire import WireError, strict_unpack

if TYPE_CHECKING:
    from snapshotter.outside.origin import Origins

__all__ = [
    "NO_TIME",
    "InsideThread",
    "InsideView",
    "ReplyError",
    "decode_reply",
    "is_about_tasks",
    "is_about_threads",
]

NO_TIME = "no time was left in this dump"
"""Why locals of a frame are missing."""

_MAX_BYTES = 8 << 20
_MAX_ITEMS = 2_000_000
_MAX_CONTAINERS = 400_000
_ASKED_FOR = Limits()
_MOST_AWAITERS = 64
_SLACK = 2
"""So many times what was asked for is still believed; a dump could not hold much more."""
_MOST_SECONDS = 1e9
_MAX_GC_FIGURES = 16
_MAX_NAME = 40
_MOST_SCANNED = 16 << 20
"""Bytes of line tables, of which an honest reply needs some hundred thousand."""
_LEFT_OUT = Value(Kind.UNKNOWN, "", Status.TRUNCATED)
"""A value that was to be read, and nothing of it was."""
_NOTES = {
    "time": NO_TIME,
    "moved": "the thread moved on",
    "limit": "it has more locals than are captured",
    "unreadable": "its namespace is not a plain dict",
}
_INTERVAL_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class InsideThread:
    """One thread as the probe saw it."""

    ident: int
    name: str | None
    daemon: bool | None
    at_ns: int
    frames: tuple[Frame, ...]
    complete: bool

    @property
    def lacks_locals(self) -> bool:
        """Whether there was no time for the locals of some frame."""
        return any(frame.locals_missing == NO_TIME for frame in self.frames)


@dataclass(frozen=True, slots=True)
class InsideView:
    """A whole reply; times are of the target's monotonic clock."""

    carrier: str
    carrier_ident: int
    started_ns: int
    ended_ns: int
    slices: int
    pause_max_ns: int
    pause_total_ns: int
    threads: tuple[InsideThread, ...]
    names: dict[int, tuple[str | None, bool | None]]
    values: tuple[Value, ...]
    gc: GcState | None
    interpreter: Interpreter
    has_asyncio: bool
    """Whether asyncio is loaded. Its tasks are those of loops that it turns by its own code."""
    tasks: tuple[Task, ...]
    tasks_total: int
    variables: tuple[Variable, ...]
    missing: tuple[str, ...]
    probe: str

    @property
    def lacks_tasks(self) -> bool:
        """Whether asyncio tasks were left out, or something of them."""
        return any(is_about_tasks(sentence) for sentence in self.missing)

    @property
    def variables_left_out(self) -> tuple[str, ...]:
        """Expressions of the variables that it had no time for."""
        return tuple(
            one.expression
            for one in self.variables
            if one.node is not None and self.values[one.node] == _LEFT_OUT
        )


def is_about_tasks(missing: str) -> bool:
    """Whether what is missing are asyncio tasks, or something of them."""
    return "asyncio task" in missing


def is_about_threads(missing: str) -> bool:
    """Whether what is missing are threads that the probe had no time for."""
    return "not reached from inside" in missing


def decode_reply(data: bytes, nonce: bytes, origins: Origins) -> InsideView:
    """Decode and check a reply to the request of this nonce. Raises ReplyError."""
    try:
        message = strict_unpack(
            data, max_bytes=_MAX_BYTES, max_items=_MAX_ITEMS, max_containers=_MAX_CONTAINERS
        )
        return _decode(Fields(message, "the reply"), nonce, origins)
    except WireError as error:
        raise ReplyError(str(error)) from error
    except (TypeError, ValueError, LookupError, ArithmeticError, struct.error) as error:
        if isinstance(error, ReplyError):
            raise
        raise ReplyError("a field has a value that the probe never writes") from error


def _decode(message: Fields, nonce: bytes, origins: Origins) -> InsideView:
    if message.fields.get("nonce") != nonce or message.fields.get("end") != nonce:
        raise ReplyError("it answers another request")
    if "failed" in message.fields:
        raise ReplyError(f"the probe could not do its work ({text(message.fields['failed'])})")
    carrier = message.get("carrier", str)
    if carrier not in {"thread", "main"}:
        raise ReplyError("its carrier is neither a thread nor the main thread")
    if len(message.get("nodes", list)) > _SLACK * _ASKED_FOR.nodes:
        raise ReplyError("it has more values than it was asked for")
    values = decode_values(message)
    code = _Codes(message, origins)
    names = {
        number(ident): (maybe(name, str), maybe(daemon, bool))
        for ident, name, daemon in message.rows("names", 3)
    }
    missing = [text(sentence) for sentence in message.get("missing", list)]
    if message.get("frozen_clock", bool):
        missing.append("the clock of the target stands still: the pause is counted, not timed")
    return InsideView(
        carrier=carrier,
        carrier_ident=message.number("carrier_ident"),
        started_ns=message.number("started_ns"),
        ended_ns=message.number("ended_ns"),
        slices=message.number("slices"),
        pause_max_ns=message.number("pause_max_ns"),
        pause_total_ns=message.number("pause_total_ns"),
        threads=_threads(message, code, names, len(values)),
        names=names,
        values=values,
        gc=_gc(message.fields.get("gc")),
        interpreter=_interpreter(Fields(message.fields.get("interpreter"), "interpreter")),
        has_asyncio=message.get("asyncio", bool),
        tasks=_tasks(message, code),
        tasks_total=message.number("tasks_total"),
        variables=_variables(message, len(values)),
        missing=tuple(missing),
        probe=message.get("v", str),
    )


class _Codes:
    """The code table; frames are made from packed (index << 32 | offset) numbers."""

    def __init__(self, message: Fields, origins: Origins) -> None:
        self._origins = origins
        self._rows = message.rows("codes", 5)
        for filename, qualname, first, _, table in self._rows:
            text(filename), text(qualname), number(first), maybe(table, bytes)
        self._frames: dict[int, Frame] = {}
        self._left = _MOST_SCANNED

    def _may_scan(self, table: bytes | None) -> bool:
        """Whether there is a line table, and time for it: each place means to walk along it."""
        self._left -= len(table or b"")
        return table is not None and self._left >= 0

    def frame(self, packed: int) -> Frame:
        """Return the frame, without locals, made once for each place."""
        found = self._frames.get(packed)
        if found is None:
            lasti = packed & 0xFFFF_FFFF
            row = self._rows[index(packed >> 32, len(self._rows))]
            filename, qualname, first, _, table = row
            line = line_at(table, first, lasti) if self._may_scan(table) else None
            found = self._frames[packed] = Frame(
                filename=filename,
                qualname=qualname,
                lineno=line,
                first_lineno=first,
                origin=self._origins.of(filename),
                lasti=lasti,
            )
        return found


def _threads(
    message: Fields,
    codes: _Codes,
    names: dict[int, tuple[str | None, bool | None]],
    nodes: int,
) -> tuple[InsideThread, ...]:
    blob = message.get("stacks", bytes)
    packed = struct.unpack(f"<{len(blob) // 8}Q", blob)
    rows = message.rows("threads", 5)
    if len(rows) > _SLACK * _ASKED_FOR.threads:
        raise ReplyError("it has more threads than it was asked for")
    details = _Details(message, len(rows), nodes)
    threads = []
    left = len(packed)  # no two threads share a frame
    for place, (ident, first, size, at_ns, whole) in enumerate(rows):
        index(first, len(packed) + 1)
        left -= index(size, min(_SLACK * _ASKED_FOR.frames, left, len(packed) - first) + 1)
        frames = tuple(
            details.fill(place, depth, codes.frame(spot))
            for depth, spot in enumerate(packed[first : first + size])
        )
        name, daemon = names.get(number(ident), (None, None))
        complete = maybe(whole, bool) is True
        threads.append(InsideThread(ident, name, daemon, number(at_ns), frames, complete))
    return tuple(threads)


class _Details:
    """Locals and notes by (thread, depth)."""

    def __init__(self, message: Fields, threads: int, nodes: int) -> None:
        self._locals: dict[tuple[int, int], list[Local]] = {}
        self._notes: dict[tuple[int, int], str] = {}
        for thread, depth, name, node in message.rows("locals", 4):
            place = (index(thread, threads), number(depth))
            local = Local(text(name), index(node, nodes))
            self._locals.setdefault(place, []).append(local)
        for thread, depth, reason in message.rows("notes", 3):
            place = (index(thread, threads), number(depth))
            self._notes[place] = _NOTES.get(text(reason), "a reason that we do not know")

    def fill(self, thread: int, depth: int, frame: Frame) -> Frame:
        """Return the frame with its locals."""
        found = self._locals.get((thread, depth))
        note = self._notes.get((thread, depth))
        if found is None and note is None:
            return frame
        return Frame(
            filename=frame.filename,
            qualname=frame.qualname,
            lineno=frame.lineno,
            first_lineno=frame.first_lineno,
            origin=frame.origin,
            lasti=frame.lasti,
            locals=tuple(found or ()),
            locals_missing=note,
        )


def _gc(fields: Any) -> GcState | None:  # noqa: ANN401
    if fields is None:
        return None
    gc = Fields(fields, "gc")
    counts, thresholds, stats = (gc.get(name, list) for name in ("count", "threshold", "stats"))
    generations = []
    for count, threshold, stat in zip(counts, thresholds, stats, strict=False):
        one = Fields(stat, "a generation")
        known = {name: one.number(name) for name in ("collections", "collected", "uncollectable")}
        extra = {key: _figure(value) for key, value in one.fields.items() if key not in known}
        if len(extra) > _MAX_GC_FIGURES or not all(_is_name(key) for key in extra):
            raise ReplyError("a figure of a generation has a name that none can have")
        generations.append(
            Generation(
                count=number(count),
                threshold=number(threshold),
                extra=MappingProxyType(extra),
                **known,
            )
        )
    return GcState(
        enabled=gc.get("enabled", bool),
        generations=tuple(generations),
        freeze_count=gc.number("freeze_count"),
        garbage=maybe(gc.fields.get("garbage"), int),
        callbacks=tuple(text(name) for name in gc.get("callbacks", list)),
    )


def _is_name(key: str) -> bool:
    return len(key) <= _MAX_NAME and key.isascii() and key.isidentifier()


def _figure(value: Any) -> int | float:  # noqa: ANN401
    if type(value) is not str:
        return number(value)
    figure = float.fromhex(value)
    if not abs(figure) <= _MOST_SECONDS:
        raise ReplyError("a time is longer than any process runs")
    return figure


def _interpreter(fields: Fields) -> Interpreter:
    def figure(name: str) -> int | None:
        value = fields.fields.get(name)
        return None if value is None else number(value)

    interval = fields.fields.get("getswitchinterval")
    handlers = fields.rows("signals", 2)
    return Interpreter(
        version=fields.get("version", str),
        allocated_blocks=figure("getallocatedblocks") or None,  # 0 where nobody counts them
        modules=figure("modules"),
        recursion_limit=figure("getrecursionlimit"),
        switch_interval_ns=round(_figure(interval) * _INTERVAL_NS) if interval else None,
        tracemalloc_bytes=figure("tracemalloc_bytes"),
        tracemalloc_peak_bytes=figure("tracemalloc_peak_bytes"),
        signal_handlers=tuple(SignalHandler(number(n), text(name)) for n, name in handlers),
    )


def _tasks(message: Fields, codes: _Codes) -> tuple[Task, ...]:
    tasks: list[Task] = []
    if len(message.get("tasks", list)) > _SLACK * _ASKED_FOR.tasks:
        raise ReplyError("it has more tasks than it was asked for")
    for identity, name, state, loop, thread, stack, waits, by in message.rows("tasks", 8):
        if type(stack) is not list or type(by) is not list:
            raise ReplyError("the stack of a task is not a list")
        if len(by) > _MOST_AWAITERS:
            raise ReplyError("more tasks than it was asked for await a task")
        tasks.append(
            Task(
                identity=number(identity),
                name=text(name) or None,
                state=TaskState(text(state).lower()),
                loop=number(loop),
                thread_ident=number(thread),
                frames=tuple(codes.frame(number(place)) for place in stack),
                waits_for=maybe(waits, str),
                awaited_by=tuple(number(awaiter) for awaiter in by),
            )
        )
    return tuple(tasks)


def _variables(message: Fields, nodes: int) -> tuple[Variable, ...]:
    return tuple(
        Variable(
            expression=text(expression),
            node=None if node is None else index(node, nodes),
            problem=maybe(problem, str),
            view=View.INSIDE,
        )
        for expression, node, problem in message.rows("variables", 3)
    )
