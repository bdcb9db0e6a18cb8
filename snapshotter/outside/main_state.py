"""What the main thread is doing, in one word and in a sentence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.model.places import is_console_script
from snapshotter.model.snapshot import MainState, Origin
from snapshotter.outside.probe_point import lies_in_gil
from snapshotter.outside.procfs import Syscall
from snapshotter.outside.syscalls import describe_syscall, is_futex

if TYPE_CHECKING:
    from snapshotter.model.snapshot import Counters, Frame
    from snapshotter.outside.probe_point import GilState
    from snapshotter.outside.runtime import Runtime, ThreadRef

__all__ = ["MainEvidence", "decide_main_state", "describe_place"]

_STOPPED = {"T": "stopped by a signal", "t": "held by a debugger"}
_ENDED = {"Z", "X", "x"}
_FINALIZER_SOURCE = "threading.py"
_FINALIZER_NAME = "_shutdown"


@dataclass(frozen=True, slots=True)
class MainEvidence:
    """What was read of the main thread, all at nearly the same time."""

    thread: ThreadRef | None
    """Its thread state, also when the interpreter does not call it main any more."""
    is_registered: bool
    """False when the interpreter has no main thread state."""
    is_finalizing: bool
    frames: tuple[Frame, ...]
    gil: GilState
    gil_holder_id: int | None
    """Native id of the thread that has the GIL."""
    waiting_on: Syscall | str | None
    counters: Counters | None


def decide_main_state(runtime: Runtime, seen: MainEvidence) -> tuple[MainState, str | None]:
    """Return the state of the main thread and a sentence about it."""
    place = describe_place(seen.frames)
    if seen.counters is not None and seen.counters.state in _STOPPED:
        return MainState.STOPPED, f"{_STOPPED[seen.counters.state]}{place}"
    if seen.counters is not None and seen.counters.state in _ENDED:
        return MainState.GONE, f"it ended by itself{place}"
    ending = _ending(runtime, seen)
    if ending is not None:
        return MainState.ENDING, f"{ending}{place}"
    if not seen.is_registered or seen.thread is None:
        return MainState.GONE, "its thread state is gone; the process may be a fork of a thread"
    state, words = _running_or_blocked(runtime.pid, seen.thread, seen)
    return state, f"{words}{place}"


def describe_place(frames: tuple[Frame, ...]) -> str:
    """Return " in Thread.join (threading.py:1149), called at app.py:12 in main", or ""."""
    if not frames:
        return ""
    innermost = frames[0]
    if innermost.origin is Origin.APP:
        return f" at {_line(innermost)} in {innermost.qualname}"
    text = f" in {innermost.qualname} ({_line(innermost)})"
    caller = _caller(frames)
    return f"{text}, called at {_line(caller)} in {caller.qualname}" if caller else text


def _caller(frames: tuple[Frame, ...]) -> Frame | None:
    """Return the innermost frame of the application, or what comes closest to one.

    The start script of a server is of nobody's making: rather the library that it runs. A frame of
    a library needs no other to be understood.
    """
    scripts = [frame for frame in frames if is_console_script(frame)]
    own = [one for one in frames if one.origin is Origin.APP and one not in scripts]
    if own:
        return own[0]
    if frames[0].origin is Origin.LIBRARY:
        return None
    libraries = (frame for frame in frames if frame.origin is Origin.LIBRARY)
    return next(libraries, scripts[0] if scripts else None)


def _line(frame: Frame) -> str:
    return f"{os.path.basename(frame.filename)}:{frame.lineno or '?'}"


def _ending(runtime: Runtime, seen: MainEvidence) -> str | None:
    for frame in seen.frames[-3:]:
        if frame.qualname == _FINALIZER_NAME and frame.filename.endswith(_FINALIZER_SOURCE):
            return "waiting for the other threads to end"
    if seen.is_finalizing:
        return "finalizing the interpreter"
    if seen.is_registered or seen.thread is None:
        return None
    # The true main thread state is static; that of a process forked from a worker is not.
    if 0 <= seen.thread.address - runtime.address < runtime.offsets.runtime_state_size:
        return "running exit handlers"
    return None


def _running_or_blocked(pid: int, thread: ThreadRef, seen: MainEvidence) -> tuple[MainState, str]:
    has_gil = seen.gil.owner == thread.address
    call = seen.waiting_on
    if isinstance(call, Syscall):
        if is_futex(call) and call.arguments and lies_in_gil(call.arguments[0], thread.gil):
            holder = f", held by thread {seen.gil_holder_id}" if seen.gil_holder_id else ""
            return MainState.RUNNING, f"waiting for the GIL{holder}"
        held = " while it holds the GIL" if has_gil else ""
        return MainState.BLOCKED, describe_syscall(pid, call) + held
    if has_gil:
        return MainState.RUNNING, "running Python"
    if call == "running" or (seen.counters is not None and seen.counters.state == "R"):
        return MainState.RUNNING, "running without the GIL"
    return _from_wchan(seen.counters.wchan if seen.counters is not None else None)


def _from_wchan(wchan: str | None) -> tuple[MainState, str]:
    """Where the kernel does not show system calls (some sandboxes)."""
    if wchan is None:
        return MainState.UNKNOWN, "the kernel does not tell what it waits for"
    if "futex" in wchan:  # a lock or the GIL: the address alone would tell
        return MainState.UNKNOWN, "waiting for a lock or for the GIL"
    return MainState.BLOCKED, f"waiting in {wchan}"
