"""Snapshots of targets in every state: a complete one, or one from outside that says why."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from snapshotter.attach.compilers import PROBE_FILENAME
from snapshotter.attach.pythons import is_running
from snapshotter.errors import NotPermittedError, TooManyFilesError
from snapshotter.model import MainState, Status, View
from snapshotter.outside.procfs import process_state, thread_ids
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions, CarrierChoice
from tests.support.observing import captured, captured_inside, pending_call, spools_for
from tests.support.targets import spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.model import Snapshot
    from tests.support.targets import LiveTarget

pytestmark = pytest.mark.live

PATIENT_NS = 5_000_000_000
HEAD = """
import os, sys, threading, time
def ready():
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
def step(n):
    return n + 1
def others(count, function=time.sleep, *args):
    for _ in range(count):
        threading.Thread(target=function, args=args or (3600,), daemon=True).start()
def work():
    n = 0
    while True:
        n = step(n)
def steps(seconds=0.005):
    while True:
        time.sleep(seconds)
"""


@contextlib.contextmanager
def program(body: str, *, python: str | None = None) -> Iterator[LiveTarget]:
    with spawn_source(HEAD + body, python=python) as target:
        yield target
        assert target.stderr_text() == ""


def is_inside(snapshot: Snapshot) -> bool:
    return View.INSIDE in snapshot.capture.views


@pytest.mark.parametrize("interval", [0.0005, 0.02, 0.3, 1.0])
def test_any_switch_interval_gives_an_answer_within_the_patience(
    target_python: str, interval: float
) -> None:
    body = f"sys.setswitchinterval({interval})\nothers(2)\nready()\nwork()"
    with program(body, python=target_python) as target:
        begin = time.monotonic()
        snapshot = captured(target.pid, patience_ns=2_000_000_000)
        took = time.monotonic() - begin
        if interval < 0.1:
            assert is_inside(snapshot), snapshot.capture.missing
        assert took < 10
        assert pending_call(target.pid) == 0


def test_eight_busy_threads_leave_time_for_a_snapshot(target_python: str) -> None:
    body = "others(8, work)\nready()\nsteps()"
    with program(body.replace("others(8, work)", BUSY), python=target_python) as target:
        snapshot = captured(target.pid, patience_ns=PATIENT_NS)
        assert is_inside(snapshot), snapshot.capture.missing


BUSY = "for _ in range(8): threading.Thread(target=work, daemon=True).start()"


@pytest.mark.parametrize(
    "freeze",
    [
        "import freezegun\nfreezegun.freeze_time('2020-01-01').start()",
        "import time_machine\ntime_machine.travel('2020-01-01', tick=False).start()",
        "time.perf_counter_ns = time.monotonic_ns = lambda: 0",
    ],
)
@pytest.mark.parametrize("threads", [0, 2])
def test_a_clock_that_stands_still_is_no_obstacle(freeze: str, threads: int) -> None:
    with program(f"{freeze}\nothers({threads})\nready()\nwork()") as target:
        snapshot = captured(target.pid, patience_ns=PATIENT_NS)
        assert is_inside(snapshot), snapshot.capture.missing


def test_a_gevent_program_is_captured() -> None:
    body = """
from gevent import monkey
monkey.patch_all()
import gevent
ready()
while True:
    gevent.sleep(0.005)
    step(1)
"""
    with program(body) as target:
        snapshot = captured(target.pid, patience_ns=PATIENT_NS)
        assert is_inside(snapshot), snapshot.capture.missing


LIMITED = {
    "processes": "resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))",
    "memory": """
