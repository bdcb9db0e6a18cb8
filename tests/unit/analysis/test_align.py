from __future__ import annotations

from dataclasses import replace

from snapshotter.analysis.align import (
    align_frames,
    align_locals,
    align_threads,
    same_incarnation,
    same_thread,
)
from snapshotter.model import Local, View
from tests.support.samples import (
    APP,
    BOOTSTRAP,
    EXECUTOR_IDLE,
    STILL,
    counters,
    frame,
    restarted,
    snapshot,
    thread,
)

WORKER = thread("worker", 50, EXECUTOR_IDLE, counters(0, per_step=STILL))


def test_same_thread_ignores_the_name() -> None:
    assert same_thread(WORKER, replace(WORKER, name="renamed"))


def test_same_thread_tells_a_reused_native_id() -> None:
    reused = replace(WORKER, counters=counters(1, per_step=STILL, start_ticks=900))
    assert not same_thread(WORKER, reused)


def test_same_thread_falls_back_to_ident_without_start_times() -> None:
    bare = replace(WORKER, counters=None)
    assert same_thread(WORKER, bare)
    assert not same_thread(WORKER, replace(bare, ident=1))
    assert same_thread(WORKER, replace(bare, native_id=None))


def test_same_thread_keeps_interpreters_apart() -> None:
    assert not same_thread(WORKER, replace(WORKER, interpreter=1))


def test_align_threads_finds_pairs_added_and_removed() -> None:
    before, after = snapshot(0).threads, snapshot(1).threads
    new = thread("new", 9999, EXECUTOR_IDLE, counters(1, per_step=STILL))
    aligned = align_threads(before, (*reversed(after[1:]), new))
    assert len(aligned.pairs) == len(before) - 1
    assert all(old.native_id == now.native_id for old, now in aligned.pairs)
    assert [each.name for each in aligned.removed] == ["MainThread"]
    assert aligned.added == (new,)


def test_align_threads_uses_each_thread_once() -> None:
    bare = replace(WORKER, native_id=None, counters=None)
    aligned = align_threads([WORKER], [bare, bare])
    assert (len(aligned.pairs), len(aligned.added)) == (1, 1)


def test_same_incarnation_compares_identities() -> None:
    assert same_incarnation(snapshot(0), snapshot(3))
    assert not same_incarnation(snapshot(0), restarted())


def test_same_incarnation_without_identity_allows_for_clock_corrections() -> None:
    first = snapshot(0)
    info = replace(first.process, identity=None, start_time_ns=first.process.start_time_ns + 10**9)
    assert same_incarnation(first, replace(first, process=info))
    other = replace(info, start_time_ns=first.process.start_time_ns + 10**11)
    assert not same_incarnation(first, replace(first, process=other))


def test_align_frames_goes_outermost_first_and_stops_where_functions_differ() -> None:
    outer = frame(f"{APP}/a.py:10", "outer")
    old = (frame(f"{APP}/a.py:1", "x"), frame(f"{APP}/a.py:5", "old"), outer, *BOOTSTRAP)
    new = (frame(f"{APP}/a.py:1", "x"), replace(outer, lineno=12), *BOOTSTRAP)
    pairs = align_frames(replace(WORKER, frames=old), replace(WORKER, frames=new))
    assert [pair[0].qualname for pair in pairs] == [
        "Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run", "outer",
    ]  # fmt: skip
    assert pairs[-1][1].lineno == 12


def test_align_frames_tells_functions_of_one_name_apart() -> None:
    getter = replace(frame(f"{APP}/a.py:10", "Order.total"), first_lineno=9)
    setter = replace(frame(f"{APP}/a.py:14", "Order.total"), first_lineno=13)
    old, new = (replace(WORKER, frames=(top, *BOOTSTRAP)) for top in (getter, setter))
    assert [pair[0].qualname for pair in align_frames(old, new)] == [
        "Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run",
    ]  # fmt: skip


def test_align_frames_needs_the_outermost_frames() -> None:
    cut = replace(WORKER, complete=False)
    assert not align_frames(cut, cut)
    assert not align_frames(WORKER, cut)
    outer_part = replace(cut, view=View.OUTSIDE, outside=None)
    assert align_frames(WORKER, outer_part)


def test_align_locals_matches_names() -> None:
    old = frame(f"{APP}/a.py:1", "f", Local("a", 0), Local("b", 1))
    new = frame(f"{APP}/a.py:1", "f", Local("b", 2), Local("c", 3))
    names = [(was and was.name, now and now.name) for was, now in align_locals(old, new)]
    assert names == [("b", "b"), (None, "c"), ("a", None)]
