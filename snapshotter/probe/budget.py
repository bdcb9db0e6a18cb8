"""The time budget: short slices of the interpreter, given away in between, and a hard end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .pristine import is_foreign, pick

if TYPE_CHECKING:
    from .shapes import Work

__all__ = ["begin_slice", "end_slice", "next_slice", "room_for", "slice_length", "spent"]

# A clock that an application has frozen (freezegun, a debugger) would never end a slice: the
# fuse counts what was done instead. A unit is a value or 16 frames, about 3 to 10 microseconds.
_UNITS_PER_MS = 1000
_UNITS_TO_SEE_A_TICK = 100
_UNITS_WITHOUT_A_CLOCK = 150
_SLICES_WITHOUT_A_CLOCK = 200
# Long enough for a thread that waits to wake up and take the interpreter: after ``sleep(0)`` we
# were often back before it, so that it waited for one more slice, or several.
_AWAY_S = 100e-6
# So long after the deadline the controller has given up.
_NOBODY_WAITS_NS = 100_000_000
# A shorter slice would be all overhead: the interpreter is asked back sooner than that.
_SHORTEST_SLICE_NS = 100_000


def slice_length(wanted_ns: int) -> int:
    """The length of a slice: at most half of the switch interval.

    A thread that waits asks for the interpreter after one interval: within half of one nobody
    does, and what a slice sees is of one instant.
    """
    found = pick(sys, ("getswitchinterval",))
    if found:
        wanted_ns = min(wanted_ns, int(found["getswitchinterval"]() * 500_000_000))
    return max(wanted_ns, _SHORTEST_SLICE_NS)


def begin_slice(work: Work) -> None:
    """Start to count."""
    work["slice_start"] = work["tools"]["clock"]()
    work["units"] = 0
    work["unit_limit"] = 1 + work["slice_ns"] * _UNITS_PER_MS // 1_000_000
    work["slices"] += 1


def spent(work: Work, share: int = 100) -> bool:
    """Whether this share (per cent) of the slice is used up; counts one unit."""
    work["units"] += 1
    passed = work["tools"]["clock"]() - work["slice_start"]
    if passed * 100 >= work["slice_ns"] * share:
        return True
    if passed <= 0 and work["units"] > _UNITS_TO_SEE_A_TICK:
        work["unit_limit"] = min(work["unit_limit"], _UNITS_WITHOUT_A_CLOCK)
        work["clock_stood"] = True
    return work["units"] * 100 >= work["unit_limit"] * share


def end_slice(work: Work) -> None:
    """Account for the slice."""
    passed = work["tools"]["clock"]() - work["slice_start"]
    work["pause_total"] += passed
    work["pause_max"] = max(work["pause_max"], passed)


def next_slice(work: Work) -> bool:
    """Give the interpreter away and take it again; False when there is no time for another one.

    The caller holds no frame and no value of the application meanwhile. ``time.sleep``
    releases the GIL; ``sched_yield`` does not. Raises TimeoutError when nobody waits for the reply.
    """
    sleep = work["tools"]["sleep"]
    fuse = work["clock_stood"] and work["slices"] >= _SLICES_WITHOUT_A_CLOCK
    if not work["may_yield"] or sleep is None or work["out_of_time"] or fuse:
        work["out_of_time"] = True
        return False
    end_slice(work)
    before = work["tools"]["clock"]()
    try:
        sleep(_AWAY_S)
    except ValueError as error:  # cannot happen with a genuine sleep
        if is_foreign(error):
            raise
        work["out_of_time"] = True
        begin_slice(work)
        return False
    begin_slice(work)
    work["yielded_ns"] += work["slice_start"] - before
    late = work["slice_start"] - work["request"]["deadline_ns"]
    if late > _NOBODY_WAITS_NS:
        raise TimeoutError
    if late >= 0:
        work["out_of_time"] = True
        return False
    return True


def room_for(work: Work) -> int:
    """Nanoseconds that can still be computed before the deadline, at the pace seen so far."""
    now = work["tools"]["clock"]()
    left_in_slice = max(0, work["slice_start"] + work["slice_ns"] - now)
    if not work["may_yield"]:
        return left_in_slice
    until = work["request"]["deadline_ns"] - now
    yields = max(1, work["slices"] - 1)
    pace = work["slice_ns"] + work["yielded_ns"] // yields
    return left_in_slice + max(0, until // pace) * work["slice_ns"]
