import json
import os
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import snapshotter.record.capture
from snapshotter.cli import main
from snapshotter.errors import NoSuchProcessError, SnapshotterError, StorageError
from snapshotter.model import Snapshot, ValueLevel
from snapshotter.record.options import CaptureOptions, CarrierChoice
from snapshotter.store.decode import decode
from snapshotter.store.dump_file import write_dump
from snapshotter.store.reader import load_dump
from tests.support import samples

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Snap


class FakeObserver:
    """Stands in for the observer; keeps what it was asked for."""

    opened: list[tuple[int, CaptureOptions]]
    closed: int
    errors: dict[int, BaseException]

    @classmethod
    def open(cls, pid: int, options: CaptureOptions) -> FakeObserver:
        cls.opened.append((pid, options))
        if pid in cls.errors:
            raise cls.errors[pid]
        return cls()

    def capture(self) -> Snapshot:
        error = type(self).errors.get(-1)
        if error is not None:
            raise error
        return samples.snapshot()

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture(autouse=True)
def observer(monkeypatch: pytest.MonkeyPatch) -> type[FakeObserver]:
    FakeObserver.opened, FakeObserver.closed, FakeObserver.errors = [], 0, {}
    monkeypatch.setattr(snapshotter.record.capture, "Observer", FakeObserver)
    return FakeObserver


def test_a_dump_is_written_and_shown(snap: Snap, observer: type[FakeObserver]) -> None:
    outcome = snap("dump", 4121)
    assert outcome.code == 0
    assert load_dump(Path("dump.msgpack")) == samples.snapshot()
    assert stat.S_IMODE(Path("dump.msgpack").stat().st_mode) == 0o600
    assert "Pool.get" in outcome.out
    assert outcome.err.startswith("snap: wrote dump.msgpack (")
    assert observer.closed == 1


def test_without_options_the_careful_defaults_hold(
    snap: Snap, observer: type[FakeObserver]
) -> None:
    snap("dump", 4121)
    ((pid, options),) = observer.opened
    assert pid == 4121
    assert options == CaptureOptions()


def test_options_reach_the_capture(snap: Snap, observer: type[FakeObserver]) -> None:
    words = "--locals none --values shapes --var a.b:C.d --var e:F --max-pause 2ms --patience 3s"
    snap("dump", 1, *words.split(), "--carrier", "main", "--wait-inside", "10s")
    ((_, options),) = observer.opened
    assert options == CaptureOptions(
        locals="none",
        values=ValueLevel.SHAPES,
        variables=("a.b:C.d", "e:F"),
        max_pause_ns=2_000_000,
        patience_ns=3_000_000_000,
        carrier=CarrierChoice.MAIN,
        wait_inside_ns=10_000_000_000,
    )


def test_waiting_inside_comes_with_a_warning(snap: Snap) -> None:
    assert "a signal" in snap("dump", 1, "--wait-inside", "10s").err


def test_full_values_are_taken_when_confirmed(snap: Snap, observer: type[FakeObserver]) -> None:
    assert snap("dump", 1, "--values", "full").code == 2
    assert observer.opened == []
    assert snap("dump", 1, "--values", "full", "--yes").code == 0
    assert observer.opened[0][1].values is ValueLevel.FULL


