from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import TornReadError
from snapshotter.model import MainState
from snapshotter.outside.memory import Memory
from snapshotter.outside.origin import Origins
from snapshotter.outside.outer import OuterPart
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.stacks import StackReader
from snapshotter.outside.view import OutsideReader, OutsideView
from tests.support.targets import TARGETS, LiveTarget, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from snapshotter.model.snapshot import Frame

    type Problem = Callable[[tuple[Frame, ...]], str | None]

pytestmark = pytest.mark.live

SECOND_NS = 1_000_000_000
PATIENCE_NS = 50_000_000


@contextmanager
def reader_of(target: LiveTarget) -> Iterator[OutsideReader]:
    with Memory(target.pid) as memory:
        yield OutsideReader(target.pid, memory, Runtime.attach(target.pid, memory))


def told(target: LiveTarget) -> dict[int, list[list[object]]]:
    report = json.loads(target.stdout_text())
    return {int(native_id): frames for native_id, frames in report.items()}


def as_told(frames: tuple[Frame, ...]) -> list[list[object]]:
    return [[frame.filename, frame.qualname, frame.lineno, frame.lasti] for frame in frames]


def assert_equal_stacks(target: LiveTarget, reader: OutsideReader) -> None:
    wanted = told(target)
    target.wait_for(lambda: reader.read().main is MainState.BLOCKED)  # it is ready just before
    view = reader.read(budget_ns=SECOND_NS)
    assert {thread.native_id for thread in view.threads} == set(wanted)
    for thread in view.threads:
        assert thread.stack is not None, thread.problem
        found = as_told(thread.stack.frames)
        expected = wanted[thread.native_id]
        if thread.native_id == target.pid:  # it could not tell its own next instruction
            expected[0][3] = found[0][3]
        assert found == expected


def test_stacks_equal_what_the_target_says_of_itself(target_python: str) -> None:
    with spawn("shapes.py", python=target_python) as target, reader_of(target) as reader:
        assert_equal_stacks(target, reader)
        assert_equal_stacks(target, reader)  # from known code objects


def test_two_hundred_threads_are_all_read(target_python: str) -> None:
    with spawn("shapes.py", "200", python=target_python) as target, reader_of(target) as reader:
        assert_equal_stacks(target, reader)


def test_counters_and_ids_belong_to_the_threads(target_python: str) -> None:
    with spawn("shapes.py", python=target_python) as target, reader_of(target) as reader:
        # The last of them may still be on its way into the kernel.
        target.wait_for(lambda: kernel_facts(reader.read()) == kernel_facts(reader.read()))
        view = reader.read()

    assert [thread.native_id for thread in view.threads if thread.is_main] == [target.pid]
    for thread in view.threads:
        assert thread.os_tid == thread.native_id
        assert thread.counters is not None
        assert thread.counters.state == "S"
        assert thread.counters.wchan is None or "futex" in thread.counters.wchan or thread.is_main
        assert thread.holds_gil is False
    assert view.gil_holder is None
    assert view.interpreters == 1


def kernel_facts(view: OutsideView) -> list[tuple[object, ...]]:
    """What the kernel never changes of a thread that stands still; a moving one equals nothing."""
    return [
        (c.state, c.voluntary_switches, c.involuntary_switches, c.cpu_ns, c.start_ticks)
        if (c := thread.counters) and c.state == "S"
        else (object(),)
        for thread in view.threads
    ]


SOURCES = {name: (TARGETS / name).read_text().splitlines() for name in ("busy.py", "busy_tasks.py")}


def wrong_call(frames: tuple[Frame, ...]) -> str | None:
    """Return the first pair of frames that the call graph of a busy program does not have.

    Which coroutine a loop runs, the line that started the loop does not tell.
    """
    if not frames or frames[-1].qualname not in {"<module>", "Thread._bootstrap"}:
        return f"ends with {frames[-1] if frames else None}"
    for callee, caller in pairwise(frames):
        source = SOURCES.get(Path(caller.filename).name)
        if source is None or Path(callee.filename).name not in SOURCES:
            continue
        line = source[(caller.lineno or 0) - 1]
        if not re.search(rf"\b{callee.qualname}\(", line):
            return f"{caller.qualname}:{caller.lineno} does not call {callee.qualname}"
    return None


@dataclass
class Tally:
    """What became of the stacks of a target that never rests."""

    taken: int = 0
    given_up: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def answered(self) -> float:
        return self.taken / (self.taken + self.given_up)


