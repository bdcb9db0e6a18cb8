"""A request never outlives the capture that made it, and one of another tool is left alone."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach.protocol import MainThread
from snapshotter.model import View
from snapshotter.outside.memory import Memory
from snapshotter.outside.procfs import process_state
from snapshotter.outside.runtime import Runtime
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.observing import captured, capturing, pending_call, spools_for
from tests.support.targets import LiveTarget, spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from snapshotter.outside.probe_point import ProbePoint

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    ("sleeper.py",),
    ("stepping.py", "5", "0"),
    ("stepping.py", "5", "2"),
    ("busy.py", "1"),
    ("busy.py", "3"),
]
KEEPS_CAPTURING = """
import signal, sys
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with Observer.open(int(sys.argv[1]), CaptureOptions(patience_ns=50_000_000)) as observer:
        observer.capture()
        sys.stdout.write("ready\\n")
        sys.stdout.flush()
        while True:
            observer.capture()
except KeyboardInterrupt:
    sys.exit(3)
"""
DIES_ARMED = """
import os, signal, sys
from snapshotter.attach.protocol import MainThread
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
MainThread._await_start = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
observer = Observer.open(int(sys.argv[1]), CaptureOptions())
injector = observer._prepared()
injector._main.ask(injector._spool.driver_path)
"""


def controller(program: str, pid: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(pid)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def point_of(memory: Memory) -> ProbePoint:
    point = Runtime.attach(memory.pid, memory).main_probe_point()
    assert point is not None
    return point


def lay_down(target: LiveTarget, path: bytes) -> None:
    """Write a request as another tool would."""
    with Memory(target.pid, writable=True) as memory:
        point = point_of(memory)
        memory.write(point.script_path_address, path + b"\0")
        memory.write(point.pending_address, struct.pack("<i", 1))


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
def test_nothing_is_pending_after_a_capture(target_python: str, program: tuple[str, ...]) -> None:
    with spawn(program[0], *program[1:], python=target_python) as target:
        with Observer.open(target.pid, CaptureOptions(patience_ns=100_000_000)) as observer:
            for _ in range(5):
                observer.capture()
                assert pending_call(target.pid) == 0
        assert spools_for(target.pid) == []
        assert target.stderr_text() == ""


@pytest.mark.parametrize("program", [PROGRAMS[1], PROGRAMS[3]], ids=" ".join)
@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_nothing_is_pending_after_ctrl_c(program: tuple[str, ...], rounds: int) -> None:
    with spawn(program[0], *program[1:]) as target:
        for number in range(rounds):
            with controller(KEEPS_CAPTURING, target.pid) as process:
                assert process.stdout is not None
                assert process.stderr is not None
                assert process.stdout.readline() == b"ready\n"
                time.sleep(number % 7 * 0.003)
                process.send_signal(signal.SIGINT)
                assert process.wait(20) == 3, process.stderr.read()
            assert pending_call(target.pid) == 0
            assert spools_for(target.pid) == []
        assert target.stderr_text() == ""


@pytest.mark.parametrize("program", ["sleeper.py", "busy.py"])
def test_a_request_of_another_tool_is_left_alone(target_python: str, program: str) -> None:
    with spawn(program, python=target_python) as target:
        if program == "busy.py":
            os.kill(target.pid, signal.SIGSTOP)
            wait_until(lambda: process_state(target.pid) == "T")
        foreign = b"/nonexistent/of-another-tool.py"
        lay_down(target, foreign)
        with Observer.open(target.pid, CaptureOptions(patience_ns=200_000_000)) as observer:
            if program == "busy.py":
                assert "the process is stopped" in observer.capture().capture.missing[0]
            else:
                snapshot = observer.capture()
                assert any("another tool" in line for line in snapshot.capture.missing)
        with Memory(target.pid) as memory:
            assert point_of(memory).is_pending()
            assert point_of(memory).script_path() == foreign


def test_what_a_killed_controller_left_armed_is_withdrawn(target_python: str) -> None:
    with spawn("sleeper.py", python=target_python) as target:
        with controller(DIES_ARMED, target.pid) as process:
            assert process.wait(20) == -signal.SIGKILL
        assert pending_call(target.pid) == 1
        [left] = spools_for(target.pid)
        snapshot = captured(target.pid, patience_ns=50_000_000)
        assert pending_call(target.pid) == 0
        assert not left.exists()
        assert spools_for(target.pid) == []
        assert not any("another tool" in line for line in snapshot.capture.missing)
        assert target.stderr_text() == ""


def test_a_request_to_a_blocked_main_thread_is_withdrawn_at_once() -> None:
    with (
        spawn("sleeper.py") as target,
        Observer.open(target.pid, CaptureOptions()) as observer,
    ):
        injector = observer._prepared()
        attempt = injector._main.ask(injector._spool.driver_path)
        assert attempt.verdict == "withdrawn"
        assert pending_call(target.pid) == 0


@pytest.mark.parametrize("others", ["0", "2"])
def test_a_request_that_was_withdrawn_never_starts(
    target_python: str, tmp_path: Path, others: str
) -> None:
    """However close the withdrawal is to the start; each script that runs makes its own file."""
    withdrawn = 0
    with (
        spawn("busy.py", others, python=target_python) as target,
        Memory(target.pid, writable=True) as memory,
    ):
        point = point_of(memory)
        main = MainThread(Runtime.attach(target.pid, memory), point, stock=False)
        for number in range(200):
            script, trace = tmp_path / f"{number}.py", tmp_path / f"{number}"
            script.write_text(f"open({str(trace)!r}, 'x').close()")
            main._arm(str(script), stock=False)
            end = time.perf_counter_ns() + number * (30_000 if others != "0" else 1)
            while time.perf_counter_ns() < end and point.is_pending():
                pass
            if main.withdraw(os.fsencode(script)):
                withdrawn += 1
                trace.touch(0o400, exist_ok=False)
            else:
                with contextlib.suppress(AssertionError):  # it may have found an empty path
                    wait_until(trace.exists, 0.5)
            assert not point.is_pending()
        last = captured(target.pid, patience_ns=10_000_000_000)
        assert View.INSIDE in last.capture.views
        assert target.stderr_text() == ""  # "x" complains where a file is
    assert withdrawn or others == "0"  # alone it starts within a microsecond


def test_a_withdrawal_that_was_cut_off_is_finished(target_python: str) -> None:
    with spawn("sleeper.py", python=target_python) as target:
        lay_down(target, b"")
        captured(target.pid, patience_ns=50_000_000)
        assert pending_call(target.pid) == 0


@pytest.mark.parametrize("wait_ns", [None, 20_000_000_000])
def test_a_request_lies_in_wait_only_when_asked_to(target_python: str, wait_ns: int | None) -> None:
    source = """
