import os
import pty
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from snapshotter.analysis.idle import CATALOGUE
from snapshotter.cli.display import LineDisplay, LiveDisplay
from snapshotter.errors import StorageError
from snapshotter.record.events import (
    SnapshotTaken,
    Stopped,
    StorageTrouble,
    TargetEnded,
    TickMissed,
)
from snapshotter.record.stop import StopReason
from tests.support import samples
from tests.support.recording import SECOND, FakeClock
from tests.unit.render.screens import rendered


def test_the_live_view_tells_how_long_a_thread_has_stood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("snapshotter.cli.display._RECENT", 4)
    clock = FakeClock()
    display = LiveDisplay(
        {4121: Path("here")}, interval_ns=30 * SECOND, clock=clock, catalogue=CATALOGUE
    )
    for step in range(3):
        display.tell(SnapshotTaken(samples.snapshot(step)))
    assert "worker-7 has not moved for 60 s (3 snapshots)" in rendered(display._screen(), 120)
    for step in range(3, 9):
        display.tell(SnapshotTaken(samples.snapshot(step)))
    assert "worker-7 has not moved for 90 s (4 snapshots)" in rendered(display._screen(), 120)
    assert capsys.readouterr().err == ""


def test_the_live_view_ends_with_the_reason_of_the_end() -> None:
    display = LiveDisplay({}, interval_ns=SECOND, clock=FakeClock(), catalogue=CATALOGUE)
    display.tell(SnapshotTaken(samples.snapshot()))
    other = replace(samples.snapshot(), process=samples.process(pid=7))
    display.tell(SnapshotTaken(other))
    display.tell(TargetEnded(7, "Process 7 exited."))
    display.tell(Stopped(StopReason.COUNT))
    screen = rendered(display._screen())
    assert "recording ended: took as many snapshots as were asked for" in screen
    assert "ended: Process 7 exited." in screen


def test_who_draws_the_live_view_takes_no_signal_that_the_main_thread_keeps_waiting() -> None:
    display = LiveDisplay({}, interval_ns=SECOND, clock=FakeClock(), catalogue=CATALOGUE)
    before = set(threading.enumerate())
    with display:
        (drawing,) = set(threading.enumerate()) - before
        status = Path(f"/proc/self/task/{drawing.native_id}/status").read_text()
    (blocked,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTSTP, signal.SIGQUIT):
        assert int(blocked, 16) >> (number - 1) & 1


def test_ctrl_c_while_the_live_view_begins_leaves_the_terminal_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    display = LiveDisplay({}, interval_ns=SECOND, clock=FakeClock(), catalogue=CATALOGUE)
    start = display._live.start

    def interrupted() -> None:
        start()
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(display._live, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        display.__enter__()
    assert not display._live.is_started


def test_ctrl_c_while_the_live_view_ends_leaves_the_cursor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    display = LiveDisplay({}, interval_ns=SECOND, clock=FakeClock(), catalogue=CATALOGUE)
    stop = display._live.console.clear_live
    shown: list[bool] = []

    def interrupted() -> None:
        stop()
        raise KeyboardInterrupt

    monkeypatch.setattr(display._live.console, "clear_live", interrupted)
    monkeypatch.setattr(display._live.console, "show_cursor", lambda show=True: shown.append(show))
    with pytest.raises(KeyboardInterrupt), display:
        pass
    assert shown == [False, True]


def test_what_a_process_became_by_exec_begins_a_view_of_its_own() -> None:
    directories = {4121: Path("first")}
    display = LiveDisplay(directories, interval_ns=SECOND, clock=FakeClock(), catalogue=CATALOGUE)
    display.tell(SnapshotTaken(samples.snapshot(0)))
    display.tell(TargetEnded(4121, "Process 4121 became another program."))
    directories[4121] = Path("second")
    display.tell(SnapshotTaken(samples.snapshot(1)))
    screen = rendered(display._screen())
    assert "recording second" in screen
    assert "What changed" not in screen
    assert "ended" not in screen


def test_every_line_about_one_process_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay(FakeClock(), CATALOGUE)
    missed = samples.recording(1).missed[0]
    for event in (
        TickMissed(7, missed),
        StorageTrouble(7, StorageError("The disk is full.")),
        TargetEnded(7, "Process 7 exited."),
    ):
        display.tell(event)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in lines] == [
        ["missed", "pid=7"],
        ["trouble", "pid=7"],
        ["ended", "pid=7"],
    ]


def test_a_terminal_that_is_closed_while_it_is_drawn_on_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8", closefd=False) as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("FORCE_COLOR", "1")  # rich would look anew, and see no terminal
        display = LiveDisplay({}, interval_ns=SECOND, clock=FakeClock(), catalogue=CATALOGUE)
        with display:
            os.close(ours)
            display.tell(SnapshotTaken(samples.snapshot()))
            display.tell(SnapshotTaken(samples.snapshot(1)))
    os.close(theirs)
