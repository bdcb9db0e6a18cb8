"""A file is there whole or not at all, for us only, and nothing of others is touched."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from snapshotter.errors import StorageError, UnreadableFileError, UsageError
from snapshotter.model import Missed, MissedReason
from snapshotter.store import writer as writer_module
from snapshotter.store.atomic import atomic_file, storage_error
from snapshotter.store.info import RecordingInfo, read_info
from snapshotter.store.names import unfinished_name
from snapshotter.store.reader import load_dump, load_recording
from snapshotter.store.retention import FreeSpace, Retention
from snapshotter.store.writer import RecordingWriter, write_dump
from tests.support.synthetic import NOW_NS, process, tiny_snapshot

DIGITS = "0123456789abcdef"


@pytest.fixture(autouse=True)
def roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "free_space", lambda _: FreeSpace(10**12, 10**12))


def info(pid: int = 4121, start_ticks: int = 998) -> RecordingInfo:
    return RecordingInfo.of(
        process(pid, start_ticks),
        started_at_ns=NOW_NS,
        interval_ns=30_000_000_000,
        options={"locals": "app", "every": 30},
        tool="0.1.0",
    )


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


class TestWriteDump:
    def test_returns_the_size_of_a_private_file(self, tmp_path: Path) -> None:
        path = tmp_path / "dump.msgpack"

        assert write_dump(path, tiny_snapshot()) == path.stat().st_size
        assert mode(path) == 0o600
        assert names(tmp_path) == ["dump.msgpack"]
        assert load_dump(path) == tiny_snapshot()

    def test_existing_file_needs_overwrite(self, tmp_path: Path) -> None:
        path = tmp_path / "dump.msgpack"
        path.write_text("precious")

        with pytest.raises(UsageError) as caught:
            write_dump(path, tiny_snapshot())

        assert path.read_text() == "precious"
        assert "--force" in caught.value.hint
        write_dump(path, tiny_snapshot(), overwrite=True)
        assert load_dump(path) == tiny_snapshot()

    def test_file_that_appears_meanwhile_is_not_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "dump.msgpack"

        with pytest.raises(UsageError), atomic_file(path):
            path.write_text("theirs")

        assert path.read_text() == "theirs"
        assert names(tmp_path) == ["dump.msgpack"]

    def test_device_is_never_replaced(self) -> None:
        with pytest.raises(UsageError, match="not a plain file"):
            write_dump(Path(os.devnull), tiny_snapshot(), overwrite=True)

    def test_file_system_without_hard_links_gets_a_rename(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_path: Path, _target: Path) -> None:
            raise OSError(errno.EOPNOTSUPP, "no links here")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        write_dump(tmp_path / "dump.msgpack", tiny_snapshot())

        assert names(tmp_path) == ["dump.msgpack"]

    def test_failure_leaves_no_file_and_keeps_the_old_one(self, tmp_path: Path) -> None:
        path = tmp_path / "out.json"
        path.write_text("old")

        with (
            pytest.raises(ZeroDivisionError),
            atomic_file(path, overwrite=True) as stream,
        ):
            stream.write(bytes(1 // 0))

        assert path.read_text() == "old"
        assert names(tmp_path) == ["out.json"]

    def test_leftover_of_a_killed_writer_goes_after_an_hour(self, tmp_path: Path) -> None:
        ours, fresh = (
            tmp_path / unfinished_name("dump.msgpack", token) for token in (DIGITS, DIGITS[::-1])
        )
        foreign = tmp_path / ".tmp-dump.msgpack-notes"
        for path in (ours, fresh, foreign):
            path.touch()
        os.utime(ours, (0, 0))
        os.utime(foreign, (0, 0))

        write_dump(tmp_path / "dump.msgpack", tiny_snapshot())

        assert names(tmp_path) == sorted([fresh.name, foreign.name, "dump.msgpack"])

    @pytest.mark.parametrize(
        ("place", "slug"),
        [
            ("missing/dump.msgpack", "no-such-directory"),
            ("file/dump.msgpack", "not-a-directory"),
            ("/proc/dump.msgpack", "not-writable"),
        ],
    )
    def test_place_that_cannot_be_written_is_explained(
        self, tmp_path: Path, place: str, slug: str
    ) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(StorageError) as caught:
            write_dump(tmp_path / place, tiny_snapshot())

        assert caught.value.slug == slug

    def test_full_disk_leaves_no_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="the disk is full") as caught:
            write_dump(tmp_path / "dump.msgpack", tiny_snapshot())

        assert caught.value.slug == "disk-full"
        assert names(tmp_path) == []

    @pytest.mark.parametrize(
        ("number", "slug"),
        [
            (errno.EROFS, "read-only"),
            (errno.EACCES, "not-writable"),
            (errno.EDQUOT, "disk-full"),
            (errno.EFBIG, "file-too-large"),
            (errno.EIO, "io-error"),
            (errno.ENAMETOOLONG, "name-too-long"),
            (errno.EMFILE, "too-many-files"),
            (errno.ELOOP, "storage"),
        ],
    )
    def test_each_reason_has_its_slug(self, number: int, slug: str) -> None:
        error = storage_error(Path("x"), OSError(number, os.strerror(number)))

        assert error.slug == slug
        assert error.message.startswith("x was not written: ")


class TestRecordingWriter:
    def test_directory_is_private_and_its_names_sort_by_time(self, tmp_path: Path) -> None:
        directory = tmp_path / "new" / "orders-4121"
        with RecordingWriter.create(directory, info()) as writer:
            paths = [writer.append(tiny_snapshot(after_s=30 * tick)) for tick in range(3)]

        assert [mode(part) for part in (directory, directory.parent)] == [0o700, 0o700]
        assert {mode(path) for path in directory.iterdir()} == {0o600}
        assert paths[0].name == "000001-20261119T091503.003Z.msgpack"
        assert sorted(paths) == paths
        assert names(directory) == [*(path.name for path in paths), "recording.json"]

    def test_information_comes_back(self, tmp_path: Path) -> None:
        with RecordingWriter.create(tmp_path, info()) as writer:
            writer.append(tiny_snapshot())
            writer.miss(Missed(NOW_NS, 2, MissedReason.OVERRUN))
            writer.finish("The target exited.")

        again = read_info(tmp_path)

        assert again is not None
        assert again.target == info().target
        assert again.options == {"locals": "app", "every": 30}
        assert again.missed == (Missed(NOW_NS, 2, MissedReason.OVERRUN),)
        assert again.ended == "The target exited."

    def test_misses_in_a_row_for_one_reason_are_one_entry(self, tmp_path: Path) -> None:
        overrun = Missed(NOW_NS, 1, MissedReason.OVERRUN)
        with RecordingWriter.create(tmp_path, info()) as writer:
            writer.miss(overrun)
            writer.miss(Missed(NOW_NS + 1, 2, MissedReason.OVERRUN))
            writer.miss(Missed(NOW_NS + 2, 1, MissedReason.FAILED, "It ended."))
            writer.append(tiny_snapshot())
            writer.miss(Missed(NOW_NS + 3, 1, MissedReason.FAILED, "It ended."))

            assert [missed.count for missed in writer.info.missed] == [3, 1, 1]

    def test_recording_of_nothing_leaves_nothing(self, tmp_path: Path) -> None:
        RecordingWriter.create(tmp_path / "new", info()).finish("The target exited.")
        with RecordingWriter.create(tmp_path / "late", info()) as writer:
            writer.miss(Missed(NOW_NS, 1, MissedReason.STALL))
            writer.finish("The target exited.")

        assert names(tmp_path) == []

    def test_recording_that_failed_each_time_says_why(self, tmp_path: Path) -> None:
        with RecordingWriter.create(tmp_path / "new", info()) as writer:
            writer.miss(Missed(NOW_NS, 1, MissedReason.FAILED, "It was torn."))
            writer.finish("The target exited.")

        assert names(tmp_path / "new") == ["recording.json"]

    def test_recording_of_nothing_leaves_what_was_there(self, tmp_path: Path) -> None:
        with RecordingWriter.create(tmp_path / "new", info()) as writer:
            (tmp_path / "new/notes.txt").touch()
            writer.finish("The target exited.")
        (tmp_path / "theirs").mkdir()
        RecordingWriter.create(tmp_path / "theirs", info()).finish("The target exited.")

        assert names(tmp_path) == ["new", "theirs"]
        assert names(tmp_path / "new") == ["notes.txt"]
        assert names(tmp_path / "theirs") == []

    def test_same_incarnation_continues_the_sequence(self, tmp_path: Path) -> None:
        with RecordingWriter.create(tmp_path, info()) as writer:
            writer.append(tiny_snapshot())
            writer.miss(Missed(NOW_NS, 1, MissedReason.STALL))
            writer.finish("Interrupted.")
        with RecordingWriter.create(tmp_path, info()) as writer:
            path = writer.append(tiny_snapshot(after_s=60))

            assert path.name.startswith("000002-")
            assert writer.info.ended is None
            assert writer.info.missed == (Missed(NOW_NS, 1, MissedReason.STALL),)

    def test_another_incarnation_is_refused(self, tmp_path: Path) -> None:
        RecordingWriter.create(tmp_path, info()).close()

        with pytest.raises(UsageError, match="recording of another process"):
            RecordingWriter.create(tmp_path, info(start_ticks=999))

    def test_snapshot_of_another_process_is_refused(self, tmp_path: Path) -> None:
        with (
            RecordingWriter.create(tmp_path, info()) as writer,
            pytest.raises(UsageError, match="is not of the process"),
        ):
            writer.append(tiny_snapshot(pid=5))

    def test_many_missed_ticks_in_a_row_are_written_now_and_then(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def counts() -> int:
            earlier = read_info(tmp_path)
            return sum(missed.count for missed in earlier.missed) if earlier else 0

        written: list[int] = []
        write = writer_module.write_info
        monkeypatch.setattr(
            writer_module, "write_info", lambda *what: (write(*what), written.append(counts()))
        )
        with RecordingWriter.create(tmp_path, info()) as writer:
            written.clear()
            for tick in range(200):
                due_ns = NOW_NS + tick * 100_000_000
                writer.miss(Missed(due_ns, 1, MissedReason.OVERRUN))
            assert written == [1, 101]
            writer.append(tiny_snapshot())
            assert written == [1, 101, 200]
            writer.append(tiny_snapshot(after_s=1))
            writer.miss(Missed(NOW_NS, 1, MissedReason.OVERRUN))
            writer.miss(Missed(NOW_NS, 1, MissedReason.OVERRUN))
            writer.finish("That is all.")
        assert counts() == 202

    @pytest.mark.parametrize("name", ["file", "file/below", "file/below/that"])
    def test_file_where_a_directory_should_be_is_told_as_such(
        self, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="is not a directory") as caught:
            RecordingWriter.create(tmp_path / name, info())
        assert caught.value.slug == "not-a-directory"

    def test_directory_with_other_files_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").touch()

        with pytest.raises(UsageError, match="not a recording"):
            RecordingWriter.create(tmp_path, info())
        assert names(tmp_path) == ["thesis.tex"]

    def test_senseless_information_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "recording.json").write_text("{}")

        with pytest.raises(UnreadableFileError) as caught:
            RecordingWriter.create(tmp_path, info())
        assert caught.value.slug == "recording-info"

    def test_second_writer_is_kept_out_until_the_first_is_done(self, tmp_path: Path) -> None:
        with (
            RecordingWriter.create(tmp_path, info()),
            pytest.raises(UsageError, match="Another snapshotter is recording"),
        ):
            RecordingWriter.create(tmp_path, info())
        RecordingWriter.create(tmp_path, info()).close()

    def test_leftovers_of_ours_go_and_foreign_files_stay(self, tmp_path: Path) -> None:
        with RecordingWriter.create(tmp_path, info()) as writer:
            dump = writer.append(tiny_snapshot())
        (tmp_path / unfinished_name(dump.name, DIGITS)).touch()
        (tmp_path / unfinished_name("recording.json", DIGITS)).touch()
        (tmp_path / ".tmp-mine").touch()
        (tmp_path / "notes.msgpack").touch()

        RecordingWriter.create(tmp_path, info()).close()

        assert names(tmp_path) == [".tmp-mine", dump.name, "notes.msgpack", "recording.json"]

    def test_directory_that_was_renamed_is_told_as_such(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def free_space(directory: Path) -> FreeSpace:
            os.statvfs(directory)
            return FreeSpace(10**12, 10**12)

        monkeypatch.setattr(writer_module, "free_space", free_space)
        with RecordingWriter.create(tmp_path / "here", info()) as writer:
            writer.append(tiny_snapshot())
            (tmp_path / "here").rename(tmp_path / "there")
            with pytest.raises(StorageError, match="somebody removed or renamed it") as caught:
                writer.append(tiny_snapshot(after_s=1))
        assert caught.value.slug == "recording-removed"

    def test_retention_removes_old_dumps_and_nothing_else(self, tmp_path: Path) -> None:
        keep = Retention(keep_ns=60_000_000_000, max_bytes=None)
        with RecordingWriter.create(tmp_path, info(), retention=keep) as writer:
            (tmp_path / "notes.txt").touch()
            paths = [writer.append(tiny_snapshot(after_s=30 * tick)) for tick in range(5)]

        left = [path.name for path in paths[2:]]
        assert names(tmp_path) == [*left, "notes.txt", "recording.json"]

    @pytest.mark.parametrize("by_s", [-86_400, 86_400])
    def test_a_clock_that_is_set_makes_no_dump_old(self, tmp_path: Path, by_s: int) -> None:
        keep = Retention(keep_ns=90_000_000_000, max_bytes=None)
        with RecordingWriter.create(tmp_path, info(), retention=keep) as writer:
            paths = []
            for tick in range(5):
                taken = tiny_snapshot(after_s=30 * tick)
                set_ns = by_s * 1_000_000_000 if tick >= 2 else 0
                paths.append(
                    writer.append(replace(taken, captured_at_ns=taken.captured_at_ns + set_ns))
                )

        assert [path.exists() for path in paths] == [False, True, True, True, True]

    def test_dumps_of_an_earlier_run_count_for_retention(self, tmp_path: Path) -> None:
        with RecordingWriter.create(tmp_path, info()) as writer:
            old = writer.append(tiny_snapshot())
        keep = Retention(keep_ns=1, max_bytes=None)
        with RecordingWriter.create(tmp_path, info(), retention=keep) as writer:
            writer.append(tiny_snapshot(after_s=30))

        assert not old.exists()

    def test_low_disk_stops_the_writing_and_keeps_what_is_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RecordingWriter.create(tmp_path, info()) as writer:
            writer.append(tiny_snapshot())
            monkeypatch.setattr(writer_module, "free_space", lambda _: FreeSpace(1, 10**12))
            with pytest.raises(StorageError, match=r"Only 0 MB \(0 %\)") as caught:
                writer.append(tiny_snapshot(after_s=30))
            monkeypatch.setattr(writer_module, "free_space", lambda _: FreeSpace(10**12, 10**12))
            writer.append(tiny_snapshot(after_s=60))

        assert caught.value.slug == "low-disk-space"
        assert len(load_recording(tmp_path).snapshots) == 2

    def test_failed_write_loses_no_number(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(_descriptor: int) -> None:
            raise OSError(errno.EIO, "I/O error")

        with RecordingWriter.create(tmp_path, info()) as writer:
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", broken)
                with pytest.raises(StorageError):
                    writer.append(tiny_snapshot())
            assert writer.append(tiny_snapshot()).name.startswith("000001-")


_ENDLESS = """
import sys
from dataclasses import replace
from pathlib import Path
from snapshotter.store import writer
from snapshotter.store.retention import FreeSpace
from tests.support.synthetic import NOW_NS, busy_snapshot, process
writer.free_space = lambda _: FreeSpace(10**12, 10**12)
info = writer.RecordingInfo.of(process(), started_at_ns=NOW_NS)
snapshot = busy_snapshot(threads=20)
with writer.RecordingWriter.create(Path(sys.argv[1]), info) as recording:
    while True:
        print(recording.append(snapshot).name, flush=True)
