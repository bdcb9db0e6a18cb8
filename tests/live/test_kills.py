"""The target is killed in the middle of captures: one kind of error, and no spool is left."""

from __future__ import annotations

import random
import threading
import time

import pytest

from snapshotter.errors import ProcessEndedError
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.observing import spools_for
from tests.support.targets import spawn

pytestmark = pytest.mark.live

RNG = random.SystemRandom()
OPTIONS = CaptureOptions(patience_ns=200_000_000)
PROGRAMS = [("busy.py", "4"), ("stepping.py", "2", "0"), ("stepping.py", "2", "3"), ("churn.py",)]


def capture_for_ever(observer: Observer) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        observer.capture()


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
@pytest.mark.parametrize("rounds", [2, pytest.param(75, marks=pytest.mark.slow)])
def test_a_killed_target_gives_one_error_and_leaves_nothing(
    target_python: str, program: tuple[str, ...], rounds: int
) -> None:
    for _ in range(rounds):
        with spawn(program[0], *program[1:], python=target_python) as target:
            with Observer.open(target.pid, OPTIONS) as observer:
                observer.capture()
                killer = threading.Timer(RNG.random() * 0.05, target.process.kill)
                killer.start()
                with pytest.raises(ProcessEndedError):
                    capture_for_ever(observer)
                killer.join()
            assert spools_for(target.pid) == []
