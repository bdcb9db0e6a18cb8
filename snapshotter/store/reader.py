"""Reading dumps and recordings; what cannot be read is left out and listed with its reason."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from snapshotter.errors import UnreadableFileError
from snapshotter.model import Recording, SkippedFile
from snapshotter.store.decode import decode
from snapshotter.store.format import MAX_FILE_BYTES
from snapshotter.store.info import RecordingInfo, read_info
from snapshotter.store.names import INFO_NAME, DumpName, dump_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from snapshotter.model import Incarnation, Snapshot

__all__ = ["load", "load_dump", "load_recording", "predecessors"]


def load(path: Path) -> Snapshot | Recording:
    """Return what lies at ``path``: a dump, or a directory that is a recording.

    Raises UnreadableFileError.
    """
    return load_recording(path) if path.is_dir() else load_dump(path)


def load_dump(path: Path) -> Snapshot:
    """Return the snapshot in the file ``path``. Raises UnreadableFileError."""
    return decode(_read(path), name=str(path))


def load_recording(directory: Path, *, last: int | None = None) -> Recording:
    """Return the recording in ``directory``, or only its ``last`` dumps.

    Dumps that are damaged, or of another process, are listed in ``skipped``. Raises
    UnreadableFileError when no dump could be read.
    """
    skipped: list[SkippedFile] = []
    info = _info(directory, skipped)
    snapshots = _snapshots(_dumps(directory, last), info, skipped)
    if not snapshots:
        raise _nothing_readable(directory, skipped)
    return Recording(
        snapshots=tuple(snapshots),
        missed=() if info is None else info.missed,
        skipped=tuple(skipped),
        directory=directory,
        interval_ns=None if info is None else info.interval_ns,
        ended=None if info is None else info.ended,
    )


def predecessors(path: Path) -> tuple[Path, ...]:
    """Return the dumps before ``path`` in the same recording, the nearest first."""
    name = DumpName.parse(path.name)
    if name is None:
        return ()
    try:
        earlier = [other for found, other in dump_files(path.parent) if found < name]
    except OSError:
        return ()
    return tuple(reversed(earlier))


def _read(path: Path) -> bytes:
    try:
        # Without O_NONBLOCK a FIFO of that name would hang us.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableFileError(f"{path} is not a plain file.", slug="not-a-dump")
            return stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise UnreadableFileError(f"{path} does not exist.", slug="no-such-file") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFileError(f"{path} cannot be read: {reason}.") from error


def _info(directory: Path, skipped: list[SkippedFile]) -> RecordingInfo | None:
    try:
        return read_info(directory)
    except UnreadableFileError as error:
        skipped.append(SkippedFile(directory / INFO_NAME, error.message))
        return None


def _dumps(directory: Path, last: int | None) -> Sequence[Path]:
    try:
        dumps = [path for _, path in dump_files(directory)]
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFileError(f"{directory} cannot be read: {reason}.") from error
    if not dumps:
        raise UnreadableFileError(
            f"{directory} holds no dump of a recording.",
            hint="Name the directory that snap watch wrote into.",
            slug="empty-recording",
        )
    return dumps if last is None else dumps[-last:]


def _snapshots(
    dumps: Sequence[Path], info: RecordingInfo | None, skipped: list[SkippedFile]
) -> list[Snapshot]:
    target: Incarnation | None = None if info is None else info.target
    snapshots = []
    for path in dumps:
        try:
            snapshot = load_dump(path)
        except UnreadableFileError as error:
            # The recorder may have removed an old dump since we listed it.
            if error.slug != "no-such-file":
                skipped.append(SkippedFile(path, error.message))
            continue
        found = snapshot.process.incarnation
        target = target or found
        if found.is_same(target):
            snapshots.append(snapshot)
        else:
            reason = f"It is of another process (pid {found.pid}) than the recording."
            skipped.append(SkippedFile(path, reason))
    return snapshots


def _nothing_readable(directory: Path, skipped: Sequence[SkippedFile]) -> UnreadableFileError:
    first = f" {skipped[0].reason}" if skipped else ""
    several = f"None of the {len(skipped)} files in {directory} can be read."
    alone = f"The only file in {directory} cannot be read."
    return UnreadableFileError(
        (alone if len(skipped) == 1 else several) + first,
        hint="Name another directory that snap watch wrote into, or an older copy of this one.",
        slug="empty-recording",
    )
