"""The way in: guards first, then the carrier thread, or the one slice on the main thread."""

from __future__ import annotations

import marshal
import posix
from typing import TYPE_CHECKING

from .pristine import missing_builtins
from .stacks import application_frame
from .survey import failure, run
from .tools import block_signals, gather_tools

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Request, Tools

__all__ = ["BUSY", "enter"]

OUR_FILENAME = "<snapshotter probe>"
BUSY = "an earlier carrier is still at work"
_READ_ONLY = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW
_WRITE_ONLY = posix.O_WRONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW
_LARGEST_REQUEST = 1 << 16


def enter(request_path: str, space: dict[str, Any]) -> None:
    """Called by the driver in the main thread with the namespace that holds all of us."""
    tools = gather_tools()
    request = _read_request(request_path) if tools is not None else None
    if tools is None or request is None or not _is_meant(request, tools):
        space.clear()
        return
    replaced = missing_builtins()
    if replaced:
        _refuse(request, tools, space, "replaced builtins: " + " ".join(replaced))
        return
    other = _another_carrier(tools)
    if other == request["nonce"]:  # it was asked in the instant in which it started
        space.clear()
        return
    if other is not None:
        _refuse(request, tools, space, BUSY)
        return
    if _wants_thread(request, tools) and tools["start"] is not None:
        try:
            tools["start"](carry, (request, tools, space))
            return  # noqa: TRY300 - only the start may fail
        except RuntimeError, MemoryError:  # no thread to be had here
            pass
    try:
        _reply(request, tools, run(request, tools, "main"))
    finally:
        space.clear()


def _refuse(request: Request, tools: Tools, space: dict[str, Any], why: str) -> None:
    """Answer that nothing will be done, and leave nothing behind."""
    try:
        _reply(request, tools, failure(request, why))
    finally:
        space.clear()


def carry(request: Request, tools: Tools, space: dict[str, Any]) -> None:
    """The whole life of the carrier thread."""
    try:
        block_signals()
        _reply(request, tools, run(request, tools, "thread"))
    except BaseException as error:  # noqa: BLE001 - nothing of ours may reach the application
        try:
            _reply(request, tools, failure(request, type(error).__name__))
        except BaseException:  # noqa: BLE001, S110
            pass
    finally:
        # the functions in it refer back to it: without this each dump would leave a cycle
        space.clear()


def _read_request(path: str) -> Request | None:
    descriptor = posix.open(path, _READ_ONLY)
    try:
        data = posix.read(descriptor, _LARGEST_REQUEST)
    finally:
        posix.close(descriptor)
    request: Request | None = marshal.loads(data)  # noqa: S302 - ours, only root or we can write it
    return request


def _is_meant(request: Request, tools: Tools) -> bool:
    """Whether this request is for this process, in time, and not answered yet."""
    return (
        tools["getpid"]() == request["pid"]
        and tools["clock"]() < request["start_by_ns"]
        and tools["stat"](request["reply"]).st_size == 0
    )


def _another_carrier(tools: Tools) -> bytes | None:
    """Nonce of the request that a carrier of ours is at work on, in any thread; None if none is."""
    own = tools["get_ident"]()
    frames = tools["current_frames"]()
    found = None
    for ident, frame in frames.items():
        at = application_frame() if ident == own else frame
        if at is not None and (ident == own or at.f_code.co_filename == OUR_FILENAME):
            found = _nonce_on_stack(at) or found
    at = frame = None
    frames.clear()
    return found


def _nonce_on_stack(frame: Any) -> bytes | None:
    """What the outermost of our functions on a stack works on."""
    found = None
    for _ in range(64):
        if frame is None:
            break
        if frame.f_code.co_filename == OUR_FILENAME:
            request = frame.f_locals.get("request")
            found = request["nonce"] if type(request) is dict else found or b""
        frame = frame.f_back
    return found


def _wants_thread(request: Request, tools: Tools) -> bool:
    if tools["sleep"] is None or request["carrier"] == "main":
        return False
    return request["carrier"] == "thread" or request["os_threads"] > 1


def _reply(request: Request, tools: Tools, reply: bytes) -> None:
    """Open, write and close in one go: a fork meanwhile must inherit nothing."""
    descriptor = tools["open"](request["reply"], _WRITE_ONLY)
    try:
        written = 0
        while written < len(reply):
            written += tools["write"](descriptor, reply[written : written + 1048576])
    finally:
        tools["close"](descriptor)
