"""Reading a dump or a recording; what is left out is listed with its reason."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import UnreadableFileError
from snapshotter.model import Missed, MissedReason, Recording
from snapshotter.store import writer as writer_module
from snapshotter.store.info import RecordingInfo
from snapshotter.store.names import DumpName
from snapshotter.store.reader import load, load_dump, load_recording, predecessors
from snapshotter.store.retention import FreeSpace
from snapshotter.store.writer import RecordingWriter, write_dump
from tests.support.synthetic import NOW_NS, process, tiny_snapshot

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished recording of three dumps."""
    monkeypatch.setattr(writer_module, "free_space", lambda _: FreeSpace(10**12, 10**12))
    directory = tmp_path / "orders"
    info = RecordingInfo.of(process(), started_at_ns=NOW_NS, interval_ns=30_000_000_000)
    with RecordingWriter.create(directory, info) as writer:
        for tick in range(3):
            writer.append(tiny_snapshot(after_s=30 * tick))
        writer.miss(Missed(NOW_NS, 1, MissedReason.STALL))
        writer.finish("The target exited.")
    return directory


def dumps(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.msgpack"))


def test_recording_comes_back_in_order(recorded: Path) -> None:
    recording = load(recorded)

    assert recording == Recording(
        snapshots=tuple(tiny_snapshot(after_s=30 * tick) for tick in range(3)),
        missed=(Missed(NOW_NS, 1, MissedReason.STALL),),
        directory=recorded,
        interval_ns=30_000_000_000,
        ended="The target exited.",
    )


def test_only_the_last_dumps_on_request(recorded: Path) -> None:
    assert load_recording(recorded, last=2).snapshots == (
        tiny_snapshot(after_s=30),
        tiny_snapshot(after_s=60),
    )


def test_single_dump_comes_back(recorded: Path) -> None:
    assert load(dumps(recorded)[1]) == tiny_snapshot(after_s=30)


def test_damaged_dump_is_skipped_and_said(recorded: Path) -> None:
    damaged = dumps(recorded)[1]
    damaged.write_bytes(damaged.read_bytes()[:-5])

    recording = load_recording(recorded)

    assert len(recording.snapshots) == 2
    (skipped,) = recording.skipped
    assert skipped.path == damaged
    assert "is torn" in skipped.reason


def test_dump_of_another_process_is_skipped_and_said(recorded: Path) -> None:
    stray = recorded / str(DumpName(4, NOW_NS))
    write_dump(stray, tiny_snapshot(start_ticks=5))

    recording = load_recording(recorded)

    assert len(recording.snapshots) == 3
    assert [skipped.path for skipped in recording.skipped] == [stray]
    assert "another process" in recording.skipped[0].reason


def test_recording_without_its_information_is_of_its_first_dump(recorded: Path) -> None:
    (recorded / "recording.json").unlink()
    write_dump(recorded / str(DumpName(4, NOW_NS)), tiny_snapshot(start_ticks=5))

    recording = load_recording(recorded)

    assert len(recording.snapshots) == 3
    assert recording.interval_ns is None


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "snapshotter.recording/2"}', "[" * 10_000])
def test_senseless_information_is_said_and_the_dumps_are_read(recorded: Path, text: str) -> None:
    (recorded / "recording.json").write_text(text)

    recording = load_recording(recorded)

    assert len(recording.snapshots) == 3
    assert recording.skipped[0].path.name == "recording.json"


@pytest.mark.parametrize("text", ["{}", "[]", '{"schema": "snapshotter.recording/1"}'])
def test_information_that_lacks_its_fields_is_told_in_words(recorded: Path, text: str) -> None:
    (recorded / "recording.json").write_text(text)

    (skipped,) = load_recording(recorded).skipped
    assert skipped.reason.endswith("/recording.json cannot be read: its fields make no sense.")


def test_other_files_are_ignored(recorded: Path) -> None:
    (recorded / "notes.msgpack").write_text("mine")

    assert load_recording(recorded).skipped == ()


def test_directory_without_dumps_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        load(tmp_path)
    assert caught.value.slug == "empty-recording"


def test_recording_of_which_nothing_can_be_read_is_refused(recorded: Path) -> None:
    for path in dumps(recorded):
        path.write_bytes(b"")

    with pytest.raises(UnreadableFileError, match="None of the 3 files") as caught:
        load(recorded)
    assert "is empty" in caught.value.message


def test_recording_whose_only_dump_cannot_be_read_is_refused(recorded: Path) -> None:
    first, *others = dumps(recorded)
    first.write_bytes(b"")
    for path in others:
        path.unlink()

    with pytest.raises(UnreadableFileError, match=r"The only file in .* cannot be read\. .* empty"):
        load(recorded)


def test_empty_dump_says_what_to_do(recorded: Path) -> None:
    (dump, *_) = dumps(recorded)
    dump.write_bytes(b"")

    with pytest.raises(UnreadableFileError) as caught:
        load(dump)
    assert caught.value.slug == "torn"
    assert "copy it again" in caught.value.hint


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        load(tmp_path / "dump.msgpack")
    assert caught.value.slug == "no-such-file"


def test_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dump.msgpack")

    with pytest.raises(UnreadableFileError, match="not a plain file"):
        load_dump(tmp_path / "dump.msgpack")


def test_predecessors_are_the_dumps_before_the_nearest_first(recorded: Path) -> None:
    first, second, third = dumps(recorded)

    assert predecessors(third) == (second, first)
    assert predecessors(second) == (first,)
    assert predecessors(first) == ()
    assert predecessors(recorded / "notes.msgpack") == ()
    assert predecessors(recorded / "gone" / second.name) == ()
