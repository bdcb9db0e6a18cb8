"""When a sleeping thread will wake by itself: the end of the timeout that it gave to the kernel.

A main thread that sleeps in short steps runs Python for a few microseconds in between, too short
to be caught by looking. But the kernel tells which call it sleeps in and with which arguments: an
absolute deadline lies in its memory; a relative timeout began when the scheduler took the thread
off its CPU, which ``/proc/<pid>/task/<tid>/sched`` tells (where the kernel has it).
"""

from __future__ import annotations

import os
import re
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError
from snapshotter.outside.procfs import Syscall, last_cpu, waiting_on
from snapshotter.outside.syscalls import syscall_name

if TYPE_CHECKING:
    from snapshotter.outside.memory import Memory

__all__ = ["WakeClock"]

_NS: Final = 1_000_000_000
_MS: Final = 1_000_000
_US: Final = 1_000
_TIMER_ABSTIME: Final = 1
_FUTEX_WAIT_BITSET: Final = 9
_FUTEX_COMMAND: Final = 0x7F
_FUTEX_CLOCK_REALTIME: Final = 0x100
_OFFSET_LASTS_NS: Final = 2 * _NS
_FOREVER: Final = 1 << 31
_EXEC_START = re.compile(rb"^se\.exec_start\s*:\s*([0-9]+)\.([0-9]{6})", re.MULTILINE)
# Which argument holds a relative timeout, and in which form.
_RELATIVE: Final = {
    "poll": (2, "ms"),
    "epoll_wait": (3, "ms"),
    "epoll_pwait": (3, "ms"),
    "ppoll": (2, "timespec"),
    "pselect6": (4, "timespec"),
    "epoll_pwait2": (3, "timespec"),
    "select": (4, "timeval"),
    "nanosleep": (0, "timespec"),
}


class WakeClock:
    """Tells wake-up times of threads of one process, in our monotonic clock."""

    __slots__ = ("_memory", "_offsets", "_pid")

    def __init__(self, pid: int, memory: Memory) -> None:
        self._pid = pid
        self._memory = memory
        self._offsets: dict[int, tuple[int, int | None]] = {}

    def next_wake_ns(self, tid: int) -> int | None:
        """Return when thread ``tid`` wakes at the latest.

        None when it does not sleep, sleeps without end, or the kernel does not tell.
        """
        call = waiting_on(self._pid, tid)
        if not isinstance(call, Syscall) or not call.arguments:
            return None
        name = syscall_name(call.number)
        try:
            if name == "clock_nanosleep":
                return self._sleep_end(call.arguments)
            if name == "futex":
                return self._futex_end(call.arguments)
            if name in _RELATIVE:
                return self._relative_end(tid, *_RELATIVE[name], call.arguments)
        except TornReadError:
            return None
        return None

    def _sleep_end(self, arguments: tuple[int, ...]) -> int | None:
        clock, flags, request = arguments[:3]
        if clock != time.CLOCK_MONOTONIC or not flags & _TIMER_ABSTIME:
            return None
        return self._timespec_ns(request)

    def _futex_end(self, arguments: tuple[int, ...]) -> int | None:
        operation, timeout = arguments[1], arguments[3]
        if operation & _FUTEX_COMMAND != _FUTEX_WAIT_BITSET or not timeout:
            return None
        end = self._timespec_ns(timeout)
        if operation & _FUTEX_CLOCK_REALTIME:
            return end - time.time_ns() + time.monotonic_ns()
        return end

    def _relative_end(self, tid: int, at: int, form: str, arguments: tuple[int, ...]) -> int | None:
        value = arguments[at]
        since = self._asleep_since_ns(tid)
        if since is None or (form != "ms" and not value):
            return None
        if form == "ms":
            value &= 0xFFFF_FFFF
            return None if value >= _FOREVER else since + value * _MS
        if form == "timeval":
            seconds, micros = struct.unpack("<qq", self._memory.read(value, 16))
            return int(since + seconds * _NS + micros * _US)
        return since + self._timespec_ns(value)

    def _asleep_since_ns(self, tid: int) -> int | None:
        """When the thread was taken off its CPU, in our monotonic clock."""
        cpu = last_cpu(self._pid, tid)
        start = _exec_start_ns(f"/proc/{self._pid}/task/{tid}/sched")
        if cpu is None or start is None:
            return None
        offset = self._offset_ns(cpu)
        return None if offset is None else start + offset

    def _offset_ns(self, cpu: int) -> int | None:
        """Monotonic clock minus the scheduler clock of this CPU; they drift apart slowly."""
        known_at, offset = self._offsets.get(cpu, (0, None))
        now = time.monotonic_ns()
        if not known_at or now - known_at > _OFFSET_LASTS_NS:
            offset = _scheduler_offset_ns(cpu)
            self._offsets[cpu] = now, offset
        return offset

    def _timespec_ns(self, address: int) -> int:
        seconds, nanos = struct.unpack("<qq", self._memory.read(address, 16))
        return int(seconds * _NS + nanos)


def _scheduler_offset_ns(cpu: int) -> int | None:
    """What lies between the two clocks, seen just after we woke on that CPU ourselves.

    Each CPU has its own: a virtual machine leaves out the time that was stolen from it.
    """
    allowed = os.sched_getaffinity(0)
    best = None
    try:
        os.sched_setaffinity(0, {cpu})
        for _ in range(3):
            time.sleep(0.00005)
            start = _exec_start_ns("/proc/thread-self/sched")
            if start is not None:
                offset = time.monotonic_ns() - start
                best = offset if best is None else min(best, offset)
    except OSError:
        return None
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, allowed)
    return best


def _exec_start_ns(path: str) -> int | None:
    try:
        with open(path, "rb") as file:
            found = _EXEC_START.search(file.read(4096))
    except OSError:
        return None
    return int(found[1]) * _MS + int(found[2]) if found else None
