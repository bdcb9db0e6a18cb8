"""Decodes the probe's reply. The target may be hostile: nothing in it is believed unchecked."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from snapshotter.model import (
    Frame,
    GcState,
    Generation,
    Interpreter,
    Item,
    Kind,
    Local,
    SignalHandler,
    Status,
    Task,
    TaskState,
    Value,
    Variable,
)
from snapshotter.outside.linetable import line_at
from snapshotter.probe.kinds import KINDS, STATUSES
from snapshotter.store.wire import WireError, strict_unpack

if TYPE_CHECKING:
    from snapshotter.outside.origin import Origins

__all__ = ["InsideThread", "InsideView", "ReplyError", "decode_reply"]

_MAX_BYTES = 8 << 20
_MAX_ITEMS = 2_000_000
_MAX_CONTAINERS = 400_000
_KINDS = tuple(Kind(name) for name in KINDS)
_STATUSES = tuple(Status(name) for name in STATUSES)
_NOTES = {
    "time": "no time was left in this dump",
    "moved": "the thread moved on",
    "limit": "it has more locals than are captured",
    "unreadable": "its namespace is not a plain dict",
}
_OBVIOUS_TYPES = {Kind.NONE: "NoneType", Kind.BOOL: "bool"}
_I64 = 1 << 63
_U64 = 1 << 64
_INTERVAL_NS = 1_000_000_000


class ReplyError(ValueError):
    """The reply is not one that our probe writes; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class InsideThread:
    """One thread as the probe saw it."""

    ident: int
    name: str | None
    daemon: bool | None
    at_ns: int
    frames: tuple[Frame, ...]
    complete: bool


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
    tasks: tuple[Task, ...]
    tasks_total: int
    variables: tuple[Variable, ...]
    missing: tuple[str, ...]
    probe: str


def decode_reply(data: bytes, nonce: bytes, origins: Origins) -> InsideView:
    """Decode and check a reply to the request of this nonce. Raises ReplyError."""
    try:
        message = strict_unpack(
            data, max_bytes=_MAX_BYTES, max_items=_MAX_ITEMS, max_containers=_MAX_CONTAINERS
        )
        return _decode(_Map(message, "the reply"), nonce, origins)
    except WireError as error:
        raise ReplyError(str(error)) from error
    except (TypeError, ValueError, IndexError, KeyError) as error:
        if isinstance(error, ReplyError):
            raise
        raise ReplyError("a field has a value that the probe never writes") from error


class _Map:
    """A map of which each field is asked for by name and type."""

    def __init__(self, fields: Any, what: str) -> None:  # noqa: ANN401 - from a stranger
        if type(fields) is not dict:
            raise ReplyError(f"{what} is not a map")
        self.fields: dict[str, Any] = fields

    def get[T](self, name: str, kind: type[T]) -> T:
        value = self.fields.get(name)
        if type(value) is not kind:
            raise ReplyError(f"{name} is missing or of another type")
        return value

    def number(self, name: str) -> int:
        return _number(self.fields.get(name), name)

    def rows(self, name: str, width: int) -> list[list[Any]]:
        rows = self.get(name, list)
        for row in rows:
            if type(row) is not list or len(row) != width:
                raise ReplyError(f"a row of {name} has another shape")
        return rows


def _number(value: Any, name: str = "a number", limit: int = _U64) -> int:  # noqa: ANN401
    if type(value) is not int or not -_I64 <= value < limit:
        raise ReplyError(f"{name} is not a number")
    return value


def _text(value: Any) -> str:  # noqa: ANN401
    if type(value) is not str:
        raise ReplyError("a text is of another type")
    return value


def _maybe[T](value: Any, kind: type[T]) -> T | None:  # noqa: ANN401
    if value is not None and type(value) is not kind:
        raise ReplyError("a field is of another type")
    return value


