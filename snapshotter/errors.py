"""Every error a user can meet: a sentence, a next step, a slug for the manual, an exit code."""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "BuildError",
    "DisabledError",
    "ExitCode",
    "InternalError",
    "NoSnapshotError",
    "NoSuchProcessError",
    "NotPermittedError",
    "NotPythonError",
    "ProcessEndedError",
    "SnapshotterError",
    "StorageError",
    "TornReadError",
    "UnreadableFileError",
    "UnsupportedPythonError",
    "UsageError",
]


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

    ``message`` is one sentence that names the cause, ``hint`` one next step, ``slug`` the entry
    of ``docs/reference/messages.md`` that explains it.
    """

    exit_code: ExitCode = ExitCode.INTERNAL
    slug: str = "internal-error"

    def __init__(self, message: str, *, hint: str = "", slug: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if slug is not None:
            self.slug = slug


class UsageError(SnapshotterError):
    """Options or arguments that cannot be meant."""

    exit_code = ExitCode.USAGE
    slug = "usage"


class NoSuchProcessError(SnapshotterError):
    """No process has this pid (or matches this name)."""

    exit_code = ExitCode.NO_TARGET
    slug = "no-such-process"


class ProcessEndedError(NoSuchProcessError):
    """The target ended, or became another program by exec, while it was being looked at."""

    slug = "process-ended"


class NotPythonError(SnapshotterError):
    """The process runs no CPython interpreter that can be found."""

    exit_code = ExitCode.NO_TARGET
    slug = "not-python"


class UnsupportedPythonError(SnapshotterError):
    """A CPython whose version cannot be read (older than 3.14, pre-release, unknown layout)."""

    exit_code = ExitCode.NO_TARGET
    slug = "unsupported-python"


class NotPermittedError(SnapshotterError):
    """The kernel, or the owner of a file, does not let us."""

    exit_code = ExitCode.NOT_PERMITTED
    slug = "not-permitted"


class DisabledError(SnapshotterError):
    """The target refuses remote debugging and the inside view was required."""

    exit_code = ExitCode.NOT_PERMITTED
    slug = "remote-debugging-disabled"


class NoSnapshotError(SnapshotterError):
    """No snapshot could be taken in the time given."""

    exit_code = ExitCode.NO_SNAPSHOT
    slug = "no-snapshot"


class TornReadError(NoSnapshotError):
    """What was read from the target's memory does not fit together: it changed meanwhile."""

    slug = "torn-read"


class StorageError(NoSnapshotError):
    """A snapshot was taken and could not be written (disk full, file too large, I/O error)."""

    slug = "storage"


class UnreadableFileError(SnapshotterError):
    """A file that is not a complete, unaltered dump of a schema that we know."""

    exit_code = ExitCode.UNREADABLE_FILE
    slug = "unreadable-file"


class InternalError(SnapshotterError):
    """Our own bug."""


class BuildError(InternalError):
    """The probe's modules cannot be merged into one source."""

    slug = "probe-build"
