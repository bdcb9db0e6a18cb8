"""When the main thread is looked at, and when it is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import pytest

from snapshotter.attach.protocol import Attempt, MainNow, Verdict
from snapshotter.attach.request import Question
from snapshotter.attach.ways import Course, Ways

if TYPE_CHECKING:
    from snapshotter.attach.protocol import MainThread

PATIENCE_NS = 50_000_000
MS = 1_000_000


class Sleeper:
    """A main thread that sleeps, and wakes at the look that is told, to wait for the GIL."""

    def __init__(
        self, *, is_counted: bool = True, runs_at: int = 1 << 40, wakes_in_ns: tuple[int, ...] = ()
    ) -> None:
        self.polls = 0
        self.looks = 0
        self.asked = 0
        self._is_counted = is_counted
        self._runs_at = runs_at
        self._wakes_in_ns = list(wakes_in_ns)

    def times_run(self) -> int | None:
        self.polls += 1
        return 7 + (self.polls >= self._runs_at) if self._is_counted else None

    def now(self) -> MainNow:
        self.looks += 1
        return MainNow.WAITS_FOR_GIL if self.polls >= self._runs_at else MainNow.BLOCKED

    def next_wake_ns(self) -> int | None:
        return time.monotonic_ns() + self._wakes_in_ns.pop(0) if self._wakes_in_ns else None

    def ask(self, _path: str, *, wake_ns: int | None, still: bool) -> Attempt:
        assert still
        self.asked += 1
        if wake_ns is not None:
            assert wake_ns - time.monotonic_ns() < 20 * MS
        return Attempt(Verdict.STARTED, 0, 0)

    def holds_gil(self) -> bool:
        return False

    def has_signal(self) -> bool:
        return False

    def foreign_request(self) -> None:
        return None

    def can_open_a_script(self, *, still: bool) -> bool:
        return still


def question() -> Question:
    return Question(
        nonce=b"",
        inner_pid=1,
        start_by_ns=0,
        deadline_ns=0,
        slice_ns=MS,
        carrier="auto",
        os_threads=2,
        locals="none",
        values="scrubbed",
        variables=(),
        stdlib=(),
        reply_path="",
    )


def ask(main: Sleeper, patience_ns: int = PATIENCE_NS) -> bool:
    """Return whether there was an attempt until the end of the patience."""
    until = time.monotonic_ns() + patience_ns
    ways = Ways(cast("MainThread", main))
    return next(ways.attempts(Course(question(), "driver"), until), None) is not None


def test_a_sleep_that_lasts_is_looked_at_once() -> None:
    main = Sleeper()
    assert not ask(main)
    assert main.polls > 1
    assert main.looks == 1


def test_where_the_kernel_does_not_count_it_is_looked_at_each_time() -> None:
    main = Sleeper(is_counted=False)
    assert not ask(main)
    assert main.looks == main.polls > 1


@pytest.mark.parametrize("runs_at", [2, 5])
def test_a_sleep_that_ends_is_seen(runs_at: int) -> None:
    main = Sleeper(runs_at=runs_at)
    assert ask(main, 10_000 * MS)
    assert (main.polls, main.looks) == (runs_at, 2)


def test_a_wake_that_comes_near_is_waited_for() -> None:
    main = Sleeper(wakes_in_ns=(60 * MS, *[15 * MS] * 1000))
    assert ask(main, 10_000 * MS)
    assert 1 < main.looks < main.polls