def read_moving(target: LiveTarget, taken: int, problem: Problem) -> Tally:
    """Read all threads, each for up to 50 ms, until so many stacks were taken."""
    tally = Tally()
    with Memory(target.pid) as memory:
        runtime = Runtime.attach(target.pid, memory)
        reader = StackReader(runtime, Origins())
        threads = runtime.threads(runtime.main_interpreter())
        while tally.taken < taken and tally.given_up < taken:
            for thread in threads:
                try:
                    stack = reader.read(thread, time.monotonic_ns() + PATIENCE_NS)
                except TornReadError:
                    tally.given_up += 1
                    continue
                if isinstance(stack, OuterPart):
                    tally.given_up += 1
                    continue
                tally.taken += 1
                wrong = problem(stack.frames)
                if wrong:
                    tally.wrong.append(wrong)
    return tally


@contextmanager
def apart(pid: int) -> Iterator[None]:
    """Run the target on another CPU than ourselves, so that it moves while it is read."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        yield
        return
    os.sched_setaffinity(0, {cpus[0]})
    try:
        for tid in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are numbers
            os.sched_setaffinity(int(tid), {cpus[1]})
        yield
    finally:
        os.sched_setaffinity(0, set(cpus))


@pytest.mark.parametrize("threads", [1, 4])
def test_stacks_of_a_busy_target_are_right_and_there(target_python: str, threads: int) -> None:
    with spawn("busy.py", str(threads), python=target_python) as target, apart(target.pid):
        tally = read_moving(target, 600, wrong_call)

    assert tally.wrong == []
    assert tally.answered > 0.95  # the tests of others may hold us up


def test_stacks_of_busy_coroutines_are_right_or_left_out(target_python: str) -> None:
    """Their frames lie all over the memory: alone in its process, few of its stacks can be had."""
    with spawn("busy_tasks.py", python=target_python) as target, apart(target.pid):
        tally = read_moving(target, 40, wrong_call)

    assert tally.wrong == []
    assert tally.taken + tally.given_up >= 40


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thousands_of_stacks_of_busy_coroutines_are_right(target_python: str) -> None:
    with spawn("busy_tasks.py", python=target_python) as target, apart(target.pid):
        tally = read_moving(target, 4_000, wrong_call)

    assert tally.wrong == []
    assert tally.taken > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_twenty_thousand_stacks_of_a_busy_target_are_right(
    target_python: str, threads: int
) -> None:
    with spawn("busy.py", str(threads), python=target_python) as target, apart(target.pid):
        tally = read_moving(target, 20_000, wrong_call)

    assert tally.wrong == []
    assert tally.answered >= 0.99


PHASES_SOURCE = (TARGETS / "phases.py").read_text().splitlines()


def wrong_phase(frames: tuple[Frame, ...]) -> str | None:
    """Return what does not belong together: a function is called on the line that names it."""
    names = [frame.qualname for frame in frames]
    if names[-1] != "<module>" or set(names[2:-1]) - {"phases", "below"}:
        return " ".join(names)
    if "phases" in names[1:2]:
        line = PHASES_SOURCE[(frames[1].lineno or 0) - 1].strip()
        return None if line == f"{names[0]}()" else f"{names[0]} is not called by {line}"
    return None


@pytest.mark.parametrize("depth", [0, 35, 38])
def test_frames_of_two_moments_are_never_mixed(target_python: str, depth: int) -> None:
    """Wherever the innermost frames lie, on the edge of a page as well."""
    with spawn("phases.py", str(depth), python=target_python) as target, apart(target.pid):
        tally = read_moving(target, 300, wrong_phase)

    assert tally.wrong == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("depth", range(60))
def test_frames_of_two_moments_are_never_mixed_in_many(target_python: str, depth: int) -> None:
    with spawn("phases.py", str(depth), python=target_python) as target, apart(target.pid):
        tally = read_moving(target, 10_000, wrong_phase)

    assert tally.wrong == []


def test_a_stack_that_never_stands_still_is_true_or_its_outer_part_is(target_python: str) -> None:
    with (
        spawn("recursing.py", python=target_python) as target,
        apart(target.pid),
        reader_of(target) as reader,
    ):
        for _ in range(20):
            (thread,) = reader.read().threads
            names = [frame.qualname for frame in thread.frames]
            assert names == ["fib"] * (len(names) - 2) + ["work", "<module>"][-len(names) :]
            assert len(names) < 28
            assert (thread.stack is None) is (thread.problem is not None)
            assert thread.stack is None or thread.outer is None
