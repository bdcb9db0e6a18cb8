"""The outer part of a stack whose innermost calls change at each look is true, each time."""

from __future__ import annotations

import linecache
import random
import re
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import TornReadError
from snapshotter.export.json import snapshot_dict
from snapshotter.model import View
from snapshotter.outside.memory import Memory
from snapshotter.outside.origin import Origins
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.stacks import StackReader
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from snapshotter.render.dump import dump_view
from tests.support.targets import spawn
from tests.unit.render.screens import rendered

if TYPE_CHECKING:
    from snapshotter.model import Frame, Snapshot, Thread
    from snapshotter.outside.outer import OuterPart
    from snapshotter.outside.runtime import ThreadRef
    from tests.support.targets import LiveTarget

pytestmark = pytest.mark.live

NOTE = re.compile(
    r"Its innermost calls changed at each look, in calls from (?P<caller>\S+) \(\S+:(?:\d+|\?)\)"
    r"(?: to (?P<callee>\S+) \(\S+\))?; shown are those that were under way each time\."
)
ENCODER = re.compile(r"_make_iterencode\.<locals>\.(_iterencode\w*)")
OUTERMOST = {"<module>", "Thread._bootstrap"}
GENERATORS = {"encode": "list(chunks)", "_iterencode_list": "chunks", "_iterencode_dict": "chunks"}
"""Who runs the generators of the encoder, and what stands on that line."""


def calls(caller: Frame, callee: str) -> bool:
    """Whether the line of ``caller`` can call ``callee``."""
    if caller.qualname == "Handle._run" or callee.partition(".")[0] in {"BaseEventLoop", "Handle"}:
        return True  # tasks are made in C, which calls the loop
    line = linecache.getline(caller.filename, caller.lineno or 0)
    name = callee.rpartition(".")[2]
    if re.search(rf"\b{name}\(", line) or f"target={name}" in line:
        return True
    if callee.startswith("Thread.") or name == "work":
        return name in {"run", "_bootstrap_inner"} or "self._target(" in line
    runs = GENERATORS.get(caller.qualname.rpartition(".")[2])
    return bool(ENCODER.fullmatch(callee) and runs and runs in line)


def wrong_part(part: OuterPart) -> str | None:
    """Return what cannot be the outer part of a stack of the target."""
    frames, note = part.frames, NOTE.fullmatch(part.problem)
    if note is None or note["caller"] != frames[0].qualname:
        return part.problem
    if frames[-1].qualname not in OUTERMOST:
        return f"ends with {frames[-1]}"
    pairs = [(callee.qualname, caller) for callee, caller in pairwise(frames)]
    if note["callee"]:
        pairs.append((note["callee"], frames[0]))
    for callee, caller in pairs:
        if not calls(caller, callee):
            return f"{caller.qualname}:{caller.lineno} does not call {callee}"
    return None


@dataclass
class Parts:
    """What was taken of a target that never rests."""

    wrong: list[str] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    given_up: int = 0


def take(reader: StackReader, thread: ThreadRef) -> OuterPart | None:
    """Look at the outer part, without pauses of a length that would do justice to the target."""
    outer = reader.outer(thread, 0)
    for _ in range(18):
        outer.look()
        time.sleep(random.uniform(0, 20e-6))  # noqa: S311 - jitter
    return outer.result()


def take_many(target: LiveTarget, count: int) -> Parts:
    parts = Parts()
    with Memory(target.pid) as memory:
        runtime = Runtime.attach(target.pid, memory)
        reader = StackReader(runtime, Origins())
        threads = runtime.threads(runtime.main_interpreter())
        while len(parts.depths) < count and parts.given_up < 3 * count:
            for thread in threads:
                part = take(reader, thread)
                if part is None:
                    parts.given_up += 1
                    continue
                parts.depths.append(len(part.frames))
                wrong = wrong_part(part)
                if wrong:
                    parts.wrong.append(wrong)
    return parts


TARGETS = {
    "recursing": ("recursing.py",),
    "recursing beside": ("recursing.py", "worker"),
    "encoding": ("encoding.py",),
    "awaiting": ("awaiting.py",),
    "busy": ("busy.py",),
    "phases": ("phases.py", "38"),
    "busy tasks": ("busy_tasks.py",),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", TARGETS)
def test_hundreds_of_outer_parts_are_true(target_python: str, name: str) -> None:
    with spawn(*TARGETS[name], python=target_python) as target:
        parts = take_many(target, 400)

    assert parts.wrong == []
    assert len(parts.depths) >= 400
    assert max(parts.depths) > 1 or name == "busy"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_ten_thousand_outer_parts_are_true(target_python: str, name: str) -> None:
    with spawn(*TARGETS[name], python=target_python) as target:
        parts = take_many(target, 10_000)

    assert parts.wrong == []
    assert len(parts.depths) >= 10_000


def never_whole(self: StackReader, thread: ThreadRef, *_: object) -> None:
    """Stand for a machine on which the other threads never stand still for long enough."""
    del self, thread
    raise TornReadError("The stack changed while it was read.")


def worker_of(snapshot: Snapshot) -> Thread:
    return next(thread for thread in snapshot.threads if not thread.is_main)


def test_a_worker_beside_a_blocked_main_thread_is_told_as_far_as_it_stands(
    target_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StackReader, "_try", never_whole)
    options = CaptureOptions(patience_ns=0, locals="none")
    with (
        spawn("recursing.py", "worker", python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        snapshot = observer.capture()
        while worker_of(snapshot).complete:  # it stood still while its locals were read
            snapshot = observer.capture()

    worker = worker_of(snapshot)
    names = [frame.qualname for frame in worker.frames if frame.qualname != "fib"]
    assert names == ["work", "Thread.run", "Thread._bootstrap_inner", "Thread._bootstrap"]
    assert worker.lacks_innermost
    assert worker.view is View.OUTSIDE
    assert worker.note is not None
    assert NOTE.fullmatch(worker.note)
    assert any("not complete" in words for words in snapshot.capture.missing)
    assert [each["complete"] for each in snapshot_dict(snapshot)["threads"]].count(False) == 1
    text = " ".join(rendered(dump_view(snapshot), width=300).split())
    assert worker.note in text
    assert "recursing.py" in text
