"""A stack of which only the outer part is known proves no more than it can."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snapshotter.analysis.diff import diff, signature_shares
from snapshotter.analysis.dwell import dwell
from snapshotter.analysis.idle import idle_reason, thread_idle_reason
from snapshotter.analysis.movement import Movement, SamePlace, movement, same_place
from snapshotter.analysis.signatures import group_threads
from snapshotter.model import Frame, Snapshot, Thread, View
from snapshotter.render.diff import change_parts
from snapshotter.render.grid import Grid
from tests.support import samples
from tests.support.samples import BOOTSTRAP, EXECUTOR_IDLE, SPIN, counters, frame, thread
from tests.unit.render.screens import rendered

WORK = frame("/srv/orders/app.py:12", "work")
OTHER = frame("/srv/orders/app.py:40", "work")
LEAF = frame("/srv/orders/app.py:5", "leaf")
OUTER = (WORK, *BOOTSTRAP)


def whole(*frames: Frame, step: int = 0) -> Thread:
    seen = thread("w", 7, frames, counters(step, per_step=SPIN))
    return replace(seen, view=View.OUTSIDE)


def part(*frames: Frame, step: int = 0) -> Thread:
    seen = replace(whole(*frames, step=step), complete=False, outside=None)
    return replace(seen, note="Its innermost calls changed at each look.")


def test_only_a_view_from_outside_without_a_stack_lacks_the_innermost() -> None:
    assert part(*OUTER).lacks_innermost
    assert not whole(*OUTER).lacks_innermost
    assert not part().lacks_innermost
    assert not replace(whole(*OUTER), complete=False).lacks_innermost
    assert not replace(part(*OUTER), view=View.INSIDE).lacks_innermost


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (part(*OUTER), part(*OUTER), SamePlace.UNKNOWN),
        (part(*OUTER), whole(*OUTER), SamePlace.UNKNOWN),
        (part(*OUTER), whole(LEAF, *OUTER), SamePlace.UNKNOWN),
        (whole(LEAF, *OUTER), part(*OUTER), SamePlace.UNKNOWN),
        (part(*BOOTSTRAP), part(*OUTER), SamePlace.UNKNOWN),
        (part(*OUTER), part(OTHER, *BOOTSTRAP), SamePlace.NO),
        (part(*OUTER), whole(LEAF, OTHER, *BOOTSTRAP), SamePlace.NO),
        (part(*OUTER), replace(whole(*OUTER), complete=False), SamePlace.UNKNOWN),
    ],
)
def test_an_outer_part_tells_another_place_and_never_the_same(
    before: Thread, after: Thread, expected: SamePlace
) -> None:
    assert same_place(before, after) is expected
    after = replace(after, counters=counters(1, per_step=SPIN))
    moved = {SamePlace.NO: Movement.MOVED, SamePlace.UNKNOWN: Movement.UNKNOWN}
    assert movement(before, after) is moved[expected]


def test_an_outer_part_is_not_compared_with_a_view_from_inside() -> None:
    inside = replace(thread("w", 7, (LEAF, *OUTER), counters(0, per_step=SPIN)), outside=None)
    assert same_place(inside, part(OTHER, *BOOTSTRAP)) is SamePlace.UNKNOWN


def test_an_outer_part_that_looks_idle_is_not() -> None:
    assert idle_reason(EXECUTOR_IDLE)
    assert thread_idle_reason(whole(*EXECUTOR_IDLE))
    assert thread_idle_reason(part(*EXECUTOR_IDLE)) is None


def test_outer_parts_share_no_group_and_no_signature() -> None:
    others = replace(part(*OUTER), ident=8, native_id=8)
    assert len(group_threads([part(*OUTER), others, whole(*OUTER)])) == 3
    shots = [shot(0, part(*OUTER)), shot(1, whole(LEAF, *OUTER, step=1))]
    assert [share.frames[0] for share in signature_shares(shots[:1], shots[1:])] == [LEAF]


def shot(step: int, seen: Thread) -> Snapshot:
    return replace(samples.snapshot(step), threads=(seen,))


def test_a_run_that_an_outer_part_ends_did_not_arrive() -> None:
    (run,) = dwell([shot(0, part(*OUTER)), shot(1, whole(*OUTER, step=1))])
    assert (run.snapshots, run.movement, run.arrived) == (1, None, False)
    (run,) = dwell([shot(0, part(OTHER, *BOOTSTRAP)), shot(1, whole(*OUTER, step=1))])
    assert run.arrived


def test_a_thread_between_two_whole_stacks_is_told_by_these() -> None:
    shots = [
        shot(0, whole(*OUTER)),
        shot(1, part(*BOOTSTRAP, step=1)),
        shot(2, whole(*OUTER, step=2)),
    ]
    found = diff(shots[0], shots[2], dwells=dwell(shots))
    assert [each.movement for each in found.threads] == [Movement.SPINNING]


def test_the_place_of_an_outer_part_is_told_as_what_the_calls_come_from() -> None:
    shots = [shot(0, whole(OTHER, *BOOTSTRAP)), shot(1, part(*OUTER, step=1))]
    grid = rendered(Grid(shots), 160)
    assert "in calls from app.py:12 work" in grid
    found = diff(shots[0], shots[1])
    text = " ".join(rendered(part, 160) for part in change_parts(found))
    assert "w moved: app.py:40 work -> in calls from app.py:12 work" in text


def test_what_was_not_compared_is_told() -> None:
    found = diff(shot(0, part(*OUTER)), shot(1, part(*OUTER, step=1)))
    assert any("no view saw the whole stack in both snapshots" in one for one in found.not_compared)
    assert [each.stays for each in found.threads] == [False]