import os, sys
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
sys.stdin.readline()
while True: pass
"""
    options = CaptureOptions(patience_ns=50_000_000, wait_inside_ns=wait_ns)
    with spawn_source(source, python=target_python) as target:
        with Observer.open(target.pid, options) as observer:
            observer._prepared()  # which may take its time
            told = threading.Event()
            when = threading.Timer(1.0, lambda: (told.set(), target.tell("go")))
            when.start()
            inside = View.INSIDE in observer.capture().capture.views
            assert inside is (wait_ns is not None)
            assert told.is_set() is inside
            assert pending_call(target.pid) == 0
            when.join()
        assert target.stderr_text() == ""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rounds", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_a_signal_that_ends_a_call_beside_busy_threads_is_not_lost(
    target_python: str, rounds: int
) -> None:
    """The main thread then waits for the GIL, with its handler still to run: no time to ask it."""
    for number in range(rounds):
        with spawn("blocked_main.py", "sleep", "busy", "busy", python=target_python) as target:
            with capturing(target.pid, every_s=0, patience_ns=8_000_000) as watch:
                wait_until(lambda seen=watch: len(seen.snapshots) > 3)
                time.sleep(number % 7 * 0.003)
                target.process.send_signal(signal.SIGTERM)
                assert target.wait(20) == 7
            assert target.stderr_text() == ""


def test_a_second_observer_waits_and_then_says_so() -> None:
    with spawn("busy.py") as target:
        options = CaptureOptions(patience_ns=150_000_000)
        with (
            Observer.open(target.pid, options) as first,
            Observer.open(target.pid, options) as second,
            first._lock() as locked,
        ):
            assert locked
            missing = second.capture().capture.missing
            assert "another snap is asking" in missing[0]
        assert View.INSIDE in captured(target.pid, patience_ns=5_000_000_000).capture.views


def test_two_observers_take_turns(target_python: str) -> None:
    with spawn("stepping.py", "5", "2", python=target_python) as target:
        patience_ns = 2_000_000_000
        with (
            capturing(target.pid, every_s=0.02, patience_ns=patience_ns) as one,
            capturing(target.pid, every_s=0.02, patience_ns=patience_ns) as other,
        ):
            wait_until(lambda: one.inside > 5 and other.inside > 5)
        assert target.stderr_text() == ""
        assert pending_call(target.pid) == 0
