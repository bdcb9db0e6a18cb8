"""asyncio tasks of the loops that run, from the lists that CPython keeps of them for debuggers.

``Modules/_asynciomodule.c`` leaves a table of offsets in a section of its own; each thread state
heads a list of the tasks that were made in it, and the interpreter one of those whose thread ended.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final

from snapshotter.errors import SnapshotterError, TornReadError
from snapshotter.model.snapshot import Task, TaskState
from snapshotter.outside.elf import section_address
from snapshotter.outside.locate import read_mappings
from snapshotter.outside.readings import Reading

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from snapshotter.model.snapshot import Frame
    from snapshotter.outside.classes import ClassReader
    from snapshotter.outside.codes import CodeCache, CodeInfo
    from snapshotter.outside.heap import Heap
    from snapshotter.outside.runtime import Runtime, ThreadRef
    from snapshotter.outside.scrub import Scrubber

__all__ = ["TaskReader", "TasksSeen"]

_SECTION: Final = b".AsyncioDebug"
_TABLE: Final = Struct("<13Q")
_LARGEST_OFFSET: Final = 1 << 16
_FUTURE_LOOP: Final = 16
_FRAME_INSTRUCTION: Final = 56
_PENDING: Final = 0
_STATES: Final = (TaskState.PENDING, TaskState.CANCELLED, TaskState.FINISHED)
_MOST_LISTED: Final = 100_000
_MOST_AWAITS: Final = 64
_MAX_NAME: Final = 200
_MOST_AWAITERS: Final = 64
_LARGEST_SET_BYTES: Final = 1 << 16
_ROUNDS: Final = 3
_BUDGET_NS: Final = 500_000_000
_AWAITING: Final = {(3, 14): {255}, (3, 15): {2, 3}}
"""``gi_frame_state`` as a byte: FRAME_SUSPENDED_YIELD_FROM, and _LOCKED."""
_AWAITED: Final = {(3, 14): 8, (3, 15): 16}
"""How far below the top of its stack a frame keeps what it awaits; 3.15 has an index above it."""
_WITH_FRAME: Final = {(3, 14): {253, 254, 255, 0}, (3, 15): {0, 1, 2, 3, 4}}


@dataclass(frozen=True, slots=True)
class _Offsets:
    """``Py_AsyncioModuleDebugOffsets``."""

    task_size: int
    task_name: int
    task_awaited_by: int
    task_is_task: int
    task_awaited_by_is_set: int
    task_coro: int
    task_node: int
    interpreter_size: int
    interpreter_tasks: int
    thread_size: int
    thread_loop: int
    thread_task: int
    thread_tasks: int

    @property
    def is_plausible(self) -> bool:
        """Whether all fields lie inside their structures."""
        of_task = (self.task_name, self.task_awaited_by, self.task_coro, self.task_node)
        flags = (self.task_is_task, self.task_awaited_by_is_set)
        of_thread = (self.thread_loop, self.thread_tasks)
        return (
            max(*of_task, *flags) < self.task_size < _LARGEST_OFFSET
            and max(of_thread) < self.thread_size < _LARGEST_OFFSET
            and not any(offset % 8 for offset in (*of_task, *of_thread, self.interpreter_tasks))
        )

    @property
    def task_state(self) -> int:
        """``fut_state`` follows ``fut_awaited_by``."""
        return self.task_awaited_by + 8

    @property
    def task_waiter(self) -> int:
        """``task_fut_waiter`` is before ``task_coro``."""
        return self.task_coro - 8


@dataclass(frozen=True, slots=True)
class TasksSeen:
    """Tasks that are not done; ``total`` counts those too whose stacks were left out."""

    total: int
    tasks: tuple[Task, ...]


@dataclass(slots=True)
class _Found:
    """A task, and the bytes that it was read from."""

    address: int
    loop: int
    task: Task | None
    spans: tuple[int, int]


class TaskReader:
    """Reads the tasks of the main interpreter of one runtime."""

    __slots__ = (
        "_classes",
        "_codes",
        "_heap",
        "_known",
        "_looked_for",
        "_round_codes",
        "_runtime",
        "_task_types",
    )

    def __init__(
        self, runtime: Runtime, heap: Heap, classes: ClassReader, codes: CodeCache
    ) -> None:
        """Read tasks of ``runtime``; their code objects are in ``codes``."""
        self._runtime = runtime
        self._heap = heap
        self._classes = classes
        self._codes = codes
        self._known: _Offsets | None = None
        self._looked_for: frozenset[str] = frozenset()
        self._task_types: dict[int, bool] = {}
        self._round_codes: dict[int, CodeInfo] = {}

    @property
    def is_known(self) -> bool:
        """Whether the place of the tasks has been found."""
        return self._known is not None

    def read(
        self,
        threads: Sequence[ThreadRef],
        scrubber: Scrubber,
        *,
        most: int,
        besides: Container[int] = (),
    ) -> TasksSeen | None:
        """Return the tasks of loops ``besides`` some that run in ``threads``, ``most`` with stacks.

        None where they cannot be read; raises ``TornReadError`` when the lists change all the
        time.
        """
        running = self._running(threads)
        if running is None:
            return None
        offsets, running_in = running
        loops = {loop: ident for loop, ident in running_in.items() if loop not in besides}
        if not loops:
            return TasksSeen(0, ())
        until_ns = time.monotonic_ns() + _BUDGET_NS
        addresses = self._listed(offsets, threads, loops)
        pending = addresses[:most]
        tasks: dict[int, Task] = {}
        for left in range(_ROUNDS - 1, -1, -1):
            self._heap.pages.forget()
            self._classes.begin()
            self._task_types.clear()
            self._round_codes.clear()
            found = [
                self._task(offsets, address, loops, scrubber)
                for address in pending
                if time.monotonic_ns() < until_ns
            ]
            changed = self._heap.pages.refresh()
            pending = []
            for one in found:
                if changed and self._heap.pages.has_changed(*one.spans):
                    pending.append(one.address)
                elif one.task is not None:
                    tasks[one.address] = one.task
            if not pending or not left or time.monotonic_ns() > until_ns:
                break
        shown = tuple(tasks[address] for address in addresses if address in tasks)
        return TasksSeen(len(addresses), shown)

    def loop_of(self, thread: ThreadRef) -> int:
        """Return the address of the event loop that runs in ``thread``, 0 if none is known."""
        running = self._running((thread,))
        return next(iter(running[1]), 0) if running else 0

    def _running(self, threads: Sequence[ThreadRef]) -> tuple[_Offsets, dict[int, int]] | None:
        """Return the offsets, and the thread that runs each loop."""
        offsets = self._offsets()
        if offsets is None:
            return None
        self._heap.pages.forget()
        loops = {}
        for thread in threads:
            if thread.interpreter_id == 0:
                loop = self._heap.pages.u64(thread.address + offsets.thread_loop)
                if loop:
                    loops[loop] = thread.ident
        return offsets, loops

    def _offsets(self) -> _Offsets | None:
        """Find the table; again when other files are mapped than before: asyncio comes late."""
        if self._known is not None:
            return self._known
        try:
            places = _places(self._runtime)
        except SnapshotterError, OSError:
            return None
        names = frozenset(name for name, _ in places)
        if names == self._looked_for:
            return None
        self._looked_for = names
        for name, start in places:
            try:
                section = section_address(name, _SECTION)
                if section is None:
                    continue
                address = start + section[0] - section[1]
                found = _Offsets(*_TABLE.unpack(self._runtime.memory.read(address, _TABLE.size)))
            except OSError, TornReadError:
                continue
            if found.is_plausible:
                self._known = found
                break
        return self._known

    def _listed(
        self, offsets: _Offsets, threads: Sequence[ThreadRef], loops: dict[int, int]
    ) -> list[int]:
        """Return addresses of the tasks of these loops that are not done."""
        heads = [thread.address + offsets.thread_tasks for thread in threads]
        interpreter = self._runtime.main_interpreter().address
        heads.append(interpreter + offsets.interpreter_tasks)
        for _ in range(_ROUNDS - 1):
            with suppress(TornReadError):
                return self._listed_once(offsets, heads, loops)
        return self._listed_once(offsets, heads, loops)

    def _listed_once(self, offsets: _Offsets, heads: list[int], loops: dict[int, int]) -> list[int]:
        self._heap.pages.forget()
        found = [
            address
            for head in heads
            for address in self._walk(offsets, head)
            if self._heap.pages.u64(address + _FUTURE_LOOP) in loops
            and self._state(offsets, address) == _PENDING
        ]
        return list(dict.fromkeys(found))

    def _walk(self, offsets: _Offsets, head: int) -> Iterator[int]:
        pages = self._heap.pages
        before, node = head, pages.u64(head)
        for _ in range(_MOST_LISTED):
            if node in {head, 0}:
                return
            if pages.u64(node + 8) != before:
                raise TornReadError("The list of tasks changed while it was read.")
            yield node - offsets.task_node
            before, node = node, pages.u64(node)
        raise TornReadError("The list of tasks does not end.")

    def _state(self, offsets: _Offsets, address: int) -> int:
        return int.from_bytes(self._heap.pages.read(address + offsets.task_state, 4), "little")

    def _task(
        self, offsets: _Offsets, address: int, loops: dict[int, int], scrubber: Scrubber
    ) -> _Found:
        spans = self._heap.pages.spans
        first, task, loop = len(spans), None, 0
        try:
            loop = self._heap.pages.u64(address + _FUTURE_LOOP)
            state = self._state(offsets, address)
            if self._is_task(address) and state < len(_STATES) and loop in loops:
                task = Task(
                    identity=address,
                    name=self._name(self._heap.pages.u64(address + offsets.task_name), scrubber),
                    state=_STATES[state],
                    loop=loop,
                    thread_ident=loops[loop],
                    frames=self._stack(self._heap.pages.u64(address + offsets.task_coro)),
                    waits_for=self._waits(self._heap.pages.u64(address + offsets.task_waiter)),
                    awaited_by=self._awaiters(offsets, address),
                )
        except TornReadError:
            task = None
        return _Found(address, loop, task, (first, len(spans)))

    def _is_task(self, address: int) -> bool:
        kind = self._heap.type_of(address)
        known = self._task_types.get(kind)
        if known is None:
            plans = [self._classes.plan(one) for one in self._classes.parents(kind)[:8]]
            known = self._task_types[kind] = any(
                plan.name == "_asyncio.Task" and plan.is_made_in_c for plan in plans
            )
        return known

    def _code(self, address: int) -> CodeInfo:
        known = self._round_codes.get(address)
        if known is None:
            known = self._round_codes[address] = self._codes.get(address)
        return known

    def _name(self, address: int, scrubber: Scrubber) -> str | None:
        """Return the name; CPython makes ``Task-7`` of a number when it is first asked."""
        if not address:
            return None
        reading = self._classes.plan(self._heap.type_of(address)).reading
        if reading is Reading.INT:
            return f"Task-{self._heap.integer(address)[0]}"
        if reading is not Reading.STR:
            return None
        text = self._heap.text(address, _MAX_NAME)[0]
        if scrubber.hides_text(text):
            return None
        return text.encode("utf-8", "backslashreplace").decode() or None

    def _waits(self, waiter: int) -> str | None:
        if not waiter:
            return None
        kind = self._heap.type_of(waiter)
        if self._classes.plan(kind).reading is Reading.NONE:
            return None
        return f"{self._classes.name_of(kind)} {waiter:#x}"

    def _awaiters(self, offsets: _Offsets, address: int) -> tuple[int, ...]:
        """Return the tasks that CPython notes as those that await this one."""
        pages = self._heap.pages
        by = pages.u64(address + offsets.task_awaited_by)
        if not by:
            return ()
        found = [by]
        if pages.read(address + offsets.task_awaited_by_is_set, 1) != b"\0":
            if self._classes.plan(self._heap.type_of(by)).reading is not Reading.SET:
                raise TornReadError("Those that await a task are in no set.")
            found, _, size = self._heap.set_items(by, _MOST_AWAITERS)
            if size > _LARGEST_SET_BYTES:
                return ()
        return tuple(sorted(one for one in found if self._is_task(one)))

    def _stack(self, awaited: int) -> tuple[Frame, ...]:
        """Frames of a coroutine and of what it awaits, innermost first."""
        pages, layout = self._heap.pages, self._heap.layout
        chain: list[Frame] = []
        self._codes.begin_stack()
        for _ in range(_MOST_AWAITS):
            if not awaited or self._kind(awaited) not in {"coroutine", "generator"}:
                break
            state = pages.read(awaited + layout.gen_state, 1)[0]
            if state not in _WITH_FRAME[self._runtime.version]:
                break
            frame = awaited + layout.gen_frame
            code = self._code(pages.u64(frame) & ~3)
            lasti = max(0, pages.u64(frame + _FRAME_INSTRUCTION) - code.start)
            if lasti >= code.size_bytes or lasti & 1:
                raise TornReadError("An instruction does not belong to its coroutine.")
            chain.append(self._codes.frame(code, lasti))
            if state not in _AWAITING[self._runtime.version]:
                break
            top = pages.u64(frame + layout.frame_stackpointer)
            awaited = pages.u64(top - _AWAITED[self._runtime.version]) & ~3
        chain.reverse()
        return tuple(chain)

    def _kind(self, address: int) -> str:
        plan = self._classes.plan(self._heap.type_of(address))
        return plan.short if plan.reading is Reading.GENERATOR else ""


def _places(runtime: Runtime) -> list[tuple[str, int]]:
    """Files that may have the table, each with the start of its first mapping.

    ``_asyncio`` is an extension module, or part of the interpreter.
    """
    mappings = read_mappings(runtime.pid)
    home = {item.file for item in mappings if item.start <= runtime.address < item.end}
    places = []
    for item in mappings:
        is_extension = os.path.basename(item.path).startswith("_asyncio.")
        if item.offset or not (is_extension or item.file in home):
            continue
        for name in (
            f"/proc/{runtime.pid}/map_files/{item.range}",
            f"/proc/{runtime.pid}/root{item.path}",
        ):
            if os.path.exists(name):
                places.append((name, item.start))
                break
    return places
