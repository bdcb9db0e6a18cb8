import os
import time

from snapshotter.record.clock import SystemClock


def test_sleeping_ends_at_the_deadline_and_not_before() -> None:
    clock = SystemClock()
    deadline_ns = clock.monotonic_ns() + 5_000_000
    clock.sleep_until(deadline_ns)
    assert clock.monotonic_ns() >= deadline_ns


def test_a_deadline_that_is_over_does_not_sleep() -> None:
    clock = SystemClock()
    clock.sleep_until(clock.monotonic_ns() - 1)
    clock.sleep_until(0)


def test_a_readable_descriptor_ends_the_sleep_at_once() -> None:
    clock = SystemClock()
    event = os.eventfd(1)
    try:
        deadline_ns = clock.monotonic_ns() + 3_600_000_000_000
        clock.sleep_until(deadline_ns, event)
        assert clock.monotonic_ns() < deadline_ns
    finally:
        os.close(event)


def test_a_sleep_leaves_no_descriptor_behind() -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- names only
    SystemClock().sleep_until(SystemClock().monotonic_ns() + 1_000_000)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_wall_time_is_unix_time() -> None:
    assert abs(SystemClock().wall_ns() - time.time_ns()) < 60_000_000_000
