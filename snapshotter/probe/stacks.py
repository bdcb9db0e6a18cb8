"""Stacks of all threads, and the locals of selected frames, slice by slice."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .budget import next_slice, room_for, spent
from .kinds import dict_of_type, exact_text, mro_of, name_of_type
from .pack import FALSE, NIL, TRUE, pack_int, pack_text
from .pristine import is_made_in_c, module_named, namespace_of
from .values import add_root, drain, forget_values

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["capture_threads", "code_index", "thread_names"]

_MOST_LOCALS = 64
_UNNAMED = "?"
# Origins, by the number that stands in the reply.
O_APP, O_LIBRARY, O_STDLIB = range(3)
_LIBRARY_PLACES = ("/site-packages/", "/dist-packages/")
# Nothing new is begun once this share (per cent) of the slice is used up.
_FULL_ENOUGH = 70


def capture_threads(work: Work, readers: Any) -> None:
    """All threads but our own, as many in a slice as fit; a stack is always taken whole.

    Stack and locals of a thread are of one instant: where the interpreter had to be given away
    in between, the stack is walked again and the rest of a thread that moved on is left out.
    """
    done: dict[int, bool] = {} if work["carrier"] == "main" else {work["own"]: True}
    rest: list[int] = []  # frames of the last thread whose locals are still to be taken
    limit = work["request"]["limits"]["threads"]
    ident = 0
    while True:
        frames = work["tools"]["current_frames"]()
        work["threads_left"] = dict.__len__(frames) - len(done)
        if rest:
            rest = _resume(work, readers, frames.get(ident), rest)
        whole = not rest
        top = None
        for ident, top in dict.items(frames) if whole else ():
            if ident in done:
                continue
            if len(done) > limit or spent(work, _FULL_ENOUGH):
                whole = False
                break
            done[ident] = True
            work["threads_left"] -= 1
            if ident == work["own"]:
                top = application_frame()  # noqa: PLW2901 - ours are on top of it
            _capture_stack(work, ident, top)
            rest = _capture_locals(work, readers, top, _selected(work))
            if rest:
                whole = False
                break
        top = None
        frames.clear()
        forget_values(work)
        if whole or len(done) > limit or not next_slice(work):
            break
    _note_all(work, rest, "time")
    if not whole and work["threads_left"] > 0:
        left = int.__repr__(work["threads_left"])
        work["missing"].append(left + " threads were not reached from inside in the time given")


def application_frame() -> Any:
    """The frame that the request interrupted, below ours and the driver's."""
    frame: Any = sys._getframe()  # noqa: SLF001 - the only way to a frame
    ours = frame.f_globals
    while frame is not None and frame.f_globals is ours:
        frame = frame.f_back
    return None if frame is None else frame.f_back


