import itertools

import pytest

from snapshotter.record.schedule import Due, Schedule
from tests.support.recording import SECOND, FakeClock


def make(interval_s: float = 30) -> tuple[FakeClock, Schedule]:
    clock = FakeClock()
    return clock, Schedule(clock, clock.now_ns, interval_ns=int(interval_s * SECOND))


def test_due_times_are_absolute_and_do_not_drift() -> None:
    clock, schedule = make(30)
    start_ns = clock.now_ns
    due_times = []
    for due in itertools.islice(schedule, 5):
        clock.now_ns = due.at_ns + 123_456_789  # Each wakes late and works a while.
        due_times.append(due.at_ns - start_ns)
    assert due_times == [n * 30 * SECOND for n in range(5)]


def test_lateness_is_a_value_and_never_negative() -> None:
    due = Due(at_ns=1_000)
    assert due.lateness_ns(1_250) == 250
    assert due.lateness_ns(900) == 0


def test_due_times_that_passed_are_skipped_and_counted() -> None:
    clock, schedule = make(10)
    start_ns = next(schedule).at_ns
    clock.pass_s(35)
    due = next(schedule)
    assert due.at_ns == start_ns + 40 * SECOND
    assert due.skipped == 3
    assert due.first_skipped_ns == start_ns + 10 * SECOND
    assert next(schedule) == Due(start_ns + 50 * SECOND)


def test_a_due_time_of_this_very_instant_is_not_skipped() -> None:
    clock, schedule = make(10)
    start_ns = next(schedule).at_ns
    clock.pass_s(10)
    assert next(schedule) == Due(start_ns + 10 * SECOND)


def test_the_first_due_time_is_given_even_if_setting_up_took_longer() -> None:
    clock, schedule = make(10)
    start_ns = clock.now_ns
    clock.pass_s(25)
    assert next(schedule) == Due(start_ns)


def test_a_step_of_the_wall_clock_changes_nothing() -> None:
    clock, schedule = make(10)
    start_ns = next(schedule).at_ns
    clock.wall_offset_ns -= 86_400 * SECOND
    assert next(schedule).at_ns == start_ns + 10 * SECOND


@pytest.mark.parametrize("interval_ns", [0, -1])
def test_an_interval_must_be_positive(interval_ns: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        Schedule(FakeClock(), 0, interval_ns=interval_ns)
