"""Gives the processor away now and then while a process is looked at.

Who wakes up to take a snapshot takes the processor where it ran before, even from a thread that is
just serving a request there while another processor is idle, and the kernel leaves it there until
its next tick: 4 ms, in which that request stands still. A yield hands the processor back at once
(``sched_yield(2)``; since Linux 6.18 it forfeits the rest of the turn). Where nobody waits it costs
less than a microsecond.
"""

from __future__ import annotations

import os
import time
from typing import Final

__all__ = ["give_way"]

_LEAST_NS: Final = 200_000
_next_ns = 0


def give_way() -> None:
    """Let those run that wait for this processor, unless that was done just now.

    On a machine with more work than processors they keep it for a while: then so much time passes
    before the next yield, and a snapshot takes at most about twice as long as without.
    """
    global _next_ns  # noqa: PLW0603 - it is of this processor, whoever calls
    now = time.monotonic_ns()
    if now < _next_ns:
        return
    os.sched_yield()
    back = time.monotonic_ns()
    _next_ns = back + max(_LEAST_NS, back - now)
