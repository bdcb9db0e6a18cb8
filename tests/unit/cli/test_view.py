import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from snapshotter.model import Tick
from snapshotter.store.info import RecordingInfo
from snapshotter.store.writer import RecordingWriter, write_dump
from tests.support import samples

if TYPE_CHECKING:
    from pathlib import Path

    from snapshotter.model import Snapshot
    from tests.unit.cli.conftest import Snap


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "dump.msgpack"
    write_dump(path, samples.snapshot())
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return recorded(tmp_path / "orders", [samples.snapshot(step) for step in range(3)])


def recorded(directory: Path, snapshots: list[Snapshot]) -> Path:
    info = RecordingInfo.of(snapshots[0].process, started_at_ns=snapshots[0].captured_at_ns)
    with RecordingWriter.create(directory, info) as writer:
        for number, snapshot in enumerate(snapshots, 1):
            tick = Tick(sequence=number, due_at_ns=snapshot.captured_at_ns, lateness_ns=0)
            writer.append(replace(snapshot, tick=tick))
    return directory


def test_a_dump_is_shown(snap: Snap, dump: Path) -> None:
    outcome = snap("view", dump)
    assert outcome.code == 0
    assert "worker-7" in outcome.out
    assert "http-" not in outcome.out.split("Collector")[0] or "hidden" in outcome.out


def test_all_shows_the_idle_threads_too(snap: Snap, dump: Path) -> None:
    assert len(snap("view", dump, "--all").out) > len(snap("view", dump).out)


def test_one_thread_is_shown(snap: Snap, dump: Path) -> None:
    outcome = snap("view", dump, "--thread", "worker-7")
    assert outcome.code == 0
    assert "worker-7" in outcome.out
    assert "parser-2" not in outcome.out


def test_one_thread_of_an_earlier_snapshot_is_shown_with_its_time_there(
    snap: Snap, recording: Path
) -> None:
    early = snap("view", recording, "--at", 2, "--thread", "worker-7").out
    assert "frozen at this place for at least 30 s (2 snapshots" in early
    late = snap("view", recording, "--thread", "worker-7").out
    assert "frozen at this place for at least 60 s (3 snapshots" in late


def test_one_thread_is_compared_with_the_snapshot_that_is_named(
    snap: Snap, recording: Path
) -> None:
    against = ["view", recording, "--against", 1, "--thread"]
    outcome = snap(*against, "collector")
    assert outcome.code == 0
    assert "What changed  in 60 s, since " in outcome.out
    assert "items in orders/collect.py:22 Collector.run grew 1,200 -> 2,700" in outcome.out
    assert "Changed values" in outcome.out
    assert "one thread was asked for." in " ".join(outcome.out.split())
    assert "worker-7" not in outcome.out
    assert "Figures" not in outcome.out
    assert "What changed" not in snap("view", recording, "--thread", "collector").out
    assert "worker-7 has not moved for 60 s (3 snapshots)" in snap(*against, "worker-7").out


def test_one_thread_is_compared_in_json_too(snap: Snap, recording: Path) -> None:
    words = ["view", recording, "--at", 3, "--against", 2, "--json"]
    one = json.loads(snap(*words, "--thread", "collector").out)
    assert one["schema"] == "snapshotter.diff/1"
    assert (one["baseline"]["sequence"], one["current"]["sequence"]) == (2, 3)
    assert [each["after"]["frames"][0]["qualname"] for each in one["threads"]] == ["Condition.wait"]
    assert {each["thread"]["name"] for each in one["locals"]} == {"collector"}
    assert one["process"] == one["gc"] == []
    whole = json.loads(snap(*words).out)
    assert len(whole["threads"]) > 10
    assert whole["process"]


def test_a_thread_that_is_gone_is_found_in_the_snapshot_that_is_named(
    snap: Snap, tmp_path: Path
) -> None:
    first, second = samples.snapshot(0), samples.snapshot(1)
    gone = [each for each in second.threads if each.name != "worker-7"]
    path = recorded(tmp_path / "shrunk", [first, replace(second, threads=tuple(gone))])
    assert "worker-7 is gone" in snap("view", path, "--against", 1, "--thread", "worker-7").out
    assert snap("view", path, "--thread", "worker-7").code == 2


