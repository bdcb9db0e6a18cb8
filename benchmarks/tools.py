"""The tools that are compared: how each is called and what its output delivered."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import ROOT
from snapshotter.model import Snapshot
from snapshotter.store.reader import load

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PEERS", "SNAP", "Delivered", "Run", "Tool", "versions"]

_PEER_BIN = ROOT / ".venv-bench" / "bin"
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came out; ``more`` names what the tool gave beyond stacks and locals."""

    threads: int
    frames: int
    locals: int
    more: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        text = f"{self.threads} threads, {self.frames} frames, {self.locals} locals"
        return f"{text}; {self.more}" if self.more else text


@dataclass(frozen=True, slots=True)
class Run:
    """One finished call of a tool; monotonic nanoseconds."""

    start_ns: int
    end_ns: int
    output: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A command line to look at a process with; ``{pid}`` and ``{file}`` are filled in."""

    name: str
    command: tuple[str, ...]
    count: Callable[[str, Path], Delivered]

    @property
    def is_there(self) -> bool:
        """Whether it is installed."""
        return Path(self.command[0]).exists()

    def look(self, pid: int, file: Path) -> Run:
        """Call it on ``pid``; what it writes to a file goes to ``file``."""
        words = [word.format(pid=pid, file=file) for word in self.command]
        start_ns = time.monotonic_ns()
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Run(start_ns, time.monotonic_ns(), "", f"not done in {_TIMEOUT_S} s")
        end_ns = time.monotonic_ns()
        problem = None
        if done.returncode:
            said = done.stderr.strip().splitlines()
            problem = f"exit code {done.returncode}: {said[-1][:120] if said else 'nothing said'}"
        return Run(start_ns, end_ns, done.stdout, problem)


def _count_snap(_: str, file: Path) -> Delivered:
    snapshot = load(file)
    if not isinstance(snapshot, Snapshot):
        raise TypeError(f"{file} is not a dump")
    frames = [frame for thread in snapshot.threads for frame in thread.frames]
    capture = snapshot.capture
    views = "+".join(capture.views)
    parts = [f"{views} view"]
    if snapshot.gc is not None and snapshot.gc.generations:
        parts.append("GC")
    if not capture.complete:
        parts.append("incomplete: " + "; ".join(capture.missing))
    left_out = sum(frame.locals_missing is not None for frame in frames)
    if left_out:
        parts.append(f"locals of {left_out} frames left out")
    count = sum(len(frame.locals) for frame in frames)
    return Delivered(len(snapshot.threads), len(frames), count, ", ".join(parts))


def _count_pyspy(output: str, _: Path) -> Delivered:
    return Delivered(
        len(re.findall(r"^Thread ", output, re.MULTILINE)),
        len(re.findall(r"^ {4}\S", output, re.MULTILINE)),
        len(re.findall(r"^ {12}\S", output, re.MULTILINE)),
    )


def _count_pystack(output: str, _: Path) -> Delivered:
    return Delivered(
        len(re.findall(r"^Traceback for thread", output, re.MULTILINE)),
        len(re.findall(r"^ {4}\(Python\)", output, re.MULTILINE)),
        len(re.findall(r"^ {8}\w+: ", output, re.MULTILINE)),
    )


def _count_pidprobe(output: str, _: Path) -> Delivered:
    answer = json.loads(output)
    threads = answer["stacks"]["threads"]
    frames = [frame for thread in threads for frame in thread["frames"]]
    known = sum(len(frame.get("locals") or ()) for frame in frames)
    others = [
        item["name"]
        for item in answer["meta"]["collectors"]
        if item["status"] == "ok" and item["name"] not in {"stacks", "sqlalchemy"}
    ]
    return Delivered(len(threads), len(frames), known, ", ".join(others))


def _peer(name: str, count: Callable[[str, Path], Delivered]) -> Tool:
    program, *rest = name.split()
    return Tool(name, (str(_PEER_BIN / program), *rest, "{pid}"), count)


SNAP = Tool(
    "snap dump",
    (
        str(Path(sys.executable).with_name("snap")),
        *("dump", "{pid}", "--force", "--output", "{file}"),
    ),
    _count_snap,
)
PEERS = (
    _peer("py-spy dump --pid", _count_pyspy),
    _peer("py-spy dump --locals --pid", _count_pyspy),
    _peer("pystack remote", _count_pystack),
    _peer("pystack remote --locals", _count_pystack),
    _peer("pidprobe snap", _count_pidprobe),
)


def versions() -> str:
    """Return which versions of the other tools are installed, in words."""
    found = []
    for program in ("py-spy", "pystack", "pidprobe"):
        path = _PEER_BIN / program
        if not path.exists():
            continue
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        found.append(f"{program} {done.stdout.split()[-1]}")
    return ", ".join(found) or "none (scripts/setup --with-bench installs them)"
