"""A process is asked as often as its share allows, and the first few times in any case."""

from __future__ import annotations

import pytest

from snapshotter.record.allowance import Allowance

SECOND_NS = 1_000_000_000


def asked(interval_ns: int, cost_ns: int, *, seconds: int) -> list[int]:
    """Times at which a process was asked that loses ``cost_ns`` each time."""
    allowance = Allowance(interval_ns)
    times = []
    for now_ns in range(0, seconds * SECOND_NS, interval_ns):
        if allowance.refusal(now_ns) is None:
            allowance.spend(cost_ns)
            times.append(now_ns)
    return times


def test_cheap_answers_are_never_left_out() -> None:
    assert len(asked(SECOND_NS, 4_000_000, seconds=600)) == 600


def test_the_first_ones_are_all_asked_for() -> None:
    times = asked(SECOND_NS // 10, 2_000_000, seconds=60)
    assert times[:10] == [number * SECOND_NS // 10 for number in range(10)]


@pytest.mark.parametrize(("interval_ns", "share"), [(SECOND_NS, 0.005), (SECOND_NS // 10, 0.0002)])
def test_over_time_no_more_than_the_share_is_taken(interval_ns: int, share: float) -> None:
    cost_ns = 8_000_000
    taken_ns = cost_ns * len(asked(interval_ns, cost_ns, seconds=4_000))
    assert 0.9 * share < taken_ns / (4_000 * SECOND_NS) < 1.1 * share


def test_one_dear_answer_is_not_held_against_it_for_long() -> None:
    times = asked(SECOND_NS, 10 * SECOND_NS, seconds=60)
    assert times[:3] == [0, 2 * SECOND_NS, 4 * SECOND_NS]
    every_half_minute = asked(30 * SECOND_NS, 10 * SECOND_NS, seconds=300)
    assert len(every_half_minute) == 10


def test_the_reason_names_the_share() -> None:
    for interval_ns, share in ((SECOND_NS, "0.5 %"), (SECOND_NS // 10, "0.02 %")):
        allowance = Allowance(interval_ns)
        allowance.refusal(0)
        allowance.spend(SECOND_NS)
        assert share in (allowance.refusal(0) or "")
