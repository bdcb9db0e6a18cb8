"""The way in: guards first, then the carrier thread, or the one slice on the main thread."""

from __future__ import annotations

import _thread
import marshal
import posix
from typing import TYPE_CHECKING

from .failures import BUSY, NO_THREAD

# the first but for constants: when all are merged, no function may come before those of this one
from .pristine import is_foreign, missing_builtins, pick
from .stacks import application_frame, local_named
from .survey import failure, is_our_code, run, what_failed
from .tools import block_signals, gather_tools

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Request, Tools

__all__ = ["enter"]

_READ_ONLY = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW
_WRITE_ONLY = posix.O_WRONLY | posix.O_TRUNC | posix.O_CLOEXEC | posix.O_NOFOLLOW
_LARGEST_REQUEST = 1 << 16
_DEEPEST = 200
_MOST_PIECES = 512  # the kernel takes 1024 at a time


def enter(request_path: str, space: dict[str, Any], loaded_ns: int = 0) -> None:
    """Called on the main thread with the namespace that holds all of us.

    ``loaded_ns`` is how long it has been away from its own work to load us.
    """
    handed_over: list[bool] = []
    try:
        _begin(request_path, space, handed_over, loaded_ns)
    finally:
        if not handed_over:
            empty(space)


def empty(space: dict[str, Any]) -> None:
    """Empty a namespace of ours: its functions refer back to it, each dump would leave a cycle.

    The builtins stay: another request may come before we have returned, and CPython looks for
    them in the namespace that it interrupts.
    """
    function: Any = empty.__class__  # soon nothing of ours has a name any more
    for name in [*space]:
        if name != "__builtins__":
            del space[name]
    names = space.get("__builtins__")
    if type(names) is dict:
        for name in ("id", "len", "max"):
            if type(names.get(name)) is function:  # written anew by us
                del names[name]


def _begin(
    request_path: str, space: dict[str, Any], handed_over: list[bool], loaded_ns: int
) -> None:
    tools = None if missing_builtins() else gather_tools()
    request = None if tools is None else _read_request(request_path, tools)
    if tools is None or request is None or not _is_meant(request, tools):
        return
    if not _is_free(request, tools):
        return
    if _wants_thread(request, tools) and tools["start"] is not None:
        # said before it is true: a signal may end the next line right after the start
        handed_over.append(True)
        try:
            tools["start"](carry, (request, tools, space))
            return  # noqa: TRY300 - only the start may fail
        except (RuntimeError, MemoryError) as error:  # no thread to be had here
            if is_foreign(error):
                raise
            handed_over.clear()
    if _thread._get_main_thread_ident() != tools["get_ident"]():  # type: ignore[attr-defined]  # noqa: SLF001
        # one that was asked for a blocked main thread: it has work of its own
        _reply(request, tools, failure(request, NO_THREAD))
        return
    try:
        _reply(request, tools, run(request, tools, "main", loaded_ns))
    except Exception as error:
        if is_foreign(error):
            raise
        _reply(request, tools, failure(request, what_failed(error)))


def carry(request: Request, tools: Tools, space: dict[str, Any], loaded_ns: int = 0) -> None:
    """The whole life of the carrier thread."""
    try:
        block_signals()
        _reply(request, tools, run(request, tools, "thread", loaded_ns))
    except BaseException as error:  # noqa: BLE001 - nothing of ours may reach the application
        try:
            _reply(request, tools, failure(request, what_failed(error)))
        except BaseException:  # noqa: BLE001, S110
            pass
    finally:
        space.clear()


def _read_request(path: str, tools: Tools) -> Request | None:
    loads = pick(marshal, ("loads",))
    if not loads:
        return None
    descriptor = tools["open"](path, _READ_ONLY)
    try:
        data = tools["read"](descriptor, _LARGEST_REQUEST)
    finally:
        tools["close"](descriptor)
    request: Request | None = loads["loads"](data)  # ours: only root or we can write the file
    return request


def _is_meant(request: Request, tools: Tools) -> bool:
    """Whether this request is for this process, in time, waited for, and not answered yet."""
    if tools["getpid"]() != request["pid"] or tools["clock"]() >= request["start_by_ns"]:
        return False
    try:
        size: int = tools["stat"](request["reply"]).st_size
    except OSError as error:
        if is_foreign(error):
            raise
        return False
    return size == 0


def _is_free(request: Request, tools: Tools) -> bool:
    """Whether no other carrier is at work; the reply says so if one is."""
    other = _another_carrier(tools)
    if other is None:
        return True
    if request["beside"] and other["nonce"] == request["beside"]:
        # it has had no turn; when it has one it shall end: nobody waits for it any more
        other["start_by_ns"] = other["deadline_ns"] = 0
        return True
    if other["nonce"] != request["nonce"]:  # else: asked in the instant in which it started
        _reply(request, tools, failure(request, BUSY))
    return False


def _another_carrier(tools: Tools) -> dict[str, Any] | None:
    """The request that a carrier of ours is at work on, in any thread; None if none is."""
    own = tools["get_ident"]()
    frames = tools["current_frames"]()
    found = None
    for ident, frame in frames.items():
        at = application_frame(tools) if ident == own else frame
        if at is not None and (ident == own or is_our_code(at.f_code)):
            found = _request_on_stack(at) or found
    at = frame = None
    frames.clear()
    return found


def _request_on_stack(frame: Any) -> dict[str, Any] | None:
    """What the outermost of our functions on a stack works on."""
    found: dict[str, Any] | None = None
    for _ in range(_DEEPEST):
        if frame is None:
            break
        if is_our_code(frame.f_code):
            request = local_named(frame, "request")
            found = request if type(request) is dict else found or {"nonce": b""}
        frame = frame.f_back
    return found


def _wants_thread(request: Request, tools: Tools) -> bool:
    if tools["sleep"] is None or request["carrier"] == "main":
        return False
    return request["carrier"] == "thread" or request["os_threads"] > 1


def _reply(request: Request, tools: Tools, reply: list[bytes]) -> None:
    """Open, write and close in one go: a fork meanwhile must inherit nothing."""
    descriptor = tools["open"](request["reply"], _WRITE_ONLY)
    try:
        while reply:
            _forget(reply, tools["writev"](descriptor, reply[:_MOST_PIECES]))
    finally:
        tools["close"](descriptor)


def _forget(reply: list[bytes], written: int) -> None:
    """Take what has been written off the front."""
    count = 0
    while count < len(reply) and len(reply[count]) <= written:
        written -= len(reply[count])
        count += 1
    del reply[:count]
    if written:
        reply[0] = reply[0][written:]
