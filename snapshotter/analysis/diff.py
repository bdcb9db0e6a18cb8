"""The comparison of two snapshots: what came, went, moved, grew, and what could not be compared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from snapshotter.analysis.align import ThreadIndex, align_threads, same_incarnation
from snapshotter.analysis.changes import Change, Diff, SignatureShare, ThreadChange
from snapshotter.analysis.figures import (
    elapsed_between,
    gc_changes,
    gc_settings,
    interpreter_figures,
    process_figures,
)
from snapshotter.analysis.gaps import TWO_INCARNATIONS, gaps
from snapshotter.analysis.idle import CATALOGUE, thread_idle_reason
from snapshotter.analysis.locals import local_changes, resizes, variable_changes
from snapshotter.analysis.movement import Movement, counter_delta, movement
from snapshotter.analysis.signatures import call_signature
from snapshotter.analysis.tasks import task_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from snapshotter.analysis.align import AlignedThreads
    from snapshotter.analysis.changes import Elapsed, Figure, GenerationChange
    from snapshotter.analysis.dwell import Dwell
    from snapshotter.analysis.idle import IdlePattern
    from snapshotter.analysis.signatures import CallSignature
    from snapshotter.model import Frame, Snapshot

__all__ = ["Diff", "diff", "signature_shares"]


def diff(
    baseline: Snapshot,
    current: Snapshot,
    *,
    dwells: Sequence[Dwell] = (),
    catalogue: Iterable[IdlePattern] = CATALOGUE,
) -> Diff:
    """Compare two snapshots, old first.

    ``dwells`` (of the recording whose last snapshot ``current`` is) lets the diff say how long a
    thread has stood where it stands. Snapshots of two incarnations have neither threads nor
    counters in common: only their S2 signatures are compared.
    """
    elapsed = elapsed_between(baseline, current)
    if not same_incarnation(baseline, current):
        shares = signature_shares((baseline,), (current,))
        return Diff(
            baseline,
            current,
            elapsed,
            same_process=False,
            signatures=shares,
            not_compared=(TWO_INCARNATIONS,),
        )
    aligned = align_threads(baseline.threads, current.threads)
    age_ns = current.monotonic_ns - baseline.monotonic_ns
    locals_ = tuple(local_changes(baseline, current, aligned.pairs))
    variables = tuple(variable_changes(baseline, current))
    return Diff(
        baseline,
        current,
        elapsed,
        same_process=True,
        threads=tuple(_thread_changes(aligned, age_ns, dwells, tuple(catalogue))),
        locals=locals_,
        variables=variables,
        resizes=resizes(locals_, variables, elapsed),
        gc=_gc(baseline, current, elapsed),
        gc_settings=_gc_settings(baseline, current),
        process=process_figures(baseline.process, current.process, elapsed=elapsed),
        interpreter=_interpreter(baseline, current, elapsed),
        tasks=task_changes(baseline, current, elapsed=elapsed),
        not_compared=tuple(gaps(baseline, current, aligned.pairs, elapsed)),
    )


def _gc(baseline: Snapshot, current: Snapshot, elapsed: Elapsed) -> tuple[GenerationChange, ...]:
    if baseline.gc is None or current.gc is None:
        return ()
    return gc_changes(baseline.gc, current.gc, elapsed=elapsed)


def _gc_settings(baseline: Snapshot, current: Snapshot) -> tuple[str, ...]:
    if baseline.gc is None or current.gc is None:
        return ()
    return gc_settings(baseline.gc, current.gc)


def _interpreter(baseline: Snapshot, current: Snapshot, elapsed: Elapsed) -> tuple[Figure, ...]:
    if baseline.interpreter is None or current.interpreter is None:
        return ()
    return interpreter_figures(baseline.interpreter, current.interpreter, elapsed=elapsed)


def _thread_changes(
    aligned: AlignedThreads,
    age_ns: int,
    dwells: Sequence[Dwell],
    catalogue: tuple[IdlePattern, ...],
) -> Iterator[ThreadChange]:
    runs = ThreadIndex(run.thread for run in dwells)
    by_thread = {id(run.thread): run for run in dwells}
    for before, after in aligned.pairs:
        run = by_thread.get(id(runs.find(after)))
        # A recording may know that it was elsewhere in between and came back.
        was_away = run is not None and run.arrived and run.duration_ns < age_ns
        stops = None if run is None else _stops_in(age_ns, run)
        yield ThreadChange(
            before,
            after,
            None,
            Movement.MOVED if was_away else movement(before, after, stops=stops),
            counter_delta(before, after, stops=stops),
            thread_idle_reason(after, catalogue),
            run,
        )
    for thread in aligned.added:
        idle = thread_idle_reason(thread, catalogue)
        yield ThreadChange(None, thread, Change.ADDED, idle=idle)
    for thread in aligned.removed:
        idle = thread_idle_reason(thread, catalogue)
        yield ThreadChange(thread, None, Change.REMOVED, idle=idle)


def _stops_in(age_ns: int, run: Dwell) -> int | None:
    """Return how often a thread was stopped or continued in that time, if the run is that long."""
    return run.counters.stops if run.counters is not None and run.duration_ns == age_ns else None


def signature_shares(
    baseline: Sequence[Snapshot], current: Sequence[Snapshot]
) -> tuple[SignatureShare, ...]:
    """Count the stacks of all snapshots of each side by S2, the largest difference first.

    Those of which only the outer part is known are left out: it is the outer part of many.
    """
    examples: dict[CallSignature, tuple[Frame, ...]] = {}
    old, new = _count(baseline, examples), _count(current, examples)
    shares = (
        SignatureShare(frames, old[key], new[key], old.total(), new.total())
        for key, frames in examples.items()
    )
    return tuple(sorted(shares, key=lambda share: -abs(share.points)))


def _count(
    snapshots: Sequence[Snapshot], examples: dict[CallSignature, tuple[Frame, ...]]
) -> Counter[CallSignature]:
    counts: Counter[CallSignature] = Counter()
    for snapshot in snapshots:
        for thread in snapshot.threads:
            if thread.lacks_innermost:
                continue
            key = call_signature(thread.frames)
            examples.setdefault(key, thread.frames)
            counts[key] += 1
    return counts