size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (4 << 20),) * 2)""",
}


@pytest.mark.parametrize("limit", LIMITED)
def test_where_no_thread_can_start_the_main_thread_carries(target_python: str, limit: str) -> None:
    body = f"import resource\nothers(2)\nos.setuid(65534)\n{LIMITED[limit]}\nready()\nsteps()"
    with program(body, python=target_python) as target:
        snapshot = captured(target.pid, patience_ns=PATIENT_NS)
        assert is_inside(snapshot), snapshot.capture.missing
        assert snapshot.capture.carrier == "main"
        assert len(thread_ids(target.pid)) == 3


def test_a_single_thread_stays_alone(target_python: str) -> None:
    body = """
import glob
ready()
most = 0
while True:
    most = max(most, len(glob.glob('/proc/self/task/*')))
"""
    with program(body, python=target_python) as target:
        for _ in range(3):
            snapshot = captured(target.pid, patience_ns=PATIENT_NS)
            assert snapshot.capture.carrier == "main", snapshot.capture.missing
            assert len(thread_ids(target.pid)) == 1


@pytest.mark.parametrize(
    "limit",
    [
        "resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')) - 1,) * 2)",
        """import signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))""",
    ],
)
def test_a_limit_that_would_hurt_keeps_us_outside(target_python: str, limit: str) -> None:
    body = f"import resource\nready()\n{limit}\nsteps()"
    with program(body, python=target_python) as target:
        time.sleep(0.1)
        snapshot = captured(target.pid)
        assert not is_inside(snapshot)
        assert snapshot.threads[0].frames
        assert target.process.poll() is None


def test_blocks_that_the_allocator_does_not_count_are_not_told(target_python: str) -> None:
    with spawn("busy.py", python=target_python, env={"PYTHONMALLOC": "malloc"}) as target:
        snapshot = captured(target.pid)

    assert is_inside(snapshot)
    assert snapshot.interpreter is not None
    assert snapshot.interpreter.modules
    assert snapshot.interpreter.allocated_blocks is None


def file_limit(size: int) -> str:
    """A program whose files may have so many bytes."""
    return f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
ready()
steps()"""


def test_a_process_that_may_write_nothing_is_not_asked(target_python: str) -> None:
    with program(file_limit(0), python=target_python) as target:
        snapshot = captured(target.pid)

    assert not is_inside(snapshot)
    assert snapshot.capture.missing[0].startswith("no inside view: its files may have 0 bytes")


def test_a_file_size_limit_without_a_signal_gives_an_answer(target_python: str) -> None:
    with program(file_limit(100), python=target_python) as target:
        snapshot = captured(target.pid, patience_ns=300_000_000)
        assert snapshot.threads[0].frames
        assert pending_call(target.pid) == 0


def test_a_stopped_target_is_seen_from_outside(target_python: str) -> None:
    with spawn("busy.py", python=target_python) as target:
        os.kill(target.pid, signal.SIGSTOP)
        wait_until(lambda: process_state(target.pid) == "T")
        snapshot = captured(target.pid, patience_ns=200_000_000)
        assert snapshot.capture.main is MainState.STOPPED
        assert "no inside view: the process is stopped" in snapshot.capture.missing


