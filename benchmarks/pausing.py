"""The target whose pauses are measured, and what its threads felt during a window of time."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gaplog import GapLog
from benchmarks.harness import ROOT
from benchmarks.stats import gaps_within
from tests.support.targets import spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stats import Gap

__all__ = ["Look", "Pausing", "Shape", "pausing"]

_SETTLE_S = 0.02
_MAIN, _IO = 0, 1


@dataclass(frozen=True, slots=True)
class Shape:
    """Which target: parked threads, frames of each, GC objects, with or without an I/O thread."""

    name: str
    threads: int
    frames: int
    objects: int = 0
    has_io: bool = False
    limit_ms: float | None = None
    """The most that a busy main thread may feel, 95th percentile."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was felt during one window; nanoseconds."""

    gaps: tuple[Gap, ...]
    waited_for_cpu_ns: int
    """Time that the main thread was ready to run and the kernel ran something else."""
    wall_ns: int

    @property
    def sum_ns(self) -> int:
        """All gaps together."""
        return sum(gap.length_ns for gap in self.gaps)


@dataclass(slots=True)
class Pausing:
    """A running target of the pausing kind, with its gap log."""

    pid: int
    log: GapLog
    channel: int

    def window(self) -> _Window:
        """Begin to note gaps."""
        return _Window(self, self.log.written(self.channel), _run_delay_ns(self.pid))


@dataclass(frozen=True, slots=True)
class _Window:
    target: Pausing
    first: int
    delay_ns: int

    def close(self, start_ns: int, end_ns: int) -> Look:
        """Return what was felt from ``start_ns`` to ``end_ns``."""
        waited_ns = _run_delay_ns(self.target.pid) - self.delay_ns
        time.sleep(_SETTLE_S)  # a gap is written when it is over
        log = self.target.log
        gaps = gaps_within(log.read(self.target.channel, self.first), start_ns, end_ns)
        return Look(tuple(gaps), waited_ns, end_ns - start_ns)


def _run_delay_ns(pid: int) -> int:
    words = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii").split()
    return int(words[1])


@contextmanager
def pausing(shape: Shape) -> Iterator[Pausing]:
    """Run a target of this shape."""
    program = ROOT / "benchmarks" / "targets" / "pausing.py"
    with tempfile.TemporaryDirectory(prefix="snap-gaps-") as folder:
        path = Path(folder) / "log"
        with GapLog(path, create=True) as log:
            numbers = (shape.threads, shape.frames, shape.objects, int(shape.has_io))
            with spawn(program, str(path), *map(str, numbers)) as target:
                yield Pausing(target.pid, log, _IO if shape.has_io else _MAIN)
