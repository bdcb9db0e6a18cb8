"""What a watch shows while it runs: a live view, lines for a pipe, or nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, Self

from snapshotter.analysis.diff import diff
from snapshotter.analysis.dwell import dwell
from snapshotter.attach.protocol import no_signals
from snapshotter.cli.console import console, print_line
from snapshotter.cli.errors import print_note
from snapshotter.cli.suspending import not_suspended, suspendable
from snapshotter.record.events import (
    Event,
    SnapshotTaken,
    Stopped,
    StorageRestored,
    StorageTrouble,
    TargetEnded,
    TickMissed,
    Waiting,
)
from snapshotter.render.lines import (
    ended_line,
    missed_line,
    snapshot_line,
    stopped_line,
    trouble_line,
)
from snapshotter.render.live import LiveState, live_view

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import RenderableType
    from rich.live import Live

    from snapshotter.analysis.changes import Diff
    from snapshotter.analysis.idle import IdlePattern
    from snapshotter.model import Snapshot
    from snapshotter.record.clock import Clock

__all__ = ["Display", "LineDisplay", "LiveDisplay", "QuietDisplay"]


# For how many snapshots the live view can tell that a thread stands at one place.
_RECENT = 30


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
            case StorageTrouble(pid, error):
                print_note(f"process {pid} is watched but not stored: {error.message}")
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
                name = None if path is None else path.name
                line = snapshot_line(
                    snapshot, self._comparison(snapshot), path=name, catalogue=self._catalogue
                )
                print_line(line)
            case TickMissed(pid, missed):
                print_line(missed_line(missed, pid=pid))
            case TargetEnded(pid, reason):
                self._last.pop(pid, None)
                print_line(ended_line(reason, pid=pid, now_ns=self._clock.wall_ns()))
            case StorageTrouble(pid, error):
                print_line(trouble_line(error.message, pid=pid, now_ns=self._clock.wall_ns()))
            case Stopped(reason):
                word = reason.name.lower().replace("_", "-")
                print_line(stopped_line(word, reason, now_ns=self._clock.wall_ns()))

    def _comparison(self, snapshot: Snapshot) -> Diff | None:
        before = self._last.get(snapshot.process.pid)
        self._last[snapshot.process.pid] = snapshot
        return None if before is None else diff(before, snapshot, catalogue=self._catalogue)


class LiveDisplay(QuietDisplay):
    """For each process the last snapshot, what it cost, what changed, and when the next is due."""

    def __init__(
        self,
        directories: Mapping[int, Path],
        *,
        interval_ns: int,
        clock: Clock,
        catalogue: tuple[IdlePattern, ...],
    ) -> None:
        self._directories = directories
        self._interval_ns = interval_ns
        self._clock = clock
        self._catalogue = catalogue
        self._recent: dict[int, deque[Snapshot]] = {}
        # States are frozen and replaced as a whole, because another thread draws them.
        self._states = {pid: self._new_state(pid) for pid in directories}
        self._live = self._new_live()
        self._suspendable = suspendable(self._leave, self._come_back)

    def __enter__(self) -> Self:
        try:
            self._begin()
            self._suspendable.__enter__()
        except KeyboardInterrupt:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._suspendable.__exit__(None, None, None)
        self._leave()

    def _new_live(self) -> Live:
        from snapshotter.cli.closing_live import ClosingLive  # noqa: PLC0415 -- start-up

        # It draws once a second, also while a snapshot is under way.
        return ClosingLive(console=console(), refresh_per_second=1, get_renderable=self._screen)

    def _begin(self) -> None:
        # Its thread takes no signal for the process: one that has to wait would not do so.
        with no_signals():
            self._live.start()

    def _leave(self) -> None:
        try:
            self._live.stop()
        except KeyboardInterrupt:
            self._live.console.show_cursor()
            raise

    def _come_back(self) -> None:
        """Begin a new picture, below what the shell has written meanwhile."""
        self._live = self._new_live()
        self._begin()

    def tell(self, event: Event) -> None:
        """Take an event into the picture."""
        if isinstance(event, Stopped):
            for pid, state in tuple(self._states.items()):
                self._states[pid] = replace(state, stopped=event.reason)
            return
        pid = event.snapshot.process.pid if isinstance(event, SnapshotTaken) else event.pid
        self._states[pid] = self._after(event, self._state_of(pid))
        if not isinstance(event, Waiting):
            with not_suspended():
                self._live.refresh()

    def _state_of(self, pid: int) -> LiveState:
        if pid not in self._states or self._states[pid].ended:
            # Somebody new came, if only by exec: those that ended have been seen.
            self._states = {at: state for at, state in self._states.items() if not state.ended}
            self._recent = {at: kept for at, kept in self._recent.items() if at in self._states}
            self._states[pid] = self._new_state(pid)
        return self._states[pid]

    def _new_state(self, pid: int) -> LiveState:
        now_ns = self._clock.wall_ns()
        path = self._directories.get(pid)
        return LiveState(
            target=f"pid {pid}",
            now_ns=now_ns,
            started_ns=now_ns,
            interval_ns=self._interval_ns,
            next_due_ns=now_ns,
            path=None if path is None else str(path),
        )

    def _after(self, event: Event, state: LiveState) -> LiveState:
        match event:
            case Waiting(_, due_ns):
                ahead_ns = due_ns - self._clock.monotonic_ns()
                return replace(state, next_due_ns=self._clock.wall_ns() + ahead_ns)
            case SnapshotTaken(snapshot):
                return self._with_snapshot(snapshot, state)
            case TickMissed(_, missed):
                trouble = missed.detail or state.trouble
                return replace(state, missed=state.missed + missed.count, trouble=trouble)
            case StorageTrouble(_, error):
                return replace(state, trouble=error.message)
            case TargetEnded(_, reason):
                return replace(state, ended=reason)
            case _:
                return state

    def _with_snapshot(self, snapshot: Snapshot, state: LiveState) -> LiveState:
        comparison = state.comparison
        recent = self._recent.setdefault(snapshot.process.pid, deque(maxlen=_RECENT))
        recent.append(snapshot)
        if state.snapshot is not None:
            comparison = diff(
                state.snapshot, snapshot, dwells=dwell(tuple(recent)), catalogue=self._catalogue
            )
        return replace(
            state, taken=state.taken + 1, snapshot=snapshot, comparison=comparison, trouble=None
        )

    def _screen(self) -> RenderableType:
        now_ns = self._clock.wall_ns()
        states = sorted(self._states.values(), key=lambda state: state.ended is not None)
        return live_view(*(replace(state, now_ns=now_ns) for state in states))
