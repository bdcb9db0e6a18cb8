"""asyncio tasks of the loops whose ``run_forever`` stands on a captured stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attributes import instance_items
from .budget import next_slice, spent
from .kinds import dict_of_type, exact_text, mro_of, plan_of, qualname_of_type
from .nodes import any_is, hides_text
from .pack import NIL, pack_array, pack_int, pack_text
from .pristine import is_made_in_c, pick
from .stacks import code_index, local_named

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["pack_tasks"]

_MOST_AWAITS = 64
_MOST_AWAITERS = 64
_MOST_CLASSES = 300
_LARGEST_SET_BYTES = 1 << 16
_FULL = 70


def pack_tasks(work: Work) -> tuple[int, list[bytes]]:
    """All tasks that were counted, and rows of them.

    A row is (id, name, state, loop, thread, stack, what it waits for, ids of who awaits it).
    """
    out: list[bytes] = []
    total = 0
    module = work["modules"].get("_asyncio")
    tools = pick(module, ("all_tasks", "Task", "Future"))
    if len(tools) < 3 or not work["loop_codes"]:
        return 0, out
    if _would_run_code(work, module, tools["Task"]):
        work["missing"].append("asyncio tasks: listing them might run code of their own classes")
        return 0, out
    if _hash_is_own(tools["Future"]):
        work["missing"].append(
            "who awaits asyncio tasks: asking might run code of their own classes"
        )
        tools["asks_who_awaits"] = False
    else:
        tools["asks_who_awaits"] = True
    for ident in _loop_threads(work):
        total += _tasks_of(work, tools, ident, out)
    return total, out


def _would_run_code(work: Work, module: Any, task_type: type) -> bool:
    """Whether ``all_tasks``, which puts tasks into a set, would call methods of the application.

    It hashes and compares tasks, and asks those that are not of C's class whether they are done.
    """
    if _hash_is_own(task_type):
        return True
    for member in work["tools"]["referents"](module):
        kind = type(member)
        if kind is set and set.__len__(member):
            return True  # tasks of other classes that were started eagerly
        if not is_made_in_c(kind) and exact_text(qualname_of_type(kind), 16) == "WeakSet":
            found = instance_items(work, member, plan_of(work, kind), 8)
            for name, value in found[0] if found else ():
                if name == "data" and (type(value) is not set or set.__len__(value)):
                    return True
    return False


def _hash_is_own(base: type) -> bool:
    """Whether a class below ``base`` has, or inherits, a hash that is not made in C."""
    classes = type.__dict__["__subclasses__"](base)
    for cls in classes:  # grows while it is iterated
        if len(classes) > _MOST_CLASSES:
            return True  # to look through them all would take too long
        for one in mro_of(cls):
            if is_made_in_c(one):
                continue
            for key, _ in list(dict_of_type(one).items()):
                if type(key) is not str or key in ("__hash__", "__eq__"):
                    return True
        classes += type.__dict__["__subclasses__"](cls)
    return False


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
            return local_named(frame, "self")
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
        first = True
        for task in tasks:
            if id(task) in done:
                continue
            if len(out) >= work["request"]["limits"]["tasks"]:
                break
            # one task is taken in each slice, however short it is: else there were no end
            if spent(work, _FULL) and not first:
                more = True
                break
            first = False
            done[id(task)] = True
            if any_is(mro_of(type(task)), tools["Task"]):
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
    get = dict_of_type(tools["Future"]), dict_of_type(tools["Task"])
    coroutine = get[1]["get_coro"](task)
    waiter = get[1]["_fut_waiter"].__get__(task)
    state = exact_text(get[0]["_state"].__get__(task), 16)
    stack = _await_chain(work, coroutine)
    members = work["tools"]["referents"](task)
    packed = b"\x98" + pack_int(id(task)) + pack_text(_task_name(work, get[1], task, members))
    packed += pack_text(state) + pack_int(loop) + pack_int(ident)
    packed += pack_array(len(stack)) + b"".join([pack_int(number) for number in stack])
    if waiter is None:
        packed += NIL
    else:
        text = exact_text(qualname_of_type(type(waiter)), 200)
        packed += pack_text(text + " 0x" + int.__format__(id(waiter), "x"))
    awaiters = _awaiters(tools, task, members)
    return packed + pack_array(len(awaiters)) + b"".join([pack_int(one) for one in awaiters])


def _awaiters(tools: dict[str, Any], task: Any, members: list[Any]) -> list[int]:
    """Ids of the tasks that CPython notes as those that await this one.

    C answers with a new frozenset: a copy of its own set, or one task, which it hashes.
    """
    if not tools["asks_who_awaits"]:
        return []
    for member in members:
        if type(member) is set and set.__sizeof__(member) > _LARGEST_SET_BYTES:
            return []
    found = dict_of_type(tools["Future"])["_asyncio_awaited_by"].__get__(task)
    ids: list[int] = []
    if type(found) is frozenset:
        for _, one in zip(range(_MOST_AWAITERS), frozenset.__iter__(found)):
            if any_is(mro_of(type(one)), tools["Task"]):
                ids.append(id(one))
    list.sort(ids)
    return ids


def _task_name(work: Work, descriptors: Any, task: Any, members: list[Any]) -> str:
    """The name. Until it is asked for, C keeps a number, and would make a text of it for ever."""
    for member in members:
        if type(member) is int:
            return "Task-" + int.__repr__(member)
    name = descriptors["get_name"](task)
    if type(name) is not str or hides_text(work, name[:240]):
        return ""
    return name[:200]


def _await_chain(work: Work, awaited: Any) -> list[int]:
    """Frames of a coroutine and of what it awaits, innermost first, as stack numbers."""
    chain: list[int] = []
    special = work["special"]
    for _ in range(_MOST_AWAITS):
        cls = type(awaited)
        if cls is special["coroutine"]:
            names = ("cr_frame", "cr_await")
        elif cls is special["generator"]:
            names = ("gi_frame", "gi_yieldfrom")
        else:
            break
        getters = dict_of_type(cls)
        frame = getters[names[0]].__get__(awaited)
        if frame is None:
            break
        number = code_index(work, frame.f_code)
        lasti = frame.f_lasti
        chain.append(number << 32 | max(0, lasti))
        awaited = getters[names[1]].__get__(awaited)
    chain.reverse()
    return chain
