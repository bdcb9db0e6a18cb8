"""The recorder is killed at any moment: what it reported is there, the next cleans up."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snapshotter.model import Snapshot
from snapshotter.store.reader import load
from tests.support.observing import captured, pending_call, spools_for
from tests.support.targets import spawn

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
RNG = random.SystemRandom()
PROGRAMS = [("busy.py", "2"), ("stepping.py", "2", "3"), ("sleeper.py",)]


def record_and_be_killed(pid: int, directory: Path) -> list[str]:
    """Watch, and be killed in the middle of it; returns the files that were reported."""
    words = [sys.executable, "-m", "snapshotter", "watch", str(pid), "--every", "100ms"]
    with subprocess.Popen(
        [*words, "-o", str(directory)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as recorder:
        assert recorder.stdout is not None
        lines, wanted = [], RNG.randint(1, 3)
        while sum(" snapshot " in line for line in lines) < wanted:
            lines.append(recorder.stdout.readline())
            assert lines[-1], lines
        time.sleep(RNG.random() * 0.1)
        recorder.kill()
        lines += recorder.stdout.readlines()
    return re.findall(r'file="([^"]+)"', "".join(lines))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_a_killed_recorder_loses_no_snapshot_and_leaves_nothing_for_long(
    target_python: str, program: tuple[str, ...], rounds: int, tmp_path: Path
) -> None:
    with spawn(program[0], *program[1:], python=target_python) as target:
        for number in range(rounds):
            directory = tmp_path / str(number)
            reported = record_and_be_killed(target.pid, directory)
            visible = sorted(path.name for path in directory.glob("*.msgpack"))
            assert reported
            assert set(reported) <= set(visible)
            assert all(isinstance(load(directory / name), Snapshot) for name in visible)
        captured(target.pid, patience_ns=50_000_000)
        assert pending_call(target.pid) == 0
        assert spools_for(target.pid) == []
        assert target.process.poll() is None
        assert target.stderr_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_a_dump_that_a_signal_ends_leaves_nothing(
    target_python: str, number: signal.Signals, rounds: int, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "snapshotter", "dump", "--patience", "300ms", "--force"]
    # Its main thread is asked again and again, and answers late: the signal may come at any point.
    with spawn("busy.py", "2", python=target_python) as target:
        for _ in range(rounds):
            with subprocess.Popen(
                [*words, str(target.pid)], cwd=tmp_path, stdout=subprocess.DEVNULL
            ) as dumping:
                time.sleep(RNG.random() * 0.5)
                dumping.send_signal(number)
            assert dumping.returncode in {0, 130, -number}, "done, in order, or not yet begun"
            assert pending_call(target.pid) == 0
            assert spools_for(target.pid) == []
            assert {path.name for path in tmp_path.iterdir()} <= {"dump.msgpack"}
        assert target.process.poll() is None
        assert target.stderr_text() == ""
