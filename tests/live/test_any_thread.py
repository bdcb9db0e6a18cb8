"""Another thread is asked while ptrace holds it: only on request, and nothing else ever stops."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach.any_thread import OtherThreads
from snapshotter.attach.protocol import MainNow, Verdict, activity
from snapshotter.attach.ptrace import (
    CannotHoldError,
    Seized,
    ThreadEndedError,
    while_held,
    while_seized,
)
from snapshotter.model import View
from snapshotter.outside.memory import Memory
from snapshotter.outside.procfs import process_state, thread_ids
from snapshotter.outside.runtime import Runtime
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions, CarrierChoice
from snapshotter.store.reader import load_dump
from tests.support.observing import pending_call, spools_for
from tests.support.targets import spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.model import Snapshot

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
RNG = random.SystemRandom()
PATIENCE_NS = 300_000_000
LIBC = ctypes.CDLL(None, use_errno=True)
HOLDS_FOR_EVER = """
import sys, time
from snapshotter.attach.ptrace import while_held
def act():
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    time.sleep(600)
while_held(int(sys.argv[1]), int(sys.argv[2]), act)
"""


def options(patience_ns: int = PATIENCE_NS) -> CaptureOptions:
    return CaptureOptions(patience_ns=patience_ns, carrier=CarrierChoice.ANY_THREAD)


def captured(pid: int, patience_ns: int = PATIENCE_NS) -> Snapshot:
    with Observer.open(pid, options(patience_ns)) as observer:
        return observer.capture()


def captured_inside(pid: int) -> Snapshot:
    """Take snapshots until one has the inside view: this machine may have other work."""
    with Observer.open(pid, options()) as observer:
        for _ in range(50):
            snapshot = observer.capture()
            if View.INSIDE in snapshot.capture.views:
                break
        return snapshot


def local_names(snapshot: Snapshot) -> set[str]:
    return {
        local.name
        for thread in snapshot.threads
        for frame in thread.frames
        for local in frame.locals
    }


def worker_of(pid: int) -> int:
    """The busy one."""

    def busy() -> list[int]:
        names = {tid: Path(f"/proc/{pid}/task/{tid}/comm").read_text() for tid in thread_ids(pid)}
        return [tid for tid, name in names.items() if name.startswith("busy")]

    wait_until(busy)
    return busy()[0]


def is_blocked(pid: int) -> bool:
    """Whether the main thread waits for something that never comes, and not for the GIL."""
    with Memory(pid) as memory:
        point = Runtime.attach(pid, memory).main_probe_point()
        before = switches(pid)
        assert point is not None
        waits = all(activity(point, pid, pid) is MainNow.BLOCKED for _ in range(50))
        return waits and switches(pid) == before


def switches(pid: int) -> int:
    """How often the main thread was ever taken off its CPU."""
    text = Path(f"/proc/{pid}/task/{pid}/status").read_text(encoding="ascii")
    return sum(int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line)


@contextlib.contextmanager
def other_tool(pid: int, tid: int) -> Iterator[subprocess.Popen[str]]:
    """Hold a thread from another process."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_FOR_EVER, str(pid), str(tid)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as tool:
        assert tool.stdout is not None
        assert tool.stdout.readline() == "held\n"
        try:
            yield tool
        finally:
            tool.kill()


@pytest.mark.parametrize("way", ["sleep", "lock", "join"])
@pytest.mark.parametrize("worker", ["busy", "step"])
def test_a_blocked_main_thread_does_not_keep_the_inside_view_away(
    target_python: str, way: str, worker: str
) -> None:
    with spawn("blocked_main.py", way, worker, python=target_python) as target:
        wait_until(lambda: is_blocked(target.pid))
        before = switches(target.pid)

        snapshot = captured_inside(target.pid)

        capture = snapshot.capture
        assert View.INSIDE in capture.views
        assert capture.carrier == "thread"
        assert capture.asked_thread in set(thread_ids(target.pid)) - {target.pid}
        assert capture.holds is not None
        assert capture.held_ns is not None
        assert local_names(snapshot) >= {"label", "way", "where"}
        assert switches(target.pid) == before, "the main thread was touched"
        assert target.stderr_text() == ""
    assert spools_for(target.pid) == []


