"""The C functions that the probe works with, each proved genuine before its first call."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import posix
import sys
import time
from typing import TYPE_CHECKING

from .pristine import entry_named, fresh_module, modules_named, namespace_of, pick, pick_from

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Tools

__all__ = ["block_signals", "gather_tools"]


_CLOCKS = ("perf_counter_ns", "sleep")
_FILES = ("open", "read", "writev", "close", "stat", "getpid")


def gather_tools() -> Tools | None:
    """What the probe needs, None if a necessary function has been replaced."""
    clocks = _genuine("time", time, _CLOCKS)
    files = _genuine("posix", posix, _FILES)
    threads = pick(_thread, ("start_new_thread", "get_ident"))
    ident = threads.get("get_ident") or _saved("_thread", "get_ident")
    any_clock = _genuine("time", time, ("clock_gettime_ns",))
    collector = _genuine("gc", modules_named(("gc",)).get("gc"), ("get_referents",))
    frames = pick(sys, ("_current_frames",)).get("_current_frames")
    if len(clocks) < 2 or len(files) < 6 or ident is None or not collector:
        return None
    return {
        "clock": clocks["perf_counter_ns"],
        "entered_ns": clocks["perf_counter_ns"](),
        "read_clock": any_clock.get("clock_gettime_ns"),
        "sleep": clocks["sleep"],
        "start": threads.get("start_new_thread") or _saved("_thread", "start_new_thread"),
        "get_ident": ident,
        "current_frames": frames or _no_frames,
        "open": files["open"],
        "read": files["read"],
        "writev": files["writev"],
        "close": files["close"],
        "stat": files["stat"],
        "referents": collector["get_referents"],
        "getpid": files["getpid"],
    }


def _no_frames() -> dict[int, Any]:
    """In the place of ``sys._current_frames`` where that is replaced: there is no other way."""
    return {}


def _genuine(name: str, loaded: Any, wanted: tuple[str, ...]) -> dict[str, Any]:
    """Functions of a builtin module; from a new module object where some were replaced."""
    found = pick(loaded, wanted)
    if len(found) < len(wanted):
        made = fresh_module(name, execute=False)
        if made is not None:
            found = pick(made, wanted)
            (namespace_of(made) or {}).clear()
    return found


def _saved(module: str, name: str) -> Any:
    """The original that gevent keeps of a function it has replaced."""
    kept = modules_named(("gevent.monkey",)).get("gevent.monkey")
    saved = entry_named(namespace_of(kept), "saved")
    originals = entry_named(saved, module) if type(saved) is dict else None
    return pick_from(originals, (name,)).get(name) if type(originals) is dict else None


def block_signals() -> None:
    """Keep every signal away from this thread: it is not the one that the application expects."""
    signals = pick(_signal, ("pthread_sigmask", "valid_signals"))
    if len(signals) == 2:
        signals["pthread_sigmask"](0, signals["valid_signals"]())  # 0 is SIG_BLOCK
