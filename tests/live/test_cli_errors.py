"""What the person reads when a process cannot be looked at, and the exit codes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from snapshotter.store.reader import load_dump
from tests.support.targets import DEADLINE_S, spawn_source

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

SNAP = [sys.executable, "-m", "snapshotter"]
NOBODY = 65_534
IDLE = """
import os, time
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
while True:
    time.sleep(0.005)
"""
ENDING = """
import os, threading, time

def last():
    time.sleep(0.2)
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    time.sleep(600)

threading.Thread(target=last).start()
"""


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def an_older_python() -> str | None:
    """Return a Python that is too old, where the machine has one."""
    for name in ("python3.13", "python3.12", "/usr/bin/python3", "python3.11"):
        path = shutil.which(name)
        if path is None:
            continue
        asked = "import sys; print(sys.version_info < (3, 14))"
        done = subprocess.run([path, "-c", asked], capture_output=True, text=True, check=False)
        if done.stdout.strip() == "True":
            return path
    return None


def flat(output: str) -> str:
    return " ".join(output.split())


def told(done: subprocess.CompletedProcess[str], slug: str) -> str:
    """Check the form of an error and return its sentence."""
    sentence, step, place = done.stderr.splitlines()
    assert sentence.startswith("snap: ")
    assert step.startswith("  try: ")
    assert place == f"  see: docs/reference/messages.md#{slug}"
    return sentence


def test_an_older_python_is_told_with_its_version(tmp_path: Path) -> None:
    python = an_older_python()
    if python is None:
        pytest.skip("this machine has no Python before 3.14")
    with spawn_source(IDLE, python=python) as old:
        for command in ("dump", "watch"):
            done = run(*SNAP, command, old.pid, cwd=tmp_path)
            assert done.returncode == 3
            assert f"Process {old.pid} runs Python 3." in told(done, "unsupported-python")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_of_another_user_is_told_with_what_would_help(
    target_python: str, tmp_path: Path
) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("this machine has no setpriv")
    # The right to read all files, for an interpreter below /root; not the right to trace.
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
              "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # fmt: skip
    tmp_path.chmod(0o777)
    with spawn_source(IDLE, python=target_python) as live:
        done = run(*become, *SNAP, "dump", live.pid, "-o", "x.msgpack", cwd=tmp_path)
        if "setpriv" in done.stderr:
            pytest.skip(f"no other user can be had here: {done.stderr.strip()}")
        assert done.returncode == 4
        assert "does not let this user read the memory" in told(done, "not-permitted")
        doctor = run(*become, *SNAP, "doctor", live.pid, cwd=tmp_path)
        assert doctor.returncode == 4
        assert "FAIL  permission" in doctor.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_refuses_requests_is_seen_from_outside_and_says_so(
    target_python: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHON_DISABLE_REMOTE_DEBUG": "1"}
    with spawn_source(IDLE, python=target_python, env=environment) as live:
        done = run(*SNAP, "dump", live.pid, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "remote debugging is switched off in the process" in flat(done.stdout)
        assert load_dump(tmp_path / "dump.msgpack").capture.pause is None
        doctor = run(*SNAP, "doctor", live.pid, cwd=tmp_path)
        assert doctor.returncode == 4
        assert "FAIL  remote-debugging" in doctor.stdout


def test_an_interpreter_that_is_ending_is_seen_from_outside_and_says_so(
    target_python: str, tmp_path: Path
) -> None:
    with spawn_source(ENDING, python=target_python) as live:
        done = run(*SNAP, "dump", live.pid, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "the interpreter is ending: no safe point will come" in flat(done.stdout)


def test_a_file_that_may_not_grow_is_told_and_leaves_nothing(
    target_python: str, tmp_path: Path
) -> None:
    with spawn_source(IDLE, python=target_python) as live:
        limited = f"ulimit -f 1; exec {sys.executable} -m snapshotter dump {live.pid}"
        done = run("bash", "-c", limited, cwd=tmp_path)
        assert done.returncode == 5
        assert "larger than a file may be" in told(done, "file-too-large")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["dump --force", "watch --every 1s --for 1100ms -o here"])
def test_too_few_descriptors_do_not_make_a_process_one_that_ended(
    command: str, target_python: str, tmp_path: Path
) -> None:
    with spawn_source(IDLE, python=target_python) as live:
        for files in range(6, 15, 2):
            limited = (
                f"ulimit -n {files}; exec {sys.executable} -m snapshotter {command} {live.pid}"
            )
            done = run("bash", "-c", limited, cwd=tmp_path)
            told_of = done.stdout + done.stderr
            if done.returncode:
                assert done.returncode == 5, told_of
                assert "Too many files are open." in told_of
            assert f"{live.pid} ended" not in told_of
            assert "internal-error" not in told_of


def test_too_few_descriptors_are_no_end_for_doctor_and_ps(
    target_python: str, tmp_path: Path
) -> None:
    with spawn_source(IDLE, python=target_python) as live:
        for command in (f"doctor {live.pid}", "ps", f"dump --json {live.pid}"):
            for files in range(5, 12):
                limited = f"ulimit -n {files}; exec {sys.executable} -m snapshotter {command}"
                done = run("bash", "-c", limited, cwd=tmp_path)
                told_of = done.stdout + done.stderr
                assert done.returncode in {0, 4, 5}, told_of
                assert "internal-error" not in told_of
                assert f"Process {live.pid} ended" not in told_of
                assert "the process has ended" not in told_of