def test_nobody_is_held_who_did_not_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "snapshotter.attach.any_thread.while_seized", lambda *_: pytest.fail("held")
    )
    with spawn("blocked_main.py", "sleep", "busy") as target:
        wait_until(lambda: is_blocked(target.pid))
        with Observer.open(target.pid, CaptureOptions(patience_ns=50_000_000)) as observer:
            capture = observer.capture().capture
        assert capture.views == (View.OUTSIDE,)
        assert (capture.holds, capture.held_ns, capture.asked_thread) == (None, None, None)


def test_without_a_thread_that_runs_python_it_says_so(target_python: str) -> None:
    with spawn("blocked_main.py", "sleep", "rest", python=target_python) as target:
        capture = captured(target.pid, 100_000_000).capture
        assert capture.views == (View.OUTSIDE,)
        assert capture.holds is None
        assert capture.missing[0] == (
            "no inside view: the main thread did not run Python in the time given, "
            "and no other thread ran Python either"
        )


def test_a_main_thread_that_runs_is_asked_itself(target_python: str) -> None:
    with spawn("busy.py", "2", python=target_python) as target:
        capture = captured(target.pid, 10_000_000_000).capture
        assert View.INSIDE in capture.views
        assert capture.asked_thread is None
        assert capture.holds is None


def test_a_main_thread_that_waits_for_the_end_of_workers_is_no_obstacle(target_python: str) -> None:
    source = """
import os, threading
def work():
    label = "still at work"
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    while True: len(label)
threading.Thread(target=work).start()
"""
    with spawn_source(source, python=target_python) as target:
        snapshot = captured_inside(target.pid)
        assert View.INSIDE in snapshot.capture.views
        assert "label" in local_names(snapshot)
        assert target.stderr_text() == ""


