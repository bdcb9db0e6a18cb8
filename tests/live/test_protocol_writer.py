"""Where ``sys.remote_exec`` cannot reach the main thread, our own writer does, or says why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.model import MainState, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions, CarrierChoice
from tests.support.observing import spools_for
from tests.support.targets import LiveTarget, spawn_source, wait_until

if TYPE_CHECKING:
    from snapshotter.model import Snapshot

pytestmark = pytest.mark.live

PATIENCE_NS = 300_000_000
BUSY_MAIN = """
import os, threading, time
threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
{before}
def run():
    label = "busy main"
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    while True: len(label)
run()
"""
BESIDE = {
    "idle": "from concurrent import interpreters\nother = interpreters.create()",
    "busy": (
        "from concurrent import interpreters\n"
        "other = interpreters.create()\n"
        "threading.Thread(target=other.exec, args=('while True: pass',), daemon=True).start()"
    ),
    "pool": (
        "from concurrent import futures\n"
        "pool = futures.InterpreterPoolExecutor(2)\n"
        "[*pool.map(abs, (1, 2))]"
    ),
}
FORKED_BY_A_THREAD = """
import os, threading, time, warnings
warnings.simplefilter("ignore")
def busy():
    label = "busy worker"
    while True: len(label)
def child():
    label = "the thread that forked"
    for _ in range({workers}):
        threading.Thread(target=busy, daemon=True).start()
    os.write(1, b"%d\\n" % os.getpid())
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    while True:
        if {workers}: time.sleep(3600)
        len(label)
def fork():
    pid = os.fork()
    if not pid:
        child()
    os.waitpid(pid, 0)
thread = threading.Thread(target=fork)
thread.start()
thread.join()
"""


def captured(
    pid: int, carrier: CarrierChoice = CarrierChoice.AUTO, *, tries: int = 30
) -> tuple[Snapshot, Observer]:
    """Take snapshots until one has the inside view, or the last one."""
    options = CaptureOptions(patience_ns=PATIENCE_NS, carrier=carrier)
    with Observer.open(pid, options) as observer:
        for _ in range(tries):
            snapshot = observer.capture()
            if is_whole(snapshot):
                break
        return snapshot, observer


def is_whole(snapshot: Snapshot) -> bool:
    """Whether the probe told all, the main thread too: this machine may have other work."""
    capture = snapshot.capture
    main = [thread.view for thread in snapshot.threads if thread.is_main]
    return View.INSIDE in capture.views and View.OUTSIDE not in main and not capture.missing


@pytest.fixture(autouse=True)
def _with_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the controller find an interpreter of each version, the target's own may be gone."""
    other = os.environ.get("SNAP_TEST_PYTHON_315")
    if other:
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{Path(other).resolve().parent}")


def labels(snapshot: Snapshot) -> set[object]:
    return {
        snapshot.values[local.node].value
        for thread in snapshot.threads
        for frame in thread.frames
        for local in frame.locals
        if local.name == "label"
    }


def used_stock(target: LiveTarget) -> bool:
    """Whether requests to it go out with ``sys.remote_exec``; asks it on the way."""
    options = CaptureOptions(patience_ns=PATIENCE_NS)
    with Observer.open(target.pid, options) as observer:
        for _ in range(30):
            snapshot = observer.capture()
            if is_whole(snapshot):
                break
        assert snapshot.capture.missing == ()
        assert labels(snapshot) == {"busy main"}
        assert target.stderr_text() == ""
        assert observer._injector is not None
        main = observer._injector._main
        assert main is not None
        return main._stock


def test_the_usual_process_is_asked_with_the_stock_call() -> None:
    with spawn_source(BUSY_MAIN.format(before="")) as target:
        assert used_stock(target)
    assert spools_for(target.pid) == []


@pytest.mark.parametrize("others", BESIDE)
def test_beside_other_interpreters_the_main_one_answers(target_python: str, others: str) -> None:
    source = BUSY_MAIN.format(before=BESIDE[others])
    with spawn_source(source, python=target_python) as target:
        snapshot, _ = captured(target.pid)
        assert View.INSIDE in snapshot.capture.views
        assert snapshot.interpreter is not None
        assert (snapshot.interpreter.interpreters or 0) > 1
        main = next(thread for thread in snapshot.threads if thread.is_main)
        assert (main.view, main.interpreter) == (View.INSIDE, 0)
        assert labels(snapshot) == {"busy main"}
        assert target.stderr_text() == ""


