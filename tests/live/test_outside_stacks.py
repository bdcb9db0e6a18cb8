from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import TornReadError
from snapshotter.outside.memory import Memory
from snapshotter.outside.origin import Origins
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.stacks import StackReader
from snapshotter.outside.view import OutsideReader, OutsideView
from tests.support.targets import TARGETS, LiveTarget, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.model.snapshot import Frame

pytestmark = pytest.mark.live

SECOND_NS = 1_000_000_000


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


BUSY_SOURCE = (TARGETS / "busy.py").read_text().splitlines()


def wrong_call(frames: tuple[Frame, ...]) -> str | None:
    """Return the first pair of frames that the call graph of busy.py does not have."""
    if not frames or frames[-1].qualname not in {"<module>", "Thread._bootstrap"}:
        return f"ends with {frames[-1] if frames else None}"
    own = [frame for frame in frames if frame.filename.endswith("busy.py")]
    for callee, caller in pairwise(own):
        line = BUSY_SOURCE[(caller.lineno or 0) - 1]
        if not re.search(rf"\b{callee.qualname}\(", line):
            return f"{caller.qualname}:{caller.lineno} does not call {callee.qualname}"
    return None


def read_busy(target: LiveTarget, reads: int) -> tuple[int, list[str]]:
    """Read all threads again and again; return how many stacks were taken and the wrong ones."""
    taken, wrong = 0, []
    with Memory(target.pid) as memory:
        runtime = Runtime.attach(target.pid, memory)
        reader = StackReader(runtime, Origins())
        threads = runtime.threads(runtime.main_interpreter())
        for _ in range(reads):
            for thread in threads:
                try:
                    stack = reader.read(thread, time.monotonic_ns() + 2_000_000)
                except TornReadError:
                    continue
                taken += 1
                problem = wrong_call(stack.frames)
                if problem:
                    wrong.append(problem)
    return taken, wrong


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
def test_no_stack_of_a_busy_target_is_wrong(target_python: str, threads: int) -> None:
    with spawn("busy.py", str(threads), python=target_python) as target, apart(target.pid):
        taken, wrong = read_busy(target, 3000 // threads)

    assert wrong == []
    assert taken > 300


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_no_stack_of_a_busy_target_is_wrong_in_many(target_python: str, threads: int) -> None:
    with spawn("busy.py", str(threads), python=target_python) as target, apart(target.pid):
        taken, wrong = read_busy(target, 100_000 // threads)

    assert wrong == []
    assert taken > 10_000