@pytest.mark.parametrize("rounds", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_a_signal_ends_a_blocked_process_as_without_us(target_python: str, rounds: int) -> None:
    for _ in range(rounds):
        with spawn("blocked_main.py", "sleep", "busy", "step", python=target_python) as target:
            over = threading.Event()

            def keep_asking(pid: int = target.pid, over: threading.Event = over) -> None:
                with contextlib.suppress(Exception), Observer.open(pid, options(8_000_000)) as one:
                    while not over.is_set():
                        one.capture()

            asking = threading.Thread(target=keep_asking)
            asking.start()
            time.sleep(0.2 + RNG.random() * 0.1)
            target.process.send_signal(signal.SIGTERM)
            code = target.wait(20)
            over.set()
            asking.join()
            assert code == 7
            assert target.stderr_text() == ""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("holds", [150, pytest.param(4_000, marks=pytest.mark.slow)])
def test_threads_that_come_and_go_survive_being_held(
    target_python: str, tmp_path: Path, holds: int
) -> None:
    """Without the hold such a process dies within seconds."""
    script = tmp_path / "empty.py"
    script.touch()
    seen: dict[Verdict, int] = {}
    held = 0
    with (
        spawn("churning.py", python=target_python) as target,
        Memory(target.pid, writable=True) as memory,
    ):
        others = OtherThreads(Runtime.attach(target.pid, memory))
        while held < holds:
            assert target.process.poll() is None, target.stderr_text()
            thread = others.find()
            if thread is not None:
                attempt = others.ask(thread, str(script), is_answered=lambda: True)
                held += attempt.holds
                seen[attempt.verdict] = seen.get(attempt.verdict, 0) + 1
        assert others.settle()
        target.tell("end")
        assert target.wait() == 0
        began, ended, alive = map(int, target.stdout_text().split())
        assert began == ended
        assert alive == 1
        assert target.stderr_text() == ""
    assert seen[Verdict.STARTED] > holds // 10, seen


def test_the_command_line_says_who_was_held_and_for_how_long(tmp_path: Path) -> None:
    with spawn("blocked_main.py", "sleep", "busy") as target:
        words = ["dump", str(target.pid), "--carrier", "any-thread", "--patience", "1s"]
        for _ in range(10):
            done = subprocess.run(
                [sys.executable, "-m", "snapshotter", *words, "--force"],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
                capture_output=True,
                text=True,
                check=True,
            )
            if "seen from inside and outside" in done.stdout:
                break
        assert re.search(r"asked through thread \d+, which was held by ptrace for", done.stdout)
        capture = load_dump(tmp_path / "dump.msgpack").capture
        assert capture.asked_thread == worker_of(target.pid)
        assert capture.holds == 1
        assert capture.held_ns


def test_captures_of_threads_that_come_and_go_are_whole(target_python: str) -> None:
    with spawn("churning.py", python=target_python) as target:
        with Observer.open(target.pid, options(200_000_000)) as observer:
            wait_until(lambda: View.INSIDE in observer.capture().capture.views)
        target.tell("end")
        assert target.wait() == 0
        began, ended, _ = map(int, target.stdout_text().split())
        assert began == ended
        assert target.stderr_text() == ""


def test_a_request_that_does_not_start_is_taken_back(target_python: str, tmp_path: Path) -> None:
    """The worker computes in C for a while, and would come to the script after that."""
    trace, script = tmp_path / "trace", tmp_path / "script.py"
    script.write_text(f"open({str(trace)!r}, 'x').close()")
    source = """
import os, threading
def work():
    numbers = range(10**8)
    while True: sum(numbers)
threading.Thread(target=work, daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
threading.Lock().acquire() or None
import time; time.sleep(3600)
"""
    with (
        spawn_source(source, python=target_python) as target,
        Memory(target.pid, writable=True) as memory,
    ):
        runtime = Runtime.attach(target.pid, memory)
        others = OtherThreads(runtime)
        withdrawn = 0
        while not withdrawn:
            thread = others.find()
            if thread is not None:
                attempt = others.ask(thread, str(script), is_answered=lambda: True)
                if attempt.verdict is Verdict.STARTED:  # between two sums
                    wait_until(trace.exists)
                    trace.unlink()
                withdrawn += attempt.verdict is Verdict.WITHDRAWN
        assert attempt.holds >= 2
        assert all(not one.pending for one in runtime.threads(runtime.main_interpreter()))
        assert not trace.exists()
        assert others.settle()
        assert target.stderr_text() == ""


def test_a_request_of_another_tool_is_left_alone() -> None:
    """The worker computes in C for so long that it does not come to it meanwhile."""
    source = """
import os, threading, time
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
threading.Thread(target=lambda: sum(range(10**10)), daemon=True).start()
time.sleep(3600)
"""
    with spawn_source(source) as target, Memory(target.pid, writable=True) as memory:
        runtime = Runtime.attach(target.pid, memory)
        others = OtherThreads(runtime)
        wait_until(others.find)
        thread = others.find()
        assert thread is not None
        point = runtime.probe_point(runtime.main_interpreter(), thread.address)
        memory.write(point.script_path_address, b"/nonexistent/of-another-tool.py\0")
        memory.write(point.pending_address, b"\1\0\0\0")
        attempt = others.ask(thread, "/nonexistent/ours.py", is_answered=lambda: True)
        assert attempt.verdict is Verdict.FOREIGN
        assert point.script_path() == b"/nonexistent/of-another-tool.py"
        assert target.stderr_text() == ""


def test_a_thread_that_another_tool_holds_is_not_asked() -> None:
    with spawn("blocked_main.py", "sleep", "busy") as target:
        worker = worker_of(target.pid)
        with other_tool(target.pid, worker) as tool:
            capture = captured(target.pid, 200_000_000).capture
            assert capture.views == (View.OUTSIDE,)
            assert capture.holds is None
            # it may have been caught while it gave up the GIL
            held = f"thread {worker} is held by another tool (process {tool.pid})"
            assert held in capture.missing[0] or "no other thread ran" in capture.missing[0]
            with pytest.raises(CannotHoldError, match="held by another tool"):
                while_held(target.pid, worker, lambda: None)
        assert View.INSIDE in captured_inside(target.pid).capture.views


def test_a_thread_that_is_traced_but_runs_is_left_to_its_tracer() -> None:
    with spawn("blocked_main.py", "sleep", "busy") as target:
        worker = worker_of(target.pid)
        with traced(worker):
            capture = captured(target.pid, 200_000_000).capture
        assert capture.views == (View.OUTSIDE,)
        assert "no other thread could be asked: " in capture.missing[0]
        assert f"thread {worker} is held by another tool (process " in capture.missing[0]


@contextlib.contextmanager
def traced(tid: int) -> Iterator[None]:
    """Trace a thread from another process without stopping it, as strace and gdb do."""
    program = """
import ctypes, sys
assert ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), None, None) == 0
sys.stdout.write("seized\\n")
sys.stdout.flush()
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == "seized\n"
        yield


def test_a_stopped_process_is_not_held_and_stays_stopped() -> None:
    with spawn("blocked_main.py", "sleep", "busy") as target:
        os.kill(target.pid, signal.SIGSTOP)
        wait_until(lambda: process_state(target.pid) == "T")
        with pytest.raises(CannotHoldError, match="stopped by a signal"):
            while_held(target.pid, worker_of(target.pid), lambda: pytest.fail("held"))
        assert "the process is stopped" in captured(target.pid).capture.missing[0]
        # for an instant it goes back to its stop
        wait_until(lambda: {process_state(tid) for tid in thread_ids(target.pid)} == {"T"})
        os.kill(target.pid, signal.SIGCONT)
        assert View.INSIDE in captured_inside(target.pid).capture.views


def test_only_the_one_thread_stands_and_goes_on() -> None:
    with spawn("blocked_main.py", "sleep", "busy") as target:
        worker = worker_of(target.pid)
        wait_until(lambda: process_state(target.pid) == "S")
        states, held_ns = while_held(
            target.pid, worker, lambda: (process_state(worker), process_state(target.pid))
        )
        assert states == ("t", "S")
        assert held_ns > 0
        wait_until(lambda: process_state(worker) in {"R", "S"})


def test_a_thread_of_another_process_is_not_held() -> None:
    with spawn("blocked_main.py", "sleep", "busy") as target:
        with pytest.raises(ThreadEndedError):
            while_held(os.getpid(), worker_of(target.pid), lambda: pytest.fail("held"))
        with pytest.raises(ThreadEndedError):
            while_held(target.pid, 2**22 - 1, lambda: pytest.fail("held"))
        wait_until(lambda: process_state(worker_of(target.pid)) in {"R", "S"})


def test_a_thread_that_is_killed_while_held_is_no_trouble() -> None:
    with spawn("blocked_main.py", "sleep", "busy") as target:
        while_held(target.pid, worker_of(target.pid), target.process.kill)
        assert target.wait() == -signal.SIGKILL


def test_a_controller_that_is_killed_while_it_holds_lets_go() -> None:
    with spawn("blocked_main.py", "sleep", "busy") as target:
        worker = worker_of(target.pid)
        with other_tool(target.pid, worker) as tool:
            assert process_state(worker) == "t"
            tool.send_signal(signal.SIGKILL)
            tool.wait()
            wait_until(lambda: process_state(worker) in {"R", "S"})
        assert View.INSIDE in captured_inside(target.pid).capture.views
        assert target.stderr_text() == ""


@pytest.mark.parametrize("when", ["while it stands", "at any time"])
@pytest.mark.parametrize("rounds", [100, pytest.param(3_000, marks=pytest.mark.slow)])
def test_no_signal_to_a_held_thread_is_lost(target_python: str, when: str, rounds: int) -> None:
    """Also not one that is just being delivered when the hold begins."""
    with spawn("signalled_worker.py", python=target_python) as target:
        worker = int(target.stdout_text().split()[0])
        is_inside = when == "while it stands"
        over = threading.Event()
        sent = [0]

        def send() -> None:
            # to none but this thread
            assert LIBC.tgkill(target.pid, worker, int(signal.SIGRTMIN)) == 0
            sent[0] += 1

        def keep_sending() -> None:
            while not over.is_set():
                send()
                time.sleep(RNG.random() * 0.001)

        sender = threading.Thread(target=(lambda: None) if is_inside else keep_sending)
        sender.start()
        try:
            held = 0
            while held < rounds:
                with contextlib.suppress(CannotHoldError):  # the machine has other work
                    while_held(target.pid, worker, send if is_inside else lambda: None)
                    held += 1
        finally:
            over.set()
            sender.join()

        def arrived() -> int:
            target.tell("how many?")
            return int(target.stdout_text().split()[-1])

        wait_until(lambda: arrived() == sent[0])
        assert target.stderr_text() == ""


def test_a_signal_that_a_seized_thread_takes_goes_to_the_main_thread(target_python: str) -> None:
    """As when main is still waking up for it: here it cannot wake up, for it is held."""
    source = """
import os, signal, sys, threading, time
def work():
    while True: pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
threading.Thread(target=work, name="busy", daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
time.sleep(3600)
"""
    with spawn_source(source, python=target_python) as target:
        wait_until(lambda: is_blocked(target.pid))
        worker = worker_of(target.pid)
        with other_tool(target.pid, target.pid):

            def send_and_attend(seized: Seized) -> None:
                os.kill(target.pid, signal.SIGTERM)
                wait_until(lambda: seized.attend() or waits_for(target.pid, signal.SIGTERM))

            while_seized(target.pid, worker, send_and_attend)
        assert target.wait(20) == 7
        assert target.stderr_text() == ""


def waits_for(tid: int, number: int) -> bool:
    """Whether a signal that was sent to this very thread waits for it."""
    text = Path(f"/proc/{tid}/status").read_text(encoding="utf-8")
    [pending] = [line.split()[1] for line in text.splitlines() if line.startswith("SigPnd")]
    return int(pending, 16) & 1 << (number - 1) != 0


def test_an_exception_from_another_thread_never_becomes_a_signal(target_python: str) -> None:
    """It may be lost if it lands in the driver; but nobody else gets a KeyboardInterrupt for it."""
    source = """
import ctypes, os, sys, threading, time
raised = [0, 0]
def work():
    while True:
        try:
            while True: raised[1] += 0
        except KeyboardInterrupt:
            raised[1] += 1
def harass(ident):
    while True:
        raised[0] += ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt))
        time.sleep(0.001)