@pytest.mark.parametrize("words", [["--thread", "collector"], ["--json"], []])
def test_what_cannot_be_compared_with_is_told(
    snap: Snap, dump: Path, recording: Path, words: list[str]
) -> None:
    outcome = snap("view", recording, "--against", 9, *words)
    assert outcome.code == 2
    assert "has no snapshot 9; it has 1 to 3." in outcome.err
    outcome = snap("view", dump, "--against", 1, *words)
    assert outcome.code == 2
    assert "is a single dump." in outcome.err


def test_nobody_is_compared_with_nobody(snap: Snap, recording: Path) -> None:
    for words in ([], ["--json"]):
        outcome = snap("view", recording, "--against", 1, "--thread", "nobody", *words)
        assert outcome.code == 2
        assert "has no thread 'nobody'." in outcome.err


def test_a_thread_that_is_not_there_is_told(snap: Snap, dump: Path) -> None:
    outcome = snap("view", dump, "--thread", "nobody")
    assert outcome.code == 2
    assert "has no thread 'nobody'." in outcome.err


def test_the_threads_of_the_snapshot_that_was_asked_for_are_to_be_listed(
    snap: Snap, recording: Path
) -> None:
    hint = snap("view", recording, "--at", 2, "--thread", "nobody").err.splitlines()[1]
    assert hint == f"  try: snap view {recording} --at 2 --all lists them"
    assert snap("view", recording, "--at", 2, "--all").code == 0


def test_json_is_that_of_the_export(snap: Snap, dump: Path) -> None:
    printed = snap("view", dump, "--json").out
    assert printed == snap("export", dump, "--format", "json").out
    assert json.loads(printed)["schema"] == "snapshotter.snapshot/1"


def test_json_of_one_thread_has_no_other(snap: Snap, dump: Path, recording: Path) -> None:
    only = json.loads(snap("view", dump, "--thread", "worker-7", "--json").out)
    assert [thread["name"] for thread in only["threads"]] == ["worker-7"]
    at = json.loads(snap("view", recording, "--at", 2, "--thread", "worker-7", "--json").out)
    assert [thread["name"] for thread in at["threads"]] == ["worker-7"]
    each = json.loads(snap("view", recording, "--thread", "worker-7", "--json").out)["snapshots"]
    assert [len(snapshot["threads"]) for snapshot in each] == [1, 1, 1]
    for path in (dump, recording):
        outcome = snap("view", path, "--thread", "nobody", "--json")
        assert outcome.code == 2
        assert "has no thread 'nobody'." in outcome.err


def test_a_pipe_gets_no_colours(snap: Snap, dump: Path) -> None:
    assert "\x1b" not in snap("view", dump).out


def test_colours_on_request(snap: Snap, dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in snap("--color", "always", "view", dump).out
    assert "\x1b[" in snap("view", dump, "--color", "always").out
    assert "\x1b" not in snap("--color", "always", "view", dump, "--color", "never").out
    assert "\x1b" not in snap("view", dump, "--color", "always", "--plain").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" in snap("--color", "always", "view", dump).out


def test_columns_decide_the_width(snap: Snap, dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, snap("view", dump).out.splitlines())) <= 60


