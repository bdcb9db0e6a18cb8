from __future__ import annotations

from dataclasses import replace

import pytest

from snapshotter.analysis.movement import Movement, SamePlace, counter_delta, movement, same_place
from snapshotter.model import Counters, OutsideStack, Thread, View
from tests.support.samples import EXECUTOR_IDLE, SECOND_NS, STDLIB, frame, thread

START = Counters("S", None, 100, 10, 5_000_000, 500, at_ns=1_000 * SECOND_NS)
ELSEWHERE = (frame(f"{STDLIB}/queue.py:9", "Queue.put"),)


def at_place(count: Counters | None = START) -> Thread:
    return replace(thread("w", 7, EXECUTOR_IDLE, START), counters=count)


def later(voluntary: int = 0, involuntary: int = 0, cpu_ns: int = 0, *, s: int = 10) -> Counters:
    return replace(
        START,
        voluntary_switches=100 + voluntary,
        involuntary_switches=10 + involuntary,
        cpu_ns=5_000_000 + cpu_ns,
        at_ns=START.at_ns + s * SECOND_NS,
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (later(), Movement.FROZEN),
        (later(cpu_ns=8 * SECOND_NS), Movement.SPINNING),
        (later(286, 4029, 10 * SECOND_NS), Movement.SPINNING),
        (later(20, 2, 650_000), Movement.POLLING),
        (later(0, 3, 650_000), Movement.REPEATING),
        (later(0, 0, 1), Movement.REPEATING),
        (later(50, 3, 5 * SECOND_NS), Movement.REPEATING),
        (later(50, 3, SECOND_NS // 2), Movement.REPEATING),
        (later(50, 3, SECOND_NS // 2 - 1), Movement.POLLING),
        (replace(later(), cpu_ns=None), Movement.UNKNOWN),
        (replace(later(), voluntary_switches=None), Movement.UNKNOWN),
        (later(s=0), Movement.UNKNOWN),
        (later(-5), Movement.UNKNOWN),
        (None, Movement.UNKNOWN),
    ],
)
def test_movement_at_the_same_place_follows_the_counters(
    count: Counters | None, expected: Movement
) -> None:
    assert movement(at_place(), at_place(count)) is expected


def stopped(count: Counters) -> Counters:
    return replace(count, state="T")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (START, stopped(later(1, 0, 20_000)), Movement.UNKNOWN),
        (stopped(START), later(1, 1, 20_000), Movement.UNKNOWN),
        (stopped(START), later(3, 0, 20_000), Movement.UNKNOWN),
        (stopped(START), later(0, 1, 20_000), Movement.UNKNOWN),
        (replace(START, state="t"), later(1, 0, 20_000), Movement.UNKNOWN),
        (stopped(START), stopped(later()), Movement.FROZEN),
        (stopped(START), later(14, 0, 480_000), Movement.POLLING),
        (stopped(START), later(2, 0, 5 * SECOND_NS), Movement.REPEATING),
        (stopped(START), later(2, 0, 9 * SECOND_NS), Movement.SPINNING),
        (START, later(1, 0, 20_000), Movement.POLLING),
    ],
)
def test_who_was_only_stopped_or_continued_is_not_called_polling(
    before: Counters, after: Counters, expected: Movement
) -> None:
    assert movement(at_place(before), at_place(after)) is expected


def test_what_snapshots_in_between_tell_of_stops_counts() -> None:
    before, after = at_place(START), at_place(later(2, 0, 40_000))
    assert movement(before, after) is Movement.POLLING
    assert movement(before, after, stops=2) is Movement.UNKNOWN
    delta = counter_delta(before, after, stops=2)
    assert delta
    assert delta.stops == 2


def test_movement_elsewhere_is_moved_whatever_the_counters_say() -> None:
    moved = replace(at_place(later()), frames=ELSEWHERE)
    assert movement(at_place(), moved) is Movement.MOVED


def test_same_place_prefers_the_inside_view_on_both_sides() -> None:
    before = at_place()
    after = replace(at_place(later()), outside=OutsideStack(ELSEWHERE, 0))
    assert same_place(before, after) is SamePlace.YES


def test_same_place_never_mixes_views() -> None:
    inside = at_place()
    outside = replace(at_place(later()), view=View.OUTSIDE, frames=ELSEWHERE, outside=None)
    assert same_place(inside, outside) is SamePlace.NO
    assert same_place(replace(inside, outside=None), outside) is SamePlace.UNKNOWN
    assert movement(replace(inside, outside=None), outside) is Movement.UNKNOWN


def test_same_place_of_incomplete_stacks_compares_what_both_have() -> None:
    cut = replace(at_place(), frames=EXECUTOR_IDLE[:2], complete=False)
    assert same_place(cut, at_place()) is SamePlace.YES
    assert same_place(replace(cut, frames=()), at_place()) is SamePlace.UNKNOWN
    assert same_place(cut, replace(at_place(), frames=ELSEWHERE)) is SamePlace.NO


def test_counter_delta_tells_cores_and_switches() -> None:
    delta = counter_delta(at_place(), at_place(later(3, 4, 5 * SECOND_NS)))
    assert delta is not None
    assert (delta.switches, delta.cores) == (7, 0.5)
