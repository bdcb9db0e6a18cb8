"""Writing recordings."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from snapshotter.errors import StorageError, UsageError
from snapshotter.store.atomic import (
    atomic_file,
    make_directory,
    remove_unfinished,
    storage_error,
)
from snapshotter.store.dump_file import write_dump
from snapshotter.store.encode import encode
from snapshotter.store.info import RecordingInfo, read_info, write_info
from snapshotter.store.names import INFO_NAME, DumpName, dump_files
from snapshotter.store.privacy import check_own
from snapshotter.store.retention import Kept, Retention, free_space, to_remove

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from snapshotter.model import Missed, Snapshot

__all__ = ["RecordingInfo", "RecordingWriter", "write_dump"]

_NOTE_EVERY_NS = 10_000_000_000


class RecordingWriter:
    """Adds dumps to one recording, and removes old ones as its retention demands.

    A lock on the directory keeps a second writer out; it ends with the process. Use as a context
    manager, or call ``close``.
    """

    def __init__(self, directory: Path, info: RecordingInfo, lock: int) -> None:
        self.directory = directory
        self.retention = Retention()
        self._info = info
        self._lock = lock
        self._kept: list[Kept] = []
        self._next_sequence = 1
        self._clock_ns: int | None = None
        self._missed_last = False
        self._is_new = False
        self._noted_at_ns = 0
        self._is_noted = True

    @classmethod
    def create(
        cls, directory: Path, info: RecordingInfo, *, retention: Retention | None = None
    ) -> Self:
        """Begin the recording ``directory``, or continue it when it is of the same incarnation.

        Raises UsageError when the directory holds anything else, or another writer's recording,
        or is not ours alone to write; StorageError when it cannot be written; UnreadableFileError
        when its ``recording.json`` makes no sense.
        """
        is_new = not directory.is_dir()
        make_directory(directory)
        lock = _lock(directory)
        try:
            check_own(lock, directory)
            remove_unfinished(directory)
            writer = cls(directory, _continued(directory, info), lock)
            writer.retention = retention or Retention()
            writer._is_new = is_new
            writer._begin()
        except BaseException:
            os.close(lock)
            raise
        return writer

    @property
    def info(self) -> RecordingInfo:
        """What ``recording.json`` says now."""
        return self._info

    def append(self, snapshot: Snapshot) -> Path:
        """Write ``snapshot`` as the next dump and return its path; then remove what is too old.

        Raises StorageError: ``low-disk-space`` before the disk is full, else what the disk said.
        """
        if not snapshot.process.incarnation.is_same(self._info.target):
            raise UsageError(
                f"The snapshot of process {snapshot.process.pid} is not of the process that "
                f"{self.directory} records.",
                slug="another-process",
            )
        data = encode(snapshot)
        self._check_space()
        path = self.directory / str(DumpName(self._next_sequence, snapshot.captured_at_ns))
        with atomic_file(path, tidy=False) as stream:
            stream.write(data)
        self._next_sequence += 1
        self._missed_last = False
        if not self._is_noted:
            with suppress(StorageError):  # The dump is there, and ``finish`` writes it, too.
                self._note()
        at_ns = self._steady_ns(snapshot)
        self._kept.append(Kept(path, at_ns, len(data)))
        self._prune(at_ns)
        return path

    def miss(self, missed: Missed) -> None:
        """Note due times that have no snapshot. Raises StorageError.

        Of many in a row the first is written at once, the others now and then: whoever has too
        much to do must not spend what time there is on saying so.
        """
        is_first = not self._missed_last
        self._info = self._info.with_missed(missed, joins_last=self._missed_last)
        self._missed_last = True
        self._is_noted = False
        if is_first or abs(missed.due_at_ns - self._noted_at_ns) >= _NOTE_EVERY_NS:
            self._noted_at_ns = missed.due_at_ns
            self._note()

    def finish(self, reason: str) -> None:
        """Note why the recording ended, one sentence, and let go of it. Raises StorageError.

        One that has no dump, and no failure to tell of, is removed.
        """
        self._info = replace(self._info, ended=reason)
        try:
            if self._next_sequence == 1 and not any(one.detail for one in self._info.missed):
                self._remove()
            else:
                write_info(self.directory, self._info)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the recording without a word; it reads as cut off."""
        if self._lock >= 0:
            lock, self._lock = self._lock, -1
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self) -> None:
        try:
            dumps = dump_files(self.directory)
            self._kept = [Kept(path, name.at_ns, path.stat().st_size) for name, path in dumps]
        except OSError as error:
            raise storage_error(self.directory, error) from error
        if dumps:
            self._next_sequence = dumps[-1][0].sequence + 1
        write_info(self.directory, self._info)

    def _remove(self) -> None:
        """Undo what ``create`` did; what others made stays."""
        with suppress(OSError):
            (self.directory / INFO_NAME).unlink()
            if self._is_new:
                self.directory.rmdir()

    def _note(self) -> None:
        write_info(self.directory, self._info)
        self._is_noted = True

    def _check_space(self) -> None:
        try:
            space = free_space(self.directory)
        except FileNotFoundError:
            raise StorageError(
                f"{self.directory} is no longer there: somebody removed or renamed it.",
                hint="Record again, into a directory that nobody cleans up.",
                slug="recording-removed",
            ) from None
        except OSError as error:
            raise storage_error(self.directory, error) from error
        if space.is_low:
            raise StorageError(
                space.sentence(),
                hint="Free some space: below 1 GB or 5 % nothing more is written.",
                slug="low-disk-space",
            )

    def _steady_ns(self, snapshot: Snapshot) -> int:
        """Return when it was taken by the clock of the first one of ours, as if never set since."""
        if self._clock_ns is None:
            self._clock_ns = snapshot.captured_at_ns - snapshot.monotonic_ns
        return self._clock_ns + snapshot.monotonic_ns

    def _prune(self, now_ns: int) -> None:
        gone = to_remove(self._kept, self.retention, now_ns=now_ns)
        for dump in gone:
            # A dump that somebody removed, or that we may not remove, is no reason to stop.
            with suppress(OSError):
                dump.path.unlink()
        if gone:
            removed = {dump.path for dump in gone}
            self._kept = [dump for dump in self._kept if dump.path not in removed]


def _lock(directory: Path) -> int:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise storage_error(directory, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(
            f"Another snapshotter is recording into {directory}.",
            hint="Record into another directory.",
            slug="recording-busy",
        ) from None
    except OSError:
        # Some network file systems have no locks; the exclusive names still protect the files.
        return descriptor
    return descriptor


def _continued(directory: Path, info: RecordingInfo) -> RecordingInfo:
    """Return ``info``, with what an earlier part of the same recording missed."""
    earlier = read_info(directory)
    if earlier is None:
        foreign = next((path.name for path in directory.iterdir() if path.name != INFO_NAME), None)
        if foreign is None:
            return info
        raise UsageError(
            f"{directory} exists and is not a recording.",
            hint="Name a directory that is empty or does not exist yet.",
            slug="not-a-recording",
        )
    if not earlier.target.is_same(info.target):
        raise UsageError(
            f"{directory} holds a recording of another process (pid {earlier.target.pid}).",
            hint="Record into another directory.",
            slug="another-process",
        )
    return replace(info, started_at_ns=earlier.started_at_ns, missed=earlier.missed)
