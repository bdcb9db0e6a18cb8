"""Who may is on time while a request is armed, and behind all others the rest of the time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach.priority import finer_sleeps, modest, urgent

if TYPE_CHECKING:
    from collections.abc import Callable

ORDINARY = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK
REAL_TIME = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK


def in_a_thread(function: Callable[[], object]) -> None:
    """Scheduling belongs to a thread: whatever is done to this one ends with it."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def test_a_block_is_urgent_and_leaves_what_was() -> None:
    def check() -> None:
        modest()
        with urgent():
            assert os.sched_getscheduler(0) in (REAL_TIME, ORDINARY)
        assert os.sched_getscheduler(0) == os.SCHED_BATCH

    in_a_thread(check)


def test_short_sleeps_stay_short_after_it() -> None:
    """The kernel gives a thread that had a real-time priority its default slack back."""

    def slack_ns() -> int:
        return int(Path(f"/proc/{threading.get_native_id()}/timerslack_ns").read_text())

    def check() -> None:
        finer_sleeps()
        before = slack_ns()
        with urgent():
            pass
        assert slack_ns() == before == 1000

    in_a_thread(check)


def test_an_error_passes_and_ends_the_urgency() -> None:
    def check() -> None:
        modest()
        with pytest.raises(KeyError), urgent():
            raise KeyError
        assert os.sched_getscheduler(0) == os.SCHED_BATCH

    in_a_thread(check)


def test_what_the_kernel_refuses_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.sched_setscheduler

    def refuse(pid: int, policy: int, parameters: os.sched_param) -> None:
        if policy & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO:
            raise PermissionError
        real(pid, policy, parameters)

    monkeypatch.setattr(os, "sched_setscheduler", refuse)

    def check() -> None:
        modest()
        with urgent():
            assert os.sched_getscheduler(0) == ORDINARY

    in_a_thread(check)


def test_a_child_started_meanwhile_is_an_ordinary_process() -> None:
    program = "import os; print(os.sched_getscheduler(0))"

    def check() -> None:
        with urgent():
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        assert int(done.stdout) == os.SCHED_OTHER

    in_a_thread(check)
