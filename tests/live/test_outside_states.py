"""Processes that cannot or must not answer: what is told of them from outside is true."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from snapshotter.analysis.diff import diff
from snapshotter.analysis.dwell import dwell
from snapshotter.analysis.movement import Movement
from snapshotter.attach.preflight import examine
from snapshotter.errors import ProcessEndedError
from snapshotter.model import MainState, View
from snapshotter.outside.procfs import process_state
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.targets import spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from snapshotter.model import Snapshot, Thread

pytestmark = pytest.mark.live

OPTIONS = CaptureOptions(patience_ns=30_000_000)


def captured_when(pid: int, words: str) -> Snapshot:
    """A snapshot whose sentence on the main thread has these words; there may be none at first."""
    with Observer.open(pid, OPTIONS) as observer:
        wait_until(lambda: words in (observer.capture().capture.main_detail or ""))
        snapshot = observer.capture()
    assert snapshot.capture.views == (View.OUTSIDE,)
    return snapshot


def named(snapshot: Snapshot, name: str) -> Thread:
    return next(thread for thread in snapshot.threads if thread.name == name)


def local(snapshot: Snapshot, thread: Thread, function: str, name: str) -> object:
    frame = next(frame for frame in thread.frames if frame.qualname.endswith(function))
    assert frame.locals_missing is None
    return next(snapshot.values[one.node].value for one in frame.locals if one.name == name)


def assert_parked(snapshot: Snapshot, count: int) -> None:
    """All parked threads are there, each with its own stack and its own local."""
    for number in range(count):
        thread = named(snapshot, f"park-{number}")
        assert thread.complete, thread.note
        assert [frame.qualname for frame in thread.frames] == [
            *("Condition.wait", "Event.wait", "park"),
            *("Thread.run", "Thread._bootstrap_inner", "Thread._bootstrap"),
        ]
    assert len(snapshot.threads) == count + 1


def test_a_target_that_forbids_remote_debugging(target_python: str) -> None:
    env = {"PYTHON_DISABLE_REMOTE_DEBUG": "1"}
    with spawn("states.py", "sleep", python=target_python, env=env) as target:
        snapshot = captured_when(target.pid, "sleeping")

    assert "remote debugging" in snapshot.capture.missing[0]
    assert_parked(snapshot, 2)
    assert local(snapshot, named(snapshot, "park-1"), "park", "label") == "thread 1"


def test_a_stopped_target(target_python: str) -> None:
    with spawn("states.py", "sleep", python=target_python) as target:
        os.kill(target.pid, signal.SIGSTOP)
        wait_until(lambda: process_state(target.pid) == "T")
        snapshot = captured_when(target.pid, "stopped by a signal")

    assert snapshot.capture.main is MainState.STOPPED
    assert_parked(snapshot, 2)
    assert local(snapshot, named(snapshot, "park-0"), "park", "label") == "thread 0"
    assert snapshot.gc is not None


def test_a_target_that_holds_the_gil_in_c(target_python: str) -> None:
    with spawn("states.py", "gil_in_c", python=target_python) as target:
        snapshot = captured_when(target.pid, "while it holds the GIL")

    assert snapshot.capture.main is MainState.BLOCKED
    assert_parked(snapshot, 3)
    main = named(snapshot, "MainThread")
    assert main.holds_gil
    assert local(snapshot, main, "gil_in_c", "note") == "held"
    assert local(snapshot, named(snapshot, "park-2"), "park", "label") == "thread 2"


def test_a_target_that_is_deadlocked_in_all_threads(target_python: str) -> None:
    with spawn("states.py", "deadlock", python=target_python) as target:
        snapshot = captured_when(target.pid, "waiting for a lock (futex) in Thread.join")

    one, two = named(snapshot, "one"), named(snapshot, "two")
    assert len(snapshot.threads) == 3
    for thread in (one, two):
        assert thread.frames[0].qualname == f"deadlock.<locals>.{thread.name}"
        assert thread.counters is not None
        assert thread.counters.state == "S"
        for name in ("mine", "other"):
            said = str(local(snapshot, thread, thread.frames[0].qualname, name))
            assert said.startswith("<locked _thread.lock")
    mine = local(snapshot, one, ".one", "mine")
    assert mine == local(snapshot, two, ".two", "other")
    assert mine != local(snapshot, one, ".one", "other")


def test_a_target_with_a_thousand_threads(target_python: str) -> None:
    with spawn("states.py", "many", python=target_python) as target:
        snapshot = captured_when(target.pid, "sleeping")

    assert_parked(snapshot, 1000)


def test_a_target_whose_modules_are_being_cleared(target_python: str) -> None:
    with spawn("states.py", "finalizing", python=target_python) as target:
        snapshot = captured_when(target.pid, "finalizing the interpreter")

    assert snapshot.capture.main is MainState.ENDING
    (main,) = snapshot.threads
    assert main.frames[0].qualname == "Last.__del__"
    assert local(snapshot, main, "__del__", "reason") == "the module is being cleared"


@pytest.mark.parametrize("ending", ["shutdown", "exit_handler"])
def test_a_target_that_waits_at_its_end(target_python: str, ending: str) -> None:
    with spawn("main_thread.py", ending, python=target_python) as target:
        words = {"shutdown": "other threads to end", "exit_handler": "running exit handlers"}
        snapshot = captured_when(target.pid, words[ending])

    assert snapshot.capture.main is MainState.ENDING
    assert all(thread.frames and thread.complete for thread in snapshot.threads)
    assert any(
        frame.qualname == "forever" for thread in snapshot.threads for frame in thread.frames
    )


MAIN_ENDS = """
import ctypes, os, threading, time

