"""When it is said of a main thread that it gives nobody else a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from snapshotter.attach import turns
from snapshotter.attach.turns import Turns
from snapshotter.outside.probe_point import GilState

if TYPE_CHECKING:
    from snapshotter.attach.slot import Slot
    from snapshotter.outside.probe_point import ProbePoint
    from snapshotter.outside.runtime import Runtime

MS = 1_000_000


class Target:
    """A GIL, the eval breaker of the main thread, and a clock."""

    gil_address = 64
    thread = 4096

    def __init__(self, interval_ns: int) -> None:
        self.interval_ns = interval_ns
        self.switches = 5
        self.is_demanded = self.is_blocked = False
        self.holder = self.thread
        self.now_ns = 7

    def switch_interval_ns(self, gil: int) -> int:
        assert gil == self.gil_address
        return self.interval_ns

    def gil_at(self, gil: int) -> GilState:
        assert gil == self.gil_address
        return GilState(locked=not self.is_blocked, holder=self.holder, switch_number=self.switches)

    def is_gil_demanded(self) -> bool:
        return self.is_demanded


@pytest.fixture
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Target:
    made = Target(getattr(request, "param", 5 * MS))
    monkeypatch.setattr(turns.time, "monotonic_ns", lambda: made.now_ns)
    return made


def watch(target: Target) -> Turns:
    return Turns(
        cast("Runtime", target),
        cast("ProbePoint", target),
        cast("Slot", target),
        is_blocked=lambda: target.is_blocked,
    )


def look_for(found: Turns, target: Target, length_ns: int) -> bool:
    """Look every two milliseconds for so long; the last answer."""
    answer = found.none_given()
    for _ in range(length_ns // (2 * MS)):
        target.now_ns += 2 * MS
        answer = found.none_given()
    return answer


def test_nobody_gets_a_turn(target: Target) -> None:
    found = watch(target)
    assert not look_for(found, target, 50 * MS)
    assert look_for(found, target, 20 * MS)


def test_a_turn_begins_the_wait_anew(target: Target) -> None:
    found = watch(target)
    assert not look_for(found, target, 50 * MS)
    target.switches += 1
    assert not look_for(found, target, 50 * MS)


def test_who_may_demand_the_interpreter_will_get_it(target: Target) -> None:
    found = watch(target)
    target.is_demanded = True
    assert not look_for(found, target, 500 * MS)


def test_another_thread_that_keeps_the_interpreter_has_had_its_turn(target: Target) -> None:
    found = watch(target)
    target.holder += 1
    assert not look_for(found, target, 500 * MS)


def test_while_the_main_thread_waits_anybody_may_have_it(target: Target) -> None:
    found = watch(target)
    target.is_blocked = True
    assert not look_for(found, target, 500 * MS)


@pytest.mark.parametrize("target", [300 * MS], indirect=True)
def test_a_long_switch_interval_is_waited_for(target: Target) -> None:
    found = watch(target)
    assert not look_for(found, target, 1_000 * MS)
    assert look_for(found, target, 400 * MS)
