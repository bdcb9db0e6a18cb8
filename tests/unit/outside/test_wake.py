"""When a sleeping thread wakes, from what the kernel tells of its system call."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, cast

import pytest

from snapshotter.errors import TornReadError
from snapshotter.outside import wake
from snapshotter.outside.procfs import Syscall
from snapshotter.outside.syscalls import syscall_name
from snapshotter.outside.wake import WakeClock

if TYPE_CHECKING:
    from snapshotter.outside.memory import Memory

ADDRESS = 0x7F00_0000_1000
ASLEEP_SINCE_NS = 5_000_000_000_000
_NUMBERS = {syscall_name(number): number for number in range(600) if syscall_name(number)}


class FakeMemory:
    """A place in the target that holds two numbers."""

    def __init__(self, first: int, second: int) -> None:
        self._data = struct.pack("<qq", first, second)

    def read(self, address: int, size: int) -> bytes:
        if address != ADDRESS:
            raise TornReadError("nothing there")
        return self._data[:size]


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Sleeps:
    monkeypatch.setattr(wake, "last_cpu", lambda *_: 0)
    monkeypatch.setattr(wake, "_scheduler_offset_ns", lambda _: 1_000)
    monkeypatch.setattr(wake, "_exec_start_ns", lambda _: ASLEEP_SINCE_NS - 1_000)
    return Sleeps(monkeypatch)


class Sleeps:
    """Has a thread sleep in a system call with these arguments and this memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, name: str, *arguments: int, memory: tuple[int, int] = (0, 0)) -> int | None:
        if name not in _NUMBERS:
            pytest.skip(f"this machine has no {name}")
        padded = (*arguments, *(0,) * (6 - len(arguments)))
        call = Syscall(_NUMBERS[name], padded)
        self._monkeypatch.setattr(wake, "waiting_on", lambda *_: call)
        return WakeClock(1, cast("Memory", FakeMemory(*memory))).next_wake_ns(1)


def test_an_absolute_sleep_ends_at_its_time(sleeps: Sleeps) -> None:
    monotonic, absolute = time.CLOCK_MONOTONIC, 1
    end = sleeps("clock_nanosleep", monotonic, absolute, ADDRESS, memory=(70, 5))
    assert end == 70_000_000_005
    assert sleeps("clock_nanosleep", monotonic, 0, ADDRESS, memory=(70, 5)) is None
    assert sleeps("clock_nanosleep", time.CLOCK_REALTIME, absolute, ADDRESS) is None


def test_a_lock_with_a_timeout_ends_at_its_time(sleeps: Sleeps) -> None:
    wait_bitset_private = 9 | 128
    assert sleeps("futex", 1, wait_bitset_private, 0, ADDRESS, memory=(70, 5)) == 70_000_000_005


def test_a_lock_on_the_wall_clock_is_told_in_ours(sleeps: Sleeps) -> None:
    on_the_wall = 9 | 256
    now_s = time.time_ns() // 1_000_000_000
    end = sleeps("futex", 1, on_the_wall, 0, ADDRESS, memory=(now_s + 100, 0))
    assert end is not None
    assert 90e9 < end - time.monotonic_ns() < 110e9


@pytest.mark.parametrize("operation", [0, 128])
def test_another_futex_has_no_end_that_is_known(sleeps: Sleeps, operation: int) -> None:
    assert sleeps("futex", 1, operation, 0, ADDRESS) is None


def test_a_lock_without_a_timeout_never_ends(sleeps: Sleeps) -> None:
    assert sleeps("futex", 1, 9, 0, 0) is None


@pytest.mark.parametrize(("name", "at"), [("poll", 2), ("epoll_wait", 3), ("epoll_pwait", 3)])
def test_a_timeout_in_milliseconds_counts_from_the_begin_of_the_sleep(
    sleeps: Sleeps, name: str, at: int
) -> None:
    assert sleeps(name, *(0,) * at, 250) == ASLEEP_SINCE_NS + 250_000_000
    forever = 0xFFFF_FFFF_FFFF_FFFF
    assert sleeps(name, *(0,) * at, forever) is None
    assert sleeps(name, *(0,) * at, forever & 0xFFFF_FFFF) is None


@pytest.mark.parametrize(
    ("name", "at", "unit"),
    [
        ("select", 4, 1_000),
        ("pselect6", 4, 1),
        ("ppoll", 2, 1),
        ("epoll_pwait2", 3, 1),
        ("nanosleep", 0, 1),
    ],
)
def test_a_timeout_in_memory_counts_from_the_begin_of_the_sleep(
    sleeps: Sleeps, name: str, at: int, unit: int
) -> None:
    end = sleeps(name, *(0,) * at, ADDRESS, memory=(2, 7))
    assert end == ASLEEP_SINCE_NS + 2_000_000_000 + 7 * unit
    assert sleeps(name, *(0,) * at, 0) is None


def test_memory_that_is_gone_tells_nothing(sleeps: Sleeps) -> None:
    assert sleeps("nanosleep", ADDRESS + 64) is None


@pytest.mark.parametrize("waits", ["running", None, Syscall(-1), Syscall(0, (0, 1, 2, 3, 4, 5))])
def test_a_thread_that_does_not_sleep_by_time_has_no_end(
    monkeypatch: pytest.MonkeyPatch, waits: object
) -> None:
    monkeypatch.setattr(wake, "waiting_on", lambda *_: waits)
    assert WakeClock(1, cast("Memory", FakeMemory(0, 0))).next_wake_ns(1) is None


def test_a_kernel_without_a_scheduler_file_tells_nothing(
    sleeps: Sleeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "_exec_start_ns", lambda _: None)
    assert sleeps("poll", 0, 0, 250) is None


def test_the_clock_of_the_scheduler_is_read_from_its_file(tmp_path: pytest.TempPathFactory) -> None:
    file = tmp_path / "sched"  # type: ignore[operator]
    file.write_text("python (1, #threads: 1)\n----\nse.exec_start   :      123.456789\nx : 1\n")
    assert wake._exec_start_ns(str(file)) == 123_456_789
    assert wake._exec_start_ns(str(file) + "-missing") is None
