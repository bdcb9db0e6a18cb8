"""The pauses that a target's threads feel while a tool looks at it, all tools side by side."""

from __future__ import annotations

import math
import os
import resource
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.harness import Goal, Options, Result, Table, ms, run, say
from benchmarks.pausing import Look, Shape, pausing
from benchmarks.sched import SchedTrace, turns_of_others
from benchmarks.stats import longest_ns, percentile, shortened
from benchmarks.tools import PEERS, SNAP, versions
from snapshotter.model import Snapshot, View
from snapshotter.store.reader import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.pausing import Pausing
    from benchmarks.tools import Tool

__all__ = ["measure"]

_IDLE = "idle, no tool"
_CROWD = "another program computes"
_FIRST = ", target first"
_ALONE = ", less the turns of others"
_COMMAND = "snap"
"""What the kernel calls the tasks of ``snap``."""
_HIGHEST = -20


SHAPES = (
    Shape("10 x 10", 10, 10, limit_ms=2),
    Shape("100 x 20", 100, 20, limit_ms=2),
    Shape("1,000 x 20", 1_000, 20, limit_ms=5),
    Shape("10 x 10, 1 M GC objects", 10, 10, 1_000_000, limit_ms=2),
    Shape("10 x 10, I/O thread", 10, 10, has_io=True),
    Shape("100 x 20, I/O thread", 100, 20, has_io=True),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many looks: rounds of our own tool, and the bounds for each other tool."""

    rounds: int
    large_rounds: int
    """The same for a thousand threads, which take seconds."""
    peer_rounds: int
    peer_allowance_ns: int
    largest_for_peers: int


_LARGE = 1_000
_LONG = Plan(100, 20, 10, 20_000_000_000, _LARGE)
_SHORT = Plan(3, 1, 1, 1_000_000_000, 100)


@dataclass(slots=True)
class Looks:
    """All windows of one tool on one target."""

    looks: list[Look] = field(default_factory=list)
    delivered: str = ""
    problem: str | None = None
    failures: int = 0
    """Calls that ended with ``problem``; their windows do not count."""
    slices: list[tuple[int, int]] = field(default_factory=list)
    """Of our own dumps: number of slices and the longest of them, as the probe measured it."""

    @property
    def spent_ns(self) -> int:
        """Wall time of all windows."""
        return sum(look.wall_ns for look in self.looks)

    def said(self) -> str:
        """What was delivered, and what went wrong."""
        if not self.failures:
            return self.delivered or "nothing"
        return f"{self.delivered}; {self.failures} calls failed: {self.problem}"

    def longest(self) -> list[int]:
        """Longest gap of each window."""
        return [longest_ns(look.gaps) for look in self.looks]


def measure(options: Options) -> Result:
    """Measure all shapes."""
    plan = _SHORT if options.short else _LONG
    result = Result(
        "Pauses felt by the target",
        "The target's main thread spins and notes each stretch over 50 us in which it did not run "
        "(the I/O thread: by how much each waking from a sleep of 2 ms was late). Whole processes "
        "of all tools look at it in turn, round by round, with windows of the same length in "
        "between in which nothing happens, or another program computes for as long as `snap dump` "
        "did; each figure is of the longest gap of each window. `for a CPU` is how long the "
        "kernel let the ready main thread wait in all, whoever ran instead. Ratios are of medians, "
        "to `snap dump`. *Target first*: the same with the target's main thread (and what it "
        "starts) at the highest priority. *Less the turns of others*: the same windows of `snap "
        "dump`, without the time in which a program that is neither the target nor `snap` had the "
        "processor that the target waited for, by the record of the kernel's scheduler (root "
        f"only). Other tools: {versions()}.",
    )
    with _tracing() as trace:
        for shape in SHAPES:
            say(f"... {shape.name}")
            found = _measure_shape(shape, plan, trace)
            result.tables.append(_table(shape, found))
            if shape.limit_ms is not None:
                result.goals.append(_goal(shape, found))
                result.goals.append(_goal_alone(shape, found))
    result.notes.append(
        "A window of an I/O thread beside a busy main thread is never free of gaps: each waking "
        "waits up to one switch interval (5 ms) for the interpreter."
    )
    return result


@contextmanager
def _tracing() -> Iterator[SchedTrace | None]:
    """Watch the kernel's scheduler, where that is permitted."""
    try:
        trace = SchedTrace()
    except OSError:
        yield None
        return
    try:
        yield trace
    finally:
        trace.close()


def _measure_shape(shape: Shape, plan: Plan, trace: SchedTrace | None) -> dict[str, Looks]:
    peers = [tool for tool in PEERS if tool.is_there and shape.threads <= plan.largest_for_peers]
    names = [
        _IDLE,
        _CROWD,
        SNAP.name,
        SNAP.name + _ALONE,
        _IDLE + _FIRST,
        SNAP.name + _FIRST,
        *(tool.name for tool in peers),
    ]
    found = {name: Looks() for name in names}
    with tempfile.TemporaryDirectory(prefix="snap-dumps-") as folder, pausing(shape) as target:
        file = Path(folder) / "dump.msgpack"
        _look(target, SNAP, file, Looks())  # warm: byte code and pages
        for number in range(plan.large_rounds if shape.threads >= _LARGE else plan.rounds):
            # Beside a main thread that goes first an I/O thread would starve: not with these.
            for suffix in ("",) if shape.has_io else ("", _FIRST):
                with _priority(target, _HIGHEST if suffix else 0):
                    before_ns = _cpu_of_children_ns()
                    if suffix or trace is None:
                        _look(target, SNAP, file, found[SNAP.name + suffix])
                    else:
                        _look_traced(target, trace, file, found)
                    spent_ns = _cpu_of_children_ns() - before_ns
                    looks = found[SNAP.name + suffix].looks
                    if looks:
                        _idle(target, found[_IDLE + suffix], looks[-1].wall_ns)
                    if looks and not suffix:
                        _crowd(target, found[_CROWD], looks[-1].wall_ns, spent_ns)
            for tool in peers:
                known = found[tool.name]
                if number < plan.peer_rounds and known.spent_ns < plan.peer_allowance_ns:
                    _look(target, tool, file, known)
    return found


@contextmanager
def _priority(target: Pausing, nice: int) -> Iterator[None]:
    """Give the target's main thread another priority for a while, where that is permitted."""
    if nice:
        _renice(target.pid, nice)
    try:
        yield
    finally:
        if nice:
            _renice(target.pid, 0)


def _renice(pid: int, nice: int) -> None:
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    # Where the kernel groups by login session, a nice value counts within its group only.
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")


def _idle(target: Pausing, known: Looks, wall_ns: int) -> None:
    window = target.window()
    start_ns = time.monotonic_ns()
    time.sleep(wall_ns / 1e9)
    known.looks.append(window.close(start_ns, time.monotonic_ns()))


def _crowd(target: Pausing, known: Looks, wall_ns: int, cpu_ns: int) -> None:
    """Let a window pass in which this program computes and touches nothing of the target."""
    window = target.window()
    start_ns, until_ns = time.monotonic_ns(), time.thread_time_ns() + cpu_ns
    while time.thread_time_ns() < until_ns:
        pass
    time.sleep(max(0, start_ns + wall_ns - time.monotonic_ns()) / 1e9)
    known.looks.append(window.close(start_ns, time.monotonic_ns()))


def _cpu_of_children_ns() -> int:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((spent.ru_utime + spent.ru_stime) * 1e9)


def _look(target: Pausing, tool: Tool, file: Path, known: Looks) -> None:
    window = target.window()
    done = tool.look(target.pid, file)
    felt = window.close(done.start_ns, done.end_ns)
    problem = done.problem
    if problem is None and tool is SNAP:
        problem = _note_dump(file, known)
    if problem is not None:
        known.problem = problem
        known.failures += 1
        return
    known.looks.append(felt)
    known.delivered = str(tool.count(done.output, file))


def _look_traced(target: Pausing, trace: SchedTrace, file: Path, found: dict[str, Looks]) -> None:
    """Take a dump, and note it once more without the turns of other programs."""
    known, alone = found[SNAP.name], found[SNAP.name + _ALONE]
    threads = [int(path.name) for path in Path(f"/proc/{target.pid}/task").iterdir()]
    failures = known.failures
    with trace.recording():
        _look(target, SNAP, file, known)
    if known.failures > failures:
        return
    turns = turns_of_others(trace.events(), target.pid, threads, _COMMAND)
    look = known.looks[-1]
    alone.looks.append(replace(look, gaps=tuple(shortened(look.gaps, turns))))
    alone.delivered = known.delivered


def _note_dump(file: Path, known: Looks) -> str | None:
    """Note the slices of one of our dumps; a sentence when it looked from outside only."""
    snapshot = load(file)
    if not isinstance(snapshot, Snapshot):
        return "it wrote no dump"
    capture = snapshot.capture
    if View.INSIDE not in capture.views or capture.pause is None:
        return "; ".join(capture.missing)
    known.slices.append((capture.slices or 0, capture.pause.max_ns))
    return None


def _table(shape: Shape, found: dict[str, Looks]) -> Table:
    ours = median(found[SNAP.name].longest() or [0])
    rows = []
    for name, known in found.items():
        longest = known.longest()
        if not longest:
            continue
        middle = median(longest)
        rows.append(
            (
                name,
                str(len(longest)),
                ms(middle),
                ms(percentile(longest, 0.95)),
                ms(max(longest)),
                f"{middle / ours:.2g}" if ours else "-",
                ms(median(look.sum_ns for look in known.looks)),
                ms(median(look.waited_for_cpu_ns for look in known.looks)),
                ms(median(look.wall_ns for look in known.looks)),
                known.said(),
            )
        )
    columns = ("tool", "runs", "median", "95 %", "longest", "ratio", "all gaps", "for a CPU")
    who = "lateness of the I/O thread" if shape.has_io else "gaps of the main thread"
    title = f"{shape.name}: {who}"
    slices = found[SNAP.name].slices
    if slices:
        counts, lengths = zip(*slices, strict=True)
        title += f" ({median(counts):.0f} slices, the longest {ms(median(lengths))} in the middle)"
    return Table(title, (*columns, "wall time", "delivered"), tuple(rows))


def _goal(shape: Shape, found: dict[str, Looks]) -> Goal:
    felt, idle, crowd, first, first_idle = (
        percentile(found[name].longest() or [math.inf], 0.95)
        for name in (SNAP.name, _IDLE, _CROWD, SNAP.name + _FIRST, _IDLE + _FIRST)
    )
    limit_ms = shape.limit_ms or 0
    failures = found[SNAP.name].failures + found[SNAP.name + _FIRST].failures
    return Goal(
        what=f"{shape.name}: longest gap of a busy main thread during a dump, 95 % of dumps",
        limit=f"{limit_ms:g} ms",
        measured=f"{ms(felt)} (idle {ms(idle)}, while another program computes {ms(crowd)}; "
        f"target first {ms(first)}, idle {ms(first_idle)}; load average {os.getloadavg()[0]:.1f}; "
        f"{failures} dumps without the inside view)",
        met=felt <= limit_ms * 1e6 and not failures,
    )


def _goal_alone(shape: Shape, found: dict[str, Looks]) -> Goal:
    known = found[SNAP.name + _ALONE]
    felt = percentile(known.longest() or [math.inf], 0.95)
    limit_ms = shape.limit_ms or 0
    return Goal(
        what=f"{shape.name}: the same, less the turns of other programs on its processor",
        limit=f"{limit_ms:g} ms",
        measured=f"{ms(felt)}, longest {ms(max(known.longest()))}"
        if known.looks
        else "not known: the kernel's scheduler may not be watched here",
        met=felt <= limit_ms * 1e6,
    )


if __name__ == "__main__":
    run("pause", measure)
