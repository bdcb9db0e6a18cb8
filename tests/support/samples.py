"""Hand-made snapshots of a plausible service, for tests that need no live process.

A gunicorn worker of three dozen threads: `http-*` wait for work, `db-*` share one stack that asks
a full pool, `worker-7` has stood in `Pool.get` for a while, `parser-2` spins, `collector` appends
to a list that only grows.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from snapshotter.model import (
    Capture,
    Counters,
    Frame,
    GcState,
    Generation,
    Identity,
    Interpreter,
    Item,
    Kind,
    Local,
    MainState,
    Missed,
    MissedReason,
    Origin,
    OutsideStack,
    Pause,
    ProcessInfo,
    Recording,
    SignalHandler,
    SkippedFile,
    Snapshot,
    Status,
    Task,
    TaskState,
    Thread,
    Tick,
    Value,
    ValueLevel,
    Variable,
    View,
)

SECOND_NS = 1_000_000_000
START_NS = 1_795_166_100_003_000_000  # 2026-11-20 09:15:00.003 UTC
BOOT_NS = 86_400 * SECOND_NS
INTERVAL_S = 30
APP = "/srv/orders"
STDLIB = "/usr/lib/python3.14"
SITE = "/srv/orders/.venv/lib/python3.14/site-packages"
LIST_ADDRESS = 0x7F00_0000_1000


class Values:
    """Builds a value table from plain Python objects; `add` returns the index of the node."""

    def __init__(self) -> None:
        self.nodes: list[Value] = []

    def add(self, value: object, *, identity: int | None = None, shown: int = 8) -> int:
        """Capture a plain object as the probe would, `shown` members of a container at most."""
        if isinstance(value, Value):
            return self._put(value)
        at = self._put(Value(Kind.NONE, "NoneType"))
        self.nodes[at] = replace(self._make(value, shown), identity=identity)
        return at

    def _put(self, value: Value) -> int:
        self.nodes.append(value)
        return len(self.nodes) - 1

    def _make(self, value: object, shown: int) -> Value:
        kind = Kind(type(value).__name__.replace("NoneType", "none"))
        name = type(value).__name__
        if isinstance(value, dict):
            items = [self._entry(key, each) for key, each in list(value.items())[:shown]]
            return self._container(kind, name, len(value), items)
        if isinstance(value, list | tuple | set):
            members = [Item(self.add(each)) for each in list(value)[:shown]]
            return self._container(kind, name, len(value), members)
        length = len(value) if isinstance(value, str | bytes) else None
        return Value(kind, name, length=length, value=value)

    def _entry(self, key: object, value: object) -> Item:
        if isinstance(key, str):
            return Item(self.add(value), name=key)
        return Item(self.add(value), key=self.add(key))

    @staticmethod
    def _container(kind: Kind, name: str, length: int, items: list[Item]) -> Value:
        status = Status.OK if len(items) == length else Status.TRUNCATED
        return Value(kind, name, status, length, items=tuple(items))

    def object(self, type_name: str, *, identity: int | None = None, **fields: object) -> int:
        """Capture an instance with these attributes; a field may be a `Ref` to another node."""
        items = tuple(
            Item(each.node if isinstance(each, Ref) else self.add(each), name, attribute=True)
            for name, each in fields.items()
        )
        return self._put(
            Value(Kind.OBJECT, type_name, length=len(items), items=items, identity=identity)
        )


class Ref:
    """A reference to a node that is already in the table."""

    def __init__(self, node: int) -> None:
        self.node = node


def frame(place: str, qualname: str, *locals_: Local, missing: str | None = None) -> Frame:
    """Make a frame from "path:line"; the path tells whose code it is."""
    filename, _, line = place.rpartition(":")
    origin = Origin.APP
    if filename.startswith((STDLIB, "<frozen")):
        origin = Origin.STDLIB
    elif "site-packages" in filename:
        origin = Origin.LIBRARY
    lineno = int(line)
    return Frame(filename, qualname, lineno, max(1, lineno - 7), origin, 24, locals_, missing)


BOOTSTRAP = (
    frame(f"{STDLIB}/threading.py:1024", "Thread.run"),
    frame(f"{STDLIB}/threading.py:1082", "Thread._bootstrap_inner"),
    frame(f"{STDLIB}/threading.py:1044", "Thread._bootstrap"),
)
EXECUTOR_IDLE = (frame(f"{STDLIB}/concurrent/futures/thread.py:81", "_worker"), *BOOTSTRAP)
EXECUTOR_BUSY = (
    frame(f"{STDLIB}/concurrent/futures/thread.py:59", "_WorkItem.run"),
    frame(f"{STDLIB}/concurrent/futures/thread.py:93", "_worker"),
    *BOOTSTRAP,
)
GTHREAD_MAIN = (
    frame(f"{STDLIB}/selectors.py:452", "EpollSelector.select"),
    frame(f"{SITE}/gunicorn/workers/gthread.py:203", "ThreadWorker.run"),
    frame(f"{SITE}/gunicorn/workers/base.py:143", "Worker.init_process"),
    frame(f"{SITE}/gunicorn/arbiter.py:608", "Arbiter.spawn_worker"),
    frame(f"{SITE}/gunicorn/app/wsgiapp.py:66", "run"),
    frame(f"{APP}/.venv/bin/gunicorn:8", "<module>"),
)


def counters(step: int, *, per_step: tuple[int, int, int], start_ticks: int = 500) -> Counters:
    """Return counters after `step` intervals of (voluntary, involuntary, cpu ns) each."""
    voluntary, involuntary, cpu_ns = per_step
    return Counters(
        state="R" if cpu_ns > SECOND_NS else "S",
        wchan=None if cpu_ns > SECOND_NS else "futex_do_wait",
        voluntary_switches=120 + step * voluntary,
        involuntary_switches=7 + step * involuntary,
        cpu_ns=40_000_000 + step * cpu_ns,
        start_ticks=start_ticks,
        at_ns=BOOT_NS + step * INTERVAL_S * SECOND_NS,
    )


STILL = (0, 0, 0)
BUSY = (300, 40, 900_000_000)
SPIN = (20, 4_000, 29_500_000_000)
POLL = (60, 2, 3_000_000)


def thread(name: str, native_id: int, frames: tuple[Frame, ...], count: Counters) -> Thread:
    """Make a thread seen from inside, with the same stack from outside."""
    bare = tuple(replace(each, locals=(), locals_missing=None) for each in frames)
    return Thread(
        ident=0x7F11_0000_0000 + native_id * 4096,
        native_id=native_id,
        name=name,
        daemon=name != "MainThread",
        is_main=name == "MainThread",
        view=View.INSIDE,
        at_ns=count.at_ns,
        frames=frames,
        counters=count,
        outside=OutsideStack(bare, count.at_ns),
        holds_gil=False,
    )


def process(step: int = 0, **changes: object) -> ProcessInfo:
    """Return the worker's process figures after `step` intervals."""
    info = ProcessInfo(
        pid=4121,
        start_time_ns=START_NS - 7_200 * SECOND_NS,
        uid=1000,
        python="3.14.8",
        executable="/srv/orders/.venv/bin/python3.14",
        cmdline=("/srv/orders/.venv/bin/python3.14", "/srv/orders/.venv/bin/gunicorn", "-k",
                 "gthread", "--threads", "20", "orders.wsgi:app"),
        cwd=APP,
        host="web-3",
        rss_bytes=182_000_000 + step * 1_250_000,
        cpu_ns=310 * SECOND_NS + step * 31 * SECOND_NS,
        fds=48 + step,
        os_threads=36,
        voluntary_switches=90_000 + step * 4_000,
        involuntary_switches=800 + step * 4_100,
        state="S",
        identity=Identity("b00t", 4121, 99_000, 77, 0x7FFD_0000),
    )  # fmt: skip
    return replace(info, **changes)  # type: ignore[arg-type]


