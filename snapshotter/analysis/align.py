"""Alignment: which thread, frame and local of one snapshot is which of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from snapshotter.model import Frame, Local, Snapshot, Thread

__all__ = [
    "AlignedThreads",
    "align_frames",
    "align_locals",
    "align_threads",
    "same_incarnation",
    "same_thread",
]

_START_TOLERANCE_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class AlignedThreads:
    """Threads of two snapshots, matched by identity; ``pairs`` and ``added`` in current order."""

    pairs: tuple[tuple[Thread, Thread], ...]
    removed: tuple[Thread, ...]
    added: tuple[Thread, ...]


def same_incarnation(before: Snapshot, after: Snapshot) -> bool:
    """Tell whether two snapshots are of one process that neither ended nor called exec between."""
    old, new = before.process, after.process
    if old.identity is not None and new.identity is not None:
        return old.identity == new.identity
    # Unix start times are computed from the boot time, which a clock correction moves.
    drift_ns = abs(old.start_time_ns - new.start_time_ns)
    return (old.host, old.pid) == (new.host, new.pid) and drift_ns < _START_TOLERANCE_NS


def same_thread(before: Thread, after: Thread) -> bool:
    """Compare by native id and start time; by ident where either is not known; never by name."""
    if before.interpreter != after.interpreter:
        return False
    if before.native_id is None or after.native_id is None:
        return before.ident == after.ident
    if before.native_id != after.native_id:
        return False
    old, new = _start_ticks(before), _start_ticks(after)
    return before.ident == after.ident if old is None or new is None else old == new


def _start_ticks(thread: Thread) -> int | None:
    return None if thread.counters is None else thread.counters.start_ticks


def align_threads(before: Iterable[Thread], after: Iterable[Thread]) -> AlignedThreads:
    """Match the threads of two snapshots of one process."""
    left = list(before)
    pairs, added = [], []
    for thread in after:
        found = next((at for at, each in enumerate(left) if same_thread(each, thread)), None)
        if found is None:
            added.append(thread)
        else:
            pairs.append((left.pop(found), thread))
    return AlignedThreads(tuple(pairs), tuple(left), tuple(added))


def align_frames(
    before: Sequence[Frame], after: Sequence[Frame]
) -> tuple[tuple[Frame, Frame], ...]:
    """Pair the frames of two stacks (innermost first) outermost-first, while functions agree."""
    pairs = []
    for old, new in zip(reversed(before), reversed(after), strict=False):
        if (old.filename, old.qualname) != (new.filename, new.qualname):
            break
        pairs.append((old, new))
    return tuple(pairs)


def align_locals(before: Frame, after: Frame) -> tuple[tuple[Local | None, Local | None], ...]:
    """Pair the locals of two aligned frames by name: in current order, then those that are gone."""
    old = {local.name: local for local in before.locals}
    pairs: list[tuple[Local | None, Local | None]] = [
        (old.pop(local.name, None), local) for local in after.locals
    ]
    pairs.extend((gone, None) for gone in old.values())
    return tuple(pairs)
