"""Locals, variables and names of one instant, read from outside without running a byte there.

Everything is decoded from copies of memory. When all is decoded, the copies are compared with the
memory once more: what rests on bytes that are still the same was so at the moment in between, all
of it at the same moment. Threads for which that does not hold are read again, a few times; what
changes every time is marked unreadable.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError, UnsupportedPythonError
from snapshotter.model.limits import limits_for
from snapshotter.outside.assembly import Assembly
from snapshotter.outside.classes import ClassReader
from snapshotter.outside.contents import write_node
from snapshotter.outside.gc import GcReader
from snapshotter.outside.heap import Heap
from snapshotter.outside.layouts import ObjectLayout
from snapshotter.outside.locals import LocalsReader
from snapshotter.outside.modules import Modules
from snapshotter.outside.pages import PagedMemory
from snapshotter.outside.readings import Reading
from snapshotter.outside.scrub import Scrubber
from snapshotter.outside.tasks import TaskReader, TasksSeen
from snapshotter.outside.values import ValueTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from snapshotter.model.gc import GcState
    from snapshotter.model.limits import Limits
    from snapshotter.model.snapshot import Task, ValueLevel, Variable
    from snapshotter.model.values import Value
    from snapshotter.outside.assembly import ThreadDetails
    from snapshotter.outside.codes import CodeCache
    from snapshotter.outside.locals import SeenThread
    from snapshotter.outside.modules import SeenVariable
    from snapshotter.outside.runtime import Runtime, ThreadRef
    from snapshotter.outside.selection import Selection

__all__ = ["DetailsReader", "OutsideDetails", "Wanted"]

_ROUNDS: Final = 3
_BUDGET_NS: Final = 400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be read."""

    selection: Selection
    level: ValueLevel
    variables: tuple[tuple[str, ...], ...] = ()
    """(module, name, name, …)"""
    limits: Limits | None = None
    """None for those that go with the level."""
    first_node: int = 0
    """The index that the first value gets: there are others before it."""
    names: bool = True
    """Names of threads."""
    loops_told: frozenset[int] | None = frozenset()
    """Event loops whose asyncio tasks need not be read; None when there are no others."""
    budget_ns: int = _BUDGET_NS


@dataclass(frozen=True, slots=True)
class OutsideDetails:
    """What was read. Indices point into ``values``, which begins at the first node wanted.

    Times are monotonic, of the controller.
    """

    threads: dict[tuple[int, int, int], ThreadDetails]
    """By (ident, native id, interpreter); threads that moved each time are missing."""
    values: tuple[Value, ...]
    variables: tuple[Variable, ...]
    names: dict[int, tuple[str | None, bool | None]]
    """Name and daemon flag of threads by ident, as ``threading`` knows them."""
    gc: GcState | None
    """None where the build keeps it differently, or it ran each time that it was read."""
    tasks: tuple[Task, ...]
    tasks_total: int | None
    """None where they cannot be read."""
    is_late: bool
    """Whether threads were left out because no time was left."""
    duration_ns: int


