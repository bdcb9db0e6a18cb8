"""The view from outside: what it costs the controller, and that it costs the target nothing."""

from __future__ import annotations

import mmap
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING

from benchmarks.harness import ROOT, Goal, Options, Result, Table, ms, run
from benchmarks.pausing import Pausing, Shape, pausing
from benchmarks.stats import bootstrap_pairs, percentile
from snapshotter.model import ValueLevel
from snapshotter.outside.details import DetailsReader, Wanted
from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.selection import Selection
from snapshotter.outside.view import OutsideReader
from tests.support.targets import spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stats import Interval

__all__ = ["measure"]

_COUNTING = ROOT / "benchmarks" / "targets" / "counting.py"
_PER_SECOND = 10

SHAPES = (
    Shape("10 x 10", 10, 10),
    Shape("100 x 20", 100, 20),
    Shape("1,000 x 20", 1_000, 20),
)
WHOLE_LIMITS_MS = {
    ("10 x 10", "all"): 20,
    ("100 x 20", "app"): 100,
    ("100 x 20", "all"): 150,
}


@dataclass(frozen=True, slots=True)
class _Reads:
    first_ns: int
    walls_ns: list[int]
    cpu_ns: int
    switches: int
    """Voluntary switches of all threads of the target while it was read."""
    idle_switches: int
    torn: int


@dataclass(frozen=True, slots=True)
class _Block:
    """A stretch of the counting target."""

    work: int
    cpu_ns: int
    switches: int

    @property
    def work_per_cpu_s(self) -> float:
        """Steps for each second that its thread ran."""
        return self.work / self.cpu_ns * 1e9


