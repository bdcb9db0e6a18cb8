"""The nouns of a comparison: figures, values, threads, collector, tasks, and the whole diff."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from snapshotter.analysis.movement import Movement
from snapshotter.model import Kind, Status

if TYPE_CHECKING:
    from snapshotter.analysis.dwell import Dwell
    from snapshotter.analysis.movement import CounterDelta
    from snapshotter.analysis.seen import Seen
    from snapshotter.model import Frame, Snapshot, Task, Thread, View

__all__ = [
    "Change",
    "Diff",
    "Elapsed",
    "Figure",
    "GenerationChange",
    "LocalChange",
    "Resize",
    "SignatureShare",
    "TaskChange",
    "TaskChanges",
    "ThreadChange",
    "Unit",
    "ValueChange",
    "VariableChange",
]

_NS_PER_S = 1_000_000_000


class Change(StrEnum):
    """What became of something between the two sides."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    """Another value, length or type."""
    REBOUND = "rebound"
    """An equal value as far as it was captured, but another object."""


class Unit(StrEnum):
    """What a figure counts."""

    COUNT = "count"
    BYTES = "bytes"
    NANOSECONDS = "ns"


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The time between the two sides; ``ns`` is negative when the baseline is the newer one."""

    ns: int
    clock: str
    """"monotonic" within one boot, else "wall"."""

    def per_s(self, amount: float) -> float | None:
        """Return the rate of an amount per second, or None without a positive time."""
        return amount * _NS_PER_S / self.ns if self.ns > 0 else None


