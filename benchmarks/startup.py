"""The wall time of a whole ``snap dump``, beside a bare interpreter start, pair by pair."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.harness import Goal, Options, Result, Table, ms, run
from benchmarks.pausing import Shape, pausing
from benchmarks.stats import bootstrap_pairs, percentile
from benchmarks.tools import PEERS, SNAP, versions
from snapshotter.model import Snapshot, View
from snapshotter.store.reader import load

__all__ = ["measure"]

_LIMIT_NS = 250_000_000
_SHAPE = Shape("10 x 10", 10, 10)


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    words: tuple[str, ...]
    is_cold: bool = False


def measure(options: Options) -> Result:
    """Run pairs of interpreter start and dump, with and without byte-code files."""
    result = Result(
        "Whole process",
        f"`{Path(sys.executable).name} -c pass` and the tool in turn, on a target of {_SHAPE.name} "
        "threads x frames with a busy main thread; each figure is of the differences pair by pair. "
        "*No byte code* compiles every module at each start, as where PYTHONDONTWRITEBYTECODE is "
        f"set before anything was ever compiled. Other tools: {versions()}.",
    )
    cases = [
        _Case("snap dump", SNAP.command),
        _Case("snap dump, no byte code", SNAP.command, is_cold=True),
        _Case("snap --version", (SNAP.command[0], "--version")),
        *(_Case(tool.name, tool.command) for tool in PEERS if tool.is_there),
    ]
    with pausing(_SHAPE) as target, tempfile.TemporaryDirectory(prefix="snap-dumps-") as folder:
        file = Path(folder) / "dump.msgpack"
        found = [
            (case, _pairs(case, target.pid, file, 5 if options.short else 30)) for case in cases
        ]
        dump = load(file)
    rows = tuple(_row(case, pairs) for case, pairs in found)
    columns = ("command", "pairs", "bare start", "whole", "more", "95 % interval of the median")
    result.tables.append(Table("Wall time", (*columns, "95 % of runs"), rows))
    more = median(after - before for before, after in found[0][1])
    result.goals.append(
        Goal(
            what="10 x 10: a whole `snap dump` beyond a bare interpreter start, median",
            limit=ms(_LIMIT_NS),
            measured=f"{ms(more)} (load average {os.getloadavg()[0]:.1f})",
            met=more <= _LIMIT_NS
            and isinstance(dump, Snapshot)
            and View.INSIDE in dump.capture.views,
        )
    )
    return result


def _pairs(case: _Case, pid: int, file: Path, count: int) -> list[tuple[float, float]]:
    words = tuple(word.format(pid=pid, file=file) for word in case.words)
    bare = (sys.executable, "-c", "pass")
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="snap-no-pyc-") as empty:
        if case.is_cold:
            environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": empty}
        _time(bare, environment)
        _time(words, environment)
        return [(_time(bare, environment), _time(words, environment)) for _ in range(count)]


def _time(words: tuple[str, ...], environment: dict[str, str]) -> int:
    started_ns = time.monotonic_ns()
    subprocess.run(words, env=environment, capture_output=True, check=True)
    return time.monotonic_ns() - started_ns


def _row(case: _Case, pairs: list[tuple[float, float]]) -> tuple[str, ...]:
    more = [after - before for before, after in pairs]
    interval = bootstrap_pairs(
        pairs, lambda drawn: median(after - before for before, after in drawn)
    )
    return (
        case.name,
        str(len(pairs)),
        ms(median(before for before, _ in pairs)),
        ms(median(after for _, after in pairs)),
        ms(median(more)),
        f"{ms(interval.low)} to {ms(interval.high)}",
        ms(percentile(more, 0.95)),
    )


if __name__ == "__main__":
    run("startup", measure)
