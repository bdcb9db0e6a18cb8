import pytest

from snapshotter.errors import (
    NoSnapshotError,
    ProcessEndedError,
    StorageError,
    TooManyFilesError,
)
from snapshotter.model import Missed, MissedReason
from snapshotter.record.events import (
    Event,
    SnapshotTaken,
    StorageRestored,
    StorageTrouble,
    TargetEnded,
    TickMissed,
)
from snapshotter.record.recorder import Recorder
from snapshotter.record.schedule import Schedule
from tests.support.recording import SECOND, FakeClock, FakeObserved, FakeWriter


class Bench:
    """A recorder with everything around it, ticked by hand."""

    def __init__(self, interval_s: float = 10) -> None:
        self.clock = FakeClock()
        self.start_ns = self.clock.now_ns
        self.start_wall_ns = self.clock.wall_ns()
        self.observed = FakeObserved(self.clock)
        self.writer = FakeWriter()
        schedule = Schedule(self.clock, self.start_ns, interval_ns=int(interval_s * SECOND))
        self.recorder = Recorder(self.observed, self.writer, schedule=schedule, clock=self.clock)

    def tick(self, late_s: float = 0, busy_until_ns: int = 0) -> list[Event]:
        self.clock.now_ns = self.recorder.due_ns + int(late_s * SECOND)
        return list(self.recorder.tick(busy_until_ns))

    def wall(self, seconds: float) -> int:
        return self.start_wall_ns + int(seconds * SECOND)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_snapshot_carries_its_tick_and_its_lateness(bench: Bench) -> None:
    bench.tick()
    (event,) = bench.tick(late_s=0.25)
    assert isinstance(event, SnapshotTaken)
    tick = event.snapshot.tick
    assert tick is not None
    assert tick.sequence == 2
    assert tick.due_at_ns == bench.wall(10)
    assert tick.lateness_ns == SECOND // 4
    assert event.path is not None
    assert bench.writer.snapshots[1] == event.snapshot


def test_due_times_that_pass_while_a_snapshot_is_taken_are_overruns(bench: Bench) -> None:
    bench.observed.cost_s = 25
    taken, missed = bench.tick()
    assert isinstance(taken, SnapshotTaken)
    assert missed == TickMissed(4121, Missed(bench.wall(10), 2, MissedReason.OVERRUN))
    assert bench.writer.missed == [missed.missed]
    assert bench.recorder.due_ns == bench.start_ns + 30 * SECOND


def test_after_a_stall_there_is_no_burst(bench: Bench) -> None:
    bench.tick()
    (event,) = bench.tick(late_s=47)
    assert event == TickMissed(4121, Missed(bench.wall(10), 5, MissedReason.STALL))
    assert len(bench.observed.captured_at) == 1
    assert bench.recorder.due_ns == bench.start_ns + 60 * SECOND


def test_lateness_up_to_half_an_interval_is_taken(bench: Bench) -> None:
    bench.tick()
    assert isinstance(bench.tick(late_s=5)[0], SnapshotTaken)
    assert isinstance(bench.tick(late_s=5.001)[0], TickMissed)


def test_lateness_because_of_another_process_is_an_overrun_not_a_stall(bench: Bench) -> None:
    bench.tick()
    (event,) = bench.tick(late_s=8, busy_until_ns=bench.recorder.due_ns + 1)
    assert isinstance(event, TickMissed)
    assert event.missed.reason is MissedReason.OVERRUN


def test_a_failed_dump_is_a_missed_tick_with_its_sentence(bench: Bench) -> None:
    bench.observed.scripted.append(NoSnapshotError("the reply was cut off"))
    (event,) = bench.tick()
    assert event == TickMissed(
        4121, Missed(bench.wall(0), 1, MissedReason.FAILED, "the reply was cut off")
    )
    assert isinstance(bench.tick()[0], SnapshotTaken)


def test_a_process_of_which_nothing_can_be_told_is_missed_and_not_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> str | None:
        raise TooManyFilesError("Too many files are open.")

    bench.tick()
    with monkeypatch.context() as patch:
        patch.setattr(bench.observed, "ended", unknown)
        (missed,) = bench.tick()
        assert list(bench.recorder.check_ended()) == []
    assert missed == TickMissed(
        4121, Missed(bench.wall(10), 1, MissedReason.FAILED, "Too many files are open.")
    )
    (taken,) = bench.tick()
    assert isinstance(taken, SnapshotTaken)


def test_storage_trouble_is_told_once_and_watching_goes_on(bench: Bench) -> None:
    error = StorageError("4 % of the disk is free", slug="low-disk-space")
    bench.writer.trouble = error
    taken, missed, trouble = bench.tick()
    assert isinstance(taken, SnapshotTaken)
    assert taken.path is None
    assert isinstance(missed, TickMissed)
    assert missed.missed.reason is MissedReason.STORAGE
    assert trouble == StorageTrouble(4121, error)
    bench.writer.trouble = StorageError("3 % of the disk is free", slug="low-disk-space")
    assert [type(event) for event in bench.tick()] == [SnapshotTaken, TickMissed]
    bench.writer.trouble = None
    taken, restored = bench.tick()
    assert isinstance(taken, SnapshotTaken)
    assert taken.path is not None
    assert restored == StorageRestored(4121)


def test_the_end_of_the_target_ends_the_recording_in_order(bench: Bench) -> None:
    bench.tick()
    bench.observed.end_reason = "process 4121 exited"
    assert bench.tick() == [TargetEnded(4121, "process 4121 exited")]
    assert bench.recorder.ended
    assert bench.writer.reasons == ["process 4121 exited"]
    assert bench.observed.closed == 1
    bench.recorder.finish("later")
    assert bench.writer.reasons == ["process 4121 exited"]


def test_a_target_that_ends_during_the_dump_is_no_failure(bench: Bench) -> None:
    bench.observed.scripted.append(ProcessEndedError("process 4121 is gone"))
    assert bench.tick() == [TargetEnded(4121, "process 4121 is gone")]


def test_finishing_closes_and_notes_the_reason_once(bench: Bench) -> None:
    bench.tick()
    bench.recorder.finish("stopped")
    bench.recorder.finish("again")
    assert bench.writer.reasons == ["stopped"]
    assert bench.observed.closed == 1


def test_finishing_that_ctrl_c_cut_short_is_done_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(bench.observed, "close", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.recorder.finish("interrupted with Ctrl-C")
    bench.recorder.finish("interrupted with Ctrl-C")
    assert bench.observed.closed == 1


def test_the_end_of_the_target_stays_the_reason_when_ctrl_c_comes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.observed.end_reason = "Process 4121 exited."
    with monkeypatch.context() as patch:
        patch.setattr(bench.observed, "close", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.tick()
    bench.recorder.finish("interrupted with Ctrl-C")
    assert bench.observed.closed == 1
    assert set(bench.writer.reasons) == {"Process 4121 exited."}


def _interrupted() -> None:
    raise KeyboardInterrupt


def test_our_own_bug_is_not_swallowed(bench: Bench) -> None:
    bench.observed.capture = lambda: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        bench.tick()


def test_without_a_writer_snapshots_are_only_told() -> None:
    clock = FakeClock()
    schedule = Schedule(clock, clock.now_ns, interval_ns=SECOND)
    recorder = Recorder(FakeObserved(clock), None, schedule=schedule, clock=clock)
    (event,) = recorder.tick(0)
    assert isinstance(event, SnapshotTaken)
    assert event.path is None
