"""Stacks of all threads, and the locals of selected frames, slice by slice."""

from __future__ import annotations

import _thread
from typing import TYPE_CHECKING

from .budget import next_slice, room_for, spent
from .globs import any_match, globs_of
from .kinds import LONGEST_PLACE, exact_text, name_of_type
from .nodes import add_root, forget_values
from .pack import FALSE, TRUE, pack_int, pack_text
from .pristine import is_foreign, is_made_in_c, pick
from .values import drain

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Tools, Work

__all__ = [
    "application_frame",
    "capture_threads",
    "code_index",
    "local_named",
    "locals_of",
]

_MOST_LOCALS = 64
_UNNAMED = "?"
# Origins, by the number that stands in the reply.
O_APP, O_LIBRARY, O_STDLIB = 0, 1, 2
_LIBRARY_PLACES = ("/site-packages/", "/dist-packages/")
# Nothing new is begun once this share (per cent) of the slice is used up.
_FULL_ENOUGH = 70
_CLOCK_OF_THREAD = 6  # CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED, see linux/posix-timers_types.h
_BEGUN = 15
"""The same for a thread that is to have a slice of its own."""


def capture_threads(work: Work, readers: Any) -> None:
    """All threads but our own, as many in a slice as fit; a stack is always taken whole.

    Stack and locals of a thread are of one instant: where the interpreter had to be given away
    in between, the rest is left out unless the thread has not run meanwhile, by its own clock.
    The main thread, which may well have run, gets a slice of its own.
    """
    done: dict[int, bool] = {} if work["carrier"] == "main" else {work["own"]: True}
    main = _main_ident()
    rest: list[int] = []  # frames of the last thread whose locals are still to be taken
    limit = work["request"]["limits"]["threads"]
    ident = used_ns = 0
    is_fresh = False
    while True:
        frames = work["tools"]["current_frames"]()
        work["threads_left"] = dict.__len__(frames) - len(done)
        if rest:
            stood = ident in frames and used_ns == _processor_time(work, ident) != 0
            rest = _resume(work, readers, frames[ident] if stood else None, rest)
        whole = not rest
        top = None
        first = True
        for ident, top in dict.items(frames) if whole else ():
            if ident in done:
                continue
            # one thread is taken in each slice, however short it is: else there were no end
            full = _BEGUN if ident == main and work["may_yield"] else _FULL_ENOUGH
            is_first = first and (is_fresh or full == _FULL_ENOUGH)
            if len(done) > limit or (spent(work, full) and not is_first):
                whole = False
                break
            first = False
            done[ident] = True
            work["threads_left"] -= 1
            if ident == work["own"]:
                top = application_frame(work["tools"])  # noqa: PLW2901 - ours are on top of it
            _capture_stack(work, ident, top)
            rest = _capture_locals(work, readers, top, _selected(work))
            if rest:
                whole = False
                used_ns = _processor_time(work, ident)
                break
        top = None
        frames.clear()
        forget_values(work)
        if whole or len(done) > limit or not next_slice(work):
            break
        is_fresh = True
    _note_all(work, rest, "time")
    if not whole and work["threads_left"] > 0:
        left = int.__repr__(work["threads_left"])
        work["missing"].append(left + " threads were not reached from inside in the time given")


def _main_ident() -> int:
    found = pick(_thread, ("_get_main_thread_ident",)).get("_get_main_thread_ident")
    return found() if found is not None else 0


def _processor_time(work: Work, ident: int) -> int:
    """Nanoseconds for which a thread has run, by the kernel's clock of it; 0 if that is unknown.

    (``pthread_getcpuclockid`` would break the process if there is no such thread any more.)
    """
    tools = work["tools"]
    native_id = tools["getpid"]() if ident == _main_ident() else work["native_ids"].get(ident)
    if native_id is None or tools["read_clock"] is None:
        return 0
    try:
        return tools["read_clock"](~native_id << 3 | _CLOCK_OF_THREAD)
    except OSError as error:
        if is_foreign(error):
            raise
        return 0


def application_frame(tools: Tools) -> Any:
    """The frame that the request interrupted, below ours and the driver's."""
    frame: Any = tools["current_frames"]().get(tools["get_ident"]())
    ours = None if frame is None else frame.f_globals
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
        lasti = frame.f_lasti
        stack.append(number << 32 | (lasti if lasti > 0 else 0))  # noqa: FURB136 - a call per frame
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
        work["origins"].append(_origin(work, exact_text(code.co_filename, LONGEST_PLACE)))
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
    globs = globs_of(work, frame)
    if globs is not None and not globs:
        return True
    found = locals_of(frame, _MOST_LOCALS)
    if found is None:
        _note(work, depth, "unreadable")
        return True
    pairs, whole = found
    head = b"\x94" + pack_int(len(work["threads"]) - 1) + pack_int(depth)
    names = []
    for name, value in pairs:
        text = name[:200] if type(name) is str else _UNNAMED
        if globs is None or any_match(globs, text):
            names.append(head + pack_text(text) + pack_int(add_root(work, text, value)))
    value = found = None
    pairs.clear()
    work["locals"].extend(names)
    if not whole:
        _note(work, depth, "limit")
    if drain(work, readers):
        return True
    _note(work, depth, "time")
    return False


def locals_of(frame: Any, most: int) -> tuple[list[tuple[Any, Any]], bool] | None:
    """The first locals of a frame, and whether these are all; None where code would run.

    A class body may run in any mapping that its metaclass has prepared.
    """
    namespace = frame.f_locals
    kind = type(namespace)
    if kind is dict:
        pairs = [pair for _, pair in list(zip(range(most), dict.items(namespace)))]
        return pairs, dict.__len__(namespace) <= most
    if is_made_in_c(kind) and name_of_type(kind) == "FrameLocalsProxy":
        pairs = kind.items(namespace)
        return pairs[:most], len(pairs) <= most
    return None


def local_named(frame: Any, wanted: str) -> Any:
    """The value of a local, None if there is none; a look-up could run the code of a key."""
    found = locals_of(frame, _MOST_LOCALS)
    for name, value in found[0] if found else ():
        if type(name) is str and name == wanted:
            return value
    return None
