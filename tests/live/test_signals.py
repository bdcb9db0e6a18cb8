"""No signal of the application is lost while it is observed, nor is anything of ours on stderr."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.observing import capturing
from tests.support.targets import spawn, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.targets import LiveTarget

pytestmark = pytest.mark.live

BLOCKING = (
    *("sleep", "wait_in_select", "poll", "epoll", "idle_asyncio", "read", "accept", "recv"),
    *("lock", "rlock", "event", "join", "get", "popen", "pause", "result", "flock"),
    "long_c_call",
)
RNG = random.SystemRandom()
LOST = "a signal may have been lost"
ENDS_WITHIN_S = 10.0


def exit_code(call: str, number: int) -> int:
    if call == "custom":
        return 5
    return 7 if number == signal.SIGTERM else 9


def send(target: LiveTarget, call: str, number: int) -> None:
    sent = time.monotonic()
    os.kill(target.pid, number)
    code = target.wait(ENDS_WITHIN_S)
    took_s = time.monotonic() - sent
    assert code == exit_code(call, number), (call, number, target.stderr_text())
    assert took_s < ENDS_WITHIN_S
    assert target.stdout_text() == ("told\nbye\n" if call == "custom" else "bye\n")
    assert target.stderr_text() == ""


def signal_once_each(calls: list[str], python: str, number: int) -> None:
    """Observe one target per call, and end each by a signal at a random time."""
    with contextlib.ExitStack() as stack:
        targets = {call: stack.enter_context(spawn_one(call, python)) for call in calls}
        watch = stack.enter_context(
            capturing(*(target.pid for target in targets.values()), patience_ns=4_000_000)
        )
        for call in sorted(calls, key=lambda _: RNG.random()):
            time.sleep(RNG.random() * 0.05)
            send(targets[call], call, number)
        assert watch.snapshots


def spawn_one(call: str, python: str) -> contextlib.AbstractContextManager[LiveTarget]:
    return spawn("signalled.py", call, python=python)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_blocking_call_as_without_us(target_python: str, number: int) -> None:
    signal_once_each([*BLOCKING, "custom"], target_python, number)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("call", [*BLOCKING, "custom"])
def test_thirty_signals_end_a_blocking_call_as_without_us(
    target_python: str, call: str, number: int
) -> None:
    snapshots = 0
    for _ in range(30):
        with spawn_one(call, target_python) as target, capturing(target.pid) as watch:
            wait_until(lambda seen=watch: seen.snapshots, 10)
            time.sleep(RNG.random() * 0.4)
            send(target, call, number)
        snapshots += len(watch.snapshots)
    assert snapshots > 30


class Tally:
    """Signals sent to a catcher one by one, and what became of them."""

    def __init__(self, target: LiveTarget) -> None:
        self._target = target
        self.sent = 0
        self.lost = 0
        self.twice = 0

    def lines(self) -> list[str]:
        return self._target.stdout_text().split()

    def send(self, *, wait_s: float = 0.4) -> None:
        before = len(self.lines())
        os.kill(self._target.pid, signal.SIGUSR1)
        self.sent += 1
        end = time.monotonic() + wait_s
        while len(self.lines()) == before:
            if time.monotonic() > end:
                self.lost += 1
                return
            time.sleep(0.0005)


def tally(program: tuple[str, str], python: str, seconds: float) -> tuple[Tally, int, int]:
    """Send signals for some time; returns the tally, losses that were said and inside views."""
    with spawn("catcher.py", *program, python=python) as target:
        sent = Tally(target)
        with capturing(target.pid, every_s=0.02, patience_ns=100_000_000) as watch:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.002 + RNG.random() * 0.02)
                sent.send()
        assert target.process.poll() is None
        assert blocked_signals(target.pid) == 0
        return sent, watch.said(LOST), watch.inside


def blocked_signals(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("SigBlk:")[2].split()[0], 16)


@pytest.mark.slow
@pytest.mark.parametrize(
    "program", [("busy", "0"), ("busy", "3"), ("sleeps", "0"), ("sleeps", "3")]
)
def test_a_signal_to_a_running_main_thread_is_not_lost_in_silence(
    target_python: str, program: tuple[str, str]
) -> None:
    sent, said, inside = tally(program, target_python, 1.5)
    assert inside
    assert sent.lost <= said + 1  # a request may begin in the instant in which it is withdrawn
    assert sent.lost <= sent.sent // 4


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["0", "2"])
@pytest.mark.parametrize("work", ["busy", "sleeps"])
def test_a_signal_that_comes_into_our_code_is_handed_on(
    target_python: str, work: str, threads: str
) -> None:
    """To unmarshal takes long in this target: nearly all the time it is in our ``try``."""
    with spawn("catcher.py", work, threads, "slow", python=target_python) as target:
        sent = Tally(target)
        with capturing(target.pid, every_s=0.001, patience_ns=1_000_000_000) as watch:
            for _ in range(8):
                time.sleep(0.002 + RNG.random() * 0.2)
                sent.send(wait_s=1.0)
        assert sent.lost <= watch.said(LOST) + 1
        assert target.process.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["0", "2"])
def test_both_signals_of_a_pair_are_handed_on(target_python: str, threads: str) -> None:
    burst = signal.SIGUSR1, signal.SIGTERM
    names = {number.name for number in burst}
    with spawn("catcher.py", "busy", threads, "slow", python=target_python) as target:
        with capturing(target.pid, every_s=0.001, patience_ns=1_000_000_000) as watch:
            lost = 0
            for _ in range(5):
                time.sleep(0.05 + RNG.random() * 0.1)
                before = len(target.stdout_text().split())
                for number in burst:
                    os.kill(target.pid, number)
                    time.sleep(RNG.random() * 0.02)
                with contextlib.suppress(AssertionError):
                    wait_until(lambda seen=before: names_since(target, seen) >= names, 2)
                lost += len(names - names_since(target, before))
        # the first may come before our first line, the last while the one before is handed on
        assert lost <= watch.said(LOST) + 1
        assert target.process.poll() is None


def names_since(target: LiveTarget, line: int) -> set[str]:
    return {line.partition(":")[0] for line in target.stdout_text().split()[line:]}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "program", [("busy", "0"), ("busy", "3"), ("sleeps", "0"), ("sleeps", "3")]
)
def test_a_hundred_seconds_of_signals_lose_few(
    target_python: str, program: tuple[str, str], record_property: Callable[[str, object], None]
) -> None:
    sent, said, inside = tally(program, target_python, 100)
    record_property("lost", f"{sent.lost} of {sent.sent}, {said} said, {inside} inside views")
    assert sent.lost <= said + 1 + sent.lost // 50
    assert sent.lost <= sent.sent // 20