@pytest.mark.parametrize("columns", ["1", "2", "7", "19"])
def test_no_width_is_too_small_to_be_written_in(
    snap: Snap, dump: Path, recording: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for path in (dump, recording):
        outcome = snap("view", path, "--all")
        assert outcome.code == 0
        assert max(map(len, outcome.out.splitlines())) <= 20


@pytest.mark.parametrize("columns", ["0", "", "wide", "-5"])
def test_columns_that_are_no_width_are_left_out(
    snap: Snap, dump: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    expected = snap("view", dump).out
    monkeypatch.setenv("COLUMNS", columns)
    assert snap("view", dump).out == expected


def test_a_recording_is_shown_at_a_snapshot_against_another(snap: Snap, recording: Path) -> None:
    assert "snapshot 3" in snap("view", recording).out
    assert "snapshot 2" in snap("view", recording, "--at", 2, "--against", 1).out


def test_a_snapshot_that_the_recording_has_not_is_told(snap: Snap, recording: Path) -> None:
    for words in (["--at", "9"], ["--at", "9", "--json"], ["--at", "9", "--thread", "x"]):
        outcome = snap("view", recording, *words)
        assert outcome.code == 2
        assert "has no snapshot 9" in outcome.err


def test_a_gap_in_a_recording_is_not_called_a_snapshot_that_is_there(
    snap: Snap, recording: Path
) -> None:
    assert "no snapshot 9; it has 1 to 3.\n" in snap("view", recording, "--at", 9).err
    _, second, _ = sorted(recording.glob("*.msgpack"))
    second.write_bytes(second.read_bytes()[:100])
    told = snap("view", recording, "--at", 2).err
    assert "no snapshot 2; it has 2 of those from 1 to 3.\n" in told


def test_a_dump_in_a_recording_is_compared_with_the_one_before(snap: Snap, recording: Path) -> None:
    first, second, _ = sorted(recording.glob("*.msgpack"))
    outcome = snap("view", second)
    assert "What changed" in outcome.out
    assert outcome.err == ""
    assert "What changed" not in snap("view", first).out


def test_damaged_dumps_before_one_in_a_recording_are_skipped_and_told(
    snap: Snap, recording: Path
) -> None:
    first, second, third = sorted(recording.glob("*.msgpack"))
    second.write_bytes(b"damaged")
    outcome = snap("view", third)
    assert outcome.code == 0
    assert "What changed  in 60 s" in outcome.out
    assert outcome.err == f"snap: skipped: {second} is not a dump of snapshotter.\n"
    first.write_bytes(b"damaged")
    outcome = snap("view", third)
    assert outcome.code == 0
    assert "What changed" not in outcome.out
    assert outcome.err.count("snap: skipped: ") == 2


def test_numbers_choose_from_recordings_only(snap: Snap, dump: Path) -> None:
    outcome = snap("view", dump, "--at", 1)
    assert outcome.code == 2
    assert "dump.msgpack is a single dump." in outcome.err


@pytest.mark.parametrize("command", [["view"], ["export", "--format", "json"]])
def test_what_cannot_be_read_has_its_own_exit_code(
    snap: Snap, tmp_path: Path, command: list[str]
) -> None:
    assert snap(*command, tmp_path / "missing").code == 6
    (tmp_path / "text").write_text("hello")
    assert snap(*command, tmp_path / "text").code == 6
    (tmp_path / "empty").mkdir()
    assert snap(*command, tmp_path / "empty").code == 6


def test_two_dumps_are_compared(snap: Snap, dump: Path, tmp_path: Path) -> None:
    later = tmp_path / "later.msgpack"
    write_dump(later, samples.snapshot(4))
    outcome = snap("diff", dump, later)
    assert outcome.code == 0
    assert "What changed" in outcome.out
    assert json.loads(snap("diff", dump, later, "--json").out)


def test_two_recordings_are_compared(snap: Snap, recording: Path) -> None:
    assert "Recordings" in snap("diff", recording, recording).out
    assert json.loads(snap("diff", recording, recording, "--json").out)


def test_a_dump_is_not_compared_with_a_recording(snap: Snap, dump: Path, recording: Path) -> None:
    outcome = snap("diff", dump, recording)
    assert outcome.code == 2
    assert "A dump and a recording cannot be compared" in outcome.err


def test_an_export_is_written_whole_and_never_over_an_old_file(
    snap: Snap, recording: Path, tmp_path: Path
) -> None:
    file = tmp_path / "out.jsonl"
    words = ["export", recording, "--format", "jsonl", "-o", file]
    assert snap(*words).code == 0
    assert [json.loads(line)["schema"] for line in file.read_text().splitlines()] == [
        "snapshotter.snapshots/1",
        *["snapshotter.snapshot/1"] * 3,
    ]
    assert snap(*words).code == 2
    assert snap(*words, "--force").code == 0


def test_a_failed_export_leaves_no_file(snap: Snap, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    assert snap("export", tmp_path / "missing", "--format", "json", "-o", file).code == 6
    assert not file.exists()


def test_idle_stacks_of_the_settings_are_hidden(
    snap: Snap, dump: Path, recording: Path, tmp_path: Path
) -> None:
    before = snap("view", dump).out
    _, second, third = sorted(recording.glob("*.msgpack"))
    earlier = shutil.copytree(recording, tmp_path / "earlier")
    (earlier / third.name).unlink()
    screens = (["view", third], ["diff", second, third], ["diff", earlier, recording])
    assert all("worker-7 has not moved" in snap(*words).out for words in screens)
    (tmp_path / "snapshotter.toml").write_text('idle = ["*orders*:Pool.get"]\n')
    assert snap("view", dump).code == 0
    assert not any("worker-7 has not moved" in snap(*words).out for words in screens)
    (tmp_path / "snapshotter.toml").write_text('idle = ["nonsense"]\n')
    outcome = snap("view", dump)
    assert outcome.code == 2
    assert "idle, in the settings:" in outcome.err
    assert "try: such as: idle =" in outcome.err
    assert before