class DetailsReader:
    """Reads one process again and again; types and code objects stay known."""

    __slots__ = ("_classes", "_gc", "_heap", "_locals", "_modules", "_pages", "_runtime", "_tasks")

    def __init__(self, runtime: Runtime, codes: CodeCache) -> None:
        """Prepare for ``runtime``, whose code objects are in ``codes``.

        Raises ``UnsupportedPythonError`` when values of this build cannot be read from outside.
        """
        self._runtime = runtime
        self._pages = PagedMemory(runtime.memory)
        self._heap = Heap(self._pages, ObjectLayout.of(runtime))
        self._classes = ClassReader(runtime, self._heap)
        self._locals = LocalsReader(runtime, codes)
        self._modules = Modules(runtime, self._heap, self._classes)
        self._gc = GcReader(runtime, self._heap, self._classes)
        self._tasks = TaskReader(runtime, self._heap, self._classes, codes)
        self._check()

    def read(
        self, threads: Sequence[ThreadRef], wanted: Wanted, *, learn_from: Sequence[ThreadRef] = ()
    ) -> OutsideDetails:
        """Return the locals of ``threads``, and module variables.

        What is secret among the locals of the threads ``learn_from`` is hidden there too.
        Raises ``ProcessEndedError`` and ``NotPermittedError``.
        """
        started_ns = time.monotonic_ns()
        scrubber = Scrubber(wanted.level)
        assembly = Assembly(scrubber, wanted.first_node)
        pending, variables, out_of_time = list(threads), wanted.variables, False
        for left in range(_ROUNDS - 1, -1, -1):
            table = self._new_table(scrubber, wanted, started_ns)
            seen = self._threads(table, pending, wanted.selection)
            self._threads(table, learn_from, wanted.selection)
            found = self._variables(table, variables)
            torn = self._torn(table)
            out_of_time = table.is_late()
            is_last = not left or out_of_time
            assembly.begin(table, torn, is_last=is_last)
            pending = [
                thread
                for thread in pending
                if not assembly.take_thread(self._pages, seen.get(thread.address))
            ]
            variables = tuple(
                path for path in variables if not assembly.take_variable(path, found[path])
            )
            if is_last or not (pending or variables):
                break
        names = self._modules.thread_names(scrubber) if wanted.names else {}
        tasks = self._asyncio(scrubber, wanted)
        return OutsideDetails(
            threads=assembly.threads,
            values=assembly.scrubbed_values(),
            variables=tuple(assembly.variables[path] for path in wanted.variables),
            names=names,
            gc=self._collector(),
            tasks=tasks.tasks if tasks else (),
            tasks_total=tasks.total if tasks else None,
            is_late=bool(pending) and out_of_time,
            duration_ns=time.monotonic_ns() - started_ns,
        )

    def _collector(self) -> GcState | None:
        self._pages.forget()
        with suppress(TornReadError):
            return self._gc.read()
        return None

    def _asyncio(self, scrubber: Scrubber, wanted: Wanted) -> TasksSeen | None:
        told = wanted.loops_told
        if told is None:
            return TasksSeen(0, ())
        limits = wanted.limits or limits_for(wanted.level)
        self._pages.forget()
        with suppress(TornReadError):
            if not self._tasks.is_known and not self._modules.module("_asyncio"):
                return TasksSeen(0, ())
            threads = self._runtime.threads(self._runtime.main_interpreter())
            return self._tasks.read(threads, scrubber, most=limits.tasks, besides=told)
        return None

    def _new_table(self, scrubber: Scrubber, wanted: Wanted, started_ns: int) -> ValueTable:
        self._pages.forget()
        self._classes.begin()
        limits = wanted.limits or limits_for(wanted.level)
        table = ValueTable(self._heap, self._classes, scrubber, limits=limits)
        table.write = write_node
        table.deadline_ns = started_ns + wanted.budget_ns
        return table

    def _threads(
        self, table: ValueTable, threads: Sequence[ThreadRef], selection: Selection
    ) -> dict[int, SeenThread]:
        seen = {}
        for thread in threads[: table.limits.threads]:
            if table.is_late():
                break
            with suppress(TornReadError):
                seen[thread.address] = self._locals.read(table, thread, selection)
        return seen

    def _variables(
        self, table: ValueTable, paths: Iterable[tuple[str, ...]]
    ) -> dict[tuple[str, ...], SeenVariable]:
        found = {}
        for path in paths:
            found[path] = self._modules.variable(table, path)
            table.drain()
        return found

    def _torn(self, table: ValueTable) -> set[int]:
        """Return the nodes that rest on bytes which are no longer the same."""
        pages = self._pages
        if not pages.refresh():
            return set()
        strange = set()
        for address, plan in self._classes.made:
            if pages.has_changed(*plan.spans):
                self._classes.drop(address)
                strange.add(id(plan))
        return {
            index
            for index, node in enumerate(table.nodes)
            if id(node.plan) in strange or pages.has_changed(*node.spans)
        }

    def _check(self) -> None:
        """See that the layouts are true: what stands in ``builtins`` must read as what it is."""
        found: dict[str, Reading] = {}
        for _ in range(_ROUNDS):
            self._pages.forget()
            with suppress(TornReadError):
                for key, value in self._modules.builtins():
                    name = self._heap.text(key, 16)[0]
                    if name in {"None", "True"}:
                        found[name] = self._classes.plan(self._heap.type_of(value)).reading
                break
        if found.get("None") is not Reading.NONE or found.get("True") is not Reading.BOOL:
            raise UnsupportedPythonError(
                "Values cannot be read from outside: objects have another layout in this build.",
                hint="Stacks and counters are still read from outside.",
            )
