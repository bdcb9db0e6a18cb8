"""What runs first in the target: it finds the carrier, which then loads the rest of the probe.

The main thread is left again as soon as can be. Each line of ours that it runs is one in which
the exception of the application's signal handler can land (:mod:`.rescue` hands it on), and
unmarshalling the probe alone takes most of a millisecond. So that is left to the carrier thread;
but reading is not, as there each read would cost it a turn of the interpreter. Where the main
thread has to do the work itself it keeps signals waiting meanwhile.

Merged for itself, without the other modules, and run in the namespace that the probe is loaded
into; that is emptied in the end, so whatever is needed then is kept in local names.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import marshal
import posix
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    type Place = tuple[int, str, tuple[int, ...]]

__all__ = ["REQUEST_SIZE", "STARTED", "begin"]

STARTED = 0
"""Among the numbers: a carrier has been started and will answer."""
_SIG_BLOCK, _SIG_SETMASK = 0, 2
_FAULTS = (4, 5, 7, 8, 11)  # SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV: a handler may report them
_READ_FLAGS = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW
REQUEST_SIZE = 1 << 16


def begin(space: dict[str, Any], held: dict[int, bool], place: Place) -> None:
    """Called by the driver on the main thread, in a namespace of our own.

    ``held`` takes the numbers of signals that are to be sent again; ``place`` is the pid that is
    meant, the spool, and where in its file "probe" each part lies (offset and size).
    """
    pid, directory, parts = place
    if posix.getpid() != pid:
        _empty(space)
        return
    path = directory + "/request"
    request = marshal.loads(_content(path, 0, REQUEST_SIZE))  # noqa: S302 - ours
    code = _content(directory + "/probe", parts[-2], parts[-1])
    carrier = request["carrier"]
    alone = carrier == "main" or (carrier != "thread" and request["os_threads"] < 2)
    start: Any = _thread.start_new_thread
    # a replaced one (gevent's) starts no thread; the probe knows where to find the original
    is_genuine = start.__class__ is [].append.__class__
    if alone or not is_genuine or not _has_started(space, held, (request, code)):
        _work_here(space, held, (path, code))


def _has_started(
    space: dict[str, Any], held: dict[int, bool], work: tuple[dict[str, Any], bytes]
) -> bool:
    """Start the carrier thread; False where there is none to be had."""
    held[STARTED] = True  # before it is true: a signal may end the next line after the start
    signals, restore, before = _signal, _SIG_SETMASK, None
    if _thread._get_main_thread_ident() != _thread.get_ident():  # type: ignore[attr-defined]  # noqa: SLF001
        # the new thread inherits it, and takes no signal that the main one is to wake up for
        before = signals.pthread_sigmask(_SIG_BLOCK, signals.valid_signals() - {*_FAULTS})
    try:
        _thread.start_new_thread(_live_as_carrier, (space, *work))
    except RuntimeError as error:
        # a signal handler may raise one just as well, from a frame of its own
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise
        del held[STARTED]
        return False
    finally:
        if before is not None:
            signals.pthread_sigmask(restore, before)
    return True


def _live_as_carrier(space: dict[str, Any], request: dict[str, Any], code: bytes) -> None:
    """The whole life of the carrier thread."""
    try:
        # first of all: a signal that the application blocks for a while must not come to us
        _signal.pthread_sigmask(_SIG_BLOCK, _signal.valid_signals() - {*_FAULTS})
        clock: Any = time.perf_counter_ns
        sleep: Any = time.sleep
        genuine = clock.__class__ is [].append.__class__ and clock.__class__ is sleep.__class__
        before = clock() if genuine else 0
        _load(space, code)
        loaded_ns = clock() - before if genuine else 0
        if genuine:
            sleep(100e-6)  # loading alone takes most of a slice
        space["enter_alone"](request, space, loaded_ns)
    except BaseException:  # noqa: BLE001, S110 - nothing of ours may reach the application
        pass
    finally:
        # the functions in it refer back to it: without this each dump would leave a cycle
        space.clear()


def _work_here(space: dict[str, Any], held: dict[int, bool], work: tuple[str, bytes]) -> None:
    """Run the probe on the main thread. No signal is handled meanwhile, none is lost.

    Those that wait in the end are taken back and sent again when we are gone: a handler that
    raises must do so in the application's own frames.
    """
    signals = _signal
    empty = _empty
    restore = _SIG_SETMASK
    clock: Any = time.perf_counter_ns
    genuine = clock.__class__ is [].append.__class__
    started = clock() if genuine else 0
    is_main = _thread._get_main_thread_ident() == _thread.get_ident()  # type: ignore[attr-defined]  # noqa: SLF001
    # asked first, changed in the try: this function runs the handlers of signals just come
    before = signals.pthread_sigmask(_SIG_BLOCK, ())
    try:
        signals.pthread_sigmask(_SIG_BLOCK, signals.valid_signals() - {*_FAULTS})
        _load(space, work[1])
        space["enter"](work[0], space, clock() - started if genuine else 0)
    finally:
        try:
            empty(space)
            # the signals of the main thread are none of another one's business
            for number in signals.sigpending() if is_main else ():
                handler = signals.getsignal(number)
                is_code = handler is not None and ().__class__.__class__(handler) is not int
                # only where Python code handles it: the others do not concern our frames
                if number not in before and is_code:
                    held[number] = False
                    signals.sigtimedwait((number,), 0)
        finally:
            signals.pthread_sigmask(restore, before)
    if False in held.values():
        raise InterruptedError  # the driver sees to them


def _empty(space: dict[str, Any]) -> None:
    # all but the builtins: another request may interrupt us, and needs them
    for name in [*space]:
        if name != "__builtins__":
            del space[name]


def _load(space: dict[str, Any], code: bytes) -> None:
    function: Any = _load.__class__
    function(marshal.loads(code), space)()  # noqa: S302 - our own


def _content(path: str, offset: int, size: int) -> bytes:
    descriptor = posix.open(path, _READ_FLAGS)
    try:
        return posix.pread(descriptor, size, offset)
    finally:
        posix.close(descriptor)