def _capture_stack(work: Work, ident: int, top: Any) -> None:
    """One thread: (code index << 32 | offset) for each frame, into ``work["stack"]``."""
    started = work["tools"]["clock"]()
    first = len(work["stack"])
    whole = _walk(work, top, work["stack"])
    work["last_first"] = first
    work["threads"].append(
        b"\x95"
        + pack_int(ident)
        + pack_int(first)
        + pack_int(len(work["stack"]) - first)
        + pack_int(started)
        + (TRUE if whole else FALSE)
    )
    passed = work["tools"]["clock"]() - started
    work["units"] += (len(work["stack"]) - first) // 16
    work["stack_ns"] = max(passed, work["stack_ns"] * 7 // 8)


def _walk(work: Work, frame: Any, stack: list[int]) -> bool:
    """Append the frames of one thread; False when there are more than the limit."""
    index = work["code_index"]
    most = len(stack) + work["request"]["limits"]["frames"]
    while frame is not None:
        code = frame.f_code
        number = index.get(id(code))
        if number is None:
            number = code_index(work, code)
        stack.append(number << 32 | frame.f_lasti)
        if len(stack) >= most:
            return False
        frame = frame.f_back
    return True


def code_index(work: Work, code: Any) -> int:
    """Number of a code object, known by identity: its own hash can run user code."""
    index = work["code_index"].get(id(code))
    if index is None:
        index = work["code_index"][id(code)] = len(work["codes"])
        work["codes"].append(code)
        work["origins"].append(_origin(work, exact_text(code.co_filename, 500)))
        if work["catalogue"] and exact_text(code.co_qualname, 64) == _RUN_FOREVER:
            work["loop_codes"][index] = True
    return index


_RUN_FOREVER = "BaseEventLoop.run_forever"


def _origin(work: Work, filename: str) -> int:
    for place in _LIBRARY_PLACES:
        if place in filename:
            return O_LIBRARY
    if filename.startswith("<frozen "):
        return O_STDLIB
    for prefix in work["request"]["stdlib"]:
        if filename.startswith(prefix):
            return O_STDLIB
    return O_APP


def _selected(work: Work) -> list[int]:
    """Which frames (0 is the innermost) of the thread just taken have their locals captured."""
    policy = work["request"]["locals"]
    size = len(work["stack"]) - work["last_first"]
    if policy == "none":
        return []
    if policy != "app":
        return list(range(size))
    wanted = [0] if size else []
    left = work["request"]["limits"]["app_frames"]
    for depth in range(size):
        if left and work["origins"][work["stack"][work["last_first"] + depth] >> 32] == O_APP:
            left -= 1
            if depth:
                wanted.append(depth)
    return wanted


def _capture_locals(work: Work, readers: Any, frame: Any, wanted: list[int]) -> list[int]:
    """Locals of these frames of one thread; the frames that did not fit into the slice."""
    if not work["skip_locals"] and work["may_yield"]:
        # stacks of all threads come first: what time is left after them is for locals
        needed = 2 * work["stack_ns"] * (work["threads_left"] + 1)
        work["skip_locals"] = room_for(work) < needed
    if work["skip_locals"]:
        _note_all(work, wanted, "time")
        return []
    at = 0
    for place in range(len(wanted)):
        if place and spent(work, _FULL_ENOUGH):
            return wanted[place:]
        while at < wanted[place]:
            frame = frame.f_back
            at += 1
        if not _capture_frame(work, readers, wanted[place], frame):
            return wanted[place + 1 :]
    return []


def _resume(work: Work, readers: Any, top: Any, rest: list[int]) -> list[int]:
    """Go on with a thread in a new slice, if it still stands where its stack was taken."""
    again: list[int] = []
    if top is not None:
        _walk(work, top, again)
    if again != work["stack"][work["last_first"] :]:
        _note_all(work, rest, "moved")
        return []
    return _capture_locals(work, readers, top, rest)


def _note_all(work: Work, depths: list[int], reason: str) -> None:
    for depth in depths:
        _note(work, depth, reason)


def _note(work: Work, depth: int, reason: str) -> None:
    """Say why locals of a frame of the last thread are not, or not all, there."""
    thread = len(work["threads"]) - 1
    work["notes"].append(b"\x93" + pack_int(thread) + pack_int(depth) + pack_text(reason))


def _capture_frame(work: Work, readers: Any, depth: int, frame: Any) -> bool:
    """One frame of the last thread; False when the slice ended before all was written."""
    namespace = frame.f_locals
    kind = type(namespace)
    if kind is dict:
        length = dict.__len__(namespace)
        pairs = [pair for _, pair in list(zip(range(_MOST_LOCALS), dict.items(namespace)))]
    elif is_made_in_c(kind) and name_of_type(kind) == "FrameLocalsProxy":
        length = kind.__len__(namespace)
        pairs = kind.items(namespace)[:_MOST_LOCALS]
    else:  # the mapping that a metaclass prepared for a class body: its code may run
        _note(work, depth, "unreadable")
        return True
    globs = _globs(work, frame)
    head = b"\x94" + pack_int(len(work["threads"]) - 1) + pack_int(depth)
    names = []
    for name, value in pairs:
        text = name[:200] if type(name) is str else _UNNAMED
        if globs is None or _any_match(globs, text):
            names.append(head + pack_text(text) + pack_int(add_root(work, text, value)))
    value = namespace = None
    pairs.clear()
    work["locals"].extend(names)
    if length > _MOST_LOCALS:
        _note(work, depth, "limit")
    if drain(work, readers):
        return True
    _note(work, depth, "time")
    return False


def _globs(work: Work, frame: Any) -> list[str] | None:
    """Name patterns that apply to a frame, None for all names."""
    if work["request"]["locals"] != "globs":
        return None
    module = ""
    names = frame.f_globals
    if type(names) is dict:
        for _, (key, value) in zip(range(16), dict.items(names)):
            if type(key) is str and key == "__name__" and type(value) is str:
                module = value
    qualname = exact_text(frame.f_code.co_qualname, 200)
    return [
        name
        for in_module, in_function, name in work["request"]["globs"]
        if matches(in_module, module) and matches(in_function, qualname)
    ]


def _any_match(patterns: list[str], text: str) -> bool:
    for pattern in patterns:
        if matches(pattern, text):
            return True
    return False


def matches(pattern: str, text: str) -> bool:
    """A glob with ``*`` and ``?``, matched without backtracking over more than one star."""
    p = t = 0
    star, mark = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] in ("?", text[t]) and pattern[p] != "*":
            p += 1
            t += 1
        elif p < len(pattern) and pattern[p] == "*":
            star, mark = p, t
            p += 1
        elif star >= 0:
            p = star + 1
            mark += 1
            t = mark
        else:
            return False
    while p < len(pattern) and pattern[p] == "*":
        p += 1
    return p == len(pattern)


def thread_names(work: Work) -> list[bytes]:
    """(ident, name, daemon) from the registry of ``threading``, read without its lock."""
    out: list[bytes] = []
    namespace = namespace_of(module_named("threading")) or {}
    active = None
    for key, value in dict.items(namespace):
        if type(key) is str and key == "_active" and type(value) is dict:
            active = value
    if active is None:
        return out
    limit = work["request"]["limits"]["threads"]
    plain: dict[int, bool] = {}
    for _, (ident, thread) in list(zip(range(limit), dict.items(active))):
        cls = type(thread)
        if id(cls) not in plain:
            work["kept_types"].append(cls)
            plain[id(cls)] = _has_plain_names(cls)
        if type(ident) is int and plain[id(cls)]:
            out.append(_thread_name(ident, thread))
    return out


def _has_plain_names(cls: type) -> bool:
    """Whether ``_name`` and ``_daemonic`` of a Thread class are instance attributes only."""
    for parent in mro_of(cls):
        if parent is object:
            continue
        for key, _ in dict_of_type(parent).items():
            if type(key) is not str or key in ("_name", "_daemonic"):
                return False
    return True


def _thread_name(ident: int, thread: Any) -> bytes:
    packed = b"\x93" + pack_int(ident)
    for attribute, expected in (("_name", str), ("_daemonic", bool)):
        try:
            # the generic look-up of object: no __getattribute__ of the class, no dict left behind
            value: Any = object.__getattribute__(thread, attribute)
        except AttributeError:
            value = None
        if type(value) is not expected:
            packed += NIL
        elif expected is bool:
            packed += TRUE if value else FALSE
        else:
            packed += pack_text(exact_text(value, 200))
    return packed
