"""What all benchmarks share: arguments, the machine they ran on, results as tables and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ROOT", "Goal", "Options", "Result", "Table", "clean_environment", "ms", "run", "say"]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"


@dataclass(frozen=True, slots=True)
class Options:
    """How long a benchmark may take."""

    short: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under column titles."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """What was to be reached and what was measured."""

    what: str
    limit: str
    measured: str
    met: bool


@dataclass(slots=True)
class Result:
    """What one benchmark has to say."""

    title: str
    method: str
    """How it was measured, a few sentences."""
    tables: list[Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def ms(ns: float) -> str:
    """Return nanoseconds as milliseconds with as many digits as mean something."""
    value = ns / 1e6
    return f"{value:.0f} ms" if value >= 100 else f"{value:.2f} ms"  # noqa: PLR2004 - three digits


def run(name: str, measure: Callable[[Options], Result], argv: list[str] | None = None) -> None:
    """Be the ``main`` of a benchmark: measure, print, and with ``--save`` keep the result."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=__doc__)
    parser.add_argument("--short", action="store_true", help="under a minute, rougher figures")
    parser.add_argument("--save", action="store_true", help=f"put the result into {RESULTS.name}")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # targets end with us
    with clean_environment():
        before, started = os.getloadavg(), time.time()
        result = measure(Options(short=given.short))
        passed_s = time.time() - started
    record = {
        "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(started)),
        "took_s": round(passed_s),
        "short": given.short,
        "load": [round(before[0], 2), round(os.getloadavg()[0], 2)],
        "machine": machine(),
        **asdict(result),
    }
    from benchmarks.report import section  # noqa: PLC0415 - the report knows our results

    say(section(name, record))
    if given.save:
        _save(name, record)


@contextmanager
def clean_environment() -> Iterator[None]:
    """Drop Python's variables from the environment and give all children one fresh byte-code cache.

    Some machines forbid byte-code files; compiling all modules at every start would be measured.
    """
    kept = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="snap-bench-pyc-") as folder:
        for variable in [name for name in os.environ if name.startswith(("PYTHON", "SNAP_"))]:
            del os.environ[variable]
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        os.environ["PYTHONPATH"] = str(ROOT)
        os.environ["NO_COLOR"] = "1"
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(kept)


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    return {
        "processor": f"{os.process_cpu_count()} cores, {_processor()}",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "snapshotter": _commit(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _commit() -> str:
    """Return which commit is measured; marked where the product differs from it."""
    git = ("git", "-C", str(ROOT))
    try:
        name = subprocess.run(
            (*git, "describe", "--always"), capture_output=True, text=True, check=True
        ).stdout.strip()
        differs = subprocess.run(
            (*git, "diff", "--quiet", "HEAD", "--", "snapshotter"), check=False
        )
    except OSError, subprocess.CalledProcessError:
        return "unknown"
    return f"{name}, changed" if differs.returncode else name


def _save(name: str, record: dict[str, object]) -> None:
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known[name] = record
    RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
