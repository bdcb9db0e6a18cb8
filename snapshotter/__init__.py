"""Watch a live CPython process, dump after dump.

>>> import snapshotter
>>> before = snapshotter.dump(4121)  # doctest: +SKIP
>>> after = snapshotter.dump(4121)  # doctest: +SKIP
>>> snapshotter.diff(before, after).threads  # doctest: +SKIP

Everything raises :class:`SnapshotterError`, whose message is one sentence and whose hint is a next
step. Nothing is imported before it is used, so that ``import snapshotter`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.errors import SnapshotterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from snapshotter.analysis.diff import Diff
    from snapshotter.model import Recording, Snapshot
    from snapshotter.record.options import CaptureOptions

__all__ = [
    "CaptureOptions",
    "Recording",
    "Snapshot",
    "SnapshotterError",
    "__version__",
    "diff",
    "dump",
    "load",
    "watch",
]

__version__ = "0.1.0"

_NS_PER_S = 1_000_000_000
_LONGEST_S = 36_500 * 86_400


def dump(pid: int, options: CaptureOptions | None = None) -> Snapshot:
    """Take one snapshot of a process.

    Raises NoSuchProcessError, NotPythonError, NotPermittedError and NoSnapshotError. A target
    that does not answer from inside is no error: ``snapshot.capture`` says what is missing.
    """
    from snapshotter.record.capture import Observer  # noqa: PLC0415 - see the module docstring
    from snapshotter.record.options import CaptureOptions  # noqa: PLC0415

    with Observer.open(pid, options or CaptureOptions()) as observer:
        return observer.capture()


def watch(
    pid: int, every_s: float = 30.0, options: CaptureOptions | None = None
) -> Iterator[Snapshot]:
    """Yield a snapshot at each due time, ``every_s`` seconds apart, until the process ends.

    Due times are absolute: a slow consumer makes ticks fall out, it never makes them drift.
    Raises the errors of :func:`dump`, and UsageError for an ``every_s`` that is no time.
    """
    if not 0 < every_s <= _LONGEST_S:  # nor NaN
        message = f"every_s must be a number of seconds above zero, not {every_s!r}."
        raise UsageError(message, hint="snapshotter.watch(pid, every_s=30.0)")
    from snapshotter.record.allowance import Allowance  # noqa: PLC0415
    from snapshotter.record.capture import Observer  # noqa: PLC0415
    from snapshotter.record.clock import SystemClock  # noqa: PLC0415
    from snapshotter.record.events import SnapshotTaken  # noqa: PLC0415
    from snapshotter.record.options import CaptureOptions  # noqa: PLC0415
    from snapshotter.record.recorder import Recorder  # noqa: PLC0415
    from snapshotter.record.schedule import Schedule  # noqa: PLC0415

    clock = SystemClock()
    chosen = options or CaptureOptions(patience_ns=round(every_s * _NS_PER_S) // 2)
    with Observer.open(pid, chosen) as observer:
        interval_ns = round(every_s * _NS_PER_S)
        observer.allowance = Allowance(interval_ns)
        schedule = Schedule(clock, clock.monotonic_ns(), interval_ns=interval_ns)
        recorder = Recorder(observer, None, schedule=schedule, clock=clock)
        while not recorder.ended:
            clock.sleep_until(recorder.due_ns)
            for event in recorder.tick(clock.monotonic_ns()):
                if isinstance(event, SnapshotTaken):
                    yield event.snapshot


def load(path: str | Path) -> Snapshot | Recording:
    """Read a dump, or a recording directory. Raises UnreadableFileError."""
    from pathlib import Path  # noqa: PLC0415

    from snapshotter.store.reader import load as load_path  # noqa: PLC0415

    return load_path(Path(path))


def diff(baseline: Snapshot, current: Snapshot) -> Diff:
    """Compare two snapshots, the older one first."""
    from snapshotter.analysis.diff import diff as compare  # noqa: PLC0415

    return compare(baseline, current)


def __getattr__(name: str) -> object:
    """Find the public classes when they are asked for."""
    if name in {"Recording", "Snapshot"}:
        from snapshotter import model  # noqa: PLC0415

        return getattr(model, name)
    if name == "CaptureOptions":
        from snapshotter.record.options import CaptureOptions  # noqa: PLC0415

        return CaptureOptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