def work():
    answer = 42
    with open(f"/proc/self/task/{os.getpid()}/stat") as file:
        while ") Z " not in file.read():
            file.seek(0)
            time.sleep(0.005)
    os.write(1, b"%d\\n" % threading.get_native_id())
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    time.sleep(1000)

threading.Thread(target=work, name="worker").start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_main_thread_that_ended_by_itself(target_python: str) -> None:
    with spawn_source(MAIN_ENDS, python=target_python) as target:
        other = int(target.stdout_text())
        with pytest.raises(ProcessEndedError, match="main thread") as error:
            Observer.open(target.pid, OPTIONS)
        assert error.value.hint.endswith(f"snap dump {other}")
        assert examine(target.pid).checks[0].fix == f"snap dump {other}"

        snapshot = captured_when(other, "it ended by itself")

    assert snapshot.capture.main is MainState.GONE
    assert local(snapshot, named(snapshot, "worker"), "work", "answer") == 42


ASLEEP = """
import os, threading, time

lock = threading.Lock()
lock.acquire()
threading.Thread(target=lock.acquire, name="stuck", daemon=True).start()
threading.Thread(target=threading.Event().wait, name="waiter", daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
time.sleep(600)
"""


def test_threads_of_a_process_that_was_stopped_and_went_on_are_not_called_polling(
    target_python: str,
) -> None:
    with spawn_source(ASLEEP, python=target_python) as target:
        with Observer.open(target.pid, OPTIONS) as observer:
            wait_until(lambda: frozen(observer.capture(), observer.capture()))
            shots = [observer.capture()]
            os.kill(target.pid, signal.SIGSTOP)
            wait_until(lambda: process_state(target.pid) == "T")
            shots.append(observer.capture())
            os.kill(target.pid, signal.SIGCONT)
            wait_until(lambda: asleep(observer.capture()))
            shots += [observer.capture(), observer.capture()]
        for older, newer in (shots[:2], shots[1:3]):
            kinds = {each.thread.name: each.movement for each in diff(older, newer).threads}
            assert kinds["stuck"] is kinds["waiter"] is Movement.UNKNOWN
        for run in dwell(shots):
            assert run.movement is Movement.UNKNOWN
            assert run.tail is not None
            assert run.tail.movement is Movement.FROZEN


def frozen(before: Snapshot, after: Snapshot) -> bool:
    return all(each.movement is Movement.FROZEN for each in diff(before, after).threads)


def asleep(snapshot: Snapshot) -> bool:
    return all(each.counters and each.counters.state == "S" for each in snapshot.threads)
