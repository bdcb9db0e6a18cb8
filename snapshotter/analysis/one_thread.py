"""The comparison of two snapshots, of one thread (or those of one name) only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from snapshotter.analysis.align import align_threads
from snapshotter.analysis.diff import diff
from snapshotter.analysis.idle import CATALOGUE
from snapshotter.analysis.locals import resizes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from snapshotter.analysis.changes import Diff
    from snapshotter.analysis.dwell import Dwell
    from snapshotter.analysis.idle import IdlePattern
    from snapshotter.model import Snapshot, Thread

__all__ = ["diff_threads"]

_THE_REST = (
    "Other threads, variables, tasks, the collector and the process as a whole were left out:"
    " one thread was asked for."
)


def diff_threads(
    baseline: Snapshot,
    current: Snapshot,
    wanted: Collection[Thread],
    *,
    dwells: Sequence[Dwell] = (),
    catalogue: Iterable[IdlePattern] = CATALOGUE,
) -> Diff:
    """Compare the ``wanted`` threads of either snapshot, old first; ``dwells`` as for ``diff``.

    One that is wanted on one side is compared with itself on the other, whatever its name there.
    """
    chosen = {id(thread) for thread in wanted}
    aligned = align_threads(baseline.threads, current.threads)
    for old, new in aligned.pairs:
        if id(old) in chosen or id(new) in chosen:
            chosen |= {id(old), id(new)}
    whole = diff(
        _only(baseline, chosen), _only(current, chosen), dwells=dwells, catalogue=catalogue
    )
    return replace(
        whole,
        variables=(),
        resizes=resizes(whole.locals, (), whole.elapsed),
        gc=(),
        gc_settings=(),
        process=(),
        interpreter=(),
        tasks=None,
        not_compared=(*whole.not_compared, _THE_REST),
    )


def _only(snapshot: Snapshot, chosen: set[int]) -> Snapshot:
    threads = tuple(thread for thread in snapshot.threads if id(thread) in chosen)
    return replace(snapshot, threads=threads)
