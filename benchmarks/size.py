"""The size of a dump file: what a frame, a value and a code object take in it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import Goal, Options, Result, Table, run
from benchmarks.pausing import Shape, pausing
from snapshotter.model import Snapshot, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from snapshotter.store.encode import encode
from snapshotter.store.writer import write_dump

__all__ = ["measure"]

_FRAME_BYTES, _VALUE_BYTES, _CODE_BYTES = 12, 60, 200
_SHAPE = Shape("100 x 20", 100, 20)


def measure(options: Options) -> Result:  # noqa: ARG001 - it is short anyway
    """Measure dumps of one target with each choice of locals."""
    result = Result(
        "Size of a dump",
        f"Dumps of {_SHAPE.name} threads x frames, 4 locals per frame, written by `write_dump`. "
        f"Allowed are {_FRAME_BYTES} bytes for each frame, {_VALUE_BYTES} for each captured value "
        f"and {_CODE_BYTES} for each distinct code object. *Without* is the same dump encoded "
        "again without its locals and values, or without the outside stacks.",
    )
    rows = []
    with pausing(_SHAPE) as target, tempfile.TemporaryDirectory(prefix="snap-size-") as folder:
        for policy in ("none", "app", "all"):
            with Observer.open(target.pid, CaptureOptions(locals=policy)) as observer:
                snapshot = observer.capture()
            size = write_dump(Path(folder) / f"{policy}.msgpack", snapshot)
            frames, values, codes = _counts(snapshot)
            allowed = frames * _FRAME_BYTES + values * _VALUE_BYTES + codes * _CODE_BYTES
            rows.append(_row(policy, snapshot, size, allowed))
            result.goals.append(
                Goal(
                    what=f"100 x 20, --locals {policy}: bytes of the whole file",
                    limit=f"{allowed:,}",
                    measured=f"{size:,} ({size / allowed:.0%})",
                    met=size <= allowed and View.INSIDE in snapshot.capture.views,
                )
            )
    columns = ("locals", "file", "allowed", "frames", "values", "code objects", "without values")
    result.tables.append(Table("Bytes", (*columns, "without outside stacks"), tuple(rows)))
    return result


def _counts(snapshot: Snapshot) -> tuple[int, int, int]:
    frames = [frame for thread in snapshot.threads for frame in thread.frames]
    frames += [frame for task in snapshot.tasks for frame in task.frames]
    codes = {(frame.filename, frame.qualname, frame.first_lineno) for frame in frames}
    return len(frames), len(snapshot.values), len(codes)


def _row(policy: str, snapshot: Snapshot, size: int, allowed: int) -> tuple[str, ...]:
    numbers = (size, allowed, *_counts(snapshot), *_slimmer(snapshot))
    return (policy, *(f"{number:,}" for number in numbers))


def _slimmer(snapshot: Snapshot) -> tuple[int, int]:
    """Return the sizes without values and without outside stacks."""
    bare = tuple(
        replace(thread, frames=tuple(replace(frame, locals=()) for frame in thread.frames))
        for thread in snapshot.threads
    )
    inside = tuple(replace(thread, outside=None) for thread in snapshot.threads)
    return (
        len(encode(replace(snapshot, threads=bare, values=(), variables=()))),
        len(encode(replace(snapshot, threads=inside))),
    )


if __name__ == "__main__":
    run("size", measure)
