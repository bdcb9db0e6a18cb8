"""Opening what a watch records: an observer, a directory and a recorder for each process."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import snapshotter
from snapshotter.attach.pythons import is_running
from snapshotter.cli.errors import print_note
from snapshotter.errors import NoSuchProcessError, SnapshotterError, check_files
from snapshotter.record.allowance import Allowance
from snapshotter.record.capture import Observer
from snapshotter.record.recorder import Recorder
from snapshotter.record.schedule import Schedule
from snapshotter.store.info import RecordingInfo
from snapshotter.store.names import dump_files, recording_name
from snapshotter.store.writer import RecordingWriter

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from snapshotter.cli.targets import Targets
    from snapshotter.model import ProcessInfo
    from snapshotter.record.clock import Clock
    from snapshotter.record.options import CaptureOptions
    from snapshotter.store.retention import Retention

__all__ = ["Follower", "RecordingPlan", "Recordings"]

_LOOK_NS = (1_000_000_000, 10_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPlan:
    """What all recordings of one watch have in common; ``interval_ns`` between two snapshots.

    ``directory`` is the recording itself when there is but one process, else the directory that
    the recordings lie in; None is the current directory.
    """

    options: CaptureOptions
    interval_ns: int
    retention: Retention
    directory: Path | None
    several: bool


class Recordings:
    """Makes recorders, and remembers where they write."""

    def __init__(self, plan: RecordingPlan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self.directories: dict[int, Path] = {}
        """The directory of each process that was opened, in that order."""
        self.written: set[Path] = set()
        """All of them: one that became another program by ``exec`` has several."""

    def open_all(self, pids: Iterable[int], *, wanted: Container[int]) -> list[Recorder]:
        """Open all of them, or none: the first of ``wanted`` that cannot be opened is an error.

        The others were found by name or in a tree: one that cannot be opened is told, and an
        error only if nobody is left.
        """
        refused: dict[int, SnapshotterError] = {}
        with ExitStack() as until_all_are_open:
            observers: list[Observer] = []
            for pid in pids:
                try:
                    observer = Observer.open(pid, self._plan.options)
                except SnapshotterError as error:
                    if pid in wanted:
                        raise
                    refused[pid] = error
                else:
                    until_all_are_open.callback(observer.close)
                    observers.append(observer)
            if refused and not observers:
                raise next(iter(refused.values()))
            recorders: list[Recorder] = []
            for observer in observers:
                recorders.append(self._record(observer))
                until_all_are_open.callback(recorders[-1].finish, "not begun")
            until_all_are_open.pop_all()
        for pid, reason in refused.items():
            _tell_refused(pid, reason)
        return recorders

    def open(self, pid: int) -> Recorder:
        """Return the recorder of one process, the first snapshot of which is due now."""
        try:
            observer = Observer.open(pid, self._plan.options)
            try:
                return self._record(observer)
            except BaseException:
                observer.close()
                raise
        except OSError as error:
            check_files(error)
            raise

    def _record(self, observer: Observer) -> Recorder:
        observer.allowance = Allowance(self._plan.interval_ns)
        directory = self._directory(observer.process)
        writer = RecordingWriter.create(
            directory, self._info(observer.process), retention=self._plan.retention
        )
        self.directories[observer.process.pid] = directory
        self.written.add(directory)
        schedule = Schedule(
            self._clock, self._clock.monotonic_ns(), interval_ns=self._plan.interval_ns
        )
        return Recorder(
            observer,
            writer,
            schedule=schedule,
            clock=self._clock,
            first_sequence=_next_sequence(directory),
        )

    def _directory(self, process: ProcessInfo) -> Path:
        plan = self._plan
        if plan.directory is not None and not plan.several:
            return plan.directory
        return (plan.directory or Path()) / recording_name(process, self._clock.wall_ns())

    def _info(self, process: ProcessInfo) -> RecordingInfo:
        options = self._plan.options
        return RecordingInfo.of(
            process,
            started_at_ns=self._clock.wall_ns(),
            interval_ns=self._plan.interval_ns,
            options={
                "locals": options.locals,
                "values": options.values.value,
                "variables": ",".join(options.variables),
                "max_pause_ns": options.max_pause_ns,
                "patience_ns": options.patience_ns,
                "carrier": options.carrier.value,
            },
            tool=snapshotter.__version__,
        )


class Follower:
    """Has processes that come later join in; those that cannot be watched are told once."""

    def __init__(
        self,
        targets: Targets,
        recordings: Recordings,
        *,
        interval_ns: int,
        known: Iterable[int] = (),
    ) -> None:
        least_ns, most_ns = _LOOK_NS
        self.interval_ns = min(max(interval_ns, least_ns), most_ns)
        self._targets = targets
        self._recordings = recordings
        self._known = set(known)

    def join(self) -> Iterator[Recorder]:
        """Yield recorders for the processes that were not there at the last call."""
        trees = tuple(filter(is_running, self._targets.trees))
        if not (self._targets.names or trees):
            return
        try:
            # Those below a root that is gone are its children no longer.
            present = set(replace(self._targets, trees=trees).matching())
        except NoSuchProcessError:
            return  # A root went just now.
        for pid in sorted(present - self._known):
            try:
                yield self._recordings.open(pid)
            except SnapshotterError as error:
                _tell_refused(pid, error)
        # A pid that went away may come back as somebody else; a process that only lost the name
        # by which it was found, as with a title that tells what it does, is still recorded.
        recorded = self._known & self._recordings.directories.keys()
        self._known = present | set(filter(is_running, recorded))

    def forget(self, pid: int) -> None:
        """Take it that this process has ended; after an ``exec`` its successor has the number."""
        self._known.discard(pid)

    def over(self) -> bool:
        """Return whether nobody can join any more: never for names, for trees without a root."""
        return not self._targets.names and not any(map(is_running, self._targets.trees))


def _tell_refused(pid: int, error: SnapshotterError) -> None:
    print_note(f"process {pid} is not recorded: {error.message}")


def _next_sequence(directory: Path) -> int:
    """Return the number that the writer gives to the next dump."""
    dumps = dump_files(directory)
    return dumps[-1][0].sequence + 1 if dumps else 1
