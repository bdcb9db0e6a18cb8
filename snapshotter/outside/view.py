"""The outside view: all threads of a process with stacks and counters, read at one go."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError
from snapshotter.model.snapshot import OutsideStack
from snapshotter.outside.give_way import give_way
from snapshotter.outside.main_state import MainEvidence, decide_main_state
from snapshotter.outside.origin import Origins
from snapshotter.outside.outer import OuterPart
from snapshotter.outside.procfs import native_to_os_tid, thread_facts, waiting_on
from snapshotter.outside.stacks import StackReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.model.snapshot import Counters, Frame, MainState
    from snapshotter.outside.codes import CodeCache
    from snapshotter.outside.memory import Memory
    from snapshotter.outside.probe_point import GilState
    from snapshotter.outside.procfs import Syscall, ThreadFacts
    from snapshotter.outside.runtime import InterpreterRef, Runtime, ThreadRef

__all__ = ["DEFAULT_BUDGET_NS", "OutsideReader", "OutsideThread", "OutsideView"]

DEFAULT_BUDGET_NS = 50_000_000
_LONGEST_NS = 2_000_000_000
"""However long the lists of a hostile target are: then threads stay without a stack."""
_LEAST_RETRY_NS = 10_000_000
"""Left for the stacks that changed, even where the many others used up the budget."""


@dataclass(frozen=True, slots=True)
class OutsideThread:
    """A thread as seen from outside."""

    ident: int
    native_id: int
    os_tid: int | None
    """Its number in our own pid namespace, None when it has no OS thread any more."""
    is_main: bool
    interpreter: int
    stack: OutsideStack | None
    problem: str | None
    """Why there is no stack, or only its outer part, one sentence."""
    holds_gil: bool | None
    """None in a free-threaded build."""
    counters: Counters | None
    os_name: str | None = None
    """What the operating system calls it; None where that is only the name of the process."""
    outer: OuterPart | None = None
    """The outermost calls, where there is no stack."""

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All that is known of its stack."""
        known = self.stack or self.outer
        return known.frames if known else ()


@dataclass(frozen=True, slots=True)
class OutsideView:
    """What was read. Times are monotonic, of the controller."""

    threads: tuple[OutsideThread, ...]
    gil_holder: int | None
    """Native id of the thread that had the GIL of the main interpreter."""
    interpreters: int
    main: MainState
    main_detail: str | None
    started_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """The thread states of one interpreter and its GIL."""

    interpreter: InterpreterRef
    gil: GilState
    threads: tuple[ThreadRef, ...]


type _Stack = OutsideStack | OuterPart | str
"""A stack, its outer part, or the sentence why there is none."""
type _Stacks = dict[int, _Stack]
"""By address of the thread state."""


