"""The timeline of a recording: threads by snapshots, each cell the movement that led to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from snapshotter.analysis.align import ThreadIndex
from snapshotter.analysis.dwell import Dwell, dwell
from snapshotter.analysis.idle import CATALOGUE, thread_idle_reason
from snapshotter.analysis.movement import Movement, movement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from snapshotter.analysis.idle import IdlePattern
    from snapshotter.model import Snapshot, Thread

__all__ = ["Cell", "Row", "timeline"]


class Cell(StrEnum):
    """What a thread did up to a snapshot."""

    MOVED = "moved"
    SPINNING = "spinning"
    FROZEN = "frozen"
    POLLING = "polling"
    REPEATING = "repeating"
    UNKNOWN = "unknown"
    NEW = "new"
    """Not in the snapshot before, so there is nothing to compare with."""
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Row:
    """One thread over all snapshots; ``cells`` are in order of time."""

    thread: Thread
    """As it was last seen."""
    cells: tuple[Cell, ...]
    idle: str | None
    dwell: Dwell | None
    """None for a thread that the newest snapshot does not have."""

    @property
    def present(self) -> bool:
        """Whether the newest snapshot has the thread."""
        return self.dwell is not None


def timeline(
    snapshots: Sequence[Snapshot], *, catalogue: Iterable[IdlePattern] = CATALOGUE
) -> tuple[Row, ...]:
    """Lay out a recording; threads without progress for longest come first, idle ones last."""
    tracks: list[list[Thread | None]] = []
    for column, snapshot in enumerate(snapshots):
        _append_column(tracks, snapshot, column)
    dwells = {id(run.thread): run for run in dwell(snapshots)}
    patterns = tuple(catalogue)
    return tuple(sorted((_row(track, dwells, patterns) for track in tracks), key=_rank))


def _append_column(tracks: list[list[Thread | None]], snapshot: Snapshot, column: int) -> None:
    index = ThreadIndex(snapshot.threads)
    taken: set[int] = set()
    for track in tracks:
        last = _last(track)
        found = None if last is None else index.find(last)
        found = None if found is None or id(found) in taken else found
        taken.add(id(found))
        track.append(found)
    tracks.extend([*([None] * column), each] for each in snapshot.threads if id(each) not in taken)


def _last(track: Sequence[Thread | None]) -> Thread | None:
    return next((thread for thread in reversed(track) if thread is not None), None)


def _row(
    track: Sequence[Thread | None], dwells: Mapping[int, Dwell], catalogue: tuple[IdlePattern, ...]
) -> Row:
    cells: list[Cell] = []
    before: Thread | None = None
    for thread in track:
        if thread is None:
            cells.append(Cell.ABSENT)
        else:
            cells.append(Cell.NEW if before is None else Cell(movement(before, thread).value))
        before = thread
    last = _last(track)
    if last is None:
        raise ValueError("A track has at least one thread.")
    return Row(last, tuple(cells), thread_idle_reason(last, catalogue), dwells.get(id(track[-1])))


_CLASS_ORDER = (Movement.FROZEN, Movement.SPINNING, Movement.POLLING, Movement.REPEATING)


def _rank(row: Row) -> tuple[bool, bool, int, int, bool, int]:
    run = None if row.dwell is None else row.dwell.strongest
    kind = None if run is None else run.movement
    order = _CLASS_ORDER.index(kind) if kind in _CLASS_ORDER else len(_CLASS_ORDER)
    duration = 0 if run is None else run.duration_ns
    return (
        row.idle is not None,
        not row.present,
        order,
        -duration,
        not row.thread.is_main,
        row.thread.native_id or 0,
    )
