"""The view from outside: what it costs the controller, and that it costs the target nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.harness import Goal, Options, Result, Table, ms, run
from benchmarks.pause import Pausing, Shape, pausing
from benchmarks.stats import percentile
from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.view import OutsideReader

__all__ = ["measure"]

SHAPES = (
    Shape("10 x 10", 10, 10),
    Shape("100 x 20", 100, 20),
    Shape("1,000 x 20", 1_000, 20),
)


@dataclass(frozen=True, slots=True)
class _Reads:
    first_ns: int
    walls_ns: list[int]
    cpu_ns: int
    switches: int
    """Voluntary switches of all threads of the target while it was read."""
    idle_switches: int
    torn: int


def measure(options: Options) -> Result:
    """Read targets of three shapes many times."""
    result = Result(
        "The view from outside",
        "One process reads stacks, counters and states of all threads of the pausing target again "
        "and again, as fast as it can; its code objects are known from the first read on. "
        "Voluntary context switches are summed over all threads of the target and compared with "
        "those of an idle stretch of the same length: the target does not block by itself.",
    )
    rows = []
    for shape in SHAPES:
        with pausing(shape) as target:
            reads = _read(target, 30 if options.short else 300)
        walls = reads.walls_ns
        cells = (ms(reads.first_ns), ms(median(walls)), ms(percentile(walls, 0.95)), ms(max(walls)))
        rows.append(
            (
                shape.name,
                str(len(walls)),
                *cells,
                ms(reads.cpu_ns / len(walls)),
                str(reads.torn),
                str(reads.switches),
                str(reads.idle_switches),
            )
        )
        result.goals.append(
            Goal(
                what=f"{shape.name}: voluntary context switches caused by {len(walls)} reads",
                limit="0",
                measured=f"{reads.switches} (idle {reads.idle_switches})",
                met=reads.switches <= reads.idle_switches,
            )
        )
    columns = ("target", "reads", "first", "median", "95 %", "longest", "CPU of a read")
    more = ("stacks not read", "switches", "switches idle")
    result.tables.append(Table("One read", (*columns, *more), tuple(rows)))
    return result


def _read(target: Pausing, times: int) -> _Reads:
    with Memory(target.pid) as memory:
        reader = OutsideReader(target.pid, memory, Runtime.attach(target.pid, memory))
        first_ns = reader.read().duration_ns
        before, started_ns, cpu_ns = (
            _switches(target.pid),
            time.monotonic_ns(),
            time.process_time_ns(),
        )
        walls, torn = [], 0
        for _ in range(times):
            view = reader.read()
            walls.append(view.duration_ns)
            torn += sum(thread.stack is None for thread in view.threads)
        cpu_ns = time.process_time_ns() - cpu_ns
        passed_ns = time.monotonic_ns() - started_ns
    between = _switches(target.pid)
    time.sleep(passed_ns / 1e9)
    after = _switches(target.pid)
    return _Reads(first_ns, walls, cpu_ns, between - before, after - between, torn)


def _switches(pid: int) -> int:
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


if __name__ == "__main__":
    run("outside", measure)
