"""A CPython runtime in another process: its version, interpreters, thread states and GIL."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Final, Self

from snapshotter.errors import TornReadError, UnsupportedPythonError
from snapshotter.outside.layout import fields_struct
from snapshotter.outside.locate import find_runtime
from snapshotter.outside.offsets import HEAD_BYTES, LAYOUTS, parse_offsets, table_bytes
from snapshotter.outside.probe_point import GilState, ProbePoint
from snapshotter.outside.procfs import innermost_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.outside.layout import FieldsReader
    from snapshotter.outside.memory import Memory
    from snapshotter.outside.offsets import Offsets

__all__ = ["InterpreterRef", "Runtime", "ThreadRef", "version_text"]

_HEAD = Struct("<8sQQ")
_GIL = "Q", "i", "Q"
_MAX_INTERPRETERS = 1000
_MAX_THREADS = 20_000
_WALK_TRIES = 20
_FINAL_RELEASE = 0xF
_RELEASE_LEVELS: Final = {0xA: "a", 0xB: "b", 0xC: "rc", _FINAL_RELEASE: ""}
_MAX_NATIVE_ID = 1 << 31


@dataclass(frozen=True, slots=True)
class InterpreterRef:
    """One interpreter; addresses are those of the target."""

    address: int
    id: int
    threads_head: int
    threads_main: int
    """Its main thread state; 0 while it ends, and after a fork from another thread."""
    gil: int
    remote_debugging_enabled: bool


@dataclass(frozen=True, slots=True)
class ThreadRef:
    """One thread state of one interpreter, as it was when the list was walked."""

    address: int
    interpreter: int
    """Address of its interpreter."""
    interpreter_id: int
    ident: int
    native_id: int
    """As the target's innermost pid namespace numbers it."""
    current_frame: int
    datastack_chunk: int
    status: int
    pending: int
    """``debugger_pending_call``: 1 while a request lies there that has not started."""
    is_main: bool
    gil: int
    """Address of the GIL that it runs under; 0 in a free-threaded build."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that was found and checked; reads go through ``memory``, which it does not own."""

    pid: int
    memory: Memory
    address: int
    hexversion: int
    free_threaded: bool
    offsets: Offsets
    inner_pid: int
    """The pid as the target itself sees it."""
    _gil_fields: tuple[FieldsReader, int] = field(init=False, repr=False, compare=False)
    """Made once: the GIL is looked at all the time."""

    def __post_init__(self) -> None:
        """Prepare for reading the GIL."""
        o = self.offsets
        places = zip((o.gil_holder(), o.gil_locked(), o.gil_switch_number()), _GIL, strict=True)
        object.__setattr__(self, "_gil_fields", fields_struct(tuple(places)))

    @classmethod
    def attach(cls, pid: int, memory: Memory) -> Self:
        """Find the runtime of ``pid``.

        Raises ``NotPythonError``, ``UnsupportedPythonError``, ``NotPermittedError`` and
        ``NoSuchProcessError``.
        """
        address = find_runtime(pid, memory)
        _cookie, hexversion, free_threaded = _HEAD.unpack(memory.read(address, HEAD_BYTES))
        version = _check_version(pid, hexversion)
        offsets = parse_offsets(memory.read(address, table_bytes(version)), version)
        return cls(
            pid=pid,
            memory=memory,
            address=address,
            hexversion=hexversion,
            free_threaded=bool(free_threaded),
            offsets=offsets,
            inner_pid=innermost_id(pid),
        )

    @property
    def version(self) -> tuple[int, int]:
        """(major, minor)."""
        return self.hexversion >> 24 & 0xFF, self.hexversion >> 16 & 0xFF

    @property
    def version_text(self) -> str:
        """The full version, such as "3.14.8"."""
        return version_text(self.hexversion)

    @property
    def is_finalizing(self) -> bool:
        """True once ``Py_FinalizeEx`` has begun to take the runtime down."""
        return self.memory.u64(self.address + self.offsets.runtime_state_finalizing) != 0

    def interpreters(self) -> tuple[InterpreterRef, ...]:
        """Return all interpreters, the newest first. Raises ``TornReadError``."""
        return _retry(self._walk_interpreters)

    def main_interpreter(self) -> InterpreterRef:
        """Return interpreter 0. Raises ``TornReadError`` when there is none any more."""
        for interpreter in self.interpreters():
            if interpreter.id == 0:
                return interpreter
        message = f"Process {self.pid} has no main interpreter any more."
        raise TornReadError(message)

    def threads(self, interpreter: InterpreterRef) -> tuple[ThreadRef, ...]:
        """Return the thread states of ``interpreter`` that belong to an OS thread, newest first.

        Raises ``TornReadError`` when the list changes faster than it can be read.
        """
        return _retry(lambda: self._walk_threads(interpreter))

    def gil(self, interpreter: InterpreterRef) -> GilState:
        """Return the state of the GIL that ``interpreter`` runs under."""
        return self.gil_at(interpreter.gil)

    def gil_at(self, address: int) -> GilState:
        """Return the state of the GIL at ``address``; never held when the address is 0."""
        if not address:
            return GilState(locked=False, holder=0, switch_number=0)
        layout, start = self._gil_fields
        data = self.memory.read(address + start, layout.size)
        holder, locked, switch_number = layout.unpack(data)
        return GilState(locked=locked == 1, holder=holder, switch_number=switch_number)

    def switch_interval_ns(self, gil: int) -> int:
        """Return how long a thread waits before it demands the GIL at this address."""
        return self.memory.u64(gil + self.offsets.gil_interval()) * 1_000 if gil else 0

    def main_probe_point(self) -> ProbePoint | None:
        """Return where requests to the main thread are written and the GIL is watched.

        None when the main interpreter has no main thread state: it is ending, or the process was
        forked from another thread.
        """
        interpreter = self.main_interpreter()
        if not interpreter.threads_main:
            return None
        return self.probe_point(interpreter, interpreter.threads_main)

    def probe_point(self, interpreter: InterpreterRef, thread: int) -> ProbePoint:
        """Return the same for the thread state at ``thread``, which may go away at any time."""
        o = self.offsets
        support = thread + o.debugger_support_remote_debugger_support
        return ProbePoint(
            memory=self.memory,
            thread=thread,
            pending_address=support + o.debugger_support_debugger_pending_call,
            script_path_address=support + o.debugger_support_debugger_script_path,
            script_path_size=o.debugger_support_debugger_script_path_size,
            eval_breaker_address=thread + o.debugger_support_eval_breaker,
            enabled_address=interpreter.address + o.debugger_support_remote_debugging_enabled,
            gil_address=interpreter.gil,
            gil_holder_offset=o.gil_holder(),
            gil_locked_offset=o.gil_locked(),
        )

    def _walk_interpreters(self) -> tuple[InterpreterRef, ...]:
        o = self.offsets
        address = self.memory.u64(self.address + o.runtime_state_interpreters_head)
        found: list[InterpreterRef] = []
        while address:
            if len(found) >= _MAX_INTERPRETERS:
                message = "The list of interpreters does not end."
                raise TornReadError(message)
            found.append(self._interpreter(address))
            address = self.memory.u64(address + o.interpreter_state_next)
        return tuple(found)

    def _interpreter(self, address: int) -> InterpreterRef:
        o, memory = self.offsets, self.memory
        gil = 0 if self.free_threaded else memory.u64(address + o.interpreter_state_ceval_gil)
        enabled = memory.i32(address + o.debugger_support_remote_debugging_enabled)
        return InterpreterRef(
            address=address,
            id=memory.u64(address + o.interpreter_state_id),
            threads_head=memory.u64(address + o.interpreter_state_threads_head),
            threads_main=memory.u64(address + o.interpreter_state_threads_main),
            gil=gil,
            remote_debugging_enabled=enabled == 1,
        )

    def _walk_threads(self, interpreter: InterpreterRef) -> tuple[ThreadRef, ...]:
        o, memory = self.offsets, self.memory
        layout, start = fields_struct(_thread_places(o))
        address = memory.u64(interpreter.address + o.interpreter_state_threads_head)
        main = memory.u64(interpreter.address + o.interpreter_state_threads_main)
        before = 0
        found: list[ThreadRef] = []
        for _ in range(_MAX_THREADS):
            if not address:
                return tuple(found)
            values = layout.unpack(memory.read(address + start, layout.size))
            previous, following, owner, frame, ident, native_id, chunk, status, pending = values
            if owner != interpreter.address or previous != before or native_id >= _MAX_NATIVE_ID:
                message = "The list of threads changed while it was read."
                raise TornReadError(message)
            if native_id:  # 0: made by its parent, not yet started
                is_main = address == main if main else native_id == self.inner_pid
                found.append(
                    ThreadRef(
                        address=address,
                        interpreter=owner,
                        interpreter_id=interpreter.id,
                        ident=ident,
                        native_id=native_id,
                        current_frame=frame,
                        datastack_chunk=chunk,
                        status=status,
                        pending=pending,
                        is_main=is_main and interpreter.id == 0,
                        gil=interpreter.gil,
                    )
                )
            before, address = address, following
        message = "The list of threads does not end."
        raise TornReadError(message)


