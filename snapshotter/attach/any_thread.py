"""Asks through another thread than the main one, for a process whose main thread is blocked.

Only on request. A thread frees its state when it ends, and whoever writes there then breaks the
process; so it is held with ptrace while it is looked at once more and written to, and again if the
request has to be withdrawn. The others, the main thread above all, are never held.

No handler of a signal can raise in the middle of ours this way: they run on the main thread only.
What can get lost is an exception that another thread raises into this one in the very instant
(``PyThreadState_SetAsyncExc``).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.attach.footing import Footing
from snapshotter.attach.namespaces import status_fields
from snapshotter.attach.protocol import (
    ARMED_AT_MOST_NS,
    Attempt,
    MainNow,
    Verdict,
    activity,
    no_signals,
)
from snapshotter.attach.ptrace import CannotHoldError, Seized, ThreadEndedError, while_seized
from snapshotter.attach.slot import Slot
from snapshotter.errors import ProcessEndedError, TornReadError
from snapshotter.outside.layout import fields_struct
from snapshotter.outside.probe_point import lies_in_gil
from snapshotter.outside.procfs import Syscall, native_to_os_tid, waiting_on
from snapshotter.outside.syscalls import is_futex
from snapshotter.outside.wake import WakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.outside.probe_point import ProbePoint
    from snapshotter.outside.runtime import Runtime

__all__ = ["OtherThread", "OtherThreads"]

_POLL_S = 50e-6
_LOOKED_AT = 64
"""So many sleeping threads are looked at in one go."""
_LOOK_NS = 10_000_000
_WAKES_WITHIN_NS = 12_000_000
_TAKE_BACK_WITHIN_NS = 1_000_000_000
_TAKE_BACK_POLL_S = 0.002
_DOUBTS = 4
_LINGER_NS = 50_000_000
"""How long the driver may take to start the carrier, where others want the GIL, too."""
# PyThreadState._status
_BOUND, _UNBOUND = 1 << 1, 1 << 2
_GOING = _UNBOUND | 1 << 5 | 1 << 6 | 1 << 7  # finalizing, cleared, finalized


@dataclass(frozen=True, slots=True)
class OtherThread:
    """A thread that may be asked, as it was when it was looked at."""

    address: int
    """Of its thread state."""
    ident: int
    native_id: int
    """As the target numbers it."""
    tid: int
    """As we do."""
    wake_ns: int | None = None
    """When its sleep ends; None when it runs."""


@dataclass(slots=True)
class _Try:
    """What was done to one thread for one request."""

    thread: OtherThread
    point: ProbePoint
    slot: Slot
    path: bytes
    armed_at_ns: int = 0
    armed_ns: int = 0
    holds: int = 0
    held_ns: int = 0

    def attempt(self, verdict: Verdict, problem: str | None = None) -> Attempt:
        """Return the report."""
        return Attempt(
            verdict,
            self.armed_ns,
            self.armed_at_ns,
            thread=self.thread.native_id,
            holds=self.holds,
            held_ns=self.held_ns,
            problem=problem,
        )


class OtherThreads:
    """The threads of interpreter 0 but for the main one."""

    def __init__(self, runtime: Runtime) -> None:
        """Nothing is held and nothing written before ``ask``."""
        offsets = runtime.offsets
        table = offsets.table
        self._runtime = runtime
        self._memory = runtime.memory
        self._interpreter = runtime.main_interpreter()
        self._gil = runtime.probe_point(self._interpreter, self._interpreter.threads_main)
        self._prev_at, self._next_at = table["thread_state.prev"], table["thread_state.next"]
        self._fields, self._start = fields_struct(
            (
                (self._prev_at, "Q"),
                (self._next_at, "Q"),
                (table["thread_state.interp"], "Q"),
                (table["thread_state.thread_id"], "Q"),
                (table["thread_state.native_thread_id"], "Q"),
                (table["thread_state.status"], "I"),
            )
        )
        self._head_at = self._interpreter.address + offsets.interpreter_state_threads_head
        self._main_at = self._interpreter.address + offsets.interpreter_state_threads_main
        self._is_nested = len(status_fields(runtime.pid).get("NSpid", "").split()) > 1
        self._wakes = WakeClock(runtime.pid, runtime.memory)
        self._footing = Footing(runtime, self._gil)
        self._look_at_ns = 0
        self._turn = 0
        self._left: list[_Try] = []

    def find(self) -> OtherThread | None:
        """Return a thread that runs Python code now, or soon wakes by itself; None if none does."""
        holder = self._gil.holder()
        if holder:
            return self._read(holder)
        now = time.monotonic_ns()
        if now < self._look_at_ns:
            return None
        self._look_at_ns = now + _LOOK_NS
        try:
            return self._find_sleeper()
        except TornReadError:
            return None

    def ask(
        self, thread: OtherThread, driver_path: str, *, is_answered: Callable[[], bool]
    ) -> Attempt:
        """Arm a request in ``thread`` and watch it until it starts or is withdrawn.

        ``is_answered`` tells that the carrier is at its end: until then the thread stays seized.
        Raises ProcessEndedError.
        """
        point = self._runtime.probe_point(self._interpreter, thread.address)
        one = _Try(thread, point, Slot(self._memory, point), os.fsencode(driver_path))
        with no_signals():
            try:
                verdict = while_seized(
                    self._runtime.pid,
                    thread.tid,
                    lambda seized: self._ask_seized(one, seized, is_answered),
                )
            except ThreadEndedError:
                return one.attempt(Verdict.ENDED)
            except CannotHoldError as error:
                if not one.armed_at_ns:
                    return one.attempt(Verdict.UNFIT, str(error))
                verdict = self._take_back(one)
        if verdict is None:
            self._left.append(one)
            problem = f"a request could not be taken back from thread {thread.tid}"
            return one.attempt(Verdict.UNFIT, problem)
        return one.attempt(verdict)

    def is_gone(self) -> bool:
        """Return whether the process has ended, or become another program."""
        try:
            self._gil.holder()
        except ProcessEndedError:
            return True
        return False

    def settle(self) -> bool:
        """Try once more to take back what could not be; False when something still lies there."""
        self._left = [one for one in self._left if self._take_back(one) is None]
        return not self._left

    def _read(self, address: int, wake_ns: int | None = None) -> OtherThread | None:
        """Return the thread whose state is at ``address``, None if it must not be asked."""
        try:
            data = self._memory.read(address + self._start, self._fields.size)
            _, _, interpreter, ident, native_id, status = self._fields.unpack(data)
            if address == self._memory.u64(self._main_at):
                return None
        except TornReadError:
            return None
        if interpreter != self._interpreter.address or not status & _BOUND or status & _GOING:
            return None
        tid = self._tid_of(native_id)
        if tid in {0, self._runtime.pid}:
            return None
        return OtherThread(address, ident, native_id, tid, wake_ns)

    def _tid_of(self, native_id: int) -> int:
        if not self._is_nested:
            return native_id
        return native_to_os_tid(self._runtime.pid).get(native_id, 0)

    def _find_sleeper(self) -> OtherThread | None:
        threads = self._runtime.threads(self._interpreter)
        tids = native_to_os_tid(self._runtime.pid) if self._is_nested else {}
        first = self._turn % len(threads) if threads else 0
        self._turn = first + _LOOKED_AT
        for thread in (threads[first:] + threads[:first])[:_LOOKED_AT]:
            wake_ns = self._wakes.next_wake_ns(tids.get(thread.native_id, thread.native_id))
            if wake_ns is not None and 0 <= wake_ns - time.monotonic_ns() <= _WAKES_WITHIN_NS:
                found = self._read(thread.address, wake_ns)
                if found is not None:
                    return found
        return None

    def _lay_down(self, one: _Try) -> Verdict | None:
        """Arm the request while the thread is held; return why not, None when it is armed."""
        try:
            is_there = self._is_there(one.thread, is_going=False)
        except TornReadError:
            is_there = False
        if not is_there or self._runtime.is_finalizing:
            return Verdict.ENDED
        if one.slot.waiting_request() is not None:
            return Verdict.FOREIGN
        if one.slot.expects_exception() or not self._footing.is_sure_of(one.thread.address):
            return Verdict.UNFIT
        if one.thread.wake_ns is None and not self._runs_on(one):
            return Verdict.UNFIT
        one.armed_at_ns = time.monotonic_ns()
        one.slot.lay_down(one.path)
        return None

    def _is_there(self, thread: OtherThread, *, is_going: bool) -> bool:
        """Return whether the state is still that of the thread, which is held.

        A state leaves the list before it is freed, and its neighbours then point past it: so they
        tell for certain. (If they change at this moment, because others come or go, it is denied.)
        ``is_going`` says that the state may be about to be cleared by its thread.
        """
        address, memory = thread.address, self._memory
        data = memory.read(address + self._start, self._fields.size)
        before, after, interpreter, ident, native_id, status = self._fields.unpack(data)
        if (interpreter, ident, native_id) != (
            self._interpreter.address,
            thread.ident,
            thread.native_id,
        ):
            return False
        if not status & _BOUND or (status & _GOING and not is_going):
            return False
        try:
            is_linked = memory.u64(before + self._next_at if before else self._head_at) == address
            if is_linked and after:
                is_linked = memory.u64(after + self._prev_at) == address
        except TornReadError:
            return False
        return is_linked

    def _runs_on(self, one: _Try) -> bool:
        """Return whether the held thread runs Python code, and is not in a call that may block."""
        if one.point.is_holding_gil():
            return True
        call = waiting_on(self._runtime.pid, one.thread.tid)
        if not isinstance(call, Syscall):
            return call is not None
        if call.number < 0:
            return True
        return is_futex(call) and lies_in_gil(call.arguments[0], one.point.gil_address)

    def _ask_seized(
        self, one: _Try, seized: Seized, is_answered: Callable[[], bool]
    ) -> Verdict | None:
        try:
            refusal = seized.stand(lambda: self._lay_down(one))
            if refusal is not None:
                return refusal
            verdict = self._watch(one, seized) or self._withdraw_seized(one, seized)
            one.armed_ns = time.monotonic_ns() - one.armed_at_ns
            until = time.monotonic_ns() + _LINGER_NS
            while verdict is Verdict.STARTED and time.monotonic_ns() < until and not is_answered():
                seized.attend()  # it starts a thread, and looks for signals then
                time.sleep(_POLL_S)
            seized.attend()
            return verdict
        finally:
            one.holds += seized.holds
            one.held_ns += seized.held_ns

    def _watch(self, one: _Try, seized: Seized) -> Verdict | None:
        """Wait until it has started, or its thread has ended; None when it must be taken back."""
        until = one.armed_at_ns + ARMED_AT_MOST_NS
        asleep_until = 0 if one.thread.wake_ns is None else until
        try:
            while one.point.is_pending():
                seized.attend()
                now = time.monotonic_ns()
                if now >= until or (now >= asleep_until and self._is_blocked(one)):
                    return None
                time.sleep(_POLL_S)
            is_there = self._is_there(one.thread, is_going=True)
        except TornReadError:
            is_there = False
        return Verdict.STARTED if is_there else Verdict.ENDED

    def _is_blocked(self, one: _Try) -> bool:
        return activity(one.point, self._runtime.pid, one.thread.tid) is MainNow.BLOCKED

    def _take_back(self, one: _Try) -> Verdict | None:
        """Withdraw a request that was left; None when it may still lie there."""
        until = time.monotonic_ns() + _TAKE_BACK_WITHIN_NS
        while time.monotonic_ns() < until:
            try:
                return while_seized(
                    self._runtime.pid,
                    one.thread.tid,
                    lambda seized: self._withdraw_seized(one, seized),
                )
            except ThreadEndedError:
                return Verdict.ENDED
            except CannotHoldError:
                time.sleep(_TAKE_BACK_POLL_S)
        return None

    def _withdraw_seized(self, one: _Try, seized: Seized) -> Verdict:
        """Withdraw the request. Nothing is written blindly."""
        verdict = seized.stand(lambda: self._withdraw(one))
        for _ in range(_DOUBTS):
            if verdict is not Verdict.ENDED:
                break
            # that it is no longer listed may be because its neighbours come or go just now
            time.sleep(_TAKE_BACK_POLL_S)
            seized.attend()
            verdict = seized.stand(lambda: self._withdraw(one))
        return verdict

    def _withdraw(self, one: _Try) -> Verdict:
        try:
            if not self._is_there(one.thread, is_going=True):
                return Verdict.ENDED
        except TornReadError:
            return Verdict.ENDED
        return Verdict.WITHDRAWN if one.slot.withdraw(one.path) else Verdict.STARTED
