import errno
from collections import deque

import pytest

from snapshotter.record.events import SnapshotTaken, Stopped, TargetEnded, TickMissed, Waiting
from snapshotter.record.fleet import Fleet, Limits, Newcomers
from snapshotter.record.recorder import Recorder
from snapshotter.record.schedule import Schedule
from snapshotter.record.stop import StopReason
from tests.support.recording import SECOND, FakeClock, FakeObserved, FakeStop, FakeWriter


class Bench:
    def __init__(self, *pids: int) -> None:
        self.clock = FakeClock()
        self.stop = FakeStop()
        self.start_ns = self.clock.now_ns
        self.observed: dict[int, FakeObserved] = {}
        self.writers: dict[int, FakeWriter] = {}
        self.recorders = [self.add(pid) for pid in pids]

    def add(self, pid: int) -> Recorder:
        self.observed[pid] = FakeObserved(self.clock, pid=pid)
        self.writers[pid] = FakeWriter()
        schedule = Schedule(self.clock, self.clock.now_ns, interval_ns=10 * SECOND)
        return Recorder(self.observed[pid], self.writers[pid], schedule=schedule, clock=self.clock)

    def fleet(
        self,
        *,
        count: int | None = None,
        for_s: float | None = None,
        newcomers: Newcomers | None = None,
    ) -> Fleet:
        until_ns = None if for_s is None else self.start_ns + int(for_s * SECOND)
        limits = Limits(count=count, until_ns=until_ns)
        return Fleet(
            self.recorders, clock=self.clock, stop=self.stop, limits=limits, newcomers=newcomers
        )

    def captured_s(self, pid: int) -> list[float]:
        return [(at - self.start_ns) / SECOND for at in self.observed[pid].captured_at]


def test_a_count_ends_the_recording_without_waiting_for_the_next_tick() -> None:
    bench = Bench(1)
    events = list(bench.fleet(count=3).events())
    assert [type(event) for event in events if not isinstance(event, Waiting)] == [
        SnapshotTaken,
        SnapshotTaken,
        SnapshotTaken,
        Stopped,
    ]
    assert bench.captured_s(1) == [0, 10, 20]
    assert bench.writers[1].reasons == [StopReason.COUNT]
    assert bench.clock.now_ns < bench.start_ns + 21 * SECOND


def test_a_duration_ends_the_recording_at_its_time() -> None:
    bench = Bench(1)
    events = list(bench.fleet(for_s=25).events())
    assert events[-1] == Stopped(StopReason.DURATION)
    assert bench.captured_s(1) == [0, 10, 20]
    assert bench.clock.now_ns == bench.start_ns + 25 * SECOND


def test_a_signal_during_the_sleep_ends_the_recording_before_the_next_tick() -> None:
    bench = Bench(1)
    bench.clock.while_asleep = [lambda: None, lambda: bench.stop.set(StopReason.TERMINATE)]
    events = list(bench.fleet().events())
    assert events[-1] == Stopped(StopReason.TERMINATE)
    assert bench.captured_s(1) == [0]
    assert bench.writers[1].reasons == [StopReason.TERMINATE]
    assert bench.observed[1].closed == 1


def test_the_next_due_time_is_announced_before_each_sleep() -> None:
    bench = Bench(1)
    events = list(bench.fleet(count=2).events())
    waiting = [event for event in events if isinstance(event, Waiting)]
    assert waiting == [
        Waiting(1, bench.start_ns),
        Waiting(1, bench.start_ns + 10 * SECOND),
    ]


def test_the_end_of_the_target_is_told_at_once_and_ends_the_loop() -> None:
    bench = Bench(1)

    def die() -> None:
        bench.observed[1].end_reason = "process 1 exited"
        bench.stop.gone.append(1)

    bench.clock.while_asleep = [lambda: None, die]
    events = list(bench.fleet().events())
    assert events[-1] == TargetEnded(1, "process 1 exited")
    assert bench.captured_s(1) == [0]
    assert bench.stop.watched == set()


def test_several_processes_are_taken_one_after_the_other() -> None:
    bench = Bench(1, 2, 3)
    list(bench.fleet(count=2).events())
    assert bench.captured_s(1) == [0, 10]
    assert bench.captured_s(2) == [0.01, 10.01]
    assert bench.captured_s(3) == [0.02, 10.02]


def test_a_slow_process_does_not_make_its_neighbours_pile_up() -> None:
    bench = Bench(1, 2)
    bench.observed[1].cost_s = 8
    events = list(bench.fleet(for_s=35).events())
    missed = [event for event in events if isinstance(event, TickMissed)]
    assert {event.pid for event in missed} == {2}
    assert all(event.missed.reason == "overrun" for event in missed)


