import json
import os
import re
import shlex
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.analysis.diff import diff
from snapshotter.attach import pythons
from snapshotter.cli import recordings, targets, watch
from snapshotter.errors import (
    NoSuchProcessError,
    NotPermittedError,
    SnapshotterError,
    UnsupportedPythonError,
)
from snapshotter.record import clock as clock_module
from snapshotter.record.options import CaptureOptions
from snapshotter.render.lines import snapshot_line
from snapshotter.store import writer
from snapshotter.store.names import recording_name
from snapshotter.store.reader import load_recording
from snapshotter.store.retention import FreeSpace
from tests.support.recording import SECOND, FakeClock, FakeObserved, process_info
from tests.support.samples import recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.model import Snapshot
    from tests.unit.cli.conftest import Snap


class Bench:
    """Targets that exist only here, and a clock that needs no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.observed: dict[int, FakeObserved] = {}
        self.options: CaptureOptions | None = None
        self.refused: dict[int, SnapshotterError] = {}
        self.prepare: Callable[[FakeObserved], None] = lambda _: None
        monkeypatch.setattr(clock_module, "SystemClock", lambda: self.clock)
        monkeypatch.setattr(recordings, "Observer", self)

    def open(self, pid: int, options: CaptureOptions) -> FakeObserved:
        self.options = options
        if pid in self.refused:
            raise self.refused[pid]
        observed = self.observed[pid] = FakeObserved(self.clock, pid=pid)
        self.prepare(observed)
        return observed

    def at_sleep(self, number: int, action: Callable[[], None]) -> None:
        self.clock.while_asleep += [lambda: None] * (number - 1 - len(self.clock.while_asleep))
        self.clock.while_asleep.append(action)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def info(directory: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((directory / "recording.json").read_text())
    return found


def test_the_example_finds_the_lines_that_tell_of_frozen_threads() -> None:
    (example,) = (each for each in watch.command.examples if "| grep " in each)
    pattern = shlex.split(example.partition("| grep ")[2])[0]
    first, *_, last = recording().snapshots
    assert re.search(pattern, snapshot_line(last, diff(first, last)))
    assert not re.search(pattern, snapshot_line(last, diff(last, last)))


def test_a_recording_is_a_directory_with_a_file_for_each_snapshot(snap: Snap, bench: Bench) -> None:
    outcome = snap("watch", 4121, "--every", "30s", "--count", 3)
    assert outcome.code == 0
    (directory,) = Path().iterdir()
    assert directory.name.startswith("orders-4121-")
    recording = load_recording(directory)
    assert [snapshot.tick.sequence for snapshot in recording.snapshots if snapshot.tick] == [
        1,
        2,
        3,
    ]
    assert recording.interval_ns == 30 * SECOND
    assert recording.ended == "took as many snapshots as were asked for"
    assert outcome.err == f"snap: 3 snapshots in {directory}\n"
    assert bench.observed[4121].closed == 1


def test_a_pipe_gets_one_line_for_each_event(snap: Snap, bench: Bench) -> None:
    bench.clock.oversleep.extend([0, 0, 95 * SECOND])
    out = snap("watch", 4121, "--every", "30s", "--count", 3).out.splitlines()
    assert [line.split()[1] for line in out] == [
        "snapshot",
        "snapshot",
        "missed",
        "snapshot",
        "stopped",
    ]
    assert "stopped reason=count detail=" in out[-1]
    assert "reason=stall" in out[2]
    assert "count=4" in out[2]


def test_quiet_says_nothing_on_stdout(snap: Snap, bench: Bench) -> None:
    assert snap("watch", 4121, "--count", 2, "--quiet").out == ""
    assert bench.observed


def test_the_defaults_are_those_of_the_help(snap: Snap, bench: Bench) -> None:
    snap("watch", 4121, "--count", 1)
    assert bench.options == CaptureOptions(patience_ns=5 * SECOND)
    snap("watch", 4122, "--count", 1, "--every", "2s")
    assert bench.options == CaptureOptions(patience_ns=1 * SECOND)
    snap("watch", 4123, 4124, "--count", 1, "--every", "2s")
    assert bench.options == CaptureOptions(patience_ns=SECOND // 2)


def test_a_recording_ends_after_its_time(snap: Snap, bench: Bench) -> None:
    outcome = snap("watch", 4121, "--every", "10s", "--for", "25s", "-o", "here")
    assert outcome.code == 0
    assert len(load_recording(Path("here")).snapshots) == 3
    assert bench.clock.now_ns


by_signal = pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (signal.SIGINT, 130, "interrupted with Ctrl-C"),
        (signal.SIGTERM, 0, "stopped with SIGTERM"),
    ],
)


@by_signal
def test_a_signal_ends_a_recording_in_order(
    snap: Snap, bench: Bench, number: signal.Signals, code: int, reason: str
) -> None:
    bench.at_sleep(3, lambda: os.kill(os.getpid(), number))
    outcome = snap("watch", 4121, "-o", "here")
    assert outcome.code == code
    recording = load_recording(Path("here"))
    assert len(recording.snapshots) == 2
    assert recording.ended == reason
    assert "2 snapshots in here" in outcome.err


def test_ctrl_c_before_anything_was_taken(snap: Snap, bench: Bench) -> None:
    bench.at_sleep(1, lambda: os.kill(os.getpid(), signal.SIGINT))
    outcome = snap("watch", 4121, "-o", "here")
    assert outcome.code == 130
    assert outcome.err == ""


@by_signal
def test_a_second_signal_does_not_wait_for_the_snapshot(
    snap: Snap, bench: Bench, number: signal.Signals, code: int, reason: str
) -> None:
    def impatient(observed: FakeObserved) -> None:
        first = observed.capture

        def capture() -> Snapshot:
            if not observed.captured_at:
                return first()
            signal.raise_signal(number)
            signal.raise_signal(number)
            raise AssertionError("the second signal should have come through")

        observed.capture = capture  # type: ignore[method-assign]

    bench.prepare = impatient
    assert snap("watch", 4121, "-o", "here").code == code
    assert info(Path("here"))["ended"] == reason
    assert bench.observed[4121].closed == 1


def test_a_recording_whose_information_is_damaged_is_not_continued(
    snap: Snap, bench: Bench
) -> None:
    assert snap("watch", 4121, "--count", 1, "-o", "here").code == 0
    Path("here/recording.json").write_text("{}")
    outcome = snap("watch", 4121, "--count", 1, "-o", "here")
    assert outcome.code in watch.command.exits
    assert "messages.md#recording-info" in outcome.err
    assert bench.observed[4121].closed == 1


def test_one_that_cannot_be_recorded_leaves_nothing_of_the_others(snap: Snap, bench: Bench) -> None:
    taken = Path("all") / recording_name(process_info(2), bench.clock.wall_ns())
    taken.mkdir(parents=True, mode=0o700)
    (taken / "thesis.tex").touch()
    outcome = snap("watch", 1, 2, "-o", "all")
    assert outcome.code == 2
    assert "messages.md#not-a-recording" in outcome.err
    assert list(Path("all").iterdir()) == [taken]
    assert [bench.observed[pid].closed >= 1 for pid in (1, 2)] == [True, True]


def test_recordings_that_somebody_removed_are_told(snap: Snap, bench: Bench) -> None:
    bench.at_sleep(4, lambda: shutil.rmtree("all"))
    outcome = snap("watch", 1, 2, "--count", 2, "-o", "all")
    assert outcome.code == 5
    assert (
        " are no longer there: somebody removed or renamed them during the recording."
        in outcome.err
    )
    assert "messages.md#recording-removed" in outcome.err


def test_the_end_of_the_target_ends_the_recording(snap: Snap, bench: Bench) -> None:
    def end() -> None:
        bench.observed[4121].end_reason = "Process 4121 exited."

    bench.at_sleep(3, end)
    outcome = snap("watch", 4121, "-o", "here")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1].endswith('ended pid=4121 detail="Process 4121 exited."')
    assert load_recording(Path("here")).ended == "Process 4121 exited."


def test_a_target_that_ends_before_the_first_snapshot_is_an_error(snap: Snap, bench: Bench) -> None:
    bench.prepare = lambda observed: setattr(observed, "end_reason", "Process 4121 exited.")
    outcome = snap("watch", 4121)
    assert outcome.code == 3
    assert "snap: Process 4121 exited." in outcome.err
    assert list(Path().iterdir()) == []


def test_not_one_snapshot_is_an_error_that_says_why(snap: Snap, bench: Bench) -> None:
    def fail(observed: FakeObserved) -> None:
        observed.scripted.extend([NotPermittedError("The kernel said no.")] * 3)

    bench.prepare = fail
    outcome = snap("watch", 4121, "--every", "10s", "--for", "25s")
    assert outcome.code == 5
    assert "snap: The kernel said no." in outcome.err


def test_not_one_snapshot_that_could_be_written_is_the_error_of_the_disk(
    snap: Snap, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = FreeSpace(free_bytes=812_000_000, total_bytes=100_000_000_000)
    monkeypatch.setattr(writer, "free_space", lambda _: full)
    outcome = snap("watch", 4121, "--every", "10s", "--count", 2)
    assert outcome.code == 5
    assert outcome.err.splitlines()[-3:] == [
        "snap: Only 812 MB (0 %) of the disk are free.",
        "  try: Free some space: below 1 GB or 5 % nothing more is written.",
        "  see: docs/reference/messages.md#low-disk-space",
    ]
    assert len(bench.observed[4121].captured_at) == 2


def test_an_end_before_the_first_snapshot_is_told_as_that(snap: Snap, bench: Bench) -> None:
    bench.at_sleep(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    outcome = snap("watch", 4121)
    assert outcome.code == 5
    assert bench.observed[4121].captured_at == []
    sentence, step, _ = outcome.err.splitlines()
    assert sentence == "snap: Not one snapshot was taken: stopped with SIGTERM."
    assert step.startswith("  try: Let it run for longer")


def test_several_processes_have_a_recording_each(snap: Snap, bench: Bench) -> None:
    outcome = snap("watch", 1, 2, "--count", 2, "-o", "all")
    assert outcome.code == 0
    names = sorted(path.name for path in Path("all").iterdir())
    assert [name.rpartition("-")[0] for name in names] == ["orders-1", "orders-2"]
    assert bench.observed.keys() == {1, 2}


def test_one_that_cannot_be_opened_is_an_error_and_closes_the_others(
    snap: Snap, bench: Bench
) -> None:
    bench.refused[2] = NotPermittedError("It is another user's.")
    outcome = snap("watch", 1, 2)
    assert outcome.code == 4
    assert bench.observed[1].closed == 1
    assert bench.observed[1].captured_at == []


def test_one_found_by_name_that_cannot_be_opened_keeps_nobody_from_the_others(
    snap: Snap, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets.Targets, "matching", lambda _: (11, 12))
    bench.refused[11] = UnsupportedPythonError("Process 11 runs Python 3.11.")
    outcome = snap("watch", "--name", "orders*", "--count", 2)
    assert outcome.code == 0
    assert outcome.err.count("process 11 is not recorded: Process 11 runs Python 3.11.") == 1
    assert len(bench.observed[12].captured_at) == 2


def test_nobody_found_by_name_that_can_be_opened_is_an_error(
    snap: Snap, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets.Targets, "matching", lambda _: (11, 12))
    bench.refused[11] = UnsupportedPythonError("Process 11 runs Python 3.11.")
    bench.refused[12] = NotPermittedError("It is another user's.")
    outcome = snap("watch", "--name", "orders*", "--count", 2)
    assert outcome.code == 3
    assert outcome.err.startswith("snap: Process 11 runs Python 3.11.\n")
    bench.refused.pop(11)
    assert snap("watch", 12, "--name", "orders*", "--count", 2).code == 4


def test_a_directory_that_is_no_recording_is_left_alone(snap: Snap, bench: Bench) -> None:
    Path("mine").mkdir()
    Path("mine/thesis").write_text("precious")
    outcome = snap("watch", 4121, "-o", "mine")
    assert outcome.code == 2
    assert bench.observed[4121].closed == 1
    assert [path.name for path in Path("mine").iterdir()] == ["thesis"]


def test_a_recording_of_the_same_process_goes_on_where_it_was(snap: Snap, bench: Bench) -> None:
    snap("watch", 4121, "--count", 2, "-o", "here")
    snap("watch", 4121, "--count", 1, "-o", "here")
    sequences = [each.tick.sequence for each in load_recording(Path("here")).snapshots if each.tick]
    assert sequences == [1, 2, 3]
    assert bench.observed


def test_processes_that_start_later_join_in(
    snap: Snap, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = [11]
    monkeypatch.setattr(targets.Targets, "matching", lambda _: tuple(alive))
    bench.at_sleep(3, lambda: alive.append(12))
    bench.refused[13] = NotPermittedError("It is another user's.")
    bench.at_sleep(4, lambda: alive.append(13))
    outcome = snap("watch", "--name", "orders*", "--every", "10s", "--for", "95s")
    assert outcome.code == 0
    assert len(bench.observed[11].captured_at) == 10
    assert len(bench.observed[12].captured_at) > 5
    assert outcome.err.count("process 13 is not recorded: It is another user's.") == 1


def test_who_has_the_number_of_an_ended_process_has_a_recording_of_its_own(
    snap: Snap, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets.Targets, "matching", lambda _: (11,))
    became = "Process 11 became another program."
    bench.at_sleep(2, lambda: setattr(bench.observed[11], "end_reason", became))
    outcome = snap("watch", "--name", "orders*", "--every", "10s", "--for", "95s", "-o", "all")
    assert outcome.code == 0
    assert outcome.err.endswith(" snapshots in all\n")
    first, second = sorted(Path("all").iterdir())
    assert load_recording(first).ended == became
    assert len(load_recording(second).snapshots) > 5


def test_a_process_that_loses_its_name_for_a_while_has_one_recording(
    snap: Snap, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = [os.getpid()]
    monkeypatch.setattr(targets.Targets, "matching", lambda _: tuple(named))
    bench.at_sleep(2, named.clear)
    bench.at_sleep(4, lambda: named.append(os.getpid()))
    outcome = snap("watch", "--name", "orders*", "--every", "10s", "--for", "95s", "-o", "all")
    assert outcome.code == 0
    (directory,) = Path("all").iterdir()
    assert len(load_recording(directory).snapshots) == 10


def test_names_are_followed_when_the_root_of_a_tree_has_ended(
    snap: Snap, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[int] = []
    running = [11]
    below = {11: (11,)}
    monkeypatch.setattr(pythons, "match_name", lambda _: tuple(named))
    monkeypatch.setattr(pythons, "tree", lambda pid: below[pid])
    monkeypatch.setattr(recordings, "is_running", lambda pid: pid in running)

    def end() -> None:
        bench.observed[11].end_reason = "Process 11 exited."
        running.clear()
        below.clear()
        named.append(12)

    bench.at_sleep(3, end)
    outcome = snap("watch", "--name", "orders*", "--tree", 11, "--every", "10s", "--for", "95s")
    assert outcome.code == 0
    assert len(bench.observed[12].captured_at) > 5


def test_a_count_ends_a_recording_by_name(
    snap: Snap, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = [11]
    monkeypatch.setattr(targets.Targets, "matching", lambda _: tuple(alive))
    bench.at_sleep(2, lambda: alive.append(12))
    outcome = snap("watch", "--name", "orders*", "--every", "10s", "--count", 3)
    assert outcome.code == 0
    assert [len(observed.captured_at) for observed in bench.observed.values()] == [3, 3]


def test_nobody_by_that_name_is_an_error(snap: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets.Targets, "matching", lambda _: ())
    outcome = snap("watch", "--name", "nobody*")
    assert outcome.code == NoSuchProcessError.exit_code
    assert "with a name like 'nobody*'" in outcome.err
