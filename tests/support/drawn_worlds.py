"""Draws threads with calls and locals by lot, changes them, and shows them as snapshots.

A snapshot has its nodes and threads in any order. Where it is ``veiled``, some values in it were
cut, could not be read or are secret, some stacks lack their outer calls, some frames some locals.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from snapshotter.model import (
    Counters,
    Frame,
    Item,
    Kind,
    Local,
    Origin,
    Status,
    Thread,
    Value,
    View,
)
from tests.support.synthetic import MONOTONIC_NS, tiny_snapshot

if TYPE_CHECKING:
    import random

    from snapshotter.model import Snapshot

__all__ = ["Call", "Worker", "World", "change", "draw_world", "shown"]

_SCALARS: Final = (0, 1, True, None, 1.0, -0.0, float("nan"), "a", "ab", "b" * 30, b"a", 2**40)
_KEYS: Final = (0, True, "a", "b", None, 1.5, (1, "a"), (1, ("b",)), float("nan"), b"k")
_NAMES: Final = ("rows", "table", "number", "text", "other")
_LONGEST_HEAD: Final = 3


@dataclass(slots=True)
class Call:
    """A call of a function, with its locals."""

    function: str
    line: int
    names: dict[str, Any]


@dataclass(slots=True)
class Worker:
    """A thread; ``calls`` are outermost first."""

    number: int
    started: int
    calls: list[Call]


@dataclass(slots=True)
class World:
    """Threads, and values that many of them hold."""

    workers: list[Worker] = field(default_factory=list)
    shared: list[Any] = field(default_factory=list)
    started: int = 0


def draw_world(rng: random.Random) -> World:
    """Draw threads, some of which share values."""
    world = World(shared=[[_value(rng, 1)], {"a": _value(rng, 1)}])
    for _ in range(rng.randrange(5)):
        _start(world, rng)
    return world


def _start(world: World, rng: random.Random) -> None:
    world.started += 1
    numbers = {worker.number for worker in world.workers}
    number = next(each for each in range(100, 200) if each not in numbers)
    calls = [_call(world, rng) for _ in range(rng.randrange(1, 4))]
    world.workers.append(Worker(number, world.started, calls))


def _call(world: World, rng: random.Random) -> Call:
    names = {"self": rng.choice(world.shared)}
    names |= {name: _value(rng, 3) for name in _NAMES if rng.random() < 0.5}
    return Call(rng.choice("fgh"), rng.randrange(1, 4), names)


def _value(rng: random.Random, depth: int) -> Any:  # noqa: ANN401 - any value
    if not depth or rng.random() < 0.3:
        return rng.choice(_SCALARS)
    parts = [_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    match rng.randrange(4):
        case 0:
            return parts
        case 1:
            return tuple(parts)
        case 2:
            return {rng.choice(_KEYS): part for part in parts}
        case _:
            return {rng.choice(_KEYS) for _ in parts}


def change(world: World, rng: random.Random) -> None:
    """Change one thing, or nothing."""
    match rng.randrange(12):
        case 0:
            _start(world, rng)
        case 1 if world.workers:
            world.workers.remove(rng.choice(world.workers))
        case 2:
            _change_value(rng.choice(world.shared), rng)
        case _ if world.workers:
            _change_stack(world, rng.choice(world.workers), rng)
        case _:
            pass


def _change_stack(world: World, worker: Worker, rng: random.Random) -> None:
    call = rng.choice(worker.calls)
    match rng.randrange(8):
        case 0:
            worker.calls[-1].line = rng.randrange(1, 4)
        case 1:
            worker.calls.append(_call(world, rng))
        case 2 if len(worker.calls) > 1:
            worker.calls.pop()
        case 3:
            call.names[rng.choice(_NAMES)] = _value(rng, 3)
        case 4 if len(call.names) > 1:
            call.names.pop(rng.choice([name for name in call.names if name != "self"]))
        case _:
            _change_value(rng.choice(list(call.names.values())), rng)


def _change_value(value: Any, rng: random.Random) -> None:  # noqa: ANN401 - any value
    inner = [*value.values()] if type(value) is dict else value if type(value) is list else ()
    if inner and rng.random() < 0.5:
        _change_value(rng.choice(inner), rng)
    elif type(value) is list:
        match rng.randrange(5):
            case 0 if value:
                value.pop(rng.randrange(len(value)))
            case 1 if value:
                value[rng.randrange(len(value))] = _value(rng, 1)
            case 2:
                value.append(value)
            case _:
                value.append(_value(rng, 1))
    elif type(value) is dict:
        value[rng.choice(_KEYS)] = _value(rng, 1)
        if rng.random() < 0.5:
            value.pop(rng.choice(list(value)))
    elif type(value) is set:
        value ^= {rng.choice(_KEYS)}


def shown(world: World, rng: random.Random, *, after_s: int, veiled: bool) -> Snapshot:
    """Return the world as a snapshot."""
    table = _Table(rng, veiled=veiled)
    threads = [_thread(worker, table, after_s) for worker in world.workers]
    rng.shuffle(threads)
    whole = replace(tiny_snapshot(after_s=after_s), threads=tuple(threads), values=table.rows())
    return replace(whole, threads=tuple(table.placed(thread) for thread in threads))


def _thread(worker: Worker, table: _Table, after_s: int) -> Thread:
    frames = [_frame(call, table) for call in reversed(worker.calls)]
    view = View.OUTSIDE if table.veils(0.3) else View.INSIDE
    is_cut, middle = table.veils(0.2), len(frames) // 2
    if is_cut:
        # seen from outside it is the innermost calls that may be missing
        frames = frames[middle:] if view is View.OUTSIDE else frames[:middle]
    at_ns = MONOTONIC_NS + after_s * 1_000_000_000
    return Thread(
        ident=worker.number % 7,
        native_id=worker.number,
        name=f"worker-{worker.number}",
        daemon=True,
        is_main=False,
        view=view,
        at_ns=at_ns,
        frames=tuple(frames),
        complete=not is_cut,
        counters=Counters("S", None, 5, 1, 1_000, worker.started, at_ns),
    )


def _frame(call: Call, table: _Table) -> Frame:
    names = [name for name in call.names if not table.veils(0.1)]
    missing = "no time was left" if len(names) < len(call.names) else None
    found = tuple(Local(name, table.add(call.names[name])) for name in names)
    first = 10 * ord(call.function)
    place = first + call.line
    return Frame("/app.py", call.function, place, first, Origin.APP, 0, found, missing)


class _Table:
    """The values of one snapshot; each object is one node, wherever it is held."""

    def __init__(self, rng: random.Random, *, veiled: bool) -> None:
        self._rng = rng
        self._veiled = veiled
        self._known: dict[int, int] = {}
        self._nodes: list[Value] = []
        self._order: list[int] = []

    def veils(self, share: float) -> bool:
        """Whether to hide something, which is so in that share of cases."""
        return self._veiled and self._rng.random() < share

    def add(self, value: Any) -> int:  # noqa: ANN401 - any value
        """Return the node of a value."""
        if id(value) not in self._known:
            at = self._known[id(value)] = len(self._nodes)
            self._nodes.append(Value(Kind.NONE, "NoneType"))
            self._nodes[at] = self._veil(self._read(value), value)
        return self._known[id(value)]

    def _read(self, value: Any) -> Value:  # noqa: ANN401 - any value
        name = type(value).__name__
        kind = Kind(name.replace("NoneType", "none"))
        length = len(value) if isinstance(value, str | bytes | list | tuple | dict | set) else None
        row = Value(kind, name, length=length, identity=id(value))
        if isinstance(value, dict):
            return replace(row, items=tuple(self._entry(*pair) for pair in value.items()))
        if isinstance(value, list | tuple | set):
            return replace(row, items=tuple(Item(self.add(part)) for part in value))
        return replace(row, value=value)

    def _entry(self, key: Any, value: Any) -> Item:  # noqa: ANN401 - any key and value
        node = self.add(value)
        return Item(node, name=key) if isinstance(key, str) else Item(node, key=self.add(key))

    def _veil(self, row: Value, value: object) -> Value:
        if not self.veils(0.2):
            return row
        cut = replace(row, status=Status.TRUNCATED)
        if row.items:
            return replace(cut, items=row.items[: self._rng.randrange(_LONGEST_HEAD)])
        if isinstance(value, str | bytes) and value:
            return replace(cut, value=value[: self._rng.randrange(len(value))])
        return self._rng.choice(
            [
                Value(Kind.UNKNOWN, "", Status.REDACTED),
                Value(Kind.UNKNOWN, "", Status.TRUNCATED),
                Value(Kind.OBJECT, row.type, Status.UNREADABLE),
                replace(row, value=None, status=Status.REDACTED),
            ]
        )

    def rows(self) -> tuple[Value, ...]:
        """Return all nodes, in an order drawn by lot."""
        self._order = self._rng.sample(range(len(self._nodes)), len(self._nodes))
        placed = {self._order[at]: row for at, row in enumerate(self._nodes)}
        return tuple(
            replace(placed[at], items=tuple(map(self._item, placed[at].items)))
            for at in range(len(placed))
        )

    def placed(self, thread: Thread) -> Thread:
        """Return a thread with its locals where they are in the rows."""
        frames = (
            replace(
                frame, locals=tuple(Local(one.name, self._order[one.node]) for one in frame.locals)
            )
            for frame in thread.frames
        )
        return replace(thread, frames=tuple(frames))

    def _item(self, item: Item) -> Item:
        key = None if item.key is None else self._order[item.key]
        return replace(item, node=self._order[item.node], key=key)
