"""Who had the processor: the kernel's own record of its scheduler, and what it says of a process.

A thread that does not run waits for the interpreter or for a processor, and that processor may be
busy with something that has nothing to do with the tool that is measured: a daemon, a thread of
the kernel. Only the record of each switch can tell. It is read from tracefs, as root.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.stats import Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Ready", "SchedTrace", "Switch", "parse", "turns_of_others"]

_INSTANCES = Path("/sys/kernel/tracing/instances")
_BUFFER_KIB = 8 << 10
_EVENTS = ("sched_switch", "sched_wakeup", "sched_wakeup_new", "sched_migrate_task")
_IDLE = 0
_LINE = re.compile(r"-(\d+) +\[(\d+)\] +\S+ +(\d+)\.(\d{6}): (sched_\w+): (.*)")
_SWITCH = re.compile(r"prev_pid=(\d+) .*prev_state=(\S+) ==> next_comm=(.*) next_pid=(\d+) ")
_READY = re.compile(r" pid=(\d+) .*(?:target|dest)_cpu=(\d+)")


@dataclass(frozen=True, slots=True)
class Switch:
    """A processor goes from one task to another; 0 is none. Monotonic nanoseconds."""

    at_ns: int
    cpu: int
    before: int
    is_ready: bool
    """Whether the task before goes on waiting for a processor."""
    after: int
    name: str
    """Of the task after."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A task waits for this processor from now on."""

    at_ns: int
    cpu: int
    task: int
    parent: int = 0
    """The task that made it just now; 0 when it is older."""


class SchedTrace:
    """A buffer of the kernel for scheduler events, and nobody else's."""

    def __init__(self) -> None:
        """Make it, without events as yet; raises OSError where that is impossible."""
        self._path = _INSTANCES / f"snapshotter-{os.getpid()}"
        self._path.mkdir()
        try:
            self._write("tracing_on", "0")
            self._write("trace_clock", "mono")
            self._write("buffer_size_kb", str(_BUFFER_KIB))
            for event in _EVENTS:
                self._write(f"events/sched/{event}/enable", "1")
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Give it back."""
        with suppress(OSError):
            self._path.rmdir()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what happens in the block, and nothing from before."""
        self._write("trace", "")
        self._write("tracing_on", "1")
        try:
            yield
        finally:
            self._write("tracing_on", "0")

    def events(self) -> list[Switch | Ready]:
        """Return what was recorded, oldest first."""
        return parse((self._path / "trace").read_text(errors="replace").splitlines())

    def _write(self, name: str, text: str) -> None:
        (self._path / name).write_text(text, encoding="ascii")


def parse(lines: Iterable[str]) -> list[Switch | Ready]:
    """Return the events of a trace in the kernel's text form; what is no such line is left out."""
    events: list[Switch | Ready] = []
    for line in lines:
        found = _LINE.search(line)
        if found is None:
            continue
        current, cpu, seconds, micros, kind, text = found.groups()
        at_ns = int(seconds) * 10**9 + int(micros) * 1000
        if kind == "sched_switch" and (switch := _SWITCH.search(text)):
            before, state, name, after = switch.groups()
            is_ready = state.startswith("R")
            events.append(Switch(at_ns, int(cpu), int(before), is_ready, int(after), name))
        elif ready := _READY.search(text):
            parent = int(current) if kind == "sched_wakeup_new" else 0
            events.append(Ready(at_ns, int(ready[2]), int(ready[1]), parent))
    return events


def turns_of_others(
    events: Iterable[Switch | Ready], main: int, threads: Iterable[int], tool: str
) -> list[Gap]:
    """Return when programs other than a target and a ``tool`` had the processor it waited for.

    It waits when its thread ``main`` is ready and does not run; also when that sleeps, as it does
    while another of the ``threads`` has the interpreter, and none of them runs but one is ready.
    Threads that they make meanwhile belong to them. ``tool`` is the name of its tasks.
    """
    stage = _Stage(main, {main, *threads}, tool)
    turns: list[Gap] = []
    since_ns: int | None = None
    at_ns = 0
    for event in events:
        at_ns = event.at_ns
        stage.apply(event)
        if stage.is_taken():
            since_ns = at_ns if since_ns is None else since_ns
        elif since_ns is not None:
            turns.append(Gap(since_ns, at_ns))
            since_ns = None
    if since_ns is not None:
        turns.append(Gap(since_ns, at_ns))
    return turns


class _Stage:
    """Who runs on each processor, and where the threads of the target wait."""

    def __init__(self, main: int, threads: set[int], tool: str) -> None:
        self._main = main
        self._threads = threads
        self._tool = tool
        self._on: dict[int, tuple[int, str]] = {}
        self._running: set[int] = set()
        self._waiting: dict[int, int] = {}
        self._asleep: set[int] = set()

    def apply(self, event: Switch | Ready) -> None:
        """Take note of one event."""
        if isinstance(event, Ready):
            if event.parent in self._threads:
                self._threads.add(event.task)
            if event.task in self._threads and event.task not in self._running:
                self._put(event.task, event.cpu)
            return
        self._on[event.cpu] = event.after, event.name
        if event.before in self._threads:
            self._put(event.before, event.cpu if event.is_ready else None)
        if event.after in self._threads:
            self._waiting.pop(event.after, None)
            self._asleep.discard(event.after)
            self._running.add(event.after)

    def is_taken(self) -> bool:
        """Whether the target waits for a processor that somebody else has."""
        if self._main in self._waiting:
            return self._has_other(self._waiting[self._main])
        if self._running or self._main not in self._asleep:
            return False
        return any(self._has_other(cpu) for cpu in self._waiting.values())

    def _put(self, task: int, cpu: int | None) -> None:
        """It no longer runs: it is ready for ``cpu``, or sleeps."""
        self._running.discard(task)
        self._waiting.pop(task, None)
        self._asleep.discard(task)
        if cpu is None:
            self._asleep.add(task)
        else:
            self._waiting[task] = cpu

    def _has_other(self, cpu: int) -> bool:
        task, name = self._on.get(cpu, (_IDLE, ""))
        return task != _IDLE and task not in self._threads and name != self._tool
