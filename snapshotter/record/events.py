"""What a recording tells whoever shows it: one frozen event per thing that happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from snapshotter.errors import SnapshotterError
    from snapshotter.model import Missed, Snapshot
    from snapshotter.record.stop import StopReason

__all__ = [
    "Event",
    "SnapshotTaken",
    "Stopped",
    "StorageRestored",
    "StorageTrouble",
    "TargetEnded",
    "TickMissed",
    "Waiting",
]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to do until ``due_ns`` (monotonic), when the process ``pid`` is next."""

    pid: int
    due_ns: int


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """A snapshot, with its tick; ``path`` is None when it was not written."""

    snapshot: Snapshot
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class TickMissed:
    """Due times of the process ``pid`` without a snapshot, or without a file."""

    pid: int
    missed: Missed


@dataclass(frozen=True, slots=True)
class StorageTrouble:
    """Snapshots of ``pid`` are no longer written, or no longer for the same reason."""

    pid: int
    error: SnapshotterError


@dataclass(frozen=True, slots=True)
class StorageRestored:
    """Snapshots of ``pid`` are written again."""

    pid: int


@dataclass(frozen=True, slots=True)
class TargetEnded:
    """The process ``pid`` is no longer the one that was recorded; ``reason`` is a sentence."""

    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last event of a recording that was ended from our side."""

    reason: StopReason


type Event = (
    Waiting | SnapshotTaken | TickMissed | StorageTrouble | StorageRestored | TargetEnded | Stopped
)