def measure(options: Options) -> Result:
    """Read targets of three shapes many times; then one that counts what it gets done."""
    result = Result(
        "The view from outside",
        "One process reads stacks, counters and states of all threads of the pausing target again "
        "and again, as fast as it can; its code objects are known from the first read on. "
        "Voluntary context switches are summed over all threads of the target and compared with "
        "those of an idle stretch of the same length: the target does not block by itself. "
        "*With values*: the same and then locals, names, collector and tasks, as `--locals` says. "
        f"*While it computes*: blocks without and with {_PER_SECOND} whole reads (`app`) each "
        "second, in the order idle, read, idle; work is counted by the target itself, for each "
        "second that its thread ran. The noise is that of the two idle blocks of a round against "
        "each other.",
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
    _measure_values(result, options)
    _measure_cost(result, options)
    return result


def _measure_values(result: Result, options: Options) -> None:
    rows = []
    for shape in SHAPES[:2]:
        with pausing(shape) as target, Memory(target.pid) as memory:
            for policy in ("none", "app", "all"):
                walls, cpu_ns, values = _whole_reads(memory, policy, 10 if options.short else 60)
                goal_ms = WHOLE_LIMITS_MS.get((shape.name, policy))
                cells = (ms(walls[0]), ms(median(walls[1:])), ms(percentile(walls[1:], 0.95)))
                rows.append((shape.name, policy, str(len(walls)), *cells, ms(cpu_ns), str(values)))
                if goal_ms is not None:
                    result.goals.append(
                        Goal(
                            what=f"{shape.name}, --locals {policy}: a whole read, CPU, median",
                            limit=f"{goal_ms} ms",
                            measured=f"{ms(cpu_ns)} (wall {ms(median(walls[1:]))})",
                            met=cpu_ns <= goal_ms * 1e6,
                        )
                    )
    columns = ("target", "locals", "reads", "first", "median", "95 %", "CPU, median", "values")
    result.tables.append(Table("With values", columns, tuple(rows)))


def _whole_reads(memory: Memory, policy: str, times: int) -> tuple[list[int], float, int]:
    """Return wall times of reads with values, the median CPU time of one, and its values."""
    runtime = Runtime.attach(memory.pid, memory)
    view = OutsideReader(memory.pid, memory, runtime)
    details = DetailsReader(runtime, view.codes)
    wanted = Wanted(selection=Selection(policy), level=ValueLevel.SCRUBBED)
    walls, cpus, values = [], [], 0
    for _ in range(times + 1):
        wall_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
        view.read()
        values = len(details.read(runtime.threads(runtime.main_interpreter()), wanted).values)
        walls.append(time.monotonic_ns() - wall_ns)
        cpus.append(time.process_time_ns() - cpu_ns)
    return walls, median(cpus[1:]), values


def _measure_cost(result: Result, options: Options) -> None:
    rounds, block_s = (8, 0.5) if options.short else (30, 1.0)
    with _counting() as (pid, count), Memory(pid) as memory:
        runtime = Runtime.attach(pid, memory)
        view = OutsideReader(pid, memory, runtime)
        details = DetailsReader(runtime, view.codes)
        wanted = Wanted(selection=Selection("app"), level=ValueLevel.SCRUBBED)

        def read() -> None:
            view.read()
            details.read(runtime.threads(runtime.main_interpreter()), wanted)

        read()
        triples = [
            (
                _block(pid, count, block_s, None),
                _block(pid, count, block_s, read),
                _block(pid, count, block_s, None),
            )
            for _ in range(rounds)
        ]
    noise = bootstrap_pairs([(a.work_per_cpu_s, c.work_per_cpu_s) for a, _, c in triples])
    effect = bootstrap_pairs(
        [(mean((a.work_per_cpu_s, c.work_per_cpu_s)), b.work_per_cpu_s) for a, b, c in triples]
    )
    switches = sum(b.switches for _, b, _ in triples)
    idle = mean([sum(a.switches for a, _, _ in triples), sum(c.switches for _, _, c in triples)])
    reads = round(rounds * block_s * _PER_SECOND)
    result.goals += [
        Goal(
            what=f"while it computes: voluntary context switches caused by {reads} whole reads",
            limit="0",
            measured=f"{switches} (idle {idle:.0f})",
            met=switches <= idle,
        ),
        Goal(
            what="while it computes: work for each CPU second, with reads against without",
            limit=f"1 within the noise: {_interval(noise)}",
            measured=_interval(effect),
            met=effect.low <= max(1.0, noise.high) and effect.high >= min(1.0, noise.low),
        ),
    ]
    columns = ("blocks", "work per CPU second, median", "voluntary switches")
    rows = [
        (name, f"{median(one.work_per_cpu_s for one in blocks):,.0f}", str(_sum(blocks)))
        for name, blocks in zip(("idle", "with reads", "idle again"), zip(*triples, strict=True),
                                strict=True)
    ]  # fmt: skip
    result.tables.append(Table("While it computes", columns, tuple(rows)))


def _sum(blocks: tuple[_Block, ...]) -> int:
    return sum(one.switches for one in blocks)


def _interval(found: Interval) -> str:
    return f"{found.estimate:.4f} ({found.low:.4f} to {found.high:.4f})"


@contextmanager
def _counting() -> Iterator[tuple[int, memoryview]]:
    with tempfile.NamedTemporaryFile(prefix="snap-count-") as file:
        file.truncate(8)
        with mmap.mmap(file.fileno(), 8) as area, spawn(_COUNTING, file.name) as target:
            count = memoryview(area).cast("Q")
            try:
                yield target.pid, count
            finally:
                count.release()


def _block(pid: int, count: memoryview, length_s: float, read: object) -> _Block:
    """Let the target compute for a while; call ``read`` ten times a second, if it is one."""
    before = count[0], _cpu_ns(pid), _switches(pid)
    end = time.monotonic() + length_s
    due = time.monotonic() + 0.5 / _PER_SECOND
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        if callable(read):
            read()
        due += 1 / _PER_SECOND
    time.sleep(max(0.0, end - time.monotonic()))
    after = count[0], _cpu_ns(pid), _switches(pid)
    work, cpu_ns, switches = (b - a for a, b in zip(before, after, strict=True))
    return _Block(work, cpu_ns, switches)


def _cpu_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0])


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
