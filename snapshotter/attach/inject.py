"""The inside view, seen from the controller: one request, from the question to the reply."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapshotter.attach.driver import build_code
from snapshotter.attach.protocol import WAKE_LEAD_NS, Verdict
from snapshotter.attach.request import new_nonce, request_bytes
from snapshotter.errors import ProcessEndedError, SnapshotterError
from snapshotter.probe.entry import BUSY
from snapshotter.probe.rescue import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from snapshotter.attach.protocol import MainThread
    from snapshotter.attach.request import Question
    from snapshotter.attach.spool import Reply, Spool

__all__ = ["Injector", "Outcome"]

_START_GRACE_NS = 100_000_000
_ANSWER_NS = 400_000_000
"""How long a carrier may take that started at the very end of the patience."""
_EAGER_NS = 300_000_000
_EAGER_POLL_S = 20e-6
_PATIENT_POLL_S = 250e-6
_REPLY_POLL_S = 200e-6
_BACK_OFF_S = 0.05
_ASTRAY = (
    "the main thread runs code without builtins (a namedtuple's constructor, exec), "
    "from where CPython cannot open a script"
)
_BUSY_S = 0.005
"""An earlier carrier has answered and is just about to end."""
_INTERRUPTED_S = 0.05
"""The signal comes again when the interpreter is given away; it must not meet us a second time."""
_LOOK_NS = 100_000_000
_IDLE_LOOKS = 3
"""So often in a row no carrier is to be seen before its silence is believed."""
_OPENS_WITHIN_NS = 20_000_000
"""How long after the start of a request its driver may still open files."""
_SHORT_REPLY = 256
_FOREIGN = "a request of another tool lies in the target and was left alone"
_NEAR_NS = 20_000_000
"""How far ahead a wake-up is waited for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request."""

    reply: bytes | None
    nonce: bytes
    armed_ns: int = 0
    asked_at_ns: int | None = None
    """Monotonic time of the arming that started."""
    problem: str | None = None
    """Why there is no reply, one sentence."""


class Injector:
    """Sends requests to one target; keeps the code in its spool between them."""

    def __init__(self, main: MainThread, spool: Spool, *, is_at_work: Callable[[], bool]) -> None:
        """Use ``spool`` (which it does not own) to ask ``main``.

        ``is_at_work`` tells from outside whether a thread of the target may be running the probe.
        """
        self._main = main
        self._spool = spool
        self._is_at_work = is_at_work
        self._unanswered_ns: int | None = None
        _finer_sleeps()

    def prepare(self, *, version: tuple[int, int], pid: int, inner_pid: int) -> None:
        """Build the probe for the target's version and write it into the spool."""
        directory = self._spool.path_in_target
        code = build_code(directory, version=version, pid=pid, inner_pid=inner_pid)
        self._spool.write_code(code.driver, code.probe)

    def ask(
        self, question: Question, *, patience_ns: int, wait_inside_ns: int | None = None
    ) -> Outcome:
        """Ask until it is answered or the patience is over; nothing stays armed.

        ``wait_inside_ns`` lets a last request lie armed for so long on a blocked main thread, at
        the price of a signal that may be lost. Raises ProcessEndedError.
        """
        until = time.monotonic_ns() + patience_ns
        last = until + (wait_inside_ns or 0)
        question = replace(
            question,
            start_by_ns=last + _START_GRACE_NS,
            deadline_ns=last + _ANSWER_NS,
        )
        armed = 0
        while True:
            reply_path = self._spool.next_reply_path
            question = replace(question, nonce=new_nonce(), reply_path=reply_path)
            try:
                with self._spool.new_request(request_bytes(question)) as reply:
                    outcome = self._ask(question, reply, until)
                    if wait_inside_ns and outcome.reply is None and outcome.asked_at_ns is None:
                        outcome = self._lie_in_wait(question, reply, outcome, wait_inside_ns)
            finally:
                self.withdraw()
            armed += outcome.armed_ns
            pause_s = _pause_before_next(outcome)
            if not pause_s or time.monotonic_ns() >= until:
                return replace(outcome, armed_ns=armed)
            time.sleep(pause_s)

    def withdraw(self) -> None:
        """Make sure that no request of ours lies in the target. Never raises."""
        with contextlib.suppress(SnapshotterError):
            self._main.withdraw(os.fsencode(self._spool.driver_path))

    def settle(self) -> None:
        """Return when the spool may be removed: nothing of ours is pending, or just opens it.

        A request may have started in the very instant in which it was withdrawn.
        """
        self.withdraw()
        if self._unanswered_ns is not None:
            left_ns = self._unanswered_ns + _OPENS_WITHIN_NS - time.monotonic_ns()
            time.sleep(max(0, left_ns) / 1e9)

    def _ask(self, question: Question, reply: Reply, until: int) -> Outcome:
        armed = 0
        problem = "the main thread did not run Python in the time given"
        if self._main.foreign_request() is not None:
            problem = _FOREIGN
        for wake_ns in self._chances(until):
            if not self._main.can_open_a_script(still=wake_ns is not None):
                problem = _ASTRAY
                break
            try:
                attempt = self._main.ask(self._spool.driver_path, wake_ns=wake_ns)
            finally:
                self._unanswered_ns = time.monotonic_ns()
            armed += attempt.armed_ns
            if attempt.verdict is Verdict.STARTED:
                outcome = self._await_reply(question, reply, attempt.armed_at_ns)
                return replace(outcome, armed_ns=armed)
            if attempt.verdict is Verdict.ENDING:
                problem = "the interpreter is ending: no safe point will come"
                break
            if attempt.verdict is Verdict.FOREIGN:
                problem = _FOREIGN
                time.sleep(_BACK_OFF_S)
            elif self._main.holds_gil():
                problem = "the main thread kept the interpreter in C code"
                time.sleep(_BACK_OFF_S)
        return Outcome(None, question.nonce, armed_ns=armed, problem=problem)

    def _lie_in_wait(
        self, question: Question, reply: Reply, before: Outcome, wait_ns: int
    ) -> Outcome:
        """Leave one request armed until the main thread runs again, as the user asked."""
        try:
            attempt = self._main.ask(self._spool.driver_path, lie_ns=wait_ns)
        finally:
            self._unanswered_ns = time.monotonic_ns()
        armed = before.armed_ns + attempt.armed_ns
        if attempt.verdict is not Verdict.STARTED:
            return replace(before, armed_ns=armed)
        outcome = self._await_reply(question, reply, attempt.armed_at_ns)
        return replace(outcome, armed_ns=armed)

    def _chances(self, until: int) -> Iterator[int | None]:
        """Yield each moment in which the main thread runs Python, or is just about to.

        None for the first kind, the time of waking for the second.
        """
        eager_until = time.monotonic_ns() + _EAGER_NS
        while (now := time.monotonic_ns()) < until:
            if self._main.holds_gil():
                yield None
                continue
            wake = self._main.next_wake_ns()
            if wake is not None and 0 <= wake - now <= _NEAR_NS:
                if _sleep_until(wake - WAKE_LEAD_NS):
                    yield wake
                continue
            time.sleep(_EAGER_POLL_S if now < eager_until else _PATIENT_POLL_S)

    def _await_reply(self, question: Question, reply: Reply, asked_at: int) -> Outcome:
        """Wait for the end mark; the carrier gives up by itself before our deadline."""
        look_at = time.monotonic_ns() + _LOOK_NS
        idle_looks = 0
        while time.monotonic_ns() < question.deadline_ns + _START_GRACE_NS:
            if reply.size():
                data = reply.read()
                if data.endswith(question.nonce):
                    self._unanswered_ns = None
                    return Outcome(data, question.nonce, asked_at_ns=asked_at)
            if self._main.is_gone():
                raise ProcessEndedError("The target ended while it was being asked.")
            if time.monotonic_ns() >= look_at:
                idle_looks = 0 if self._is_at_work() else idle_looks + 1
                look_at = time.monotonic_ns() + _LOOK_NS
                if idle_looks >= _IDLE_LOOKS and not reply.size():
                    break
            time.sleep(_REPLY_POLL_S)
        problem = "the request started, but its answer did not come in the time given"
        if not reply.size() and not any(self._is_at_work() for _ in range(_IDLE_LOOKS)):
            problem = "the request started but did not answer: a signal may have been lost"
        return Outcome(None, question.nonce, asked_at_ns=asked_at, problem=problem)


def _pause_before_next(outcome: Outcome) -> float:
    """Return after how many seconds to ask again; 0 when that would not help."""
    reply = outcome.reply
    if reply is None or len(reply) >= _SHORT_REPLY:
        return 0
    if BUSY.encode() in reply:
        return _BUSY_S
    return _INTERRUPTED_S if INTERRUPTED.encode() in reply else 0


def _sleep_until(due_ns: int) -> bool:
    """Sleep; False when we came too late by more than half of the lead."""
    left = due_ns - time.monotonic_ns()
    if left > 0:
        time.sleep(left / 1e9)
    return time.monotonic_ns() - due_ns < WAKE_LEAD_NS // 2


def _finer_sleeps() -> None:
    """Let short sleeps be short: the kernel rounds them up by 50 microseconds by default."""
    with contextlib.suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1000", encoding="ascii")
