"""What thousands of dumps leave behind in one target: nothing, as counted by the target itself."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import ROOT, Goal, Options, Result, Table, run
from snapshotter.model import Snapshot, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.targets import spawn

if TYPE_CHECKING:
    from tests.support.targets import LiveTarget

__all__ = ["measure"]

_WARM = 100
_RSS_LIMIT = 2 * 1024 * 1024
_RSS = "resident bytes"
_EXPECTED_STILL = (
    *("GC objects", "types", "interned strings", "modules", "descriptors"),
    *("OS threads", "Python threads"),
)


@dataclass(slots=True)
class _Count:
    inside: int = 0
    incomplete: int = 0

    def note(self, snapshot: Snapshot) -> None:
        self.inside += View.INSIDE in snapshot.capture.views
        self.incomplete += not snapshot.capture.complete


def measure(options: Options) -> Result:
    """Take the dumps and compare the target's figures of dump 100 with those of the last."""
    total = 600 if options.short else 5_000
    program = ROOT / "benchmarks" / "targets" / "leaking.py"
    count = _Count()
    with spawn(program) as target, Observer.open(target.pid, CaptureOptions()) as observer:
        for _ in range(_WARM):
            observer.capture()
        before = _figures(target, 1)
        started = time.monotonic()
        for _ in range(total - _WARM):
            count.note(observer.capture())
        each_s = (time.monotonic() - started) / (total - _WARM)
        after = _figures(target, 2)
    result = Result(
        "What is left behind",
        f"{total:,} dumps with default locals into one target with 11 threads and locals of many "
        f"kinds, {each_s * 1e3:.0f} ms each; the target counts itself after a full collection, at "
        f"dump {_WARM} and at the last. {count.inside:,} of {total - _WARM:,} had the inside view, "
        f"{count.incomplete:,} left something out.",
    )
    rows = [
        (name, f"{before[name]:,}", f"{after[name]:,}", f"{after[name] - before[name]:+,}")
        for name in before
    ]
    columns = ("figure", f"at dump {_WARM}", f"at dump {total:,}", "growth")
    result.tables.append(Table("The target's figures", columns, tuple(rows)))
    for name in _EXPECTED_STILL:
        grown = after[name] - before[name]
        result.goals.append(Goal(f"{name} of the target", "+0", f"{grown:+,}", met=grown <= 0))
    grown = after[_RSS] - before[_RSS]
    measured = f"{grown / 1e6:+.2f} MB"
    result.goals.append(Goal("resident memory", "+2 MB", measured, met=grown <= _RSS_LIMIT))
    missing = total - _WARM - count.inside
    result.goals.append(Goal("dumps without the inside view", "0", str(missing), met=missing == 0))
    return result


def _figures(target: LiveTarget, line: int) -> dict[str, int]:
    target.tell("count")
    target.wait_for(lambda: target.stdout_text().count("\n") == line)
    found: dict[str, int] = json.loads(target.stdout_text().splitlines()[-1])
    pages = int(Path(f"/proc/{target.pid}/statm").read_text(encoding="ascii").split()[1])
    return {**found, _RSS: pages * os.sysconf("SC_PAGESIZE")}


if __name__ == "__main__":
    run("leak", measure)
