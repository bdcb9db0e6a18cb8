"""Time, targets and disks that a test holds in its hand."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from snapshotter.model import Capture, ProcessInfo, Snapshot, View

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.errors import SnapshotterError
    from snapshotter.model import Missed
    from snapshotter.record.stop import StopReason

SECOND = 1_000_000_000


@dataclass
class FakeClock:
    """Sleeps in no time. ``oversleep`` holds by how much each next sleep is too long."""

    now_ns: int = 1_000 * SECOND
    wall_offset_ns: int = 1_800_000_000 * SECOND
    oversleep: deque[int] = field(default_factory=deque)
    sleeps: list[int] = field(default_factory=list)
    while_asleep: list[Callable[[], None]] = field(default_factory=list)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.now_ns + self.wall_offset_ns

    def sleep_until(self, deadline_ns: int, wake: int | None = None) -> None:  # noqa: ARG002
        self.sleeps.append(deadline_ns)
        if self.while_asleep:
            self.while_asleep.pop(0)()
        late_ns = self.oversleep.popleft() if self.oversleep else 0
        self.now_ns = max(self.now_ns, deadline_ns + late_ns)

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND)


class FakeStop:
    """A stop token without signals and descriptors."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self.watched: set[int] = set()
        self.gone: list[int] = []

    def set(self, reason: StopReason) -> None:
        self.reason = self.reason or reason

    def fileno(self) -> int:
        return -1

    def wake_on_end(self, pid: int) -> None:
        self.watched.add(pid)

    def forget(self, pid: int) -> None:
        self.watched.discard(pid)

    def ended(self) -> tuple[int, ...]:
        pids, self.gone = tuple(self.gone), []
        return pids


def process_info(pid: int = 4121) -> ProcessInfo:
    return ProcessInfo(
        pid=pid,
        start_time_ns=1_799_999_000 * SECOND,
        uid=1000,
        python="3.14.8",
        executable="/usr/bin/python3.14",
        cmdline=("python3.14", "orders.py"),
    )


def snapshot(pid: int = 4121, *, at_ns: int = 1_800_001_000 * SECOND) -> Snapshot:
    return Snapshot(
        captured_at_ns=at_ns,
        monotonic_ns=1_000 * SECOND,
        process=process_info(pid),
        capture=Capture(views=(View.OUTSIDE,), complete=True),
        threads=(),
    )


class FakeObserved:
    """A target that takes ``cost_s`` for each snapshot; ``scripted`` errors come first."""

    def __init__(self, clock: FakeClock, *, pid: int = 4121, cost_s: float = 0.01) -> None:
        self.process = process_info(pid)
        self.clock = clock
        self.cost_s = cost_s
        self.scripted: deque[SnapshotterError | None] = deque()
        self.end_reason: str | None = None
        self.closed = 0
        self.captured_at: list[int] = []

    def capture(self) -> Snapshot:
        self.captured_at.append(self.clock.now_ns)
        self.clock.pass_s(self.cost_s)
        error = self.scripted.popleft() if self.scripted else None
        if error is not None:
            raise error
        return snapshot(self.process.pid, at_ns=self.clock.wall_ns())

    def ended(self) -> str | None:
        return self.end_reason

    def close(self) -> None:
        self.closed += 1


class FakeWriter:
    """Keeps in memory what it was given; ``trouble`` is raised for as long as it is set."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.missed: list[Missed] = []
        self.reasons: list[str] = []
        self.trouble: SnapshotterError | None = None

    def append(self, snapshot: Snapshot) -> Path:
        if self.trouble is not None:
            raise self.trouble
        self.snapshots.append(snapshot)
        return Path(f"{len(self.snapshots):06}.msgpack")

    def miss(self, missed: Missed) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.missed.append(missed)

    def finish(self, reason: str) -> None:
        self.reasons.append(reason)