class OutsideReader:
    """Reads a process again and again; code objects stay known from one view to the next."""

    __slots__ = ("_pid", "_runtime", "_stacks")

    def __init__(
        self, pid: int, memory: Memory, runtime: Runtime, *, origins: Origins | None = None
    ) -> None:
        """Prepare for ``pid``; ``memory`` must be that of ``runtime``."""
        if runtime.memory is not memory or runtime.pid != pid:
            raise ValueError("memory and runtime are not those of this process")
        self._pid = pid
        self._runtime = runtime
        self._stacks = StackReader(runtime, origins or Origins.for_process(pid))

    @property
    def codes(self) -> CodeCache:
        """The code objects that it met."""
        return self._stacks.codes

    def read(self, *, budget_ns: int = DEFAULT_BUDGET_NS) -> OutsideView:
        """Return the view; ``budget_ns`` bounds the retries of stacks that change.

        Raises ``TornReadError`` when the lists of threads cannot be read, ``ProcessEndedError``
        and ``NotPermittedError``.
        """
        give_way()
        started_ns = time.monotonic_ns()
        tids = native_to_os_tid(self._pid)
        # Before all else: our own reading takes time in which the main thread may move on.
        main_call = self._main_call(tids)
        longest_ns = started_ns + max(budget_ns, _LONGEST_NS)
        seen = self._threads_and_gils(longest_ns)
        stacks = self._read_stacks(seen, started_ns + budget_ns, longest_ns)
        threads = self._join(seen, stacks, tids)
        state, detail = self._main(seen, threads, main_call)
        main_gil = next((item for item in seen if item.interpreter.id == 0), None)
        return OutsideView(
            threads=threads,
            gil_holder=_holder_id(main_gil) if main_gil else None,
            interpreters=len(seen),
            main=state,
            main_detail=detail,
            started_ns=started_ns,
            duration_ns=time.monotonic_ns() - started_ns,
        )

    def _main_call(self, tids: dict[int, int]) -> Syscall | str | None:
        tid = tids.get(self._runtime.inner_pid)
        return None if tid is None else waiting_on(self._pid, tid)

    def _threads_and_gils(self, longest_ns: int) -> tuple[_Seen, ...]:
        seen = []
        for interpreter in self._runtime.interpreters():
            if time.monotonic_ns() > longest_ns:
                raise TornReadError("The lists of threads are implausibly long.")
            gil = self._runtime.gil(interpreter)
            seen.append(_Seen(interpreter, gil, self._runtime.threads(interpreter)))
        return tuple(seen)

    def _read_stacks(self, seen: tuple[_Seen, ...], deadline_ns: int, longest_ns: int) -> _Stacks:
        """Read each stack once, then share the time that is left among those that changed."""
        stacks: _Stacks = {}
        moving = []
        for thread in (thread for item in seen for thread in item.threads):
            give_way()
            if time.monotonic_ns() > longest_ns:
                stacks[thread.address] = "There was no time left to read it."
                continue
            stacks[thread.address] = stack = self._stack(thread, 0)
            if isinstance(stack, str):
                moving.append(thread)
        deadline_ns = max(deadline_ns, time.monotonic_ns() + _LEAST_RETRY_NS)
        for index, thread in enumerate(moving):
            now_ns = time.monotonic_ns()
            share_ns = max(0, deadline_ns - now_ns) // (len(moving) - index)
            if share_ns:
                stacks[thread.address] = self._stack(thread, now_ns + share_ns)
        return stacks

    def _stack(self, thread: ThreadRef, deadline_ns: int) -> _Stack:
        try:
            return self._stacks.read(thread, deadline_ns)
        except TornReadError as error:
            return error.message

    def _join(
        self, seen: tuple[_Seen, ...], stacks: _Stacks, tids: dict[int, int]
    ) -> tuple[OutsideThread, ...]:
        facts: dict[int, ThreadFacts | None] = {}
        joined = []
        # An OS thread has a state in each interpreter that it ever entered; one is alive.
        with_frames = {
            thread.native_id
            for item in seen
            for thread in item.threads
            if _has_frames(stacks[thread.address])
        }
        for item in seen:
            for thread in item.threads:
                stack = stacks[thread.address]
                if not _has_frames(stack) and thread.native_id in with_frames:
                    continue
                tid = tids.get(thread.native_id)
                if tid is not None and tid not in facts:
                    give_way()
                    facts[tid] = thread_facts(self._pid, tid, time.monotonic_ns())
                known = facts.get(tid) if tid is not None else None
                if known is None and isinstance(stack, str):
                    continue  # it ended while we looked
                joined.append(self._thread(item, thread, stack, (tid, known)))
        return tuple(_with_names(joined, facts))

    def _thread(
        self,
        item: _Seen,
        thread: ThreadRef,
        stack: _Stack,
        system: tuple[int | None, ThreadFacts | None],
    ) -> OutsideThread:
        holds_gil = None if self._runtime.free_threaded else item.gil.owner == thread.address
        return OutsideThread(
            ident=thread.ident,
            native_id=thread.native_id,
            os_tid=system[0],
            is_main=thread.is_main,
            interpreter=thread.interpreter_id,
            stack=stack if isinstance(stack, OutsideStack) else None,
            problem=_problem(stack),
            holds_gil=holds_gil,
            counters=system[1].counters if system[1] else None,
            outer=stack if isinstance(stack, OuterPart) else None,
        )

    def _main(
        self,
        seen: tuple[_Seen, ...],
        threads: tuple[OutsideThread, ...],
        call: Syscall | str | None,
    ) -> tuple[MainState, str | None]:
        item = next((item for item in seen if item.interpreter.id == 0), None)
        if item is None:
            raise TornReadError(f"Process {self._pid} has no main interpreter any more.")
        shown = next((thread for thread in threads if thread.is_main), None)
        evidence = MainEvidence(
            thread=next((thread for thread in item.threads if thread.is_main), None),
            is_registered=item.interpreter.threads_main != 0,
            is_finalizing=self._runtime.is_finalizing,
            frames=shown.stack.frames if shown and shown.stack else (),
            gil=item.gil,
            gil_holder_id=_holder_id(item),
            waiting_on=call,
            counters=shown.counters if shown else None,
        )
        return decide_main_state(self._runtime, evidence)


def _with_names(
    threads: list[OutsideThread], facts: dict[int, ThreadFacts | None]
) -> Iterator[OutsideThread]:
    """Add the names of threads that somebody named: others have that of the process."""
    names = {tid: known.name for tid, known in facts.items() if known}
    common = next((names.get(one.os_tid or 0) for one in threads if one.is_main), None)
    for thread in threads:
        name = names.get(thread.os_tid or 0)
        yield replace(thread, os_name=name) if name and name != common else thread


def _has_frames(stack: _Stack) -> bool:
    return isinstance(stack, str) or bool(stack.frames)


def _problem(stack: _Stack) -> str | None:
    if isinstance(stack, OuterPart):
        return stack.problem
    return stack if isinstance(stack, str) else None


def _holder_id(item: _Seen) -> int | None:
    owner = item.gil.owner
    for thread in item.threads:
        if thread.address == owner:
            return thread.native_id
    return None