def test_a_target_that_begins_to_hide_has_not_ended(
    target_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> bool:
        raise NotPermittedError("The kernel does not let us look at it.")

    with (
        spawn("busy.py", python=target_python) as target,
        Observer.open(target.pid, CaptureOptions()) as observer,
    ):
        monkeypatch.setattr("snapshotter.record.capture.still_same", refuse)
        assert observer.ended() is None
        assert observer.capture().threads[0].frames
        target.kill()
        assert observer.ended() is not None


def test_too_many_open_files_are_no_end_of_the_target(target_python: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with spawn("busy.py", python=target_python) as target:
        with Observer.open(target.pid, CaptureOptions()) as observer:
            observer.capture()
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
                with pytest.raises(TooManyFilesError):
                    observer.ended()
                with pytest.raises(TooManyFilesError):
                    observer.capture()
                with pytest.raises(TooManyFilesError):
                    Observer.open(target.pid, CaptureOptions())
                with pytest.raises(TooManyFilesError):
                    is_running(target.pid)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert observer.ended() is None
            assert observer.capture().threads
        assert spools_for(target.pid) == []


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_target_that_is_stopped_while_it_answers_is_not_waited_for(
    target_python: str, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with spawn("busy.py", threads, python=target_python) as target:
        options = CaptureOptions(patience_ns=300_000_000)
        with Observer.open(target.pid, options) as observer:
            observer.capture()
            injector = observer._prepared()
            ask = injector._main.ask

            def ask_and_stop(path: str, **how: Any) -> object:  # noqa: ANN401 - as it comes
                attempt = ask(path, **how)
                os.kill(target.pid, signal.SIGSTOP)
                return attempt

            monkeypatch.setattr(injector._main, "ask", ask_and_stop)
            begin = time.monotonic()
            snapshot = observer.capture()
            assert time.monotonic() - begin < 5
            monkeypatch.undo()
            os.kill(target.pid, signal.SIGCONT)
            del snapshot
            assert pending_call(target.pid) == 0
            wait_until(lambda: is_inside(observer.capture()))
        assert target.stderr_text() == ""


ENDINGS = {
    "shutdown": "others(1)\nthreading.Thread(target=time.sleep, args=(3600,)).start()\nready()",
    "atexit": "import atexit\natexit.register(time.sleep, 3600)\nready()",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interpreter_that_ends_is_seen_from_outside(target_python: str, ending: str) -> None:
    with (
        program(ENDINGS[ending], python=target_python) as target,
        Observer.open(target.pid, CaptureOptions(patience_ns=100_000_000)) as observer,
    ):
        wait_until(lambda: observer.capture().capture.main is MainState.ENDING)
        assert "ending" in observer.capture().capture.missing[0]


def test_beside_a_subinterpreter_the_main_one_is_captured(target_python: str) -> None:
    body = """
from concurrent import interpreters
other = interpreters.create()
other.exec('import time')
threading.Thread(target=other.exec, args=('while True: time.sleep(0.002)',), daemon=True).start()
ready()
steps()"""
    with program(body, python=target_python) as target:
        for _ in range(3):
            snapshot = captured(target.pid, patience_ns=PATIENT_NS)
            assert is_inside(snapshot), snapshot.capture.missing
            assert snapshot.interpreter.interpreters == 2


def test_a_subinterpreter_that_comes_later_gets_no_request(target_python: str) -> None:
    body = """
from concurrent import interpreters
ready()
while True:
    other = interpreters.create()
    for _ in range(10):
        step(1)
        time.sleep(0.001)
    other.close()
"""
    with program(body, python=target_python) as target:
        options = CaptureOptions(patience_ns=PATIENT_NS)
        with Observer.open(target.pid, options) as observer:
            for _ in range(20):
                snapshot = observer.capture()
                assert is_inside(snapshot), snapshot.capture.missing


@pytest.mark.parametrize("threads", [0, 4])
def test_our_carriers_are_not_listed(target_python: str, threads: int) -> None:
    with program(f"others({threads})\nready()\nwork()", python=target_python) as target:
        with Observer.open(target.pid, CaptureOptions(patience_ns=PATIENT_NS)) as observer:
            for _ in range(15):
                snapshot = observer.capture()
                frames = [frame for thread in snapshot.threads for frame in thread.frames]
                assert PROBE_FILENAME not in {frame.filename for frame in frames}
                assert len(snapshot.threads) == threads + 1
        assert spools_for(target.pid) == []


def test_another_user_is_refused_with_a_sentence(target_python: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    body = (
        "import sys\nfrom snapshotter.errors import NotPermittedError\n"
        "from snapshotter.record.capture import Observer\n"
        "from snapshotter.record.options import CaptureOptions\n"
        "import os\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: Observer.open(int(sys.argv[1]), CaptureOptions())\n"
        "except NotPermittedError: sys.exit(8)\n"
    )
    with spawn("sleeper.py", python=target_python) as target:
        command = [sys.executable, "-c", body, str(target.pid)]
        assert subprocess.run(command, check=False).returncode == 8


def test_a_capture_of_another_users_process_works_as_root(target_python: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with program("others(1)\nos.setuid(65534)\nready()\nsteps()", python=target_python) as target:
        snapshot = captured(target.pid, patience_ns=PATIENT_NS)
        assert is_inside(snapshot), snapshot.capture.missing


def test_what_the_only_slice_has_no_time_for_is_read_from_outside(target_python: str) -> None:
    body = """
def hold(number):
    parked = [number] * 5, {"number": number}, str(number)
    table = {str(key): [key] for key in range(9)}
    time.sleep(3600)
for number in range(60):
    threading.Thread(target=hold, args=(number,), daemon=True).start()
ready()
work()
"""
    options = CaptureOptions(patience_ns=PATIENT_NS, carrier=CarrierChoice.MAIN)
    with (
        program(body, python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        snapshots = [observer.capture() for _ in range(5)]
    for snapshot in snapshots:
        assert snapshot.capture.carrier == "main"
        assert len(snapshot.threads) == 61
        assert not [text for text in snapshot.capture.missing if "not reached" in text]
    # a machine that is busy may have no time for all of them
    fullest = min(snapshots, key=lambda one: len(one.capture.missing))
    parked = [thread for thread in fullest.threads if not thread.is_main]
    assert View.OUTSIDE in {thread.view for thread in parked}
    for thread in parked:
        frame = next(frame for frame in thread.frames if frame.qualname == "hold")
        assert [one.name for one in frame.locals] == ["number", "parked", "table"]
        assert frame.locals_missing is None


@pytest.mark.parametrize("call", ["file.write(b'x')", "select.select([0], [], [], 0)"])
def test_a_main_thread_that_gives_nobody_a_turn_answers_by_itself(
    target_python: str, call: str
) -> None:
    # It gives the GIL away all the time, and is back before anybody who waits has woken up: on
    # one CPU, of which the kernel takes nothing away for those that wake up, that is so each time.
    body = f"""
import contextlib, select
with contextlib.suppress(PermissionError):
    os.nice(-20)
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
file = open(os.devnull, "wb", buffering=0)
def hold(kept):
    parked = kept
    time.sleep(3600)
others(3, hold, "something to see")
ready()
while True:
    sum(range(10_000))
    {call}
"""
    with (
        program(body, python=target_python) as target,
        Observer.open(target.pid, CaptureOptions(patience_ns=1_000_000_000)) as observer,
    ):
        for _ in range(3):
            snapshot = observer.capture()
            assert is_inside(snapshot), snapshot.capture.missing
            assert len(snapshot.threads) == 4, [thread.name for thread in snapshot.threads]
            for thread in snapshot.threads:
                assert thread.is_main or ("parked" in str(thread.frames)), thread
        # of carriers that had no turn there is one at the most
        assert len(thread_ids(target.pid)) <= 5


def test_variables_that_the_probe_has_no_time_for_are_read_from_outside(target_python: str) -> None:
    body = """
first = [10, [20, 30]]
second = {"key": 5}
password = "hunter2"
ready()
steps()
"""
    options = CaptureOptions(
        max_pause_ns=50_000,
        patience_ns=PATIENT_NS,
        locals="none",
        variables=("__main__:first", "__main__:second.key", "__main__:password", "__main__:third"),
    )
    with (
        program(body, python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        for _ in range(5):
            snapshot = captured_inside(observer)
            first, second, password, third = snapshot.variables
            assert first.node is not None
            assert snapshot.values[first.node].length == 2
            assert second.node is not None
            assert snapshot.values[second.node].value == 5
            assert password.node is not None
            assert snapshot.values[password.node].status is Status.REDACTED
            assert third.problem == "nothing readable is called third"
            assert snapshot.capture.missing == (f"__main__:third: {third.problem}",)