def _decode(message: _Map, nonce: bytes, origins: Origins) -> InsideView:
    if message.fields.get("nonce") != nonce or message.fields.get("end") != nonce:
        raise ReplyError("it answers another request")
    if "failed" in message.fields:
        raise ReplyError(f"the probe could not do its work ({_text(message.fields['failed'])})")
    carrier = message.get("carrier", str)
    if carrier not in {"thread", "main"}:
        raise ReplyError("its carrier is neither a thread nor the main thread")
    values = _values(message)
    code = _Codes(message, origins)
    names = {
        _number(ident): (_maybe(name, str), _maybe(daemon, bool))
        for ident, name, daemon in message.rows("names", 3)
    }
    missing = [_text(sentence) for sentence in message.get("missing", list)]
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
        interpreter=_interpreter(_Map(message.fields.get("interpreter"), "interpreter")),
        tasks=_tasks(message, code),
        tasks_total=message.number("tasks_total"),
        variables=_variables(message, len(values)),
        missing=tuple(missing),
        probe=message.get("v", str),
    )


class _Codes:
    """The code table; frames are made from packed (index << 32 | offset) numbers."""

    def __init__(self, message: _Map, origins: Origins) -> None:
        self._origins = origins
        self._rows = message.rows("codes", 5)
        for filename, qualname, first, _, table in self._rows:
            _text(filename), _text(qualname), _number(first), _maybe(table, bytes)
        self._frames: dict[int, Frame] = {}

    def frame(self, packed: int) -> Frame:
        """Return the frame, without locals, made once for each place."""
        found = self._frames.get(packed)
        if found is None:
            lasti = packed & 0xFFFF_FFFF
            row = self._rows[_index(packed >> 32, len(self._rows))]
            filename, qualname, first, _, table = row
            line = line_at(table, first, lasti) if table is not None else None
            found = self._frames[packed] = Frame(
                filename=filename,
                qualname=qualname,
                lineno=line,
                first_lineno=first,
                origin=self._origins.of(filename),
                lasti=lasti,
            )
        return found


def _index(value: Any, size: int) -> int:  # noqa: ANN401
    if type(value) is not int or not 0 <= value < size:
        raise ReplyError("an index points outside of its table")
    return value


def _threads(
    message: _Map,
    codes: _Codes,
    names: dict[int, tuple[str | None, bool | None]],
    nodes: int,
) -> tuple[InsideThread, ...]:
    blob = message.get("stacks", bytes)
    packed = struct.unpack(f"<{len(blob) // 8}Q", blob)
    rows = message.rows("threads", 5)
    details = _Details(message, len(rows), nodes)
    threads = []
    for number, (ident, first, size, at_ns, whole) in enumerate(rows):
        _index(first, len(packed) + 1)
        _index(size, len(packed) - first + 1)
        frames = tuple(
            details.fill(number, depth, codes.frame(place))
            for depth, place in enumerate(packed[first : first + size])
        )
        name, daemon = names.get(_number(ident), (None, None))
        complete = _maybe(whole, bool) is True
        threads.append(InsideThread(ident, name, daemon, _number(at_ns), frames, complete))
    return tuple(threads)


class _Details:
    """Locals and notes by (thread, depth)."""

    def __init__(self, message: _Map, threads: int, nodes: int) -> None:
        self._locals: dict[tuple[int, int], list[Local]] = {}
        self._notes: dict[tuple[int, int], str] = {}
        for thread, depth, name, node in message.rows("locals", 4):
            place = (_index(thread, threads), _number(depth))
            local = Local(_text(name), _index(node, nodes))
            self._locals.setdefault(place, []).append(local)
        for thread, depth, reason in message.rows("notes", 3):
            place = (_index(thread, threads), _number(depth))
            self._notes[place] = _NOTES.get(_text(reason), "a reason that we do not know")

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


def _values(message: _Map) -> tuple[Value, ...]:
    types = [_text(name) for name in message.get("types", list)]
    rows = message.rows("nodes", 8)
    return tuple(_value(row, types, len(rows)) for row in rows)


def _value(row: list[Any], types: list[str], nodes: int) -> Value:
    kind_number, type_number, status, length, content, identity, items, attributes = row
    kind = _KINDS[_index(kind_number, len(_KINDS))]
    if type_number is None:  # these are so frequent that the probe leaves their types out
        name = _OBVIOUS_TYPES.get(kind, "")
    else:
        name = types[_index(type_number, len(types))]
    members = (*_items(items, nodes, attribute=False), *_items(attributes, nodes, attribute=True))
    return Value(
        kind=kind,
        type=name,
        status=_STATUSES[_index(status, len(_STATUSES))],
        length=None if length is None else _number(length),
        value=_scalar(kind, content),
        items=members,
        identity=None if identity is None else _number(identity),
    )