@dataclass(frozen=True, slots=True)
class Figure:
    """A number on both sides. A ``cumulative`` one only counts up, so its rate is what tells."""

    name: str
    unit: Unit
    before: int
    after: int
    elapsed: Elapsed
    cumulative: bool = False

    @property
    def delta(self) -> int:
        """Return the difference in ``unit``."""
        return self.after - self.before

    @property
    def rate_per_s(self) -> float | None:
        """Return the difference per second in ``unit``; of processor time, in ns per second."""
        return self.elapsed.per_s(self.delta)


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One difference; ``path`` leads to it, such as ``.items[3]``, and is "" for the value."""

    path: str
    change: Change
    before: Seen | None
    after: Seen | None

    @property
    def length_delta(self) -> int | None:
        """How much longer it became, or None when a side has no length or is of another type."""
        if self.before is None or self.after is None:
            return None
        old, new = self.before.value, self.after.value
        if old.type != new.type or old.length is None or new.length is None:
            return None
        return new.length - old.length

    @property
    def number_delta(self) -> float | None:
        """By how much a number became larger, or None when a side is none that was read exactly."""
        if self.before is None or self.after is None:
            return None
        old, new = self.before.value, self.after.value
        if old.kind is not new.kind or not (old.status is new.status is Status.OK):
            return None
        if new.kind not in {Kind.INT, Kind.FLOAT}:
            return None
        if not isinstance(old.value, int | float) or not isinstance(new.value, int | float):
            return None
        delta = new.value - old.value
        return delta if isinstance(delta, int) or math.isfinite(delta) else None


@dataclass(frozen=True, slots=True)
class LocalChange:
    """A local of one frame that is not as before; ``changes`` are never empty, outermost first."""

    thread: Thread
    frame: Frame
    """The frame as it is now (as it was, for a removed local)."""
    name: str
    changes: tuple[ValueChange, ...]
    views: tuple[View, View]
    """Where each side was read from. Of two views only what both read exactly is compared."""
    more: int = 0
    """Further differences beyond the bound of the comparison."""

    @property
    def is_rebound(self) -> bool:
        """Whether it is only another object with an equal value."""
        return _only_rebound(self.changes)


@dataclass(frozen=True, slots=True)
class Resize:
    """A container that is longer or shorter than before, told once however many names it has."""

    expression: str
    """The name and path it is known by, such as ``self.items``."""
    frame: Frame | None
    """Where the name is a local; None for a module variable."""
    figure: Figure
    after: Seen
    views: tuple[View, View]
    """Where each side was read from."""


@dataclass(frozen=True, slots=True)
class ThreadChange:
    """One thread on both sides; ``change`` is None when it is on both."""

    before: Thread | None
    after: Thread | None
    change: Change | None
    movement: Movement | None = None
    """None for an added or removed thread."""
    counters: CounterDelta | None = None
    idle: str | None = None
    """Why its current stack counts as waiting for work."""
    dwell: Dwell | None = None
    """Since when it stands there, over the recording the current snapshot belongs to."""

    @property
    def thread(self) -> Thread:
        """The thread as it is now, or as it last was."""
        thread = self.after or self.before
        if thread is None:
            raise ValueError("A thread change has at least one side.")
        return thread

    @property
    def stays(self) -> bool:
        """Whether it is known to stand at the same place (an unknown movement is not)."""
        return self.movement not in {None, Movement.MOVED, Movement.UNKNOWN}


@dataclass(frozen=True, slots=True)
class GenerationChange:
    """What the collector did in one generation."""

    generation: int
    collections: Figure
    collected: Figure
    uncollectable: Figure

    @property
    def collections_per_min(self) -> float | None:
        """Collections per minute."""
        rate = self.collections.rate_per_s
        return None if rate is None else rate * 60

    @property
    def collected_per_collection(self) -> float | None:
        """Objects freed by a collection on average, or None when there was none."""
        if self.collections.delta <= 0:
            return None
        return self.collected.delta / self.collections.delta


@dataclass(frozen=True, slots=True)
class TaskChange:
    """An asyncio task; ``CHANGED`` means another state or another place of its coroutine."""

    before: Task | None
    after: Task | None
    change: Change


@dataclass(frozen=True, slots=True)
class TaskChanges:
    """Tasks that came, went or changed (state or place); ``total`` counts also those not seen."""

    total: Figure | None
    changes: tuple[TaskChange, ...] = ()


@dataclass(frozen=True, slots=True)
class VariableChange:
    """A variable asked for with ``--var`` whose value is not as before."""

    expression: str
    changes: tuple[ValueChange, ...]
    views: tuple[View, View]
    """Where each side was read from."""
    more: int = 0

    @property
    def is_rebound(self) -> bool:
        """Whether it is only another object with an equal value."""
        return _only_rebound(self.changes)


def _only_rebound(changes: tuple[ValueChange, ...]) -> bool:
    return all(change.change is Change.REBOUND for change in changes)


@dataclass(frozen=True, slots=True)
class SignatureShare:
    """How many stacks have this S2 signature on each side, of how many."""

    frames: tuple[Frame, ...]
    before: int
    after: int
    before_total: int
    after_total: int

    @property
    def points(self) -> float:
        """Difference of the shares, in percentage points."""
        old = self.before / self.before_total if self.before_total else 0.0
        new = self.after / self.after_total if self.after_total else 0.0
        return (new - old) * 100


@dataclass(frozen=True, slots=True)
class Diff:
    """Two snapshots compared, old first.

    Of two incarnations (``same_process`` is False) only ``signatures`` is filled; of one, all the
    rest. ``not_compared`` holds sentences that say what was left out and why.
    """

    baseline: Snapshot
    current: Snapshot
    elapsed: Elapsed
    same_process: bool
    threads: tuple[ThreadChange, ...] = ()
    locals: tuple[LocalChange, ...] = ()
    variables: tuple[VariableChange, ...] = ()
    resizes: tuple[Resize, ...] = ()
    gc: tuple[GenerationChange, ...] = ()
    gc_settings: tuple[str, ...] = ()
    """Sentences on collector settings that are not as before."""
    process: tuple[Figure, ...] = ()
    interpreter: tuple[Figure, ...] = ()
    tasks: TaskChanges | None = None
    signatures: tuple[SignatureShare, ...] = ()
    not_compared: tuple[str, ...] = ()

    @property
    def changed_locals(self) -> tuple[LocalChange, ...]:
        """The locals with another value: an equal one in another object tells a reader nothing."""
        return tuple(each for each in self.locals if not each.is_rebound)

    @property
    def changed_variables(self) -> tuple[VariableChange, ...]:
        """The variables with another value."""
        return tuple(each for each in self.variables if not each.is_rebound)

    @property
    def nothing_changed(self) -> bool:
        """Whether what a program does is as before; counters that always run are no change."""
        threads = any(each.change or each.movement is Movement.MOVED for each in self.threads)
        figures = any(f.delta for f in (*self.process, *self.interpreter) if not f.cumulative)
        shares = any(share.before != share.after for share in self.signatures)
        tasks = self.tasks is not None and bool(
            self.tasks.changes or (self.tasks.total and self.tasks.total.delta)
        )
        garbage = any(each.uncollectable.delta for each in self.gc)
        return not (
            threads
            or figures
            or garbage
            or shares
            or tasks
            or self.changed_locals
            or self.changed_variables
            or self.gc_settings
        )
