"""A recording: the successive snapshots of one process incarnation, and the ticks without one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from snapshotter.model.snapshot import Snapshot

__all__ = ["Missed", "MissedReason", "Recording", "SkippedFile"]


class MissedReason(StrEnum):
    """Why a tick has no snapshot."""

    OVERRUN = "overrun"
    """The dump before it was still under way."""
    STALL = "stall"
    """The controller itself did not run (suspended, stopped, starved)."""
    FAILED = "failed"
    """The dump was tried and failed; ``Missed.detail`` is the sentence."""
    STORAGE = "storage"
    """The dump was taken but could not be written."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Consecutive due times that have no snapshot, for one reason."""

    due_at_ns: int
    """Unix time of the first of them, nanoseconds."""
    count: int
    reason: MissedReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file of the recording that could not be read, with the sentence that says why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Recording:
    """Snapshots in order of time, all of the same process incarnation."""

    snapshots: tuple[Snapshot, ...]
    missed: tuple[Missed, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    directory: Path | None = None
    interval_ns: int | None = None
    ended: str | None = None
    """Why the recording ended, one sentence; None while it runs or when it was cut off."""
