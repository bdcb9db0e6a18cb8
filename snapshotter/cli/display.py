"""What a watch shows while it runs: a live view, lines for a pipe, or nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

from snapshotter.analysis import Diff, Dwell, diff, dwell
from snapshotter.cli.console import console, print_line
from snapshotter.cli.errors import print_note
from snapshotter.record.events import (
    Event,
    SnapshotTaken,
    StorageRestored,
    StorageTrouble,
    TargetEnded,
    TickMissed,
    Waiting,
)
from snapshotter.render import LiveState, ended_line, live_view, missed_line, snapshot_line

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from snapshotter.analysis import IdlePattern
    from snapshotter.model import Snapshot
    from snapshotter.record.clock import Clock

__all__ = ["Display", "LineDisplay", "LiveDisplay", "QuietDisplay"]

# Enough to say since when a thread stands; each is a whole snapshot in memory.
_REMEMBERED = 30


class Display(Protocol):
    """Shows events; a context manager."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *_: object) -> None:
        """Leave the screen as it should stay."""

    def tell(self, event: Event) -> None:
        """Show one event."""


class QuietDisplay:
    """Shows only trouble, on stderr."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def tell(self, event: Event) -> None:
        """Say what keeps snapshots from being stored."""
        match event:
            case StorageTrouble(pid, message):
                print_note(f"process {pid} is watched but not stored: {message}")
            case StorageRestored(pid):
                print_note(f"snapshots of process {pid} are stored again")


class LineDisplay(QuietDisplay):
    """One line for each thing that happens, at once, for whoever reads the pipe."""

    def __init__(self, clock: Clock, catalogue: tuple[IdlePattern, ...]) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._last: dict[int, Snapshot] = {}

    def tell(self, event: Event) -> None:
        """Print the line of an event; trouble goes to stderr as well."""
        super().tell(event)
        match event:
            case SnapshotTaken(snapshot, path):
                print_line(snapshot_line(snapshot, self._comparison(snapshot), path=path))
            case TickMissed(_, missed):
                print_line(missed_line(missed))
            case TargetEnded(pid, reason):
                self._last.pop(pid, None)
                print_line(ended_line(reason, self._clock.wall_ns()))

    def _comparison(self, snapshot: Snapshot) -> Diff | None:
        before = self._last.get(snapshot.process.pid)
        self._last[snapshot.process.pid] = snapshot
        return None if before is None else diff(before, snapshot, catalogue=self._catalogue)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the screen shows; replaced as a whole, because another thread draws it."""

    next_due_ns: int
    taken: int = 0
    missed: int = 0
    path: Path | None = None
    snapshot: Snapshot | None = None
    comparison: Diff | None = None
    dwells: tuple[Dwell, ...] = ()
    trouble: str | None = None


class LiveDisplay(QuietDisplay):
    """The last snapshot of one process, what it cost, what changed, and when the next is due."""

    def __init__(
        self, target: str, *, interval_ns: int, clock: Clock, catalogue: tuple[IdlePattern, ...]
    ) -> None:
        from rich.live import Live  # noqa: PLC0415 -- start-up

        self._target = target
        self._interval_ns = interval_ns
        self._clock = clock
        self._catalogue = catalogue
        self._started_ns = clock.wall_ns()
        self._seen = _Seen(next_due_ns=self._started_ns)
        self._snapshots: deque[Snapshot] = deque(maxlen=_REMEMBERED)
        # Its own thread draws once a second, also while a snapshot is under way.
        self._live = Live(console=console(), refresh_per_second=1, get_renderable=self._screen)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tell(self, event: Event) -> None:
        """Take an event into the picture."""
        self._seen = self._after(event)
        if not isinstance(event, Waiting):
            self._live.refresh()

    def _after(self, event: Event) -> _Seen:
        seen = self._seen
        match event:
            case Waiting(_, due_ns):
                ahead_ns = due_ns - self._clock.monotonic_ns()
                return replace(seen, next_due_ns=self._clock.wall_ns() + ahead_ns)
            case SnapshotTaken(snapshot, path):
                return self._with_snapshot(snapshot, path)
            case TickMissed(_, missed):
                return replace(seen, missed=seen.missed + missed.count)
            case StorageTrouble(_, message):
                return replace(seen, trouble=message)
            case StorageRestored():
                return replace(seen, trouble=None)
            case _:
                return seen

    def _with_snapshot(self, snapshot: Snapshot, path: Path | None) -> _Seen:
        before = self._snapshots[-1] if self._snapshots else None
        self._snapshots.append(snapshot)
        dwells = dwell(self._snapshots)
        comparison = None
        if before is not None:
            comparison = diff(before, snapshot, dwells=dwells, catalogue=self._catalogue)
        return replace(
            self._seen,
            taken=self._seen.taken + 1,
            path=path or self._seen.path,
            snapshot=snapshot,
            comparison=comparison,
            dwells=dwells,
        )

    def _screen(self) -> RenderableType:
        seen = self._seen
        return live_view(
            LiveState(
                target=self._target,
                now_ns=self._clock.wall_ns(),
                started_ns=self._started_ns,
                interval_ns=self._interval_ns,
                next_due_ns=seen.next_due_ns,
                taken=seen.taken,
                missed=seen.missed,
                path=seen.path,
                snapshot=seen.snapshot,
                comparison=seen.comparison,
                dwells=seen.dwells,
                trouble=seen.trouble,
            )
        )
