"""Every error a user can meet: a sentence, a next step, a slug for the manual, an exit code."""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import PurePath

__all__ = [
    "NO_ROOM",
    "BuildError",
    "ExitCode",
    "InternalError",
    "NoSnapshotError",
    "NoSuchProcessError",
    "NotPermittedError",
    "NotPythonError",
    "ProcessEndedError",
    "SnapshotterError",
    "StorageError",
    "TooManyFilesError",
    "TornReadError",
    "UnreadableFileError",
    "UnsupportedPythonError",
    "UsageError",
    "check_files",
    "shell_word",
]


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when nothing more can be written."""


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    NO_TARGET = 3
    NOT_PERMITTED = 4
    NO_SNAPSHOT = 5
    UNREADABLE_FILE = 6
    INTERNAL = 70
    INTERRUPTED = 130


class SnapshotterError(Exception):
    """Base of all errors of snapshotter.

    ``message`` is one sentence that names the cause, ``hint`` one next step (that of its class,
    ``next_step``, where the place that raises it knows none that is better), ``slug`` the entry
    of ``docs/reference/messages.md`` that explains it.
    """

    exit_code: ExitCode = ExitCode.INTERNAL
    slug: str = "internal-error"
    next_step: str = "Run it again with SNAP_DEBUG=1, and report what it prints."

    def __init__(self, message: str, *, hint: str = "", slug: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.next_step
        if slug is not None:
            self.slug = slug


class UsageError(SnapshotterError):
    """Options or arguments that cannot be meant."""

    exit_code = ExitCode.USAGE
    slug = "usage"
    next_step = "snap --help"


class NoSuchProcessError(SnapshotterError):
    """No process has this pid (or matches this name)."""

    exit_code = ExitCode.NO_TARGET
    slug = "no-such-process"
    next_step = "List Python processes with: snap ps"


class ProcessEndedError(NoSuchProcessError):
    """The target ended, or became another program by exec, while it was being looked at."""

    slug = "process-ended"


class NotPythonError(SnapshotterError):
    """The process runs no CPython interpreter that can be found."""

    exit_code = ExitCode.NO_TARGET
    slug = "not-python"
    next_step = "List Python processes with: snap ps"


class UnsupportedPythonError(SnapshotterError):
    """A CPython whose version cannot be read (older than 3.14, pre-release, unknown layout)."""

    exit_code = ExitCode.NO_TARGET
    slug = "unsupported-python"
    next_step = "Run the program on a released CPython 3.14 or 3.15."


class NotPermittedError(SnapshotterError):
    """The kernel, or the owner of a file, does not let us."""

    exit_code = ExitCode.NOT_PERMITTED
    slug = "not-permitted"
    next_step = "See which rule forbids it with: snap doctor PID"


class NoSnapshotError(SnapshotterError):
    """No snapshot could be taken in the time given."""

    exit_code = ExitCode.NO_SNAPSHOT
    slug = "no-snapshot"
    next_step = "See what stands in the way with: snap doctor PID"


class TooManyFilesError(NoSnapshotError):
    """We, or the whole system, may open no more files: nothing can be told of any process."""

    slug = "too-many-files"
    next_step = "Raise ulimit -n, or look at fewer processes at a time."


class TornReadError(NoSnapshotError):
    """What was read from the target's memory does not fit together: it changed meanwhile."""

    slug = "torn-read"
    next_step = "Try again."


class StorageError(NoSnapshotError):
    """A snapshot was taken and could not be written (disk full, file too large, I/O error)."""

    slug = "storage"
    next_step = "Write elsewhere with -o."


class UnreadableFileError(SnapshotterError):
    """A file that is not a complete, unaltered dump of a schema that we know."""

    exit_code = ExitCode.UNREADABLE_FILE
    slug = "unreadable-file"
    next_step = "Name a file that snap dump wrote, or a directory that snap watch wrote into."


class InternalError(SnapshotterError):
    """Our own bug."""


class BuildError(InternalError):
    """The probe's modules cannot be merged into one source."""

    slug = "probe-build"
    next_step = "Reinstall snapshotter."


def check_files(error: OSError) -> None:
    """Raise TooManyFilesError when that is why something could not be opened."""
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        raise TooManyFilesError("Too many files are open.") from error


def shell_word(path: str | PurePath) -> str:
    """Return a path as a hint names it in a command: one word of a shell, on one line."""
    text = os.fspath(path)
    if not text.isprintable():
        return f"$'{''.join(map(_as_printable, text))}'"
    import shlex  # noqa: PLC0415 -- start-up: most runs give no hint

    return shlex.quote(text)


def _as_printable(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))
