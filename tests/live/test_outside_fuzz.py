"""Damaged memory gives our own errors or marked gaps: never a crash, a hang, or much memory."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import SnapshotterError
from snapshotter.model import ValueLevel
from snapshotter.outside.details import DetailsReader, Wanted
from snapshotter.outside.origin import Origins
from snapshotter.outside.procfs import process_state
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.selection import Selection
from snapshotter.outside.view import OutsideReader
from tests.support.image import DamagedMemory, Image, RecordingMemory
from tests.support.targets import spawn, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from snapshotter.model import Frame, Value
    from snapshotter.outside.details import OutsideDetails
    from snapshotter.outside.memory import Memory
    from snapshotter.outside.runtime import ThreadRef
    from snapshotter.outside.view import OutsideView

pytestmark = pytest.mark.live

PROGRAMS = {
    "values": ("value_zoo.py", "blocked"),
    "tasks": ("task_zoo.py",),
    "stacks": ("shapes.py",),
    "collector": ("collecting.py",),
}
SHORT = {"values": 300, "tasks": 300, "stacks": 80, "collector": 320}
LONG = {"values": 20_000, "tasks": 15_000, "stacks": 5_000, "collector": 10_000}
"""How many damaged images of each; there are two versions."""
VARIABLES = (("__main__", "CONFIG", "levels", "1"), ("sys", "implementation", "name"))
LONGEST_S = 10.0
MOST_READ_BYTES = 1 << 30
MOST_MORE_KIB = 400 << 10


@dataclass(slots=True)
class Reader:
    """Everything that is read from outside, through one memory."""

    memory: Memory
    runtime: Runtime
    view: OutsideReader = field(init=False)
    details: DetailsReader = field(init=False)

    def __post_init__(self) -> None:
        pid = self.runtime.pid
        self.view = OutsideReader(pid, self.memory, self.runtime, origins=Origins())
        self.details = DetailsReader(self.runtime, self.view.codes)

    def threads(self) -> tuple[ThreadRef, ...]:
        return self.runtime.threads(self.runtime.main_interpreter())

    def read_view(self) -> OutsideView:
        return self.view.read(budget_ns=0)

    def read_details(self, level: ValueLevel = ValueLevel.SCRUBBED) -> OutsideDetails:
        wanted = Wanted(selection=Selection("all"), level=level, variables=VARIABLES)
        return self.details.read(self.threads(), wanted)


@contextmanager
def stopped_image(name: str, python: str, folder: Path) -> Iterator[tuple[Image, tuple[int, ...]]]:
    """An image of all that is read of a target, which stays stopped meanwhile."""
    program, *args = PROGRAMS[name]
    with spawn(program, *args, python=python) as target:
        os.kill(target.pid, signal.SIGSTOP)
        wait_until(lambda: process_state(target.pid) == "T")
        with RecordingMemory(target.pid) as memory:
            reader = Reader(memory, Runtime.attach(target.pid, memory))
            reader.read_view()
            reader.read_details()
            hot = [reader.runtime.address, reader.runtime.main_interpreter().address]
            hot += [thread.address for thread in reader.threads()]
            hot += [thread.current_frame for thread in reader.threads()]
        path = folder / "image"
        Image(target.pid, memory.pages).save(path)
        yield Image.load(target.pid, path), tuple(hot)


def check_frames(frames: tuple[Frame, ...]) -> None:
    for frame in frames:
        assert (frame.filename + frame.qualname).encode()
        assert frame.lineno is None or -(1 << 40) < frame.lineno < 1 << 40


def check_values(values: tuple[Value, ...]) -> None:
    for value in values:
        value.type.encode()
        if isinstance(value.value, str):
            value.value.encode()
        for number in (value.length, value.identity):
            assert number is None or 0 <= number < 1 << 64
        if isinstance(value.value, int):
            assert -(1 << 63) <= value.value < 1 << 63
        for item in value.items:
            assert 0 <= item.node < len(values)
            assert item.key is None or 0 <= item.key < len(values)
            (item.name or "").encode()


def look(memory: DamagedMemory, chosen: random.Random, warm: Reader) -> bool:
    """Read something of a damaged memory; return whether there was an answer."""
    how = chosen.randrange(20)
    with suppress(SnapshotterError):
        if how == 0:
            Runtime.attach(memory.pid, memory)
            return True
        reader = warm if how % 2 else Reader(memory, warm.runtime)
        if how < 10:
            view = reader.read_view()
            for thread in view.threads:
                assert thread.stack or thread.problem
                check_frames(thread.stack.frames if thread.stack else ())
            return True
        found = reader.read_details(chosen.choice(list(ValueLevel)))
        check_values(found.values)
        for stack in found.threads.values():
            check_frames(stack.frames)
            for frame in stack.frames:
                assert all(0 <= one.node < len(found.values) for one in frame.locals)
        for name, _daemon in found.names.values():
            (name or "").encode()
        for task in found.tasks:
            check_frames(task.frames)
            f"{task.name} {task.waits_for}".encode()
        return True
    return False


def fuzz(image: Image, hot: tuple[int, ...], images: int, seed: int) -> int:
    """Read ``images`` damaged images; return how many gave an answer."""
    memory = DamagedMemory(image)
    warm = Reader(memory, Runtime.attach(image.pid, memory))
    warm.read_view()
    assert warm.read_details().values
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = 0
    for number in range(images):
        chosen = random.Random(seed * 1_000_003 + number)  # noqa: S311 - repeatable, not secret
        memory.heal()
        memory.damage(chosen, hot)
        started = time.process_time()
        try:
            answers += look(memory, chosen, warm)
        except Exception as error:
            error.add_note(f"image {number} of seed {seed}")
            raise
        assert time.process_time() - started < LONGEST_S, f"image {number} of seed {seed}"
        assert memory.bytes_read < MOST_READ_BYTES, f"image {number} of seed {seed}"
    after_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after_kib - before_kib < MOST_MORE_KIB
    return answers


@pytest.mark.parametrize("name", PROGRAMS)
def test_damaged_images_are_survived(target_python: str, tmp_path: Path, name: str) -> None:
    with stopped_image(name, target_python, tmp_path) as (image, hot):
        assert fuzz(image, hot, SHORT[name], 1) > SHORT[name] // 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hundred_thousand_damaged_images_are_survived(
    target_python: str, tmp_path: Path, name: str
) -> None:
    with stopped_image(name, target_python, tmp_path) as (image, hot):
        assert fuzz(image, hot, LONG[name], 2) > LONG[name] // 2