"""


@pytest.mark.parametrize("rounds", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_kill_in_the_middle_loses_nothing_that_was_written(tmp_path: Path, rounds: int) -> None:
    told: list[str] = []
    for number in range(rounds):
        with subprocess.Popen(
            [sys.executable, "-c", _ENDLESS, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            told += [child.stdout.readline().strip() for _ in range(1 + number % 7)]
            child.send_signal(signal.SIGKILL)
            told += child.stdout.read().split()

        assert load_recording(tmp_path, last=10).skipped == ()
        assert set(told) <= set(names(tmp_path))
    recording = load_recording(tmp_path)

    assert recording.skipped == ()
    assert len(recording.snapshots) >= len(told)


class TestPrivacy:
    @pytest.mark.parametrize("bits", [0o770, 0o757, 0o777, 0o1777])
    def test_directory_that_others_can_write_into_is_refused(
        self, tmp_path: Path, bits: int
    ) -> None:
        directory = tmp_path / "recording"
        directory.mkdir()
        directory.chmod(bits)

        with pytest.raises(UsageError) as error:
            RecordingWriter.create(directory, info())
        assert error.value.slug == "unsafe-directory"
        assert error.value.hint.endswith(f"chmod go-w {directory}")
        assert names(directory) == []
        directory.chmod(0o700)
        RecordingWriter.create(directory, info()).close()

    def test_recording_that_others_were_let_into_is_not_continued(self, tmp_path: Path) -> None:
        RecordingWriter.create(tmp_path / "recording", info()).close()
        (tmp_path / "recording").chmod(0o720)

        with pytest.raises(UsageError, match="Others can write into"):
            RecordingWriter.create(tmp_path / "recording", info())

    def test_place_where_everybody_can_replace_it_is_refused(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o777)

        with pytest.raises(UsageError, match="Everybody can replace"):
            RecordingWriter.create(shared / "one" / "recording", info())
        assert names(shared) == []
        shared.chmod(0o1777)
        RecordingWriter.create(shared / "one" / "recording", info()).close()
        assert mode(shared / "one") == 0o700

    @pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory away")
    def test_directory_of_somebody_else_is_refused(self, tmp_path: Path) -> None:
        directory = tmp_path / "recording"
        directory.mkdir(mode=0o700)
        os.chown(directory, 65534, 65534)

        with pytest.raises(UsageError, match="belongs to user 65534"):
            RecordingWriter.create(directory, info())
        assert names(directory) == []