def test_the_others_go_on_when_one_ends() -> None:
    bench = Bench(1, 2)
    bench.observed[1].end_reason = "process 1 exited"
    events = list(bench.fleet(count=2).events())
    assert TargetEnded(1, "process 1 exited") in events
    assert bench.captured_s(2) == [0, 10]
    assert events[-1] == Stopped(StopReason.COUNT)


def test_a_second_interrupt_in_the_middle_of_a_dump_still_closes_everything() -> None:
    bench = Bench(1, 2)

    def interrupt() -> None:
        raise KeyboardInterrupt

    bench.observed[2].capture = interrupt  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt), bench.fleet() as fleet:
        list(fleet.events())
    assert [bench.observed[pid].closed for pid in (1, 2)] == [1, 1]
    assert [bench.writers[pid].reasons for pid in (1, 2)] == [[StopReason.INTERRUPT]] * 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BrokenPipeError(), StopReason.READER_GONE),
        (OSError(errno.ENOSPC, "No space left on device"), StopReason.OUTPUT_FULL),
    ],
)
def test_an_output_that_takes_no_more_closes_everything(error: OSError, reason: StopReason) -> None:
    bench = Bench(1)

    def read_one() -> None:
        with bench.fleet() as fleet:
            next(event for event in fleet.events() if isinstance(event, SnapshotTaken))
            raise error

    with pytest.raises(type(error)):
        read_one()
    assert bench.observed[1].closed == 1
    assert bench.writers[1].reasons == [reason]


def test_recordings_that_never_began_are_closed_too() -> None:
    bench = Bench(1)
    with bench.fleet():
        pass
    assert bench.observed[1].closed == 1


def test_one_that_cannot_be_closed_does_not_keep_the_others_open() -> None:
    bench = Bench(1, 2)

    def refuse() -> None:
        raise OSError

    bench.observed[1].close = refuse  # type: ignore[method-assign]
    with pytest.raises(OSError), bench.fleet(for_s=5) as fleet:  # noqa: PT011
        list(fleet.events())
    assert bench.observed[2].closed == 1


class Later:
    """Newcomers that come at given looks."""

    interval_ns = 5 * SECOND

    def __init__(self, bench: Bench, *looks: list[int]) -> None:
        self.bench = bench
        self.looks = deque(looks)
        self.forgotten: list[int] = []

    def join(self) -> list[Recorder]:
        return [self.bench.add(pid) for pid in (self.looks.popleft() if self.looks else [])]

    def forget(self, pid: int) -> None:
        self.forgotten.append(pid)

    def over(self) -> bool:
        return not self.looks


def test_only_of_an_ended_process_can_the_number_come_again() -> None:
    bench = Bench(1, 2)
    bench.observed[1].end_reason = "process 1 became another program"
    newcomers = Endless(bench, [], [], [1])
    list(bench.fleet(for_s=28, newcomers=newcomers).events())
    assert newcomers.forgotten == [1]
    assert bench.captured_s(1)[0] == pytest.approx(15, abs=5.1)
    counted = Endless(bench)
    list(bench.fleet(count=1, newcomers=counted).events())
    assert counted.forgotten == []


def test_newcomers_are_followed() -> None:
    bench = Bench(1)
    list(bench.fleet(for_s=18, newcomers=Later(bench, [], [2], [3])).events())
    assert bench.captured_s(1) == [0, 10]
    assert bench.captured_s(2)[0] == pytest.approx(5, abs=0.1)
    assert bench.captured_s(3)[0] == pytest.approx(10, abs=0.1)


class Endless(Later):
    """Newcomers that may always come."""

    def over(self) -> bool:
        return False


def test_a_count_ends_the_recording_though_somebody_could_still_come() -> None:
    bench = Bench(1)
    newcomers = Endless(bench, [], [2], [], [], [3], [4])
    events = list(bench.fleet(count=2, newcomers=newcomers).events())
    assert bench.captured_s(1) == [0, 10]
    assert len(bench.captured_s(2)) == 2
    assert bench.observed.keys() == {1, 2}
    assert events[-1] == Stopped(StopReason.COUNT)


def test_a_count_ends_with_the_last_process_that_ended() -> None:
    bench = Bench(1)
    bench.observed[1].end_reason = "process 1 exited"
    events = list(bench.fleet(count=2, newcomers=Endless(bench)).events())
    assert events[-1] == TargetEnded(1, "process 1 exited")


def test_the_loop_waits_for_newcomers_when_nobody_is_left() -> None:
    bench = Bench(1)
    bench.observed[1].end_reason = "process 1 exited"
    newcomers = Later(bench, [], [], [], [2])
    list(bench.fleet(for_s=30, newcomers=newcomers).events())
    assert len(bench.captured_s(2)) >= 1
