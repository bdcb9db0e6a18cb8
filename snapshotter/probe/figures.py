"""GC statistics and figures of the interpreter, as CPython's own C functions give them."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import sys
from typing import TYPE_CHECKING

from .kinds import exact_text, qualname_of_type
from .pack import FALSE, NIL, TRUE, pack_array, pack_float, pack_int, pack_map, pack_text
from .pristine import (
    entry_named,
    fresh_module,
    is_foreign,
    namespace_of,
    pick,
    pick_from,
)

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["pack_gc", "pack_interpreter"]

_GC_FUNCTIONS = ("get_stats", "get_count", "get_threshold", "isenabled", "get_freeze_count")


def pack_gc(work: Work) -> bytes:
    """The collector: enabled, counts, thresholds, statistics with all keys of the version."""
    namespace = namespace_of(work["modules"].get("gc"))
    if namespace is not None:
        return _pack_gc(namespace, pick_from(namespace, _GC_FUNCTIONS))
    made = fresh_module("gc", execute=True)
    namespace = namespace_of(made) or {}
    packed = _pack_gc(namespace, pick_from(namespace, _GC_FUNCTIONS))
    namespace.clear()  # its functions refer back to it: no cycle is left
    return packed


def _pack_gc(namespace: dict[Any, Any], gc: dict[str, Any]) -> bytes:
    if len(gc) < len(_GC_FUNCTIONS):
        return NIL
    stats = gc["get_stats"]()
    packed = pack_map(7)
    packed += pack_text("enabled") + (TRUE if gc["isenabled"]() else FALSE)
    packed += pack_text("count") + _pack_numbers(gc["get_count"]())
    packed += pack_text("threshold") + _pack_numbers(gc["get_threshold"]())
    packed += pack_text("freeze_count") + pack_int(gc["get_freeze_count"]())
    packed += pack_text("stats") + pack_array(len(stats))
    for generation in stats:
        packed += pack_map(len(generation))
        for key, value in generation.items():
            packed += pack_text(key)
            packed += pack_float(value) if type(value) is float else pack_int(value)
    callbacks = entry_named(namespace, "callbacks")
    garbage = entry_named(namespace, "garbage")
    packed += pack_text("garbage")
    packed += pack_int(list.__len__(garbage)) if type(garbage) is list else NIL
    some = callbacks[:32] if type(callbacks) is list else []
    names = [name_of_callable(value) for value in some]
    return packed + pack_text("callbacks") + pack_array(len(names)) + b"".join(names)


def _pack_numbers(numbers: tuple[int, ...]) -> bytes:
    return pack_array(len(numbers)) + b"".join([pack_int(number) for number in numbers])


def name_of_callable(value: Any) -> bytes:
    """Qualified name of a function, bound method or builtin; the type of anything else."""
    kind = type(value)
    if kind is type(name_of_callable.__get__(0)):
        value = kind.__dict__["__func__"].__get__(value)
        kind = type(value)
    if kind is type(name_of_callable):
        return pack_text(exact_text(kind.__dict__["__code__"].__get__(value).co_qualname, 200))
    if kind is type([].append):
        return pack_text(exact_text(kind.__dict__["__name__"].__get__(value), 200))
    return pack_text("an instance of " + exact_text(qualname_of_type(kind), 200))


def pack_interpreter(work: Work) -> bytes:
    """Allocated blocks, modules, limits, tracemalloc totals and signal handlers."""
    version = sys.version
    pairs = [
        (b"\xa7version", pack_text(version[:100] if type(version) is str else "?")),
        (b"\xa7modules", pack_int(len(sys.modules)) if type(sys.modules) is dict else NIL),
    ]
    wanted = ("getallocatedblocks", "getrecursionlimit", "getswitchinterval")
    tools = pick(sys, wanted)
    for name in wanted:
        if name in tools:
            value = tools[name]()
            pairs.append(
                (pack_text(name), pack_float(value) if name[3] == "s" else pack_int(value))
            )
    pairs += _tracemalloc(work)
    pairs.append((pack_text("signals"), _pack_signals()))
    return pack_map(len(pairs)) + b"".join([key + value for key, value in pairs])


def _tracemalloc(work: Work) -> list[tuple[bytes, bytes]]:
    tools = pick(work["modules"].get("_tracemalloc"), ("is_tracing", "get_traced_memory"))
    if len(tools) < 2 or not tools["is_tracing"]():
        return []
    size, peak = tools["get_traced_memory"]()
    return [
        (pack_text("tracemalloc_bytes"), pack_int(size)),
        (pack_text("tracemalloc_peak_bytes"), pack_int(peak)),
    ]


def _pack_signals() -> bytes:
    """(number, handler) of each handler that was installed from Python."""
    tools = pick(_signal, ("getsignal",))
    if not tools:
        return pack_array(0)
    out = []
    for number in range(1, 65):
        if number in (32, 33):  # glibc keeps them for itself
            continue
        try:
            handler = tools["getsignal"](number)
        except ValueError as error:
            if is_foreign(error):
                raise
            continue
        if handler is not None and type(handler) is not int:
            out.append(b"\x92" + pack_int(number) + name_of_callable(handler))
    return pack_array(len(out)) + b"".join(out)
