"""Our own process, read through a memory that lies: nothing may crash, hang or grow."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import SnapshotterError, TornReadError
from snapshotter.outside.memory import MAX_READ_BYTES, Memory
from snapshotter.outside.objects import ObjectReader
from snapshotter.outside.origin import Origins
from snapshotter.outside.runtime import Runtime, ThreadRef
from snapshotter.outside.stacks import StackReader
from snapshotter.outside.view import OutsideReader
from snapshotter.outside.walk import MAX_FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

PID = os.getpid()


class LyingMemory(Memory):
    """Flips bytes of about one read in ``rarity``."""

    def __init__(self, seed: int, rarity: int = 3) -> None:
        super().__init__(PID)
        self.chosen = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.rarity = rarity
        self.is_honest = True
        self.bytes_read = 0

    def read_some(self, address: int, size: int) -> bytes:
        data = super().read_some(address, size)
        self.bytes_read += len(data)
        if self.is_honest or self.chosen.randrange(self.rarity):
            return data
        bad = bytearray(data)
        for _ in range(self.chosen.randrange(1, 5)):
            bad[self.chosen.randrange(len(bad))] = self.chosen.choice([0, 255, 8, 1])
        return bytes(bad)


@contextmanager
def parked_thread() -> Iterator[int]:
    """A thread of our own that stands still; gives its native id."""
    stop, ready = threading.Event(), threading.Event()

    def park() -> None:
        list(map(lambda _: (ready.set(), stop.wait()), [1]))  # noqa: C417 - a call through C

    thread = threading.Thread(target=park)
    thread.start()
    try:
        ready.wait()
        assert thread.native_id is not None
        yield thread.native_id
    finally:
        stop.set()
        thread.join()


def find_thread(runtime: Runtime, native_id: int) -> ThreadRef:
    threads = runtime.threads(runtime.main_interpreter())
    return next(thread for thread in threads if thread.native_id == native_id)


def test_own_thread_is_read_when_memory_is_honest() -> None:
    with parked_thread() as native_id, Memory(PID) as memory:
        runtime = Runtime.attach(PID, memory)
        thread = find_thread(runtime, native_id)
        stack = StackReader(runtime, Origins()).read(thread, time.monotonic_ns() + 10**9)

    names = [frame.qualname.rpartition(".")[2] for frame in stack.frames]
    assert names[:2] == ["wait", "wait"]
    assert names[2:] == ["<lambda>", "park", "run", "_bootstrap_inner", "_bootstrap"]


@pytest.mark.parametrize("seed", range(5))
def test_lies_give_torn_reads_only(seed: int) -> None:
    with parked_thread() as native_id, LyingMemory(seed) as memory:
        runtime = Runtime.attach(PID, memory)
        thread = find_thread(runtime, native_id)
        memory.is_honest = False
        for _ in range(150):
            reader = StackReader(runtime, Origins())
            with suppress(TornReadError):
                stack = reader.read(thread, 0)
                assert len(stack.frames) <= MAX_FRAMES
            with suppress(TornReadError):
                runtime._walk_threads(runtime.main_interpreter())
    assert memory.bytes_read < 1 << 30


def test_lies_while_attaching_are_refused() -> None:
    with LyingMemory(11, rarity=1) as memory:
        memory.is_honest = False
        for _ in range(20):
            with suppress(SnapshotterError):
                Runtime.attach(PID, memory)


def test_view_survives_lies() -> None:
    with parked_thread(), LyingMemory(13, rarity=20) as memory:
        runtime = Runtime.attach(PID, memory)
        reader = OutsideReader(PID, memory, runtime)
        memory.is_honest = False
        for _ in range(30):
            with suppress(TornReadError):
                view = reader.read(budget_ns=1_000_000)
                assert all(thread.stack or thread.problem for thread in view.threads)


class CircularMemory(Memory):
    """Answers each pointer that is asked for at ``poison`` with the same pointer."""

    poison = 0

    def read_some(self, address: int, size: int) -> bytes:
        data = super().read_some(address, size)
        if address <= self.poison < address + size:
            at = self.poison - address
            data = data[:at] + self.poison_value.to_bytes(8, "little") + data[at + 8 :]
        return data

    poison_value = 0


def test_circular_frames_end() -> None:
    with parked_thread() as native_id, CircularMemory(PID) as memory:
        runtime = Runtime.attach(PID, memory)
        thread = find_thread(runtime, native_id)
        memory.poison = thread.current_frame + runtime.offsets.interpreter_frame_previous
        memory.poison_value = thread.current_frame
        stack = StackReader(runtime, Origins()).read(thread, 0)

    assert stack.truncated
    assert len(stack.frames) == MAX_FRAMES


def test_circular_list_of_threads_ends() -> None:
    with parked_thread() as native_id, CircularMemory(PID) as memory:
        runtime = Runtime.attach(PID, memory)
        thread = find_thread(runtime, native_id)
        memory.poison = thread.address + runtime.offsets.thread_state_next
        memory.poison_value = thread.address
        with pytest.raises(TornReadError):
            runtime.threads(runtime.main_interpreter())


def test_absurd_places_and_sizes_are_never_read() -> None:
    with Memory(PID) as memory:
        for address, size in [(0, 8), (-8, 8), (1 << 63, 8), (1 << 70, 8), (id(PID), 0)]:
            with pytest.raises(TornReadError):
                memory.read(address, size)
        with pytest.raises(TornReadError):
            memory.read(id(PID), MAX_READ_BYTES + 1)


@pytest.mark.parametrize(
    "text", ["", "plain", "grün", "雪", "🐍" * 90, "x" * 4000, "a\udc80b", "Ω" * 200]
)
def test_strings_of_each_width_are_read(text: str) -> None:
    with Memory(PID) as memory:
        found = ObjectReader(Runtime.attach(PID, memory)).text(id(text))

    assert found == text.encode("utf-8", "backslashreplace").decode()


def test_long_string_is_cut() -> None:
    text = "y" * 1_000_000
    with Memory(PID) as memory:
        found = ObjectReader(Runtime.attach(PID, memory)).text(id(text))

    assert len(found) == 4097
    assert found.endswith("…")


def test_reused_address_of_a_code_object_is_noticed() -> None:
    def make(name: str) -> object:
        return compile("def f(): pass", name, "exec").co_consts[0]

    with Memory(PID) as memory:
        cache = StackReader(Runtime.attach(PID, memory), Origins())._codes
        seen: dict[int, str] = {}
        for index in range(200):
            code = make(f"file{index}.py")
            info = cache.get(id(code))
            assert info.filename == f"file{index}.py"
            seen[id(code)] = info.filename
            del code
    assert len(seen) < 200  # else no address was ever reused and nothing was tested
