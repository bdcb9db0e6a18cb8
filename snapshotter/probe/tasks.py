"""asyncio tasks of the loops whose ``run_forever`` stands on a captured stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .budget import next_slice, spent
from .kinds import exact_text, mro_of, name_of_type, qualname_of_type
from .pack import NIL, pack_array, pack_int, pack_text
from .pristine import is_made_in_c, module_named, pick
from .stacks import code_index

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["pack_tasks"]

_MOST_AWAITS = 64
_FULL = 70


def pack_tasks(work: Work) -> tuple[int, list[bytes]]:
    """All tasks that were counted, and (id, name, state, loop, thread, stack, waits) of each."""
    out: list[bytes] = []
    total = 0
    loaded = module_named("_asyncio")
    tools = pick(loaded, ("all_tasks", "Task", "Future")) if loaded is not None else {}
    if len(tools) < 3 or not work["loop_codes"]:
        return 0, out
    for ident in _loop_threads(work):
        total += _tasks_of(work, tools, ident, out)
    return total, out


def _loop_threads(work: Work) -> list[int]:
    """Threads that run a loop now; the loop itself is found again in each slice."""
    found = []
    frames = work["tools"]["current_frames"]()
    for ident, top in frames.items():
        if _loop_of(work, top) is not None:
            found.append(ident)
    top = None
    frames.clear()
    return found


def _loop_of(work: Work, frame: Any) -> Any:
    """``self`` of the innermost ``BaseEventLoop.run_forever`` of a stack."""
    for _ in range(work["request"]["limits"]["frames"]):
        if frame is None:
            return None
        index = work["code_index"].get(id(frame.f_code))
        if index is not None and index in work["loop_codes"]:
            for name, value in frame.f_locals.items():
                if type(name) is str and name == "self":
                    return value
        frame = frame.f_back
    return None


def _tasks_of(work: Work, tools: dict[str, Any], ident: int, out: list[bytes]) -> int:
    """Tasks of one loop, slice by slice; between slices only their ids are kept."""
    done: dict[int, bool] = {}
    total = 0
    while True:
        frames = work["tools"]["current_frames"]()
        loop = _loop_of(work, frames.get(ident))
        frames.clear()
        if loop is None:
            break
        tasks = tools["all_tasks"](loop)
        total = max(total, len(tasks))
        more = False
        task = None
        for task in tasks:
            if id(task) in done:
                continue
            if len(out) >= work["request"]["limits"]["tasks"]:
                break
            if spent(work, _FULL):
                more = True
                break
            done[id(task)] = True
            if type(task) is tools["Task"]:
                out.append(_pack_task(work, tools, task, id(loop), ident))
        task = loop = None
        tasks.clear()
        if not more or not next_slice(work):
            break
    if total > len(done):
        left = int.__repr__(total - len(done))
        work["missing"].append("the stacks of " + left + " asyncio tasks were left out")
    return total


def _pack_task(work: Work, tools: dict[str, Any], task: Any, loop: int, ident: int) -> bytes:
    get = tools["Future"].__dict__, tools["Task"].__dict__
    coroutine = get[1]["get_coro"](task)
    waiter = get[1]["_fut_waiter"].__get__(task)
    state = exact_text(get[0]["_state"].__get__(task), 16) if "_state" in get[0] else "PENDING"
    stack = _await_chain(work, coroutine)
    packed = b"\x97" + pack_int(id(task)) + pack_text(_task_name(get[1], task))
    packed += pack_text(state) + pack_int(loop) + pack_int(ident)
    packed += pack_array(len(stack)) + b"".join([pack_int(number) for number in stack])
    if waiter is None:
        return packed + NIL
    text = exact_text(qualname_of_type(type(waiter)), 200)
    return packed + pack_text(text + " 0x" + int.__format__(id(waiter), "x"))


def _task_name(descriptors: Any, task: Any) -> str:
    """The name; C makes ``Task-7`` of a number the first time it is asked."""
    name = descriptors["get_name"](task)
    return name[:200] if type(name) is str else ""


def _await_chain(work: Work, awaited: Any) -> list[int]:
    """Frames of a coroutine and of what it awaits, innermost first, as stack numbers."""
    chain: list[int] = []
    for _ in range(_MOST_AWAITS):
        cls = type(awaited)
        if not is_made_in_c(cls) or name_of_type(cls) not in ("coroutine", "generator"):
            break
        prefix = "cr" if name_of_type(cls) == "coroutine" else "gi"
        getters = mro_of(cls)[0].__dict__
        frame = getters[prefix + "_frame"].__get__(awaited)
        if frame is None:
            break
        number = code_index(work, frame.f_code)
        chain.append(number << 32 | max(0, frame.f_lasti))
        awaited = getters["cr_await" if prefix == "cr" else "gi_yieldfrom"].__get__(awaited)
    chain.reverse()
    return chain
