from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from snapshotter.model import Recording
from snapshotter.outside.procfs import process_state
from snapshotter.store.reader import load, load_dump, load_recording
from tests.support.observing import pending_call, spools_for
from tests.support.targets import DEADLINE_S, LiveTarget, spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.live

SNAP = [sys.executable, "-m", "snapshotter"]
# Whoever runs the tests in the background has SIGINT ignored, and that is inherited.
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from snapshotter.cli import main
sys.exit(main())
"""

WORKER = """
import os, threading, time

def work():
    orders = list(range(5))
    while True:
        time.sleep(0.005)

threading.Thread(target=work, name="worker", daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
while True:
    time.sleep(0.005)
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
CHURN = """
import os, time

os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
while True:
    child = os.fork()
    if not child:
        time.sleep(0.02)
        os._exit(0)
    os.waitpid(child, 0)
"""
EXEC = """
import os, sys, time
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
sys.stdin.readline()
os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"])
"""


def snap(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SNAP, *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@contextlib.contextmanager
def watching(*words: object, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a watch until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "watch", *map(str, words)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def dumps(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.msgpack"))


@pytest.fixture
def target(target_python: str) -> Iterator[LiveTarget]:
    with spawn_source(WORKER, python=target_python) as live:
        yield live


def test_a_dump_shows_threads_and_locals(target: LiveTarget, tmp_path: Path) -> None:
    done = snap("dump", target.pid, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    snapshot = load_dump(tmp_path / "dump.msgpack")
    assert {thread.name for thread in snapshot.threads} == {"MainThread", "worker"}
    assert "orders = [0, 1, 2, 3, 4]" in done.stdout
    assert target.stderr_text() == ""


def test_a_dump_as_json_feeds_other_programs(target: LiveTarget, tmp_path: Path) -> None:
    done = snap("dump", target.pid, "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["process"]["pid"] == target.pid
    assert list(tmp_path.iterdir()) == []


def test_a_watch_records_on_time_and_ends_by_itself(target: LiveTarget, tmp_path: Path) -> None:
    words = [target.pid, "--every", "200ms", "--count", 5, "-o", "here"]
    done = snap("watch", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    recording = load_recording(tmp_path / "here")
    ticks = [snapshot.tick for snapshot in recording.snapshots]
    due = [tick.due_at_ns for tick in ticks if tick is not None]
    # Absolute due times: whatever the lateness, the distance is a multiple of the interval.
    for earlier, later in itertools.pairwise(due):
        periods = (later - earlier) / 200_000_000
        assert abs(periods - round(periods)) < 0.1
    assert len(done.stdout.splitlines()) >= 6
    assert target.stderr_text() == ""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
)
def test_a_signal_ends_a_watch_in_order(
    target: LiveTarget, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    here = tmp_path / "here"
    with watching(target.pid, "--every", "30s", "-o", "here", cwd=tmp_path) as watch:
        wait_until(lambda: dumps(here))
        watch.send_signal(number)
        assert watch.wait(DEADLINE_S) == code
    recording = load_recording(here)
    assert recording.ended is not None
    assert recording.skipped == ()
    assert [path.name for path in here.iterdir() if path.name.startswith(".tmp")] == []
    assert target.process.poll() is None
    assert spools_for(target.pid) == []


def test_a_recording_that_somebody_removed_is_told_at_the_end(
    target: LiveTarget, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    with watching(target.pid, "--every", "30s", "-o", "here", cwd=tmp_path) as watch:
        wait_until(lambda: dumps(here))
        shutil.rmtree(here)
        watch.terminate()
        _, errors = watch.communicate(timeout=DEADLINE_S)
        assert watch.returncode == 5
    assert "here is no longer there: somebody removed or renamed it during" in errors
    assert "messages.md#recording-removed" in errors


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_two_signals_end_a_watch_at_once_and_leave_nothing(
    target: LiveTarget, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    here = tmp_path / "here"
    with watching(target.pid, "--every", "100ms", "-o", "here", cwd=tmp_path) as watch:
        wait_until(lambda: len(dumps(here)) >= 2)
        watch.send_signal(number)
        watch.send_signal(number)
        assert watch.wait(DEADLINE_S) == code
    recording = load_recording(here)
    assert recording.skipped == ()
    assert [path.name for path in here.iterdir() if path.name.startswith(".tmp")] == []
    # The next snapshot finds a target that nobody has left a request in.
    assert snap("dump", target.pid, cwd=tmp_path).returncode == 0
    assert target.stderr_text() == ""


def test_the_end_of_the_target_ends_the_watch(target: LiveTarget, tmp_path: Path) -> None:
    with watching(target.pid, "--every", "1h", "-o", "here", cwd=tmp_path) as watch:
        wait_until(lambda: dumps(tmp_path / "here"))
        target.kill()
        assert watch.wait(DEADLINE_S) == 0
    ended = load_recording(tmp_path / "here").ended
    assert ended is not None
    assert str(target.pid) in ended


def test_exec_ends_the_recording(target_python: str, tmp_path: Path) -> None:
    with (
        spawn_source(EXEC, python=target_python) as target,
        watching(target.pid, "--every", "200ms", "-o", "here", cwd=tmp_path) as watch,
    ):
        wait_until(lambda: dumps(tmp_path / "here"))
        target.tell("go")
        assert watch.wait(DEADLINE_S) == 0
        assert load_recording(tmp_path / "here").ended is not None


def test_an_exec_in_a_tree_begins_another_recording(target_python: str, tmp_path: Path) -> None:
    with (
        spawn_source(EXEC, python=target_python) as target,
        watching("--tree", target.pid, "--every", "200ms", "-o", "all", cwd=tmp_path) as watch,
    ):
        wait_until(lambda: list(tmp_path.glob("all/*/*.msgpack")))
        target.tell("go")
        wait_until(lambda: len({path.parent for path in tmp_path.glob("all/*/*.msgpack")}) == 2)
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(DEADLINE_S) == 0
    first, second = (load_recording(path) for path in sorted((tmp_path / "all").iterdir()))
    assert first.ended is not None
    assert str(target.pid) in first.ended
    assert second.ended == "stopped with SIGTERM"


def test_a_watch_that_was_stopped_itself_does_not_make_up_for_it(
    target: LiveTarget, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    with watching(target.pid, "--every", "200ms", "-o", "here", cwd=tmp_path) as watch:
        wait_until(lambda: len(dumps(here)) >= 2)
        watch.send_signal(signal.SIGSTOP)
        before = len(dumps(here))
        time.sleep(2)  # The stall itself: ten due times pass.
        watch.send_signal(signal.SIGCONT)
        wait_until(lambda: len(dumps(here)) >= before + 2)
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(DEADLINE_S) == 0
    recording = load_recording(here)
    assert sum(missed.count for missed in recording.missed) >= 5
    ticks = [snapshot.tick for snapshot in recording.snapshots if snapshot.tick is not None]
    assert max(tick.lateness_ns for tick in ticks) <= 100_000_000  # Half an interval.


def test_a_reader_that_goes_away_ends_the_watch(target: LiveTarget, tmp_path: Path) -> None:
    with watching(target.pid, "--every", "100ms", "-o", "here", cwd=tmp_path) as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.stdout.close()
        assert watch.wait(DEADLINE_S) == 0
        assert watch.stderr is not None
        assert watch.stderr.read() == ""
    assert load_recording(tmp_path / "here").ended == "nobody reads the output any more"


def on_a_terminal(*words: str, cwd: Path, environment: Mapping[str, str]) -> bytes:
    """Run ``snap`` to its good end and return all that its terminal got."""
    ours, theirs = pty.openpty()
    ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(
        [*SNAP, *words], cwd=cwd, env={**os.environ, **environment}, **ends
    ) as watch:
        os.close(theirs)
        screen = b""
        with contextlib.suppress(OSError):  # EIO: the other side is closed.
            while chunk := os.read(ours, 65_536):
                screen += chunk
        os.close(ours)
        assert watch.wait(DEADLINE_S) == 0
    return screen


def test_a_terminal_gets_a_live_view_and_is_left_as_it_was(
    target: LiveTarget, tmp_path: Path
) -> None:
    words = ("watch", str(target.pid), "--every", "200ms", "--count", "3", "-o", "here")
    screen = on_a_terminal(
        *words, cwd=tmp_path, environment={"TERM": "xterm-256color", "COLUMNS": "90", "LINES": "30"}
    )
    assert b"next snapshot" in screen
    assert re.search(rb"3 snapshots(, \d+ missed)? in here", screen)
    assert screen.count(b"\x1b[?25l") == screen.count(b"\x1b[?25h")  # The cursor is back.


def test_a_terminal_that_cannot_be_drawn_on_gets_lines(target: LiveTarget, tmp_path: Path) -> None:
    words = ("watch", str(target.pid), "--every", "200ms", "--count", "2", "-o", "here")
    screen = on_a_terminal(*words, cwd=tmp_path, environment={"TERM": "dumb"})
    assert screen.count(b" snapshot pid=") == 2
    assert b"stopped reason=count" in screen
    assert b"\x1b" not in screen


def test_a_terminal_that_is_closed_ends_the_watch_in_order(
    target: LiveTarget, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    words = ["watch", str(target.pid), "--every", "200ms", "-o", "here"]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        [*SNAP, *words],
        cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment,
    ) as watch:  # fmt: skip
        os.close(theirs)
        wait_until(lambda: dumps(tmp_path / "here"))
        os.close(ours)
        watch.send_signal(signal.SIGHUP)
        assert watch.wait(DEADLINE_S) == 0
        assert watch.stderr is not None
        assert re.fullmatch(rb"snap: \d+ snapshots?(, \d+ missed)? in here\n", watch.stderr.read())
    assert load_recording(tmp_path / "here").ended == "the terminal was closed"


def test_ctrl_z_gives_the_terminal_back_and_fg_begins_a_new_picture(
    target: LiveTarget, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    words = ["watch", str(target.pid), "--every", "200ms", "-o", "here"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "90", "LINES": "30"}
    screen = bytearray()

    def shows(text: bytes) -> bool:
        while select.select([ours], [], [], 0)[0]:
            screen.extend(os.read(ours, 65_536))
        return text in screen

    with subprocess.Popen(
        [*SNAP, *words],
        cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, process_group=0,
    ) as watch:  # fmt: skip
        try:
            wait_until(lambda: shows(b"next snapshot"))
            watch.send_signal(signal.SIGTSTP)
            wait_until(lambda: process_state(watch.pid) == "T")
            assert shows(b"\x1b[?25h")
            assert screen.count(b"\x1b[?25l") == screen.count(b"\x1b[?25h") == 1
            screen.clear()
            watch.send_signal(signal.SIGCONT)
            wait_until(lambda: shows(b"next snapshot"))
            before = screen[: screen.index(b"next snapshot")]
            assert before.count(b"\x1b[?25l") == 1
            assert b"\x1b[1A" not in before[: before.index(b"pid")], "it draws over the shell"
            watch.send_signal(signal.SIGTERM)
            assert watch.wait(DEADLINE_S) == 0
            assert shows(b"stopped with SIGTERM")
            assert screen.count(b"\x1b[?25l") == screen.count(b"\x1b[?25h") == 1
        finally:
            watch.kill()
    os.close(theirs)
    os.close(ours)


def test_a_tree_is_followed(target: LiveTarget, tmp_path: Path) -> None:
    master = """
import os, subprocess, sys
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
sys.stdin.readline()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
try:
    sys.stdin.readline()
finally:
    child.kill()
    child.wait()
"""
    with (
        spawn_source(master) as root,
        watching("--tree", root.pid, "--every", "300ms", "-o", "all", cwd=tmp_path) as watch,
    ):
        wait_until(lambda: list(tmp_path.glob("all/*/*.msgpack")))
        root.tell("fork")
        wait_until(lambda: len(list(tmp_path.glob("all/*/recording.json"))) == 2)
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(DEADLINE_S) == 0
        root.tell("end")
        assert root.process.wait(DEADLINE_S) == 0  # it ends its child
    assert target.process.poll() is None


def test_a_tree_ends_with_a_root_that_its_parent_does_not_reap(
    target: LiveTarget, tmp_path: Path
) -> None:
    with watching("--tree", target.pid, "--every", "1h", "-o", "all", cwd=tmp_path) as watch:
        wait_until(lambda: list(tmp_path.glob("all/*/*.msgpack")))
        os.kill(target.pid, signal.SIGKILL)
        assert watch.wait(DEADLINE_S) == 0
    assert process_state(target.pid) == "Z"


def test_children_that_end_before_they_are_seen_leave_no_recording(
    target_python: str, tmp_path: Path
) -> None:
    with (
        spawn_source(CHURN, python=target_python) as root,
        watching("--tree", root.pid, "--every", "1s", "-o", "all", cwd=tmp_path) as watch,
    ):
        assert watch.stdout is not None
        assert any(" ended pid=" in line for line in watch.stdout)
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(DEADLINE_S) == 0
    assert all(dumps(recording) for recording in tmp_path.glob("all/*"))


def test_what_was_recorded_can_be_shown_compared_and_exported(
    target: LiveTarget, tmp_path: Path
) -> None:
    words = [target.pid, "--every", "200ms", "--count", 2, "-o", "here"]
    assert snap("watch", *words, cwd=tmp_path).returncode == 0
    first, second = dumps(tmp_path / "here")
    assert "worker" in snap("view", "here", "--all", cwd=tmp_path).stdout
    assert "What changed" in snap("diff", first, second, cwd=tmp_path).stdout
    exported = snap("export", "here", "--format", "jsonl", cwd=tmp_path).stdout
    assert len(exported.splitlines()) == 3
    assert isinstance(load(tmp_path / "here"), Recording)


def test_ps_and_doctor_see_the_target(target: LiveTarget, tmp_path: Path) -> None:
    listed = json.loads(snap("ps", "--json", cwd=tmp_path).stdout)
    assert target.pid in {process["pid"] for process in listed}
    checked = snap("doctor", target.pid, "--json", cwd=tmp_path)
    assert checked.returncode == 0
    assert {check["status"] for check in json.loads(checked.stdout)} <= {"ok", "warn"}
    assert snap("doctor", cwd=tmp_path).returncode in {0, 4}


def test_doctor_takes_back_what_a_killed_recorder_left_in_a_process(tmp_path: Path) -> None:
    with spawn("sleeper.py") as idle:
        killed = subprocess.run(
            [sys.executable, "-c", DIES_ARMED, str(idle.pid)], check=False, timeout=DEADLINE_S
        )
        assert killed.returncode == -signal.SIGKILL
        (left,) = spools_for(idle.pid)
        assert pending_call(idle.pid) == 1
        listed = snap("doctor", "--clean", cwd=tmp_path)
        assert f"{left} stays, process {idle.pid} runs: snap doctor {idle.pid} --clean" in (
            listed.stderr
        )
        assert f"snap doctor {idle.pid} --clean" in listed.stdout
        cleaned = snap("doctor", idle.pid, "--clean", cwd=tmp_path)
        assert str(left) in cleaned.stderr
        assert pending_call(idle.pid) == 0
        assert spools_for(idle.pid) == []
        assert idle.stderr_text() == ""


def test_a_process_that_is_not_there_and_one_that_is_not_python(tmp_path: Path) -> None:
    assert snap("dump", 4_194_303, cwd=tmp_path).returncode == 3
    assert snap("doctor", 4_194_303, cwd=tmp_path).returncode == 3
    with subprocess.Popen(["sleep", "600"]) as sleep:
        assert snap("dump", sleep.pid, cwd=tmp_path).returncode == 3
        assert snap("doctor", sleep.pid, cwd=tmp_path).returncode == 3
        sleep.kill()
