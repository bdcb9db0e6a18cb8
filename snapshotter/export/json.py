"""The friendly JSON shape of a snapshot, stable and described by ``snapshot.schema.json``."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from snapshotter.analysis.awaited import tasks_awaited
from snapshotter.export.encoding import dumps, scalar, utc
from snapshotter.export.values import ValueTrees
from snapshotter.model import Recording

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from snapshotter.model import (
        Capture,
        Counters,
        Frame,
        GcState,
        Interpreter,
        OutsideStack,
        ProcessInfo,
        Snapshot,
        Task,
        Thread,
        Variable,
    )

__all__ = [
    "SNAPSHOT_SCHEMA",
    "place_dict",
    "recording_dict",
    "skipped_files",
    "snapshot_dict",
    "write",
]

SNAPSHOT_SCHEMA = "snapshotter.snapshot/1"
RECORDING_SCHEMA = "snapshotter.snapshots/1"

type _Dict = dict[str, Any]


def write(subject: Snapshot | Recording, stream: BinaryIO) -> None:
    """Write one JSON document: a snapshot, or a recording with all its snapshots."""
    if not isinstance(subject, Recording):
        stream.write(dumps(snapshot_dict(subject)) + b"\n")
        return
    # One snapshot at a time: a recording can be much larger than memory when written out.
    stream.write(dumps(recording_dict(subject)).removesuffix(b"}") + b',"snapshots":[')
    stream.writelines(
        (b"," if number else b"") + dumps(snapshot_dict(snapshot))
        for number, snapshot in enumerate(subject.snapshots)
    )
    stream.write(b"]}\n")


def snapshot_dict(snapshot: Snapshot) -> _Dict:
    """Return ``snapshot`` as plain containers; ``encoding.dumps`` turns them into bytes."""
    trees = ValueTrees(snapshot.values)
    awaited = tasks_awaited(snapshot.tasks)
    return {
        "schema": SNAPSHOT_SCHEMA,
        "tool": snapshot.tool,
        "captured_at": utc(snapshot.captured_at_ns),
        "captured_at_ns": snapshot.captured_at_ns,
        "monotonic_ns": snapshot.monotonic_ns,
        "process": _process(snapshot.process),
        "capture": _capture(snapshot.capture),
        "threads": [_thread(thread, trees) for thread in snapshot.threads],
        "gc": None if snapshot.gc is None else _gc(snapshot.gc),
        "interpreter": _interpreter(snapshot.interpreter),
        "tasks": [_task(task, trees, awaited.get(task.identity, ())) for task in snapshot.tasks],
        "tasks_total": snapshot.tasks_total,
        "heap": None,
        "vars": [_variable(variable, trees) for variable in snapshot.variables],
        "tick": None if snapshot.tick is None else _plain(snapshot.tick),
    }


def recording_dict(recording: Recording) -> _Dict:
    """Return what is known of a recording besides its snapshots."""
    return {
        "schema": RECORDING_SCHEMA,
        "directory": None if recording.directory is None else str(recording.directory),
        "interval_ns": recording.interval_ns,
        "ended": recording.ended,
        "missed": [
            {
                "due_at": utc(missed.due_at_ns),
                "due_at_ns": missed.due_at_ns,
                "count": missed.count,
                "reason": missed.reason.value,
                "detail": missed.detail,
            }
            for missed in recording.missed
        ],
        "skipped": skipped_files(recording),
    }


def skipped_files(recording: Recording) -> list[_Dict]:
    """Return the files of a recording that could not be read."""
    return [{"path": str(skipped.path), "reason": skipped.reason} for skipped in recording.skipped]


def place_dict(frame: Frame) -> _Dict:
    """Return where ``frame`` stands, without its locals."""
    return {
        "filename": frame.filename,
        "qualname": frame.qualname,
        "lineno": frame.lineno,
        "code": frame.origin.value,
        "first_lineno": frame.first_lineno,
        "lasti": frame.lasti,
    }


def _plain(record: Any, *but: str) -> _Dict:  # noqa: ANN401  any record of scalars and tuples
    """Return the fields of a record under their own names, except ``but``."""
    named = ((field.name, getattr(record, field.name)) for field in fields(record))
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in named
        if name not in but
    }


def _process(process: ProcessInfo) -> _Dict:
    identity = process.identity
    return {
        **_plain(process, "identity"),
        "start_time": utc(process.start_time_ns),
        "identity": None
        if identity is None
        else _plain(identity) | {"executable_inode": f"{identity.executable_inode:#x}"},
    }


def _capture(capture: Capture) -> _Dict:
    pause = capture.pause
    return {
        **_plain(capture, "pause"),
        "views": [view.value for view in capture.views],
        "pause_ns": None if pause is None else {"max": pause.max_ns, "total": pause.total_ns},
        "main": capture.main.value,
        "values": capture.values.value,
    }


def _thread(thread: Thread, trees: ValueTrees) -> _Dict:
    return {
        "ident": thread.ident,
        "native_id": thread.native_id,
        "name": thread.name,
        "daemon": thread.daemon,
        "is_main": thread.is_main,
        "view": thread.view.value,
        "at_ns": thread.at_ns,
        "frames": _frames(thread.frames, trees),
        "complete": thread.complete,
        "note": thread.note,
        "counters": _counters(thread.counters),
        "outside": _outside(thread.outside, trees),
        "holds_gil": thread.holds_gil,
        "interpreter": thread.interpreter,
        "waits_for": None,
        "holds": [],
    }


def _frames(frames: Iterable[Frame], trees: ValueTrees) -> list[_Dict]:
    return [
        {
            **place_dict(frame),
            "locals": [{"name": local.name, **trees.tree(local.node)} for local in frame.locals],
            "locals_missing": frame.locals_missing,
        }
        for frame in frames
    ]


def _counters(counters: Counters | None) -> _Dict | None:
    return None if counters is None else _plain(counters)


def _outside(stack: OutsideStack | None, trees: ValueTrees) -> _Dict | None:
    if stack is None:
        return None
    return {
        "at_ns": stack.at_ns,
        "tries": stack.tries,
        "truncated": stack.truncated,
        "frames": _frames(stack.frames, trees),
    }


def _gc(gc: GcState) -> _Dict:
    return {
        **_plain(gc, "generations", "recent"),
        "recent": [_plain(run) for run in gc.recent],
        "generations": [
            # Our own names win over what a later version of CPython may call its figures.
            {name: scalar(number) for name, number in generation.extra.items()}
            | _plain(generation, "extra")
            for generation in gc.generations
        ],
    }


def _interpreter(interpreter: Interpreter | None) -> _Dict | None:
    if interpreter is None:
        return None
    handlers = [_plain(handler) for handler in interpreter.signal_handlers]
    return _plain(interpreter) | {"signal_handlers": handlers}


def _task(task: Task, trees: ValueTrees, awaited: Iterable[Task]) -> _Dict:
    return _plain(task) | {
        "state": task.state.value,
        "frames": _frames(task.frames, trees),
        "awaited_by": list(task.awaited_by),
        "awaits": [one.identity for one in awaited],
    }


def _variable(variable: Variable, trees: ValueTrees) -> _Dict:
    return {
        "expression": variable.expression,
        "value": None if variable.node is None else trees.tree(variable.node),
        "problem": variable.problem,
        "view": None if variable.view is None else variable.view.value,
    }
