"""A snapshot: everything one dump saw, how it was taken, what it cost and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapshotter.model.gc import GcState
    from snapshotter.model.process import ProcessInfo
    from snapshotter.model.values import Value

__all__ = [
    "TORN",
    "Capture",
    "Counters",
    "Frame",
    "Interpreter",
    "Local",
    "MainState",
    "Origin",
    "OutsideStack",
    "Pause",
    "SignalHandler",
    "Snapshot",
    "Task",
    "TaskState",
    "Thread",
    "Tick",
    "ValueLevel",
    "Variable",
    "View",
]


TORN = "it changed each time that it was read"
"""The problem of a variable that is there."""


class View(StrEnum):
    """Where something was seen from."""

    INSIDE = "inside"
    OUTSIDE = "outside"


class Origin(StrEnum):
    """Whose code a frame runs."""

    APP = "app"
    LIBRARY = "library"
    STDLIB = "stdlib"


class ValueLevel(StrEnum):
    """How much of the values may be written."""

    FULL = "full"
    SCRUBBED = "scrubbed"
    SHAPES = "shapes"


class MainState(StrEnum):
    """What the main thread did when it was asked, as read from outside."""

    RUNNING = "running"
    BLOCKED = "blocked"
    STOPPED = "stopped"
    ENDING = "ending"
    """In ``threading._shutdown``, ``atexit`` or finalization: no safe point will come."""
    GONE = "gone"
    """The main thread state no longer exists."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Local:
    """A captured local: its name, and the index of its value in ``Snapshot.values``."""

    name: str
    node: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One call. ``lineno`` is None where the bytecode has no line."""

    filename: str
    qualname: str
    lineno: int | None
    first_lineno: int
    origin: Origin
    lasti: int | None = None
    """Byte offset of the current instruction, for telling apart two calls on one line."""
    locals: tuple[Local, ...] = ()
    locals_missing: str | None = None
    """None when all selected locals are there (or none were selected), else the reason."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What only the kernel writes about a thread, read before any request was sent."""

    state: str
    """State letter: R running, S sleeping, D disk, T stopped, t tracing, Z zombie."""
    wchan: str | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    cpu_ns: int | None = None
    start_ticks: int | None = None
    """Field 22 of the thread's ``stat``: tells a reused native id from the same thread."""
    at_ns: int = 0
    """Monotonic time of the reading."""


@dataclass(frozen=True, slots=True)
class OutsideStack:
    """A thread's stack as read from outside, frames innermost first, without locals."""

    frames: tuple[Frame, ...]
    at_ns: int
    tries: int = 1
    truncated: bool = False
    """True when the outermost frames are missing because there are too many."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread. ``frames`` are innermost first and were seen from ``view`` at ``at_ns``.

    ``outside`` is the stack from outside, also where the inside view has the primary one: two
    snapshots are compared by the same view on both sides.
    """

    ident: int
    native_id: int | None
    """As the target's innermost pid namespace numbers it."""
    name: str | None
    daemon: bool | None
    is_main: bool
    view: View
    at_ns: int
    frames: tuple[Frame, ...]
    complete: bool = True
    """False when frames are missing; ``note`` says why."""
    note: str | None = None
    counters: Counters | None = None
    outside: OutsideStack | None = None
    holds_gil: bool | None = None
    interpreter: int = 0

    @property
    def lacks_innermost(self) -> bool:
        """True when the innermost calls are missing: seen from outside, they changed all the time.

        Of any other stack that is not complete the innermost frames are there.
        """
        seen = self.view is View.OUTSIDE and self.outside is None
        return seen and not self.complete and bool(self.frames)


class TaskState(StrEnum):
    """State of an asyncio task."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLED = "cancelled"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Task:
    """An asyncio task of one loop; ``frames`` is its coroutine stack, innermost first."""

    identity: int
    name: str | None
    state: TaskState
    loop: int
    """Address of its event loop."""
    thread_ident: int | None
    frames: tuple[Frame, ...] = ()
    waits_for: str | None = None
    """Type of what it waits for, with the identity of a task: "Task 0x7f…", "Future"."""
    awaited_by: tuple[int, ...] = ()
    """Identities of the tasks that await it, directly or in a gather, group, wait or shield."""


@dataclass(frozen=True, slots=True)
class SignalHandler:
    """A handler installed from Python; ``handler`` is a qualified name."""

    signum: int
    handler: str


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Figures of the interpreter; None where not known from the views that were taken."""

    version: str
    allocated_blocks: int | None = None
    modules: int | None = None
    recursion_limit: int | None = None
    switch_interval_ns: int | None = None
    tracemalloc_bytes: int | None = None
    tracemalloc_peak_bytes: int | None = None
    interpreters: int | None = None
    free_threaded: bool = False
    signal_handlers: tuple[SignalHandler, ...] = ()
    gil_holder: int | None = None
    """Native id of the thread that held the GIL when read from outside, None if nobody did."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A module variable asked for with ``--var module:dotted.path``."""

    expression: str
    node: int | None
    problem: str | None = None
    view: View | None = None
    """Where it was looked for; None in old files, which do not say."""


@dataclass(frozen=True, slots=True)
class Pause:
    """How long slices held the interpreter, nanoseconds, measured in the target."""

    max_ns: int
    total_ns: int


@dataclass(frozen=True, slots=True)
class Capture:
    """How the snapshot was taken. ``missing`` is a list of sentences, empty when complete."""

    views: tuple[View, ...]
    complete: bool
    carrier: str | None = None
    """"thread" or "main"; None without an inside view."""
    slices: int | None = None
    pause: Pause | None = None
    delivery_ns: int | None = None
    """From the request to the first act of the probe."""
    armed_ns: int | None = None
    """How long a request lay in the target without having started, all tries together."""
    skew_ns: int | None = None
    """Between the first and the last thing seen in this snapshot."""
    main: MainState = MainState.UNKNOWN
    main_detail: str | None = None
    """Where the main thread is blocked and since when, in words."""
    locals: str = "app"
    values: ValueLevel = ValueLevel.SCRUBBED
    missing: tuple[str, ...] = ()
    probe: str | None = None
    reply_bytes: int | None = None
    outside_ns: int | None = None
    """Controller time spent on the outside view."""
    asked_thread: int | None = None
    """Native id of the thread that was asked instead of the main one (``--carrier any-thread``)."""
    holds: int | None = None
    """How often ptrace held a thread for that."""
    held_ns: int | None = None
    """For how long, all holds together; None if none was held."""
    woken: str | None = None
    """"loop" when the idle event loop was woken to be asked (``--wake loop``)."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The place of a snapshot in its recording."""

    sequence: int
    due_at_ns: int
    """Unix time at which it was due, nanoseconds."""
    lateness_ns: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one dump saw. All indices into ``values`` are valid (``-1`` is never stored)."""

    captured_at_ns: int
    """Unix time, nanoseconds."""
    monotonic_ns: int
    process: ProcessInfo
    capture: Capture
    threads: tuple[Thread, ...]
    values: tuple[Value, ...] = ()
    gc: GcState | None = None
    interpreter: Interpreter | None = None
    tasks: tuple[Task, ...] = ()
    tasks_total: int | None = None
    """All tasks of the loops that were seen, also those whose stacks were left out."""
    variables: tuple[Variable, ...] = ()
    tick: Tick | None = None
    tool: str = ""
    """Version of snapshotter that took it."""