def test_a_target_of_another_minor_version_answers(target_python: str) -> None:
    with spawn_source(BUSY_MAIN.format(before=""), python=target_python) as target:
        theirs = subprocess.run(
            [target_python, "-c", "import sys; print(sys.version_info[:2])"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        assert used_stock(target) is (theirs == str(sys.version_info[:2]))


@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_a_target_whose_executable_is_gone_answers(
    target_python: str, tmp_path: Path, what: str
) -> None:
    program = Path(target_python).resolve()
    own = tmp_path / program.name
    shutil.copy2(program, own)
    prefix = subprocess.run(
        [target_python, "-c", "import sys; print(sys.base_prefix)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    env = {"PYTHONHOME": prefix}
    with spawn_source(BUSY_MAIN.format(before=""), python=str(own), env=env) as target:
        own.unlink()
        if what == "replaced":
            shutil.copy2("/bin/true", own)
        used_stock(target)  # which depends on the version, down to the last number
    assert spools_for(target.pid) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a mount namespace")
def test_a_target_in_another_mount_namespace_answers(target_python: str) -> None:
    before = (
        "import subprocess\n"
        "os.unshare(os.CLONE_NEWNS)\n"
        "for words in ('--make-rprivate /', '-t tmpfs none /run', '-t tmpfs none /tmp'):\n"
        "    subprocess.run(['mount', *words.split()], check=True)"
    )
    with spawn_source(BUSY_MAIN.format(before=before), python=target_python) as target:
        assert not used_stock(target)
        assert [*Path(f"/proc/{target.pid}/root/run").glob("snapshotter-*")] == []
    assert spools_for(target.pid) == []


def test_a_fork_of_a_worker_thread_is_seen_from_outside_and_said_why(target_python: str) -> None:
    source = FORKED_BY_A_THREAD.format(workers=0)
    with spawn_source(source, python=target_python) as target:
        child = int(target.stdout_text())
        snapshot, _ = captured(child, tries=1)
        assert snapshot.capture.views == (View.OUTSIDE,)
        assert snapshot.capture.main is MainState.GONE
        assert snapshot.capture.missing[0] == (
            "no inside view: there is no main thread that could be asked: "
            "it has ended, or another thread forked this process"
        )
        os.kill(child, 9)


def test_a_fork_of_a_worker_thread_answers_through_a_thread_of_its_own(target_python: str) -> None:
    source = FORKED_BY_A_THREAD.format(workers=1)
    with spawn_source(source, python=target_python) as target:
        child = int(target.stdout_text())
        snapshot, _ = captured(child, CarrierChoice.ANY_THREAD)
        assert View.INSIDE in snapshot.capture.views
        assert snapshot.capture.asked_thread not in {None, child}
        assert labels(snapshot) == {"busy worker", "the thread that forked"}
        assert target.stderr_text() == ""
        os.kill(child, 9)


def test_a_fork_of_a_worker_thread_without_others_is_not_held(target_python: str) -> None:
    """The thread that forked handles the signals of the new process: it is never held."""
    source = FORKED_BY_A_THREAD.format(workers=0)
    with spawn_source(source, python=target_python) as target:
        child = int(target.stdout_text())
        snapshot, _ = captured(child, CarrierChoice.ANY_THREAD, tries=1)
        assert snapshot.capture.views == (View.OUTSIDE,)
        assert snapshot.capture.holds is None
        assert snapshot.capture.missing[0] == (
            "no inside view: there is no main thread that could be asked, "
            "and no other thread ran Python either"
        )
        os.kill(child, 9)


def test_any_thread_is_one_of_the_main_interpreter(target_python: str) -> None:
    """A thread that runs another interpreter, under a GIL of its own or not, is never asked."""
    source = """
import os, threading, time
from concurrent import interpreters
import _interpreters
def spin(other): _interpreters.exec(other, "while True: pass")
for kind in ("legacy", "isolated"):
    threading.Thread(target=spin, args=(_interpreters.create(kind),), daemon=True).start()
def work():
    label = "busy worker"
    while True: len(label)
WORKERS = {workers}
for _ in range(WORKERS):
    threading.Thread(target=work, daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
time.sleep(3600)
"""
    with spawn_source(source.format(workers=1), python=target_python) as target:
        snapshot, _ = captured(target.pid, CarrierChoice.ANY_THREAD)
        assert View.INSIDE in snapshot.capture.views
        assert labels(snapshot) == {"busy worker"}
        assert target.stderr_text() == ""
    with spawn_source(source.format(workers=0), python=target_python) as target:
        wait_until(lambda: captured(target.pid, tries=1)[0].capture.main is MainState.BLOCKED)
        snapshot, _ = captured(target.pid, CarrierChoice.ANY_THREAD, tries=1)
        assert snapshot.capture.views == (View.OUTSIDE,)
        assert snapshot.capture.holds is None
        assert target.stderr_text() == ""
