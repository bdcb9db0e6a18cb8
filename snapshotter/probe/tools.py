"""The C functions that the probe works with, each proved genuine before its first call."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import posix
import sys
import time
from typing import TYPE_CHECKING

from .pristine import module_named, namespace_of, pick, pick_from

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Tools

__all__ = ["block_signals", "gather_tools"]


def gather_tools() -> Tools | None:
    """What the probe needs, None if a necessary function has been replaced."""
    clocks = pick(time, ("perf_counter_ns", "monotonic_ns", "thread_time_ns", "sleep"))
    threads = pick(_thread, ("start_new_thread", "get_ident"))
    files = pick(posix, ("open", "write", "close", "stat", "getpid"))
    system = pick(sys, ("_current_frames",))
    clock = clocks.get("perf_counter_ns") or clocks.get("monotonic_ns")
    ident = threads.get("get_ident") or _saved("_thread", "get_ident")
    frames = system.get("_current_frames")
    if clock is None or ident is None or frames is None or len(files) < 5:
        return None
    return {
        "clock": clock,
        "sleep": clocks.get("sleep") or _saved("time", "sleep"),
        "start": threads.get("start_new_thread") or _saved("_thread", "start_new_thread"),
        "get_ident": ident,
        "current_frames": frames,
        "open": files["open"],
        "write": files["write"],
        "close": files["close"],
        "stat": files["stat"],
        "getpid": files["getpid"],
    }


def _saved(module: str, name: str) -> Any:
    """The original that gevent keeps of a function it has replaced."""
    names = namespace_of(module_named("gevent.monkey")) or {}
    for key, saved in dict.items(names):
        if type(key) is str and key == "saved" and type(saved) is dict:
            for inner, originals in dict.items(saved):
                if type(inner) is str and inner == module and type(originals) is dict:
                    return pick_from(originals, (name,)).get(name)
    return None


def block_signals() -> None:
    """Keep every signal away from this thread: it is not the one that the application expects."""
    signals = pick(_signal, ("pthread_sigmask", "valid_signals"))
    if len(signals) == 2:
        signals["pthread_sigmask"](0, signals["valid_signals"]())  # 0 is SIG_BLOCK