def version_text(hexversion: int) -> str:
    """Return "3.14.8" or "3.15.0rc1" for a ``PY_VERSION_HEX``."""
    major, minor, micro = (hexversion >> shift & 0xFF for shift in (24, 16, 8))
    level = _RELEASE_LEVELS.get(hexversion >> 4 & 0xF, "?")
    serial = str(hexversion & 0xF) if level else ""
    return f"{major}.{minor}.{micro}{level}{serial}"


def _check_version(pid: int, hexversion: int) -> tuple[int, int]:
    version = (hexversion >> 24 & 0xFF, hexversion >> 16 & 0xFF)
    text = version_text(hexversion)
    if version not in LAYOUTS:
        older = version < min(LAYOUTS)
        raise UnsupportedPythonError(
            f"Process {pid} runs Python {text}, and snapshotter reads CPython 3.14 and 3.15.",
            hint="Run the program with CPython 3.14 or newer."
            if older
            else "Look for a newer snapshotter.",
        )
    if hexversion >> 4 & 0xF != _FINAL_RELEASE:
        raise UnsupportedPythonError(
            f"Process {pid} runs Python {text}, a pre-release whose structures may differ.",
            hint="Run the program with a released CPython.",
        )
    return version


def _thread_places(o: Offsets) -> tuple[tuple[int, str], ...]:
    pending = o.debugger_support_remote_debugger_support + o.debugger_support_debugger_pending_call
    return (
        (o.thread_state_prev, "Q"),
        (o.thread_state_next, "Q"),
        (o.thread_state_interp, "Q"),
        (o.thread_state_current_frame, "Q"),
        (o.thread_state_thread_id, "Q"),
        (o.thread_state_native_thread_id, "Q"),
        (o.thread_state_datastack_chunk, "Q"),
        (o.thread_state_status, "I"),
        (pending, "i"),
    )


def _retry[T](walk: Callable[[], T]) -> T:
    for _ in range(_WALK_TRIES - 1):
        try:
            return walk()
        except TornReadError:
            time.sleep(random.uniform(20e-6, 300e-6))  # noqa: S311 - jitter, not a secret
    return walk()
