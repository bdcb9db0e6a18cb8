"""GC statistics and figures of the interpreter, as CPython's own C functions give them."""

from __future__ import annotations

import _imp
import _signal  # type: ignore[import-not-found]
import sys
from typing import TYPE_CHECKING

from .kinds import exact_text, qualname_of_type
from .pack import FALSE, NIL, TRUE, pack_array, pack_float, pack_int, pack_map, pack_text
from .pristine import module_named, namespace_of, pick, pick_from

if TYPE_CHECKING:
    from typing import Any

__all__ = ["pack_gc", "pack_interpreter"]

_GC_FUNCTIONS = ("get_stats", "get_count", "get_threshold", "isenabled", "get_freeze_count")


def pack_gc() -> bytes:
    """The collector: enabled, counts, thresholds, statistics with all keys of the version."""
    loaded = module_named("gc")
    made = None
    if loaded is None:
        # gc is not loaded: make its module object outside of sys.modules, and empty it afterwards
        namespace_type: Any = type(sys.implementation)
        made = loaded = _imp.create_builtin(namespace_type(name="gc"))
        _imp.exec_builtin(made)
    namespace = namespace_of(loaded) or {}
    packed = _pack_gc(namespace, pick_from(namespace, _GC_FUNCTIONS))
    if made is not None:
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
    callbacks: Any = None
    garbage: Any = None
    for key, value in dict.items(namespace):
        if type(key) is str and type(value) is list:
            if key == "callbacks":
                callbacks = value
            elif key == "garbage":
                garbage = value
    packed += pack_text("garbage")
    packed += NIL if garbage is None else pack_int(list.__len__(garbage))
    names = [name_of_callable(value) for value in list.__getitem__(callbacks or [], slice(0, 32))]
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


def pack_interpreter() -> bytes:
    """Allocated blocks, modules, limits, tracemalloc totals and signal handlers."""
    pairs = [
        (b"\xa7version", pack_text(exact_text(sys.version, 100))),
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
    pairs += _tracemalloc()
    pairs.append((pack_text("signals"), _pack_signals()))
    return pack_map(len(pairs)) + b"".join([key + value for key, value in pairs])


def _tracemalloc() -> list[tuple[bytes, bytes]]:
    loaded = module_named("_tracemalloc")
    if loaded is None:
        return []
    tools = pick(loaded, ("is_tracing", "get_traced_memory"))
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
        except ValueError:
            continue
        if handler is not None and type(handler) is not int:
            out.append(b"\x92" + pack_int(number) + name_of_callable(handler))
    return pack_array(len(out)) + b"".join(out)