worker = threading.Thread(target=work, daemon=True)
worker.start()
threading.Thread(target=harass, args=(worker.ident,), daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
sys.stdin.readline()
sys.stdout.write("%d %d\\n" % tuple(raised))
"""
    with spawn_source(source, python=target_python) as target:
        with Observer.open(target.pid, options(20_000_000)) as observer:
            for _ in range(8):
                observer.capture()
        target.tell("end")
        assert target.wait() == 0, target.stderr_text()
        raised, got = map(int, target.stdout_text().split())
        assert 0 < got <= raised
        # what remains on stderr is CPython's, for one that came before the driver's first line
        said = target.stderr_text()
        assert "KeyboardInterrupt" in said or not said


def test_a_controller_killed_in_between_leaves_nothing_that_hurts() -> None:
    """The request starts late, finds that it is late, and its files are still there."""
    program = """
import os, signal, sys
from snapshotter.attach.any_thread import OtherThreads
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions, CarrierChoice
OtherThreads._watch = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with Observer.open(int(sys.argv[1]), CaptureOptions(
    patience_ns=1_000_000_000, carrier=CarrierChoice.ANY_THREAD)) as observer:
    observer.capture()
"""
    with spawn("blocked_main.py", "sleep", "step") as target:
        done = subprocess.run(
            [sys.executable, "-c", program, str(target.pid)],
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == -signal.SIGKILL
        assert len(spools_for(target.pid)) == 1
        wait_until(lambda: captured_inside(target.pid) and not spools_for(target.pid))
        assert pending_call(target.pid) == 0
        assert target.stderr_text() == ""
