"""Holds one OS thread of another process with ptrace, for the time of a few reads and writes.

The other threads of the process go on. A signal that comes meanwhile waits and arrives afterwards;
one that was just being delivered is passed on. Should we die, the kernel lets the thread go.

Only the thread that seized another one may command it, so all is done in a thread of its own. When
the other one does not stop in time (it waits for a disk, say), that thread stays behind and lets it
go as soon as it does.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snapshotter.attach.namespaces import status_fields
from snapshotter.attach.priority import urgent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CannotHoldError", "ThreadEndedError", "while_held"]

# include/uapi/linux/ptrace.h
_DETACH, _SEIZE, _INTERRUPT = 17, 0x4206, 0x4207
_EVENT_STOP = 128
_WAIT_ALL = 0x4000_0000  # __WALL: also threads that are nobody's children
_SIGTRAP = 5
_STOPS_WITHIN_S = 0.1
_SWITCH_S = 20e-6


class ThreadEndedError(Exception):
    """The thread has ended, so nothing was done."""


class CannotHoldError(Exception):
    """The thread was not held, so nothing was done; the message says why."""


@dataclass(slots=True)
class _Hold[T]:
    """One hold, shared by who asked for it and the thread that does it."""

    pid: int
    tid: int
    act: Callable[[], T]
    held_ns: int = 0
    result: list[T] = field(default_factory=list)
    error: BaseException | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_given_up: bool = False
    has_begun: bool = False

    def run(self) -> None:
        """Hold, act, let go; what goes wrong is kept for who asked."""
        try:
            with urgent():  # no other program of this machine should keep us from letting go
                self._hold_and_act()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.error = error

    def _hold_and_act(self) -> None:
        _request(_SEIZE, self.tid)
        self._check_process()
        scheduled_ns, began_ns = _scheduled_ns(self.tid), time.monotonic_ns()
        _request(_INTERRUPT, self.tid)
        signum = self._await_stop()  # only while it stands it can be let go
        stands_ns = time.monotonic_ns()
        try:
            self._act()
            # until it stood it ran, or waited for a CPU: that was not our doing
            began_ns = min(began_ns + _scheduled_ns(self.tid) - scheduled_ns, stands_ns)
        finally:
            _let_go(self.tid, signum)
            self.held_ns = time.monotonic_ns() - began_ns

    def _check_process(self) -> None:
        """See that it is a thread of that process: from now on nobody else gets its number."""
        if _status_of(self.tid).get("Tgid") != str(self.pid):
            raise _ended(self.tid)  # the kernel lets go of it when our own thread ends

    def _await_stop(self) -> int:
        """Return the signal that is to be passed on, 0 for none."""
        try:
            _, status = os.waitpid(self.tid, _WAIT_ALL)
        except ChildProcessError as error:
            raise _ended(self.tid) from error
        if not os.WIFSTOPPED(status):
            raise _ended(self.tid)
        signum, event = os.WSTOPSIG(status), status >> 16
        if event != _EVENT_STOP:
            return signum  # it was just about to be delivered
        if signum != _SIGTRAP:
            _let_go(self.tid, 0)  # the stop of the process goes on
            raise CannotHoldError(f"thread {self.tid} is stopped by a signal")
        return 0

    def _act(self) -> None:
        with self.lock:
            if self.is_given_up:
                return
            self.has_begun = True
        self.result.append(self.act())


def while_held[T](pid: int, tid: int, act: Callable[[], T]) -> tuple[T, int]:
    """Call ``act`` while the thread ``tid`` of process ``pid`` stands still.

    Return its result, and for how long the thread stood, nanoseconds. Raises what ``act`` raises,
    ThreadEndedError, and CannotHoldError where the kernel forbids it, another tool holds the
    thread, or it does not stop in time.
    """
    hold = _Hold(pid, tid, act)
    keeper = threading.Thread(target=hold.run, daemon=True)
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)  # should another thread of ours be busy
    try:
        keeper.start()
        keeper.join(_STOPS_WITHIN_S)
    finally:
        sys.setswitchinterval(usual_s)
        with hold.lock:
            hold.is_given_up = not hold.has_begun and keeper.is_alive()
        if not hold.is_given_up:
            keeper.join()
    if hold.is_given_up:
        raise CannotHoldError(f"thread {tid} did not stop in time")
    if hold.error is not None:
        raise hold.error
    return hold.result[0], hold.held_ns


def _scheduled_ns(tid: int) -> int:
    """Return for how long a thread ever ran or waited for a CPU; 0 where it is not counted."""
    try:
        with open(f"/proc/{tid}/schedstat", "rb") as file:
            ran_ns, waited_ns = file.read().split()[:2]
        return int(ran_ns) + int(waited_ns)
    except OSError, ValueError:
        return 0


def _let_go(tid: int, signum: int) -> None:
    try:
        _request(_DETACH, tid, signum)
    except ThreadEndedError:  # it was killed meanwhile; only we can bury it
        with contextlib.suppress(ChildProcessError):
            os.waitpid(tid, _WAIT_ALL | os.WNOHANG)


def _request(request: int, tid: int, data: int = 0) -> None:
    if _libc().ptrace(request, tid, None, data) == 0:
        return
    number = ctypes.get_errno()
    if number == errno.ESRCH:
        raise _ended(tid)
    raise CannotHoldError(_why_not(tid, number))


def _why_not(tid: int, number: int) -> str:
    """Say what keeps us from holding a thread."""
    status = _status_of(tid)
    tracer = int(status.get("TracerPid", "0"))
    if status.get("State", "X")[0] in "ZX":
        raise _ended(tid)
    if tracer:
        process = _status_of(tracer).get("Tgid", tracer)  # it tells a thread of it
        return f"thread {tid} is held by another tool (process {process})"
    if number == errno.EPERM:
        return f"the kernel does not let us hold thread {tid} with ptrace"
    return f"thread {tid} cannot be held with ptrace: {os.strerror(number).lower()}"


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