def test_an_old_file_is_refused_before_anything_is_sent(
    snap: Snap, observer: type[FakeObserver], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("dump.msgpack").write_text("precious")
    with monkeypatch.context() as patched:
        patched.setattr(observer, "capture", lambda _: pytest.fail("it was asked"))
        outcome = snap("dump", 1)
    assert outcome.code == 2
    assert "dump.msgpack exists already." in outcome.err
    assert "--force, or name another file with -o" in outcome.err
    assert observer.closed == 1
    assert snap("dump", 1, "--force").code == 0
    assert load_dump(Path("dump.msgpack")) == samples.snapshot()


def test_a_process_that_is_not_there_is_told_before_an_old_file(
    snap: Snap, observer: type[FakeObserver]
) -> None:
    Path("dump.msgpack").write_text("precious")
    observer.errors[1] = NoSuchProcessError("There is no process 1.")
    outcome = snap("dump", 1)
    assert outcome.code == 3
    assert "exists already" not in outcome.err


@pytest.mark.parametrize("command", [("dump", 1), ("export", "x", "--format", "json")])
def test_a_file_in_no_directory_is_refused_before_anything_is_done(
    snap: Snap, observer: type[FakeObserver], command: tuple[object, ...]
) -> None:
    outcome = snap(*command, "-o", "missing/dump.msgpack")
    assert outcome.code == 2
    assert "missing/dump.msgpack cannot be written: its directory does not exist." in outcome.err
    assert "messages.md#no-such-directory" in outcome.err
    assert observer.opened == []


def test_a_file_below_a_file_is_not_told_to_make_a_directory_there(
    snap: Snap, observer: type[FakeObserver]
) -> None:
    Path("there").touch()
    outcome = snap("dump", 1, "-o", "there/deep/dump.msgpack")
    assert outcome.code == 2
    assert "there/deep/dump.msgpack cannot be written: there is not a directory." in outcome.err
    assert "mkdir" not in outcome.err
    assert "messages.md#not-a-directory" in outcome.err
    assert observer.opened == []


def test_a_directory_is_never_overwritten(snap: Snap) -> None:
    Path("there").mkdir()
    told = snap("dump", 1, "-o", "there", "--force").err
    assert "there is not a plain file." in told
    assert told.endswith("#not-a-file\n")


def test_several_processes_have_a_file_each(snap: Snap) -> None:
    assert snap("dump", 1, 2, 2).code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["dump-1.msgpack", "dump-2.msgpack"]


def test_one_that_fails_does_not_keep_the_others_from_being_taken(
    snap: Snap, observer: type[FakeObserver]
) -> None:
    observer.errors[2] = NoSuchProcessError("There is no process 2.")
    outcome = snap("dump", 1, 2, 3)
    assert outcome.code == 3
    assert "snap: There is no process 2.\n" in outcome.err
    assert [path.name for path in sorted(Path().iterdir())] == [
        "dump-1.msgpack",
        "dump-3.msgpack",
    ]


@pytest.mark.parametrize("error", [StorageError("Full."), KeyboardInterrupt(), OSError("oops")])
def test_the_observer_is_closed_whatever_happens(
    snap: Snap, observer: type[FakeObserver], error: BaseException
) -> None:
    observer.errors[-1] = error
    expected = error.exit_code if isinstance(error, SnapshotterError) else None
    code = snap("dump", 1).code
    assert code == (expected or {KeyboardInterrupt: 130, OSError: 70}[type(error)])
    assert observer.closed == 1
    assert list(Path().iterdir()) == []


def test_sigterm_during_the_capture_ends_in_order(
    snap: Snap, observer: type[FakeObserver], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(observer, "capture", lambda _: signal.raise_signal(signal.SIGTERM))
    outcome = snap("dump", 1)
    assert outcome.code == 130
    assert observer.closed == 1
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("at", ["fsync", "unlink"])
def test_a_signal_during_the_writing_leaves_no_half_file(
    snap: Snap, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, at: str
) -> None:
    done = getattr(os, at)
    raised: list[object] = []

    def interrupted(*args: object, **kwargs: object) -> None:
        if not raised:
            raised.append(args)
            signal.raise_signal(number)
        done(*args, **kwargs)

    monkeypatch.setattr(os, at, interrupted)
    assert snap("dump", 1).code == 130
    assert raised
    assert not [path for path in Path().iterdir() if path.name != "dump.msgpack"]
    Path("dump.msgpack").unlink(missing_ok=True)
    write_dump(Path("whole"), samples.snapshot())
    raised.clear()
    assert snap("export", "whole", "--format", "json", "-o", "out.json").code == 130
    assert raised
    assert not [path for path in Path().iterdir() if path.name not in {"whole", "out.json"}]


def test_the_help_says_what_ends_it(snap: Snap) -> None:
    for command in ("dump", "export"):
        assert "130  ended with Ctrl-C or SIGTERM\n" in snap(command, "--help").out
    assert "130  ended with Ctrl-C\n" in snap("watch", "--help").out
    assert "130  ended with Ctrl-C; a dump" in snap("--help").out


def test_json_is_one_line_per_process_and_writes_no_file(snap: Snap) -> None:
    outcome = snap("dump", 1, 2, "--json")
    assert outcome.code == 0
    assert [json.loads(line)["schema"] for line in outcome.out.splitlines()] == [
        "snapshotter.snapshot/1"
    ] * 2
    assert list(Path().iterdir()) == []


def test_json_with_a_file_does_both(snap: Snap) -> None:
    assert json.loads(snap("dump", 1, "--json", "-o", "x").out)
    assert load_dump(Path("x")) == samples.snapshot()


def test_a_dump_into_a_pipe_is_only_the_dump(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dump", "1", "-o", "-"]) == 0
    assert decode(capsysbinary.readouterr().out, name="stdout") == samples.snapshot()


def test_binary_is_not_written_to_a_terminal(snap: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapshotter.cli.output.is_terminal", lambda: True)
    outcome = snap("dump", 1, "-o", "-")
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Binary data is not written to a terminal." in outcome.err