def _scalar(kind: Kind, content: Any) -> bool | int | float | str | bytes | None:  # noqa: ANN401
    if content is None or type(content) in (bool, bytes):
        return content  # type: ignore[no-any-return]
    if type(content) is int:
        return _number(content)
    text = _text(content)
    if kind is Kind.FLOAT and ("0x" in text or text in {"inf", "-inf", "nan", "-nan"}):
        return float.fromhex(text)
    return text


def _items(flat: Any, nodes: int, *, attribute: bool) -> list[Item]:  # noqa: ANN401
    if flat is None:
        return []
    if type(flat) is not list or len(flat) % 2:
        raise ReplyError("the members of a value have another shape")
    made = []
    for key, node in zip(flat[::2], flat[1::2], strict=True):
        if type(key) is int:
            made.append(Item(node=_index(node, nodes), key=_index(key, nodes)))
        else:
            name = _maybe(key, str)
            made.append(Item(node=_index(node, nodes), name=name, attribute=attribute))
    return made


def _gc(fields: Any) -> GcState | None:  # noqa: ANN401
    if fields is None:
        return None
    gc = _Map(fields, "gc")
    counts, thresholds, stats = (gc.get(name, list) for name in ("count", "threshold", "stats"))
    generations = []
    for count, threshold, stat in zip(counts, thresholds, stats, strict=False):
        one = _Map(stat, "a generation")
        known = {name: one.number(name) for name in ("collections", "collected", "uncollectable")}
        extra = {key: _figure(value) for key, value in one.fields.items() if key not in known}
        generations.append(
            Generation(
                count=_number(count),
                threshold=_number(threshold),
                extra=MappingProxyType(extra),
                **known,
            )
        )
    return GcState(
        enabled=gc.get("enabled", bool),
        generations=tuple(generations),
        freeze_count=gc.number("freeze_count"),
        garbage=_maybe(gc.fields.get("garbage"), int),
        callbacks=tuple(_text(name) for name in gc.get("callbacks", list)),
    )


def _figure(value: Any) -> int | float:  # noqa: ANN401
    return float.fromhex(value) if type(value) is str else _number(value)


def _interpreter(fields: _Map) -> Interpreter:
    def figure(name: str) -> int | None:
        value = fields.fields.get(name)
        return None if value is None else _number(value)

    interval = fields.fields.get("getswitchinterval")
    handlers = fields.rows("signals", 2)
    return Interpreter(
        version=fields.get("version", str),
        allocated_blocks=figure("getallocatedblocks"),
        modules=figure("modules"),
        recursion_limit=figure("getrecursionlimit"),
        switch_interval_ns=round(_figure(interval) * _INTERVAL_NS) if interval else None,
        tracemalloc_bytes=figure("tracemalloc_bytes"),
        tracemalloc_peak_bytes=figure("tracemalloc_peak_bytes"),
        signal_handlers=tuple(SignalHandler(_number(n), _text(name)) for n, name in handlers),
    )


def _tasks(message: _Map, codes: _Codes) -> tuple[Task, ...]:
    tasks = []
    for identity, name, state, loop, thread, stack, waits in message.rows("tasks", 7):
        if type(stack) is not list:
            raise ReplyError("the stack of a task is not a list")
        tasks.append(
            Task(
                identity=_number(identity),
                name=_text(name) or None,
                state=TaskState(_text(state).lower()),
                loop=_number(loop),
                thread_ident=_number(thread),
                frames=tuple(codes.frame(_number(place)) for place in stack),
                waits_for=_maybe(waits, str),
            )
        )
    return tuple(tasks)


def _variables(message: _Map, nodes: int) -> tuple[Variable, ...]:
    return tuple(
        Variable(
            expression=_text(expression),
            node=None if node is None else _index(node, nodes),
            problem=_maybe(problem, str),
        )
        for expression, node, problem in message.rows("variables", 3)
    )
