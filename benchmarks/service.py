"""What a watched web service notices: CPU that watching adds, and latency, pair by pair."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.harness import Goal, Options, Result, Table, ms, run, say
from benchmarks.load import start_load, take_latencies
from benchmarks.stats import Interval, bootstrap_pairs, percentile
from benchmarks.tools import SNAP
from snapshotter.model import Recording
from snapshotter.store.reader import load
from tests.support.services import gunicorn, uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from snapshotter.model import Snapshot
    from tests.support.services import Service

__all__ = ["measure"]

_RATE = 197
"""Requests a second: no multiple of the snapshots, or all of them would meet a request, or none."""
_PATH = "/order/7"
_MOST_ADDED = 0.005
_MOST_WORSE = 1.02
_STOP_S = 30
_LEAD_S = 1.0
"""The load runs so long before the first window."""
_MARGIN_S = 0.15
"""Between windows: for the end of a dump that was under way."""
_STEADY_S = 5.0
"""After so long a fast recording has used up what it may take in advance."""


@dataclass(frozen=True, slots=True)
class _Plan:
    pairs: int
    seconds: float
    """Length of one window."""
    every: str
    interval_s: float


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Part of a load, while the watch ran or stood still."""

    start_ns: int
    end_ns: int
    cpu_ns: int
    """CPU time of the target."""

    @property
    def cpu_share(self) -> float:
        """CPU of the target per wall time."""
        return self.cpu_ns / (self.end_ns - self.start_ns)


@dataclass(frozen=True, slots=True)
class _Window:
    """One stretch under load."""

    cpu_share: float
    """CPU of the target per wall time."""
    latencies_ns: list[int]


@dataclass(slots=True)
class _Found:
    """Pairs of windows, (without, with), and what was recorded in the latter."""

    pairs: list[tuple[_Window, _Window]]
    snapshots: list[Snapshot]
    missed: int


def _flask() -> contextlib.AbstractContextManager[Service]:
    return gunicorn("flask_app", "-k", "gthread", "--threads", "4", "--keep-alive", "30")


def _fastapi() -> contextlib.AbstractContextManager[Service]:
    return uvicorn("fastapi_app")


_SERVICES: tuple[tuple[str, Callable[[], contextlib.AbstractContextManager[Service]]], ...] = (
    ("gunicorn (4 threads) + Flask", _flask),
    ("uvicorn + FastAPI", _fastapi),
)


def measure(options: Options) -> Result:
    """Measure both services, watched every second and every 100 ms."""
    # The share of a window differs as much from its neighbour's whether it is short or long: so
    # many short ones say more.
    slow = _Plan(6 if options.short else 100, 1, "1s", 1.0)
    fast = _Plan(3 if options.short else 60, 2, "100ms", 0.1)
    result = Result(
        "A watched service",
        f"One worker under an open load of {_RATE} requests a second, each latency counted from "
        "when the request was due. One `snap watch`, which has run for 5 s, is stopped "
        "(`SIGSTOP`) and goes on in turn, window by window of a second or two; which of the two "
        "comes first changes from pair to pair. CPU is the worker's whole process by its CPU "
        "clock, ended threads included. Slices are of all snapshots of the recording, over the "
        "time that these stand for. "
        "Intervals hold 95 % of 2,000 bootstrap draws of whole pairs; a goal is met when the whole "
        "interval is.",
    )
    rows = []
    for name, start in _SERVICES:
        for plan in (slow, fast):
            say(f"... {name}, --every {plan.every}")
            with start() as service:
                found = _alternate(service, plan)
            rows.append(_row(name, plan, found))
            result.goals += _goals(name, found) if plan is slow else [_p99_goal(name, found)]
    columns = ("service", "watch", "pairs", "CPU without", "with", "added", "slices of a dump")
    more = ("slices, of wall time", "dumps inside / all", "p50", "p50 ratio", "p99", "p99 ratio")
    result.tables.append(Table("Without and with", (*columns, *more), tuple(rows)))
    return result


def _alternate(service: Service, plan: _Plan) -> _Found:
    found = _Found([], [], 0)
    take_latencies(start_load(service.port, _PATH, rate=_RATE, seconds=1))
    with _watching(service.worker_pid, plan, found) as watch:
        seconds = _LEAD_S + 2 * plan.pairs * (plan.seconds + 2 * _MARGIN_S)
        load = start_load(service.port, _PATH, rate=_RATE, seconds=seconds)
        time.sleep(_LEAD_S)
        pairs = []
        for number in range(plan.pairs):
            stretches: dict[bool, _Stretch] = {}
            for watched in (False, True) if number % 2 else (True, False):
                watch.send_signal(signal.SIGCONT if watched else signal.SIGSTOP)
                time.sleep(_MARGIN_S)
                stretches[watched] = _stretch(service.worker_pid, plan.seconds)
            pairs.append((stretches[False], stretches[True]))
        watch.send_signal(signal.SIGCONT)
        latencies = take_latencies(load)
    found.pairs = [
        (_window(without, latencies), _window(with_, latencies)) for without, with_ in pairs
    ]
    return found


def _stretch(pid: int, seconds: float) -> _Stretch:
    start_ns, before_ns = time.monotonic_ns(), _cpu_ns(pid)
    time.sleep(seconds)
    return _Stretch(start_ns, time.monotonic_ns(), _cpu_ns(pid) - before_ns)


