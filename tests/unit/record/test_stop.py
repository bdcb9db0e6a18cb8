import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snapshotter.record.stop import StopReason, StopToken, stop_on_signals


def is_readable(token: StopToken) -> bool:
    return bool(select.select([token], [], [], 0)[0])


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_a_new_token_is_not_set() -> None:
    with StopToken() as token:
        assert token.reason is None
        assert not is_readable(token)


def test_the_first_reason_stays_and_wakes_a_sleeper() -> None:
    with StopToken() as token:
        token.set(StopReason.DURATION)
        token.set(StopReason.INTERRUPT)
        assert token.reason is StopReason.DURATION
        assert is_readable(token)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGINT, StopReason.INTERRUPT),
        (signal.SIGTERM, StopReason.TERMINATE),
        (signal.SIGHUP, StopReason.HANG_UP),
    ],
)
def test_a_signal_sets_the_token(number: signal.Signals, reason: StopReason) -> None:
    with StopToken() as token, stop_on_signals(token):
        signal.raise_signal(number)
        assert token.reason is reason
        assert is_readable(token)


def test_the_second_signal_interrupts_at_once_and_the_third_is_ignored() -> None:
    with StopToken() as token, stop_on_signals(token):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)


def test_handlers_come_back_at_the_end() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with StopToken() as token, stop_on_signals(token):
        assert signal.getsignal(signal.SIGTERM) is not before[1]
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_signal_that_is_ignored_on_our_behalf_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopToken() as token, stop_on_signals(token):
            signal.raise_signal(signal.SIGHUP)
            assert token.reason is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_end_of_a_process_wakes_and_is_told_once() -> None:
    with (
        StopToken() as token,
        subprocess.Popen([sys.executable, "-IS", "-c", "input()"], stdin=subprocess.PIPE) as child,
    ):
        token.wake_on_end(child.pid)
        assert not is_readable(token)
        assert child.stdin is not None
        child.stdin.close()
        assert select.select([token], [], [], 60)[0]
        assert token.ended() == (child.pid,)
        assert token.ended() == ()
        assert not is_readable(token)
        assert token.reason is None


def test_a_process_that_is_gone_already_is_no_error() -> None:
    with StopToken() as token:
        token.wake_on_end(2**22 + 1)
        assert token.ended() == ()


def test_closing_leaves_no_descriptor() -> None:
    before = open_descriptors()
    with StopToken() as token:
        token.wake_on_end(os.getpid())
        token.wake_on_end(os.getpid())
    assert open_descriptors() == before
