"""Seizes one OS thread of another process with ptrace, and has it stand for a few reads and writes.

The other threads of the process go on. Should we die, the kernel lets the thread go.

Only the thread that seized another one may command it, so all is done in a thread of its own, with
whose end the other one is free again, even if it did not stop in time (it waits for a disk, say).

Whoever is made to stand looks for signals when it goes on, and may take one that was sent to the
process and that its main thread was just waking up for. Python runs handlers on the main thread
only, which would sleep on. So while a thread is seized, signals that it takes are sent to the main
thread instead; those that were sent to this very thread are passed on to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from snapshotter.attach.namespaces import status_fields
from snapshotter.attach.priority import urgent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CannotHoldError", "Seized", "ThreadEndedError", "while_held", "while_seized"]

# include/uapi/linux/ptrace.h
_CONTINUE, _GET_SIGNAL = 7, 0x4202
_SEIZE, _INTERRUPT, _LISTEN = 0x4206, 0x4207, 0x4208
_EVENT_STOP: Final = 128
_WAIT_ALL: Final = 0x4000_0000  # __WALL: also threads that are nobody's children
_SIGTRAP: Final = 5
_SIGNAL_INFO_BYTES: Final = 128
_TO_A_THREAD: Final = {-6, -2}  # SI_TKILL; SI_TIMER, which may be either
_FAULTS: Final = {4, 5, 7, 8, 11, 31}
"""SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS: of the thread itself if the kernel says so."""
_TGKILL: Final = {"x86_64": 234, "aarch64": 131}

_STOPS_WITHIN_NS: Final = 100_000_000
_SEIZED_WITHIN_NS: Final = 20_000_000
_EAGER_NS: Final = 300_000
_POLL_S: Final = 50e-6
_SWITCH_S: Final = 20e-6


class ThreadEndedError(Exception):
    """The thread has ended."""


class CannotHoldError(Exception):
    """The thread could not be held; the message says why."""


class Seized:
    """A seized thread, in the hands of the thread that has seized it."""

    def __init__(self, pid: int, tid: int) -> None:
        """Seize thread ``tid`` of process ``pid``. Raises CannotHoldError, ThreadEndedError."""
        self.tid = tid
        self._pid = pid
        self.holds = 0
        """How often it was made to stand, and for how long in all."""
        self.held_ns = 0
        until = time.monotonic_ns() + _SEIZED_WITHIN_NS
        while True:
            try:
                _request(_SEIZE, tid)
                break
            except CannotHoldError:
                # the thread with which we have seized it before may not be gone altogether
                if _tracer_of(tid) != os.getpid() or time.monotonic_ns() > until:
                    raise
                time.sleep(_POLL_S)
        # from here on nobody else gets its number
        if _status_of(tid).get("Tgid") != str(pid):
            raise _ended(tid)

    def stand[T](self, act: Callable[[], T]) -> T:
        """Call ``act`` while it stands, and let it go on; return the result.

        Raises what ``act`` raises, CannotHoldError and ThreadEndedError.
        """
        scheduled_ns, began_ns = _scheduled_ns(self.tid), time.monotonic_ns()
        _request(_INTERRUPT, self.tid)
        signum = self._await_stop()
        stands_ns = time.monotonic_ns()
        try:
            result = act()
            # until it stood it ran, or waited for a CPU: that was not our doing
            began_ns = min(began_ns + _scheduled_ns(self.tid) - scheduled_ns, stands_ns)
        finally:
            self._go_on(signum)
            self.holds += 1
            self.held_ns += time.monotonic_ns() - began_ns
        return result

    def attend(self) -> None:
        """Let it go on if it stands for a signal. Raises ThreadEndedError."""
        while True:
            status = self._status()
            if status is None:
                return
            signum, event = os.WSTOPSIG(status), status >> 16
            if event == _EVENT_STOP and signum != _SIGTRAP:
                _request(_LISTEN, self.tid)  # the whole process is stopped, and stays so
            else:
                self._go_on(0 if event else signum)

    def _await_stop(self) -> int:
        """Return the signal for which it stands, 0 when it is for us."""
        began_ns = time.monotonic_ns()
        while (status := self._status()) is None:
            passed_ns = time.monotonic_ns() - began_ns
            if passed_ns > _STOPS_WITHIN_NS:
                raise CannotHoldError(f"thread {self.tid} did not stop in time")
            if passed_ns > _EAGER_NS:
                time.sleep(_POLL_S)
        signum, event = os.WSTOPSIG(status), status >> 16
        if event == _EVENT_STOP and signum != _SIGTRAP:
            _request(_LISTEN, self.tid)
            raise CannotHoldError(f"thread {self.tid} is stopped by a signal")
        return 0 if event else signum

    def _status(self) -> int | None:
        try:
            tid, status = os.waitpid(self.tid, _WAIT_ALL | os.WNOHANG)
        except ChildProcessError as error:
            raise _ended(self.tid) from error
        if tid and not os.WIFSTOPPED(status):
            raise _ended(self.tid)
        return status if tid else None

    def _go_on(self, signum: int) -> None:
        """Let it go on, with the signal for which it stood, if any."""
        if signum and self._is_for_main(signum):
            _send(self._pid, self._pid, signum)  # first: should we die in between it comes twice
            signum = 0
        with contextlib.suppress(ThreadEndedError):  # killed while it stood; _status will tell
            _request(_CONTINUE, self.tid, signum)

    def _is_for_main(self, signum: int) -> bool:
        """Whether a signal was sent to the process, which has a handler that main may run."""
        info = ctypes.create_string_buffer(_SIGNAL_INFO_BYTES)
        try:
            _request(_GET_SIGNAL, self.tid, ctypes.addressof(info))
        except ThreadEndedError, CannotHoldError:
            return False
        code = struct.unpack_from("=3i", info)[2]
        if code in _TO_A_THREAD or (signum in _FAULTS and code > 0):
            return False
        status, bit = _status_of(self._pid), 1 << (signum - 1)
        handled, blocked = (int(status.get(name, "0"), 16) for name in ("SigCgt", "SigBlk"))
        return handled & bit != 0 and blocked & bit == 0


def while_seized[T](pid: int, tid: int, work: Callable[[Seized], T]) -> T:
    """Call ``work`` with the seized thread ``tid`` of process ``pid``; let it go in the end.

    Raises what ``work`` raises, ThreadEndedError, and CannotHoldError where the kernel forbids it,
    another tool holds the thread, or it does not stop in time.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with urgent():  # no other program of this machine should make it stand for longer
                results.append(work(Seized(pid, tid)))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            errors.append(error)

    keeper = threading.Thread(target=run, daemon=True)
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)  # should another thread of ours be busy
    try:
        keeper.start()
        keeper.join()
    finally:
        sys.setswitchinterval(usual_s)
        keeper.join()
    if errors:
        raise errors[0]
    return results[0]