def _window(stretch: _Stretch, latencies: Sequence[tuple[int, int]]) -> _Window:
    within = [ns for due_ns, ns in latencies if stretch.start_ns <= due_ns < stretch.end_ns]
    return _Window(stretch.cpu_share, within)


def _cpu_ns(pid: int) -> int:
    """Return the CPU time of a whole process, ended threads included: its CPU clock."""
    return time.clock_gettime_ns((~pid << 3) | 2)  # CPUCLOCK_SCHED, as clock_getcpuclockid makes it


@contextlib.contextmanager
def _watching(pid: int, plan: _Plan, found: _Found) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``snap watch`` meanwhile; begin when it goes on as it will for hours."""
    with tempfile.TemporaryDirectory(prefix="snap-watch-") as folder:
        directory = Path(folder) / "recording"
        words = (SNAP.command[0], "watch", str(pid), "--every", plan.every, "-o", str(directory))
        watch = subprocess.Popen(
            [*words, "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await_first(watch, directory)
            time.sleep(_STEADY_S)
            yield watch
        finally:
            watch.send_signal(signal.SIGTERM)
            watch.send_signal(signal.SIGCONT)
            try:
                watch.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                watch.kill()
                watch.wait()
        recording = load(directory)
        if not isinstance(recording, Recording):
            raise TypeError(f"{directory} is not a recording")
        found.snapshots += recording.snapshots
        found.missed += len(recording.missed)


def _await_first(watch: subprocess.Popen[bytes], directory: Path) -> None:
    until = time.monotonic() + _STOP_S
    while not list(directory.glob("*.msgpack")):
        if watch.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"snap watch took no snapshot (exit code {watch.returncode})")
        time.sleep(0.02)


def _added(found: _Found) -> Interval:
    shares = [(without.cpu_share, with_.cpu_share) for without, with_ in found.pairs]
    return bootstrap_pairs(shares, lambda drawn: median(after - before for before, after in drawn))


def _ratio(found: _Found, share: float) -> Interval:
    """Return the ratio of a percentile over all requests, resampled by whole windows."""
    indexed = [(float(number), 0.0) for number in range(len(found.pairs))]

    def ratio(drawn: Sequence[tuple[float, float]]) -> float:
        pooled: tuple[list[int], list[int]] = ([], [])
        for number, _ in drawn:
            without, with_ = found.pairs[int(number)]
            pooled[0].extend(without.latencies_ns)
            pooled[1].extend(with_.latencies_ns)
        return percentile(pooled[1], share) / percentile(pooled[0], share)

    return bootstrap_pairs(indexed, ratio)


def _slices_ns(found: _Found) -> list[int]:
    pauses = (snapshot.capture.pause for snapshot in found.snapshots)
    return [pause.total_ns for pause in pauses if pause is not None]


def _pooled(found: _Found, share: float) -> tuple[float, float]:
    pools: tuple[list[int], list[int]] = ([], [])
    for pair in found.pairs:
        for pool, window in zip(pools, pair, strict=True):
            pool.extend(window.latencies_ns)
    return percentile(pools[0], share), percentile(pools[1], share)


def _row(name: str, plan: _Plan, found: _Found) -> tuple[str, ...]:
    slices = _slices_ns(found)
    total = median(slices) if slices else 0
    taken = len(found.snapshots)
    of_time = sum(slices) / (taken * plan.interval_s * 1e9) if taken else 0
    shares = [[window.cpu_share for window in side] for side in zip(*found.pairs, strict=True)]
    cells = [name, f"--every {plan.every}", str(len(found.pairs))]
    cells += [f"{median(shares[0]):.2%}", f"{median(shares[1]):.2%}"]
    cells += [_points(_added(found)), ms(total), f"{of_time:.3%}"]
    cells.append(f"{len(slices)} / {len(found.snapshots)} (+ {found.missed} missed)")
    for share in (0.5, 0.99):
        before, after = _pooled(found, share)
        cells += [f"{ms(before)} to {ms(after)}", _times(_ratio(found, share))]
    return tuple(cells)


def _points(found: Interval) -> str:
    return f"{found.estimate * 100:+.2f} points ({found.low * 100:+.2f} to {found.high * 100:+.2f})"


def _times(found: Interval) -> str:
    return f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"


def _goals(name: str, found: _Found) -> list[Goal]:
    added = _added(found)
    slices = _slices_ns(found)
    total = median(slices) / 1e9 if slices else 0.0
    return [
        Goal(
            f"{name}: CPU added to the target, --every 1s",
            f"{_MOST_ADDED:.1%} of wall time",
            _points(added) + f", load average {os.getloadavg()[0]:.1f}",
            met=added.high <= _MOST_ADDED,
        ),
        Goal(
            f"{name}: sum of the slices of a dump, --every 1s",
            f"{_MOST_ADDED:.1%} of wall time",
            f"{total:.3%}",
            met=bool(slices) and total <= _MOST_ADDED,
        ),
    ]


def _p99_goal(name: str, found: _Found) -> Goal:
    ratio = _ratio(found, 0.99)
    return Goal(
        f"{name}: p99 with --every 100ms against without",
        f"{_MOST_WORSE:.2f}",
        _times(ratio) + f", load average {os.getloadavg()[0]:.1f}",
        met=ratio.high <= _MOST_WORSE,
    )


if __name__ == "__main__":
    run("service", measure)
