"""A target ends as it would without us, even while a carrier is at work in it."""

from __future__ import annotations

import random
import time

import pytest

from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.observing import capturing, spools_for
from tests.support.targets import spawn, wait_until

pytestmark = pytest.mark.live

RNG = random.SystemRandom()
WAYS = {
    "sys_exit": 3,
    "non_daemon": 4,
    "os_exit": 5,
    "at_exit": 0,
    "replace": 0,
    "by_sigterm": -15,
    "by_sigint": 6,
    "raising": 1,
}


def ending(way: str, python: str, *, observed: bool) -> tuple[int, str, str]:
    """Exit code, output and errors of a target that ends in this way."""
    with spawn("leaver.py", way, "2", python=python) as target:
        if not observed:
            target.tell("go")
            code = target.wait()
        else:
            with capturing(target.pid, every_s=0.001, patience_ns=50_000_000) as watch:
                wait_until(lambda: watch.inside > 2)
                time.sleep(RNG.random() * 0.02)
                target.tell("go")
                code = target.wait()
            wait_until(lambda: not spools_for(target.pid))
        return code, target.stdout_text(), target.stderr_text()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_an_exit_is_as_without_us(target_python: str, way: str, rounds: int) -> None:
    expected = ending(way, target_python, observed=False)
    assert expected[0] == WAYS[way]
    for _ in range(rounds):
        code, output, errors = ending(way, target_python, observed=True)
        assert (code, errors) == (expected[0], expected[2])
        # An object that the carrier holds in the very moment of the exit is not finalized.
        assert output in {expected[1], expected[1].replace("finalized\n", "")}


def test_an_exec_ends_the_observation(target_python: str) -> None:
    with spawn("leaver.py", "replace", "0", python=target_python) as target:
        with Observer.open(target.pid, CaptureOptions()) as observer:
            assert observer.ended() is None
            target.tell("go")
            wait_until(lambda: observer.ended() is not None)
            assert "became another program" in str(observer.ended())
        assert target.wait() == 0
