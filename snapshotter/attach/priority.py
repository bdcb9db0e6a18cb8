"""When the kernel lets us run: after the target and all others, but at once while a request lies.

On a machine with more work than processors a thread that sleeps for 50 microseconds may come back
after many milliseconds. A main thread that has blocked meanwhile could lose the exception of a
signal handler to our request. So for the milliseconds in which one is armed this thread has a
real-time priority where it may (root, CAP_SYS_NICE, RLIMIT_RTPRIO): it sleeps nearly all of that
time. For the rest it is a batch process: when a thread of the target wakes, it never has to wait
until we have used up our turn on its processor.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["finer_sleeps", "modest", "urgent"]

_THIS_THREAD = 0
_LOWEST = os.sched_param(1)
"""Of the real-time priorities: above all ordinary threads."""
_ORDINARY = os.sched_param(0)
_SLACK = "1000"
"""Nanoseconds by which the kernel may let a sleep last longer."""


def modest() -> None:
    """Let others run first from now on; raises nothing."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(_THIS_THREAD, os.SCHED_BATCH, _ORDINARY)


def finer_sleeps() -> None:
    """Let short sleeps of this thread be short: the kernel adds 50 microseconds by default."""
    with contextlib.suppress(OSError):
        slack = Path(f"/proc/{threading.get_native_id()}/timerslack_ns")
        slack.write_text(_SLACK, encoding="ascii")


@contextlib.contextmanager
def urgent() -> Iterator[None]:
    """Run the block before others, as far as the kernel grants it; go back to before after it."""
    policy, parameters = os.sched_getscheduler(_THIS_THREAD), os.sched_getparam(_THIS_THREAD)
    try:
        _set_urgent()
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(_THIS_THREAD, policy, parameters)
            finer_sleeps()  # who has had a real-time priority gets the default back


def _set_urgent() -> None:
    # a process that is started meanwhile is to be an ordinary one
    for policy, parameters in ((os.SCHED_FIFO, _LOWEST), (os.SCHED_OTHER, _ORDINARY)):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(_THIS_THREAD, policy | os.SCHED_RESET_ON_FORK, parameters)
            return
