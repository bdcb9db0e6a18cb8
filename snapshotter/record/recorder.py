"""The recording of one process: takes what is due, stores it, accounts for what is missing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from snapshotter.errors import ProcessEndedError, SnapshotterError, StorageError
from snapshotter.model import Missed, MissedReason, Tick
from snapshotter.record.events import (
    SnapshotTaken,
    StorageRestored,
    StorageTrouble,
    TargetEnded,
    TickMissed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from snapshotter.model import ProcessInfo, Snapshot
    from snapshotter.record.clock import Clock
    from snapshotter.record.events import Event
    from snapshotter.record.schedule import Schedule

__all__ = ["Observed", "Recorder", "Writer"]


class Observed(Protocol):
    """One process incarnation that can be looked at again and again."""

    @property
    def process(self) -> ProcessInfo:
        """Return what the operating system said when it was opened."""

    def capture(self) -> Snapshot:
        """Take one snapshot; raise ``ProcessEndedError`` when there is nothing left to look at."""

    def ended(self) -> str | None:
        """Return a sentence when the process ended or became another one, else None."""

    def close(self) -> None:
        """Withdraw what is armed and remove what was laid down."""


class Writer(Protocol):
    """Where snapshots go."""

    def append(self, snapshot: Snapshot) -> Path:
        """Write one snapshot and return its file; raise ``StorageError`` when that cannot be."""

    def miss(self, missed: Missed) -> None:
        """Note due times that have no snapshot."""

    def finish(self, reason: str) -> None:
        """Note why the recording ended."""


class Recorder:
    """Takes a snapshot at each due time of ``schedule`` and writes it with ``writer``.

    A due time that comes up later than half an interval is left out, and so are all that passed
    while a snapshot was under way: never two in a row to catch up. ``first_sequence`` is the
    number of the first snapshot; one that could not be written leaves its number to the next, so
    that the numbers are those of the files.
    """

    def __init__(
        self,
        observed: Observed,
        writer: Writer | None,
        *,
        schedule: Schedule,
        clock: Clock,
        first_sequence: int = 1,
    ) -> None:
        self._observed = observed
        self._writer = writer
        self._schedule = schedule
        self._clock = clock
        self._due = next(schedule)
        self._sequence = first_sequence
        self._taken = 0
        self._trouble: str | None = None  # the slug: sentences hold names and figures that change
        self._ended: str | None = None  # why the target is gone
        self._finished = False

    @property
    def pid(self) -> int:
        """Return the process id of the target."""
        return self._observed.process.pid

    @property
    def due_ns(self) -> int:
        """Return when the next snapshot is due, monotonic nanoseconds."""
        return self._due.at_ns

    @property
    def taken(self) -> int:
        """Return how many snapshots were taken, written or not."""
        return self._taken

    @property
    def ended(self) -> bool:
        """Return whether the target is gone, so that nothing will come any more."""
        return self._ended is not None

    def tick(self, busy_until_ns: int) -> Iterator[Event]:
        """Do what is due now. Until ``busy_until_ns`` other processes were looked at."""
        now_ns = self._clock.monotonic_ns()
        if self._due.lateness_ns(now_ns) > self._schedule.interval_ns // 2:
            busy = self._due.at_ns < busy_until_ns
            yield self._miss_due(MissedReason.OVERRUN if busy else MissedReason.STALL)
            return
        yield from self._capture(now_ns)
        if not self.ended:
            yield from self._advance()

    def check_ended(self) -> Iterator[Event]:
        """Tell if the target has ended; costs no more than a look into ``/proc``."""
        reason = None
        with suppress(SnapshotterError):  # What cannot be told now is told at the next due time.
            reason = self._observed.ended()
        if reason is not None:
            yield self._end(reason)

    def finish(self, reason: str) -> None:
        """End the recording from our side, unless it has ended: withdraw, remove, note why.

        What Ctrl-C has cut short is done anew when it is called again.
        """
        if self._finished:
            return
        try:
            self._observed.close()
        finally:
            self._finish_file(self._ended or reason)
        self._finished = True

    def _capture(self, now_ns: int) -> Iterator[Event]:
        try:
            reason = self._observed.ended()
            if reason is not None:
                yield self._end(reason)
                return
            snapshot = self._observed.capture()
        except ProcessEndedError as error:
            yield self._end(self._observed.ended() or error.message)
        except SnapshotterError as error:
            yield self._miss(self._due.at_ns, MissedReason.FAILED, detail=error.message)
        else:
            self._taken += 1
            tick = Tick(
                sequence=self._sequence,
                due_at_ns=self._wall_of(self._due.at_ns),
                lateness_ns=self._due.lateness_ns(now_ns),
            )
            yield from self._store(replace(snapshot, tick=tick))

    def _store(self, snapshot: Snapshot) -> Iterator[Event]:
        if self._writer is None:
            self._sequence += 1
            yield SnapshotTaken(snapshot)
            return
        try:
            path = self._writer.append(snapshot)
        except SnapshotterError as error:
            yield SnapshotTaken(snapshot)
            yield self._miss(self._due.at_ns, MissedReason.STORAGE, detail=error.message)
            if error.slug != self._trouble:
                self._trouble = error.slug
                yield StorageTrouble(self.pid, error)
            return
        self._sequence += 1
        yield SnapshotTaken(snapshot, path)
        if self._trouble is not None:
            self._trouble = None
            yield StorageRestored(self.pid)

    def _advance(self) -> Iterator[Event]:
        """Go to the next due time that is still ahead."""
        self._due = next(self._schedule)
        if self._due.first_skipped_ns is not None:
            yield self._miss(
                self._due.first_skipped_ns, MissedReason.OVERRUN, count=self._due.skipped
            )

    def _miss_due(self, reason: MissedReason) -> Event:
        """Leave out the present due time and all that have passed since."""
        first_ns = self._due.at_ns
        self._due = next(self._schedule)
        return self._miss(first_ns, reason, count=1 + self._due.skipped)

    def _miss(
        self, first_ns: int, reason: MissedReason, *, count: int = 1, detail: str = ""
    ) -> TickMissed:
        missed = Missed(self._wall_of(first_ns), count, reason, detail)
        if self._writer is not None:
            # The event still tells it; a disk that takes no dump may take no note either.
            with suppress(StorageError):
                self._writer.miss(missed)
        return TickMissed(self.pid, missed)

    def _end(self, reason: str) -> TargetEnded:
        self._ended = reason
        self.finish(reason)
        return TargetEnded(self.pid, reason)

    def _finish_file(self, reason: str) -> None:
        if self._writer is not None:
            with suppress(StorageError):  # As in _miss: nobody is left to be told.
                self._writer.finish(reason)

    def _wall_of(self, monotonic_ns: int) -> int:
        return self._clock.wall_ns() + monotonic_ns - self._clock.monotonic_ns()
