"""Alignment: which thread, frame and local of one snapshot is which of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from snapshotter.model import Frame, Local, Snapshot, Thread

__all__ = [
    "AlignedThreads",
    "ThreadIndex",
    "align_frames",
    "align_locals",
    "align_threads",
    "same_incarnation",
    "same_thread",
]


@dataclass(frozen=True, slots=True)
class AlignedThreads:
    """Threads of two snapshots, matched by identity; ``pairs`` and ``added`` in current order."""

    pairs: tuple[tuple[Thread, Thread], ...]
    removed: tuple[Thread, ...]
    added: tuple[Thread, ...]


def same_incarnation(before: Snapshot, after: Snapshot) -> bool:
    """Tell whether two snapshots are of one process that neither ended nor called exec between."""
    return before.process.incarnation.is_same(after.process.incarnation)


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


class ThreadIndex:
    """The threads of one snapshot, to find one of another snapshot among them."""

    def __init__(self, threads: Iterable[Thread]) -> None:
        self._by_native: dict[int | None, list[Thread]] = {}
        self._by_ident: dict[int, list[Thread]] = {}
        for thread in threads:
            self._by_native.setdefault(thread.native_id, []).append(thread)
            self._by_ident.setdefault(thread.ident, []).append(thread)

    def find(self, thread: Thread) -> Thread | None:
        """Return the same thread, or None."""
        natives = self._by_native.get(thread.native_id, ()) if thread.native_id is not None else ()
        candidates = (*natives, *self._by_ident.get(thread.ident, ()))
        return next((each for each in candidates if same_thread(each, thread)), None)


def align_threads(before: Iterable[Thread], after: Iterable[Thread]) -> AlignedThreads:
    """Match the threads of two snapshots of one process."""
    old = tuple(before)
    index = ThreadIndex(old)
    pairs, added = [], []
    matched: set[int] = set()
    for thread in after:
        match = index.find(thread)
        if match is None or id(match) in matched:
            added.append(thread)
        else:
            matched.add(id(match))
            pairs.append((match, thread))
    removed = (thread for thread in old if id(thread) not in matched)
    return AlignedThreads(tuple(pairs), tuple(removed), tuple(added))


def align_frames(before: Thread, after: Thread) -> tuple[tuple[Frame, Frame], ...]:
    """Pair the frames of a thread outermost-first, while functions agree.

    Without its outermost frames nobody knows how deep a stack is, and so which call is which.
    """
    if not (_has_outermost(before) and _has_outermost(after)):
        return ()
    pairs = []
    for old, new in zip(reversed(before.frames), reversed(after.frames), strict=False):
        if _function(old) != _function(new):
            break
        pairs.append((old, new))
    return tuple(pairs)


def _has_outermost(thread: Thread) -> bool:
    return thread.complete or thread.lacks_innermost


def _function(frame: Frame) -> tuple[str, str, int]:
    """Tell functions apart that share a name, as lambdas do, or the two sides of a property."""
    return frame.filename, frame.qualname, frame.first_lineno


def align_locals(before: Frame, after: Frame) -> tuple[tuple[Local | None, Local | None], ...]:
    """Pair the locals of two aligned frames by name: in current order, then those that are gone."""
    old = {local.name: local for local in before.locals}
    pairs: list[tuple[Local | None, Local | None]] = [
        (old.pop(local.name, None), local) for local in after.locals
    ]
    pairs.extend((gone, None) for gone in old.values())
    return tuple(pairs)
