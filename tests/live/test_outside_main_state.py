from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from snapshotter.model.snapshot import MainState
from snapshotter.outside.memory import Memory
from snapshotter.outside.procfs import process_state
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.view import OutsideReader, OutsideView
from tests.support.targets import TARGETS, LiveTarget, spawn, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live


@contextmanager
def reader_of(pid: int) -> Iterator[OutsideReader]:
    with Memory(pid) as memory:
        yield OutsideReader(pid, memory, Runtime.attach(pid, memory))


def line_of(mark: str) -> str:
    """Where the comment ``# here: <mark>`` stands in the target."""
    lines = (TARGETS / "main_thread.py").read_text().splitlines()
    (number,) = (n for n, line in enumerate(lines, 1) if line.endswith(f"# here: {mark}"))
    return f"main_thread.py:{number}"


def view_when(target: LiveTarget, reader: OutsideReader, *parts: str) -> OutsideView:
    """Return the first view whose sentence about the main thread has all ``parts``."""
    views: list[OutsideView] = []

    def is_there() -> bool:
        views[:] = [reader.read()]
        return all(part in (views[0].main_detail or "") for part in parts)

    try:
        target.wait_for(is_there, 15)
    except AssertionError as error:
        raise AssertionError(f"{views[0].main}: {views[0].main_detail}, not {parts}") from error
    return views[0]


@pytest.mark.parametrize(
    ("program", "words", "mark", "function"),
    [
        ("lock", "waiting for a lock (futex) at ", "lock", "lock"),
        ("sleep", "sleeping (clock_nanosleep) at ", "forever", "forever"),
        ("wait_in_select", "waiting for file descriptors (", "select", "wait_in_select"),
        ("join", "waiting for a lock (futex) in Thread.join (threading.py:", "join", "join"),
        ("read", "reading on descriptor 0, a pipe (read) at ", "read", "read"),
        (
            "accept",
            "waiting for a connection (accept4) in socket.accept (socket.py:",
            "accept",
            "accept",
        ),
        ("child", "waiting for a child process (wait4) at ", "child", "child"),
        ("hold_gil_asleep", "while it holds the GIL at ", "gil", "hold_gil_asleep"),
    ],
)
def test_blocked_main_thread_is_named(
    target_python: str, program: str, words: str, mark: str, function: str
) -> None:
    with (
        spawn("main_thread.py", program, python=target_python) as target,
        reader_of(target.pid) as reader,
    ):
        view = view_when(target, reader, words, f"at {line_of(mark)} in {function}")

    assert view.main is MainState.BLOCKED


def test_busy_main_thread_runs_python(target_python: str) -> None:
    with (
        spawn("main_thread.py", "busy", python=target_python) as target,
        reader_of(target.pid) as reader,
    ):
        view = view_when(target, reader, "running Python at main_thread.py:", " in busy")

    assert view.main is MainState.RUNNING
    assert view.gil_holder == target.pid


def test_main_thread_that_waits_for_the_gil_is_not_blocked(target_python: str) -> None:
    with (
        spawn("main_thread.py", "wait_for_gil", python=target_python) as target,
        reader_of(target.pid) as reader,
    ):
        view = view_when(target, reader, "waiting for the GIL, held by thread ")

    (worker,) = (thread for thread in view.threads if not thread.is_main)
    assert view.main is MainState.RUNNING
    assert view.gil_holder == worker.native_id
    assert f"held by thread {worker.native_id}" in (view.main_detail or "")
    assert worker.holds_gil


def test_gil_of_a_busy_main_thread_is_seen(target_python: str) -> None:
    with spawn("main_thread.py", "busy", python=target_python) as target, Memory(target.pid) as m:
        point = Runtime.attach(target.pid, m).main_probe_point()
        assert point is not None
        target.wait_for(point.is_holding_gil)


def test_stopped_main_thread_is_stopped(target_python: str) -> None:
    with (
        spawn("main_thread.py", "sleep", python=target_python) as target,
        reader_of(target.pid) as reader,
    ):
        view_when(target, reader, "sleeping", line_of("forever"))
        os.kill(target.pid, signal.SIGSTOP)
        view = view_when(target, reader, "stopped by a signal at ", line_of("forever"))

    assert view.main is MainState.STOPPED
    assert view.threads[0].stack is not None


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("shutdown", "waiting for the other threads to end in _shutdown (threading.py:"),
        ("exit_handler", f"running exit handlers at {line_of('forever')} in forever"),
    ],
)
def test_ending_main_thread_is_named(target_python: str, program: str, words: str) -> None:
    with (
        spawn("main_thread.py", program, python=target_python) as target,
        reader_of(target.pid) as reader,
    ):
        view = view_when(target, reader, words)

    assert view.main is MainState.ENDING


def test_main_thread_of_a_forked_thread_is_gone(target_python: str) -> None:
    with spawn("main_thread.py", "fork_of_thread", python=target_python) as target:
        target.wait_for(lambda: target.stdout_text().endswith("\n"))
        child = int(target.stdout_text())
        with Memory(child) as memory:
            runtime = Runtime.attach(child, memory)
            view = OutsideReader(child, memory, runtime).read()
            assert runtime.main_probe_point() is None

    assert view.main is MainState.GONE
    assert [thread.is_main for thread in view.threads] == [True]
    assert view.threads[0].stack is not None
    names = [frame.qualname for frame in view.threads[0].stack.frames]
    assert names[0].endswith("fork")
    wait_until(lambda: process_state(child) in {None, "Z"})
