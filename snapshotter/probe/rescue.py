"""Sends a signal again whose handler raised in the middle of ours, where CPython would drop it.

The exception itself cannot be given to the application. But the signal can be sent once more,
from a helper thread, so that it comes as a real one when the main thread is back in the
application: its handler runs again there, and ends a blocking call if need be.

Merged for itself, with no other module but one of constants; the driver calls it while it handles
the exception, and once more when another signal comes in the middle of this.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import marshal
import posix
import sys
from typing import TYPE_CHECKING

from .failures import INTERRUPTED

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

__all__ = ["LOST", "hand_on"]

LOST = ": if another thread raised it into the one that was asked, it may be lost"
_TYPE: Any = ().__class__.__class__
_PLAIN_FUNCTION: Any = (lambda: 0).__class__
_BOUND_METHOD: Any = (lambda: 0).__get__(0).__class__
_OPEN_READ = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW
_OPEN_WRITE = posix.O_WRONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW
_SIGINT = 2
_LAST_SIGNAL = 64
STARTED = 0  # as in start.py


def hand_on(
    interrupted: dict[str, Any], held: dict[int, bool], place: tuple[int, str, tuple[int, ...]]
) -> None:
    """Called by the driver, in its namespace, while it handles the exception.

    ``interrupted`` is the namespace of the code that the signal came into; ``held`` are numbers of
    signals (and marks), True for those that have been sent; ``place`` is as in :mod:`.start`.
    """
    space = hand_on.__globals__
    main = _thread.get_ident()
    if main == _thread._get_main_thread_ident():  # type: ignore[attr-defined]  # noqa: SLF001
        what = _collect(sys.exception(), (space, interrupted), held)
    else:
        # Signals are handled on the main thread only. Another thread may have raised this one,
        # and nothing that we have could do so again.
        what = _TYPE.__dict__["__name__"].__get__(_TYPE(sys.exception())) + LOST
    numbers = [number for number in held if not held[number]]
    if STARTED not in held:
        _tell(place[1], INTERRUPTED if numbers else what)
    start, send = _thread.start_new_thread, _signal.pthread_kill
    trip: Any = _thread.interrupt_main
    # its functions refer back to it; the builtins stay for a request that interrupts us
    for name in [*space]:
        if name != "__builtins__":
            del space[name]
    # From here on nothing but local names. The first may come back before we are gone.
    rest = []
    for number in numbers:
        held[number] = True
        try:
            start(send, (main, number))
        except RuntimeError as failed:  # no thread to be had
            if failed.__traceback__ is not None and failed.__traceback__.tb_next is not None:
                raise  # of another handler
            rest.append(number)
    # The interpreter looks for signals after each call, but not here, where C code calls: the
    # handler runs as soon as the application does.
    [*map(trip, rest)]


def _collect(error: Any, spaces: tuple[dict[str, Any], ...], held: dict[int, bool]) -> str:
    """Note the signals behind an exception and those before it; the name of another's class."""
    what = ""
    newest = error
    while error is not None:
        trace = BaseException.__dict__["__traceback__"].__get__(error)
        if trace is not None and _is_of(trace, spaces):
            number = _signal_behind(error, trace, spaces)
            if number and error is newest:
                held[number] = False  # even if it was sent: then it has come back to us
            elif number:
                held.setdefault(number, False)
            else:
                what = _TYPE.__dict__["__name__"].__get__(_TYPE(error))
                while trace is not None and _is_of(trace, spaces):
                    trace = trace.tb_next
                if trace is not None:  # not of our own making
                    what += ": a signal may have been lost"
        error = BaseException.__dict__["__context__"].__get__(error)
    return what


def _is_of(trace: Any, spaces: tuple[dict[str, Any], ...]) -> bool:
    """Whether a traceback entry is one of ours."""
    names = trace.tb_frame.f_globals
    for space in spaces:
        if names is space:
            return True
    return False


def _signal_behind(
    error: BaseException, trace: TracebackType | None, spaces: tuple[dict[str, Any], ...]
) -> int:
    """The signal whose handler raised; 0 if none did."""
    likely = 0
    while trace is not None:
        if not _is_of(trace, spaces):
            number = _handled_in(trace.tb_frame)
            if number > 0:
                return number
            likely = likely or -number
        trace = trace.tb_next
    return _interrupt() if not likely and _TYPE(error) is KeyboardInterrupt else likely


def _handled_in(frame: Any) -> int:
    """The signal that this is the handler's frame of; negative if it may be; 0 if of none.

    An application's function that we call (it has replaced one of C) is not a handler.
    """
    likely = 0
    number: int
    for value in frame.f_locals.values():
        # a handler may take its arguments one by one, or as a tuple
        for number in value if _TYPE(value) is _TYPE(()) else (value,):
            if _TYPE(number) is _TYPE(1) and 0 < number <= _LAST_SIGNAL:
                handler = _signal.getsignal(number)
                if _TYPE(handler) is _BOUND_METHOD:
                    handler = handler.__func__
                if _TYPE(handler) is _PLAIN_FUNCTION:
                    if handler.__code__ is frame.f_code:
                        return number
                elif handler is not None and _TYPE(handler) is not _TYPE(1):
                    likely = likely or -number
    return likely


def _interrupt() -> int:
    """The signal that ``default_int_handler`` is set for: a C function, which has no frame."""
    found = 0
    for number in range(_LAST_SIGNAL, 0, -1):
        if _signal.getsignal(number) is _signal.default_int_handler:
            found = _SIGINT if found == _SIGINT else number
    return found


def _tell(directory: str, what: str) -> None:
    """Answer the request if nobody has: the controller would wait in vain."""
    descriptor = posix.open(directory + "/request", _OPEN_READ)
    try:
        request = marshal.loads(posix.read(descriptor, 1 << 16))  # noqa: S302 - ours
    finally:
        posix.close(descriptor)
    if posix.stat(request["reply"]).st_size:
        return
    # msgpack: a map of three pairs, short texts and bytes
    text = what.encode()
    said = b"\xd9" + len(text).to_bytes(1, "big") + text
    nonce = b"\xc4" + len(request["nonce"]).to_bytes(1, "big") + request["nonce"]
    reply = b"\x83\xa5nonce" + nonce + b"\xa6failed" + said + b"\xa3end" + nonce
    descriptor = posix.open(request["reply"], _OPEN_WRITE)
    try:
        posix.write(descriptor, reply)
    finally:
        posix.close(descriptor)