def while_held[T](pid: int, tid: int, act: Callable[[], T]) -> tuple[T, int]:
    """Call ``act`` while thread ``tid`` of process ``pid`` stands; return result and nanoseconds.

    Raises as ``while_seized`` does.
    """
    return while_seized(pid, tid, lambda seized: (seized.stand(act), seized.held_ns))


def _request(request: int, tid: int, data: int = 0) -> None:
    if _libc().ptrace(request, tid, None, data) == 0:
        return
    number = ctypes.get_errno()
    if number == errno.ESRCH:
        raise _ended(tid)
    raise CannotHoldError(_why_not(tid, number))


def _send(pid: int, tid: int, signum: int) -> None:
    number = _TGKILL[os.uname().machine]
    _libc().syscall(*map(ctypes.c_long, (number, pid, tid, signum)))


def _why_not(tid: int, number: int) -> str:
    """Say what keeps us from holding a thread."""
    if _status_of(tid).get("State", "X")[0] in "ZX":
        raise _ended(tid)
    tracer = _tracer_of(tid)
    if tracer:
        return f"thread {tid} is held by another tool (process {tracer})"
    if number == errno.EPERM:
        return f"the kernel does not let us hold thread {tid} with ptrace"
    return f"thread {tid} cannot be held with ptrace: {os.strerror(number).lower()}"


def _tracer_of(tid: int) -> int:
    """Return the process that traces a thread, 0 if none does."""
    tracer = int(_status_of(tid).get("TracerPid", "0"))
    return int(_status_of(tracer).get("Tgid", tracer)) if tracer else 0  # it tells a thread of it


def _scheduled_ns(tid: int) -> int:
    """Return for how long a thread ever ran or waited for a CPU; 0 where it is not counted."""
    try:
        with open(f"/proc/{tid}/schedstat", "rb") as file:
            ran_ns, waited_ns = file.read().split()[:2]
        return int(ran_ns) + int(waited_ns)
    except OSError, ValueError:
        return 0


def _status_of(tid: int) -> dict[str, str]:
    try:
        return status_fields(tid)
    except OSError:
        return {}


def _ended(tid: int) -> ThreadEndedError:
    return ThreadEndedError(f"thread {tid} has ended")


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    return libc
