from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import ProcessEndedError
from snapshotter.outside.procfs import (
    Syscall,
    innermost_id,
    native_to_os_tid,
    process_state,
    start_ticks,
    thread_counters,
    thread_ids,
    waiting_on,
)
from snapshotter.outside.syscalls import _NUMBERS, _WORDS, describe_syscall, is_futex, syscall_name

if TYPE_CHECKING:
    from collections.abc import Iterator

PID = os.getpid()
NO_PID = 2**22 + 1


@contextmanager
def waiting_thread() -> Iterator[int]:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert thread.native_id is not None
    try:
        yield thread.native_id
    finally:
        stop.set()
        thread.join()


def test_own_threads_are_listed_under_their_numbers() -> None:
    with waiting_thread() as tid:
        assert {PID, tid} <= set(thread_ids(PID))
        assert native_to_os_tid(PID)[tid] == tid
    assert innermost_id(PID) == PID


def test_missing_process_has_ended() -> None:
    with pytest.raises(ProcessEndedError):
        thread_ids(NO_PID)
    assert start_ticks(NO_PID) is None
    assert process_state(NO_PID) is None
    assert thread_counters(NO_PID, NO_PID, 0) is None
    assert waiting_on(NO_PID, NO_PID) is None


@pytest.mark.parametrize("name", ["plain", ") R 1 (", "a b", "))) Z", "\xff)"])
def test_counters_survive_any_thread_name(name: str) -> None:
    with waiting_thread() as tid:
        Path(f"/proc/{PID}/task/{tid}/comm").write_bytes(name.encode("latin-1"))
        end = time.monotonic() + 10
        counters = thread_counters(PID, tid, 7)
        while counters is not None and counters.state != "S" and time.monotonic() < end:
            counters = thread_counters(PID, tid, 7)

    assert counters is not None
    assert counters.state == "S"
    assert counters.at_ns == 7
    assert counters.start_ticks is not None
    assert counters.start_ticks >= (start_ticks(PID) or 0) > 0
    assert counters.cpu_ns is not None
    assert counters.voluntary_switches is not None


def test_waiting_thread_is_seen_in_its_futex() -> None:
    with waiting_thread() as tid:
        end = time.monotonic() + 10
        call = waiting_on(PID, tid)
        while not isinstance(call, Syscall) and time.monotonic() < end:
            call = waiting_on(PID, tid)
    assert isinstance(call, Syscall)
    assert is_futex(call)
    assert describe_syscall(PID, call) == "waiting for a lock (futex)"


@pytest.mark.parametrize("machine", sorted(_NUMBERS))
def test_every_known_system_call_has_words(machine: str) -> None:
    for number, name in _NUMBERS[machine].items():
        assert syscall_name(number, machine) == name
        assert _WORDS[name]


def test_unknown_system_call_is_told_by_number() -> None:
    assert describe_syscall(PID, Syscall(9999)) == "in system call 9999"
    assert describe_syscall(PID, Syscall(-1)) == "waiting for a page of memory"


def test_kind_of_descriptor_is_told() -> None:
    read_end, write_end = os.pipe()
    try:
        text = describe_syscall(PID, Syscall(_number("read"), (read_end,)))
    finally:
        os.close(read_end)
        os.close(write_end)
    assert text == f"reading on descriptor {read_end}, a pipe (read)"


def _number(name: str) -> int:
    numbers = _NUMBERS[os.uname().machine]
    return next(number for number, known in numbers.items() if known == name)
