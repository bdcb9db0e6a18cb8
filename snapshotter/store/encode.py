"""From a Snapshot to the bytes of a dump, as ``format`` specifies them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from snapshotter.errors import InternalError
from snapshotter.store.envelope import seal
from snapshotter.store.format import INT_MAX, INT_MIN
from snapshotter.store.tables import (
    OWNER_OUTSIDE,
    OWNER_TASK,
    OWNER_THREAD,
    Stacks,
    Strings,
    columns,
)
from snapshotter.store.wire import text_to_wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snapshotter.model import (
        Capture,
        GcState,
        Identity,
        Interpreter,
        ProcessInfo,
        Snapshot,
        Task,
        Thread,
        Tick,
        Value,
        Variable,
    )

__all__ = ["encode"]

type _Table = dict[str, list[object]]
type _Group = dict[str, object]


def encode(snapshot: Snapshot) -> bytes:
    """Return the dump file of ``snapshot``.

    Raises StorageError when it is larger than a dump can be, InternalError when it breaks the
    promises of the model (an index outside of its table, a number outside of 64 bits).
    """
    _check_nodes(snapshot)
    try:
        return seal(_document(snapshot))
    except (OverflowError, TypeError, ValueError) as error:
        raise InternalError(f"The snapshot cannot be written: {error}.") from error


def _document(snapshot: Snapshot) -> dict[str, object]:
    strings = Strings()
    stacks = Stacks(strings)
    tables: dict[str, object] = {
        "threads": _threads(snapshot.threads, strings, stacks),
        "tasks": _tasks(snapshot.tasks, strings, stacks),
        "task_awaiters": columns(
            (
                (row, awaiter)
                for row, task in enumerate(snapshot.tasks)
                for awaiter in task.awaited_by
            ),
            *("task", "awaiter"),
        ),
        "variables": _variables(snapshot.variables, strings),
        **_values(snapshot.values, strings),
        **_gc(snapshot.gc, strings),
        **_interpreter(snapshot.interpreter, strings),
        **stacks.document(),
    }
    return {
        "tool": text_to_wire(snapshot.tool),
        "captured_at_ns": snapshot.captured_at_ns,
        "monotonic_ns": snapshot.monotonic_ns,
        "process": _process(snapshot.process),
        "identity": _identity(snapshot.process.identity),
        "capture": _capture(snapshot.capture),
        "tick": _tick(snapshot.tick),
        "strings": strings.column(),
        **tables,
        "tasks_total": snapshot.tasks_total,
    }


def _check_nodes(snapshot: Snapshot) -> None:
    count = len(snapshot.values)
    if not all(0 <= node < count for node in _nodes(snapshot)):
        raise InternalError("The snapshot refers to a value that it does not have.")


def _nodes(snapshot: Snapshot) -> Iterator[int]:
    stacks = [
        *(thread.frames for thread in snapshot.threads),
        *(thread.outside.frames for thread in snapshot.threads if thread.outside),
        *(task.frames for task in snapshot.tasks),
    ]
    yield from (local.node for stack in stacks for frame in stack for local in frame.locals)
    for value in snapshot.values:
        yield from (item.node for item in value.items)
        yield from (item.key for item in value.items if item.key is not None)
    yield from (var.node for var in snapshot.variables if var.node is not None)


def _threads(threads: Iterable[Thread], strings: Strings, stacks: Stacks) -> _Table:
    return columns(
        (
            (
                *_thread_itself(thread, strings, stacks.add(thread.frames, OWNER_THREAD, row)),
                *_counters(thread, strings),
                *_outside(thread, stacks, row),
            )
            for row, thread in enumerate(threads)
        ),
        *("ident", "native_id", "name", "daemon", "is_main", "view", "at_ns", "stack"),
        *("complete", "note", "holds_gil", "interpreter"),
        *("state", "wchan", "voluntary_switches", "involuntary_switches", "cpu_ns"),
        *("start_ticks", "counters_at_ns"),
        *("outside_stack", "outside_at_ns", "outside_tries", "outside_truncated"),
    )


def _thread_itself(thread: Thread, strings: Strings, stack: int) -> tuple[object, ...]:
    return (
        thread.ident,
        thread.native_id,
        strings.maybe(thread.name),
        thread.daemon,
        thread.is_main,
        strings.add(thread.view.value),
        thread.at_ns,
        stack,
        thread.complete,
        strings.maybe(thread.note),
        thread.holds_gil,
        thread.interpreter,
    )


def _counters(thread: Thread, strings: Strings) -> tuple[object, ...]:
    counters = thread.counters
    if counters is None:
        return (None,) * 7
    return (
        strings.add(counters.state),
        strings.maybe(counters.wchan),
        counters.voluntary_switches,
        counters.involuntary_switches,
        counters.cpu_ns,
        counters.start_ticks,
        counters.at_ns,
    )


def _outside(thread: Thread, stacks: Stacks, row: int) -> tuple[object, ...]:
    outside = thread.outside
    if outside is None:
        return (None,) * 4
    stack = stacks.add(outside.frames, OWNER_OUTSIDE, row)
    return stack, outside.at_ns, outside.tries, outside.truncated


def _tasks(tasks: Iterable[Task], strings: Strings, stacks: Stacks) -> _Table:
    return columns(
        (
            (
                task.identity,
                strings.maybe(task.name),
                strings.add(task.state.value),
                task.loop,
                task.thread_ident,
                stacks.add(task.frames, OWNER_TASK, row),
                strings.maybe(task.waits_for),
            )
            for row, task in enumerate(tasks)
        ),
        *("identity", "name", "state", "loop", "thread_ident", "stack", "waits_for"),
    )


def _variables(variables: Iterable[Variable], strings: Strings) -> _Table:
    return columns(
        (
            (
                strings.add(variable.expression),
                variable.node,
                strings.maybe(variable.problem),
                strings.maybe(variable.view),
            )
            for variable in variables
        ),
        *("expression", "value", "problem", "view"),
    )


def _values(values: tuple[Value, ...], strings: Strings) -> dict[str, _Table]:
    items = (item for value in values for item in value.items)
    return {
        "values": columns(
            (_value(value, strings) for value in values),
            *("kind", "type", "status", "length", "scalar", "text", "items", "identity"),
        ),
        "items": columns(
            ((item.node, strings.maybe(item.name), item.key, item.attribute) for item in items),
            *("value", "name", "key", "attribute"),
        ),
        "wide_ints": columns(
            (
                (row, strings.add(f"{scalar:x}"))
                for row, scalar in enumerate(value.value for value in values)
                if _is_wide(scalar)
            ),
            *("value", "hex"),
        ),
    }


def _value(value: Value, strings: Strings) -> tuple[object, ...]:
    scalar = value.value
    text = scalar if isinstance(scalar, str) else None
    return (
        strings.add(value.kind.value),
        strings.add(value.type),
        strings.add(value.status.value),
        value.length,
        None if text is not None or _is_wide(scalar) else scalar,
        strings.maybe(text),
        len(value.items),
        value.identity,
    )


def _is_wide(scalar: object) -> TypeGuard[int]:
    return isinstance(scalar, int) and not INT_MIN <= scalar <= INT_MAX


def _gc(gc: GcState | None, strings: Strings) -> dict[str, object]:
    generations = () if gc is None else gc.generations
    return {
        "gc": None
        if gc is None
        else {
            "enabled": gc.enabled,
            "freeze_count": gc.freeze_count,
            "garbage": gc.garbage,
            "callbacks": list(map(text_to_wire, gc.callbacks)),
        },
        "generations": columns(
            (
                (g.count, g.threshold, g.collections, g.collected, g.uncollectable)
                for g in generations
            ),
            *("count", "threshold", "collections", "collected", "uncollectable"),
        ),
        "generation_extra": columns(
            (
                (row, strings.add(name), number)
                for row, generation in enumerate(generations)
                for name, number in generation.extra.items()
            ),
            *("generation", "name", "number"),
        ),
        "gc_runs": columns(
            (
                (
                    run.generation,
                    run.started_ns,
                    run.duration_ns,
                    run.heap_objects,
                    run.collected,
                    run.uncollectable,
                    run.candidates,
                )
                for run in (() if gc is None else gc.recent)
            ),
            *("generation", "started_ns", "duration_ns", "heap_objects"),
            *("collected", "uncollectable", "candidates"),
        ),
    }


def _interpreter(interpreter: Interpreter | None, strings: Strings) -> dict[str, object]:
    handlers = () if interpreter is None else interpreter.signal_handlers
    return {
        "interpreter": None
        if interpreter is None
        else {
            "version": text_to_wire(interpreter.version),
            "allocated_blocks": interpreter.allocated_blocks,
            "modules": interpreter.modules,
            "recursion_limit": interpreter.recursion_limit,
            "switch_interval_ns": interpreter.switch_interval_ns,
            "tracemalloc_bytes": interpreter.tracemalloc_bytes,
            "tracemalloc_peak_bytes": interpreter.tracemalloc_peak_bytes,
            "interpreters": interpreter.interpreters,
            "free_threaded": interpreter.free_threaded,
            "gil_holder": interpreter.gil_holder,
        },
        "signal_handlers": columns(
            ((handler.signum, strings.add(handler.handler)) for handler in handlers),
            *("signum", "handler"),
        ),
    }


def _maybe_text(text: str | None) -> str | bytes | None:
    return None if text is None else text_to_wire(text)


def _process(process: ProcessInfo) -> _Group:
    return {
        "pid": process.pid,
        "start_time_ns": process.start_time_ns,
        "uid": process.uid,
        "python": text_to_wire(process.python),
        "executable": text_to_wire(process.executable),
        "cmdline": list(map(text_to_wire, process.cmdline)),
        "cwd": _maybe_text(process.cwd),
        "host": text_to_wire(process.host),
        "container": _maybe_text(process.container),
        "rss_bytes": process.rss_bytes,
        "cpu_ns": process.cpu_ns,
        "fds": process.fds,
        "os_threads": process.os_threads,
        "voluntary_switches": process.voluntary_switches,
        "involuntary_switches": process.involuntary_switches,
        "state": _maybe_text(process.state),
    }


def _identity(identity: Identity | None) -> _Group | None:
    if identity is None:
        return None
    return {
        "boot_id": text_to_wire(identity.boot_id),
        "pid": identity.pid,
        "start_ticks": identity.start_ticks,
        "executable_inode": f"{identity.executable_inode:x}",
        "random_address": identity.random_address,
    }


def _capture(capture: Capture) -> _Group:
    pause = capture.pause
    return {
        "views": [view.value for view in capture.views],
        "complete": capture.complete,
        "carrier": _maybe_text(capture.carrier),
        "slices": capture.slices,
        "pause_max_ns": None if pause is None else pause.max_ns,
        "pause_total_ns": None if pause is None else pause.total_ns,
        "delivery_ns": capture.delivery_ns,
        "armed_ns": capture.armed_ns,
        "skew_ns": capture.skew_ns,
        "main": capture.main.value,
        "main_detail": _maybe_text(capture.main_detail),
        "locals": text_to_wire(capture.locals),
        "values": capture.values.value,
        "missing": list(map(text_to_wire, capture.missing)),
        "probe": _maybe_text(capture.probe),
        "reply_bytes": capture.reply_bytes,
        "outside_ns": capture.outside_ns,
        "asked_thread": capture.asked_thread,
        "holds": capture.holds,
        "held_ns": capture.held_ns,
        "woken": _maybe_text(capture.woken),
    }


def _tick(tick: Tick | None) -> _Group | None:
    if tick is None:
        return None
    return {
        "sequence": tick.sequence,
        "due_at_ns": tick.due_at_ns,
        "lateness_ns": tick.lateness_ns,
    }