def gc_state(step: int = 0) -> GcState:
    """Return a collector that works a little in each interval."""
    return GcState(
        enabled=True,
        generations=(
            Generation(312, 2000, 5_000 + step * 40, 61_000 + step * 900, 0),
            Generation(4, 10, 450 + step * 4, 8_000 + step * 50, 0),
            Generation(1, 0, 12 + step // 2, 300 + step, 0),
        ),
        freeze_count=0,
        garbage=0,
        callbacks=("orders.metrics.on_gc",),
    )


def _threads(step: int, values: Values) -> tuple[Thread, ...]:
    clock = {"step": step}
    items = values.add(list(range(1_200 + step * 750)), identity=LIST_ADDRESS)
    collector = values.object("orders.collect.Collector", identity=0x7F22, items=Ref(items))
    pool = values.object("orders.db.Pool", identity=0x7F33, size=20, free=0)
    request = values.object("orders.api.Request", path="/orders/1042", method="POST")
    password = values.add(Value(Kind.STR, "str", Status.REDACTED, 24))
    broken = values.add(Value(Kind.OBJECT, "orders.db.Cursor", Status.UNREADABLE))
    pool_get = frame(
        f"{APP}/orders/db.py:88", "Pool.get", Local("self", pool),
        Local("timeout", values.add(None)), Local("password", password), Local("cursor", broken),
    )  # fmt: skip
    handler = frame(
        f"{APP}/orders/handler.py:31", "handle_order", Local("request", request),
        Local("order_id", values.add(1042)),
    )  # fmt: skip
    bare = tuple(replace(each, locals=()) for each in (pool_get, handler))
    tokens = frame(f"{APP}/orders/parse.py:41", "tokens", Local("position", values.add(step * 811)))
    moving = replace(tokens, lineno=41 if step % 2 else 47)
    append = frame(
        f"{APP}/orders/collect.py:22",
        "Collector.run",
        Local("self", collector),
        Local("items", items),
        Local("batch", values.add({"id": step, "rows": 50})),
    )
    sleeping = frame(f"{STDLIB}/threading.py:373", "Condition.wait")
    return (
        thread("MainThread", 4121, GTHREAD_MAIN, counters(**clock, per_step=POLL)),
        thread("worker-7", 4177, (pool_get, replace(handler, lineno=57), *EXECUTOR_BUSY),
               counters(**clock, per_step=STILL)),
        thread("parser-1", 4180, (moving, *BOOTSTRAP), counters(**clock, per_step=BUSY)),
        thread("parser-2", 4181, (frame(f"{APP}/orders/parse.py:41", "tokens"), *BOOTSTRAP),
               counters(**clock, per_step=SPIN)),
        thread("collector", 4182, (sleeping, append, *BOOTSTRAP), counters(**clock, per_step=POLL)),
        *(thread(f"db-{n}", 4200 + n, (*bare, *EXECUTOR_BUSY), counters(**clock, per_step=STILL))
          for n in range(1, 18)),
        *(thread(f"http-{n}", 4300 + n, EXECUTOR_IDLE, counters(**clock, per_step=STILL))
          for n in range(1, 13)),
    )  # fmt: skip


def _tasks() -> tuple[Task, ...]:
    fetch = (frame(f"{APP}/orders/feed.py:17", "fetch"), frame(f"{APP}/orders/feed.py:40", "poll"))
    return (
        *(Task(0x7F44_0000 + n, f"fetch-{n}", TaskState.PENDING, 0x7F55, 0x7F11, fetch, "Future")
          for n in range(3)),
        Task(0x7F44_1000, "poll", TaskState.RUNNING, 0x7F55, 0x7F11, fetch[1:], None),
    )  # fmt: skip


def capture(**changes: object) -> Capture:
    """Return the report of a complete capture from both sides."""
    taken = Capture(
        views=(View.INSIDE, View.OUTSIDE), complete=True, carrier="thread", slices=5,
        pause=Pause(900_000, 3_100_000), delivery_ns=1_400_000, armed_ns=1_400_000,
        skew_ns=8_200_000, main=MainState.RUNNING, probe="1", reply_bytes=48_113,
        outside_ns=12_000_000,
    )  # fmt: skip
    return replace(taken, **changes)  # type: ignore[arg-type]


def snapshot(step: int = 0) -> Snapshot:
    """Return the service `step` intervals after the first snapshot."""
    values = Values()
    threads = _threads(step, values)
    cache = values.add({f"k{n}": n for n in range(40 + step * 10)}, identity=0x7F66)
    at_ns = START_NS + step * INTERVAL_S * SECOND_NS
    return Snapshot(
        captured_at_ns=at_ns,
        monotonic_ns=BOOT_NS + step * INTERVAL_S * SECOND_NS,
        process=process(step),
        capture=capture(),
        threads=threads,
        values=tuple(values.nodes),
        gc=gc_state(step),
        interpreter=Interpreter(
            "3.14.8", 812_000 + step * 9_000, 913, 1000, 5_000_000, interpreters=1,
            signal_handlers=(SignalHandler(15, "Worker.handle_exit"),),
        ),
        tasks=_tasks(),
        tasks_total=4,
        variables=(Variable("orders.cache:CACHE", cache),
                   Variable("orders.cache:GONE", None, "module orders.cache has no GONE")),
        tick=Tick(step + 1, at_ns - 3_000_000, 3_000_000),
        tool="0.1.0",
    )  # fmt: skip


def outside_only(step: int = 0) -> Snapshot:
    """Return a snapshot of the same service whose main thread was blocked all the time."""
    whole = snapshot(step)
    threads = tuple(
        replace(each, view=View.OUTSIDE, frames=each.outside.frames if each.outside else (),
                outside=None, name=None if each.is_main else each.name, daemon=None)
        for each in whole.threads
    )  # fmt: skip
    return replace(
        whole,
        threads=threads,
        values=(),
        variables=(),
        tasks=(),
        tasks_total=None,
        gc=None,
        interpreter=Interpreter("3.14.8", gil_holder=4181),
        capture=Capture(
            views=(View.OUTSIDE,), complete=False, main=MainState.BLOCKED, outside_ns=11_000_000,
            main_detail="in select.epoll.poll (ep_poll) at gunicorn/workers/gthread.py:203",
            skew_ns=4_000_000,
            missing=("The main thread stayed blocked for 1 s: no locals, collector and tasks.",),
        ),
    )  # fmt: skip


def recording(count: int = 4, *, directory: Path | None = None) -> Recording:
    """Return `count` successive snapshots, with a missed tick and a file that was skipped."""
    return Recording(
        snapshots=tuple(snapshot(step) for step in range(count)),
        missed=(Missed(START_NS - 60 * SECOND_NS, 2, MissedReason.STALL, "controller stopped"),),
        skipped=(SkippedFile(Path("000000-20261120T091430.000Z.msgpack"), "has no end mark"),),
        directory=directory or Path("orders-4121-20261120T091500Z"),
        interval_ns=INTERVAL_S * SECOND_NS,
    )


def restarted(step: int = 10) -> Snapshot:
    """Return the service after a restart: the same stacks, another incarnation."""
    whole = snapshot(step)
    identity = Identity("b00t", 5200, 190_000, 77, 0x7FFE_0000)
    info = replace(whole.process, pid=5200, start_time_ns=START_NS, identity=identity)
    return replace(whole, process=info, threads=whole.threads[:-4])


HOSTILE = (
    "a\x1b[31mred\x1b]52;c;Y2F0Cg==\x07\x1b]8;;http://evil\x1b\\x\x9b2J\r\n\t\x00"
    "\u202egnp\u2066\u200b\u200d\ufeff[link=http://evil]x[/link][bold]:bomb:\u2028\u2029"
    "\ue000\udc9b\U000e0041\u3164\u00a0" + "e" + "\u0301" * 20
)
"""Everything that a terminal or rich could take for an order."""


def hostile_snapshot(step: int = 0) -> Snapshot:
    """Return a snapshot with hostile text in every string field."""
    return _poison(snapshot(step))


def hostile_recording() -> Recording:
    """Return a recording whose snapshots, reasons and paths are hostile."""
    bad = HOSTILE.replace("\x00", "")
    return Recording(
        (hostile_snapshot(0), hostile_snapshot(1), _poison(outside_only(2)), hostile_snapshot(3)),
        (Missed(START_NS, 1, MissedReason.FAILED, bad),),
        (SkippedFile(Path(bad), bad),),
        Path(bad),
        INTERVAL_S * SECOND_NS,
        bad,
    )


_ENUMS = (Kind, Status, View, Origin, MainState, TaskState, MissedReason, ValueLevel)


def _poison[T](node: T) -> T:
    """Put hostile text after every string below a dataclass, and leave closed sets alone."""
    if isinstance(node, str) and not isinstance(node, _ENUMS):
        return node + HOSTILE  # type: ignore[return-value]
    if isinstance(node, tuple):
        return tuple(_poison(each) for each in node)  # type: ignore[return-value]
    if hasattr(node, "__dataclass_fields__"):
        fields = {name: _poison(getattr(node, name)) for name in node.__dataclass_fields__}
        return replace(node, **fields)  # type: ignore[type-var, return-value]
    return node
