"""What a recording may keep: by age, by size, and only while the disk has room."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

__all__ = ["FreeSpace", "Kept", "Retention", "free_space", "to_remove"]

_HOUR_NS = 3_600_000_000_000
_MB = 1_000_000
_GB = 1_000_000_000

_MIN_FREE_BYTES = _GB
_MIN_FREE_PERCENT = 5


def _nothing_pinned(_path: Path) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Retention:
    """The bounds of a recording; None is no bound."""

    keep_ns: int | None = 24 * _HOUR_NS
    max_bytes: int | None = 512 * _MB
    pinned: Callable[[Path], bool] = _nothing_pinned
    """True for dumps with findings: they outlive their age, and go last when size demands it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A dump that lies in the recording."""

    path: Path
    at_ns: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """What the file system has left for us."""

    free_bytes: int
    total_bytes: int

    @property
    def is_low(self) -> bool:
        """Below 5 % or 1 GB: a recorder should write no more."""
        percent_bytes = self.total_bytes * _MIN_FREE_PERCENT // 100
        return self.free_bytes < max(_MIN_FREE_BYTES, percent_bytes)

    def sentence(self) -> str:
        """Say how much is left."""
        percent = 100 * self.free_bytes // max(self.total_bytes, 1)
        return f"Only {self.free_bytes // _MB} MB ({percent} %) of the disk are free."


def free_space(directory: Path) -> FreeSpace:
    """Ask the file system of ``directory``; raises OSError."""
    figures = os.statvfs(directory)
    return FreeSpace(figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize)


def to_remove(dumps: Sequence[Kept], retention: Retention, *, now_ns: int) -> list[Kept]:
    """Return which of ``dumps`` (oldest first) the bounds no longer allow.

    The newest always stays. First go those that are too old, then, while all dumps
    together are too large, the oldest; pinned ones only after all others.
    """
    candidates = list(dumps[:-1])
    if not _exceeds(dumps, retention, now_ns=now_ns):
        return []
    pinned = {dump.path for dump in candidates if retention.pinned(dump.path)}
    expired = [
        dump for dump in candidates if dump.path not in pinned and _is_old(dump, retention, now_ns)
    ]
    gone = {dump.path for dump in expired}
    left = [dump for dump in candidates if dump.path not in gone]
    excess = _total(dumps) - _total(expired) - _max_bytes(retention)
    by_rank = sorted(left, key=lambda dump: dump.path in pinned)  # stable: oldest first in each
    return expired + _oldest_worth(by_rank, excess)


def _exceeds(dumps: Sequence[Kept], retention: Retention, *, now_ns: int) -> bool:
    if len(dumps) <= 1:
        return False
    return _is_old(dumps[0], retention, now_ns) or (_total(dumps) > _max_bytes(retention))


def _is_old(dump: Kept, retention: Retention, now_ns: int) -> bool:
    return retention.keep_ns is not None and dump.at_ns < now_ns - retention.keep_ns


def _max_bytes(retention: Retention) -> float:
    return float("inf") if retention.max_bytes is None else retention.max_bytes


def _total(dumps: Iterable[Kept]) -> int:
    return sum(dump.size_bytes for dump in dumps)


def _oldest_worth(dumps: Iterable[Kept], excess_bytes: float) -> list[Kept]:
    chosen = []
    for dump in dumps:
        if excess_bytes <= 0:
            break
        chosen.append(dump)
        excess_bytes -= dump.size_bytes
    return chosen
