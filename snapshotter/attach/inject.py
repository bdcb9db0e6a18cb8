"""The inside view, seen from the controller: one request, from the question to the reply."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snapshotter.attach.driver import build_code
from snapshotter.attach.priority import finer_sleeps
from snapshotter.attach.protocol import MainNow, Verdict
from snapshotter.attach.request import new_nonce, request_bytes
from snapshotter.attach.ways import Course
from snapshotter.errors import ProcessEndedError, SnapshotterError
from snapshotter.probe.failures import BUSY, INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.attach.protocol import Attempt
    from snapshotter.attach.request import Question
    from snapshotter.attach.spool import Spool
    from snapshotter.attach.ways import Ways

__all__ = ["Injector", "Outcome"]

_START_GRACE_NS = 100_000_000
_ANSWER_NS = 400_000_000
"""How long a carrier may take that started at the very end of the patience."""
_REPLY_POLL_S = 200e-6
_BUSY_S = 0.005
"""An earlier carrier has answered and is just about to end."""
_INTERRUPTED_S = 0.05
"""The signal comes again when the interpreter is given away; it must not meet us a second time."""
_LOOK_NS = 100_000_000
_IDLE_LOOKS = 3
"""So often in a row no carrier is to be seen before its silence is believed."""
_ENDS_WITHIN_NS = 30_000_000
"""How long a carrier that has answered may need to end, beside busy threads."""
_OPENS_WITHIN_NS = 20_000_000
"""How long after the start of a request its driver may still open files."""
_SHORT_REPLY = 256
_SECOND_NS = 200_000_000
"""How long the main thread is asked to answer by itself, whatever the patience."""
_REMEMBERED_NS = 60_000_000_000
"""So long nobody else is asked then."""
_AUTO, _MAIN = "auto", "main"


_PASSED_OVER = "the main thread gives the interpreter to no other thread"


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
    thread: int | None = None
    """Native id of the thread that was asked instead of the main one."""
    holds: int = 0
    """How often threads were held by ptrace, and for how long in all."""
    held_ns: int = 0
    woken: bool = False
    """Whether the event loop was woken."""
    is_passed_over: bool = False
    """Whether a carrier has started and is given no turn."""


class Injector:
    """Sends requests to one target; keeps the code in its spool between them."""

    def __init__(
        self,
        ways: Ways,
        spool: Spool,
        *,
        is_at_work: Callable[[], bool],
        has_new_thread: Callable[[], bool],
    ) -> None:
        """Use ``spool`` (which it does not own) to ask in one of these ``ways``.

        ``is_at_work`` tells from outside whether a thread of the target may be running the probe,
        ``has_new_thread`` whether there is an OS thread that was not there before the request.
        """
        self._ways = ways
        self._main = ways.main
        self._spool = spool
        self._is_at_work = is_at_work
        self._has_new_thread = has_new_thread
        self._unanswered_ns: int | None = None
        self._passed_over_ns: int | None = None
        finer_sleeps()

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
        the price of a signal that may be lost. Where the main thread lets no carrier run it is
        asked to answer by itself. Raises ProcessEndedError.
        """
        now = time.monotonic_ns()
        until = now + patience_ns
        if self._passed_over_ns is not None and now - self._passed_over_ns < _REMEMBERED_NS:
            question = _of_main_alone(question)
        course = Course(question, self._spool.driver_path)
        outcome = self._ask_until(until, course, question, wait_inside_ns)
        if outcome.is_passed_over:
            self._passed_over_ns = now = time.monotonic_ns()
            question = _of_main_alone(question, beside=outcome.nonce)
            outcome = self._ask_until(max(until, now + _SECOND_NS), course, question, None)
        return _with_costs(outcome, course)

    def _ask_until(
        self, until: int, course: Course, question: Question, wait_inside_ns: int | None
    ) -> Outcome:
        last = until + (wait_inside_ns or 0)
        question = replace(
            question,
            start_by_ns=last + _START_GRACE_NS,
            deadline_ns=last + _ANSWER_NS,
        )
        while True:
            reply_path = self._spool.next_reply_path
            course.question = replace(question, nonce=new_nonce(), reply_path=reply_path)
            try:
                with self._spool.new_request(request_bytes(course.question)) as course.reply:
                    outcome = self._ask(course, until)
                    if wait_inside_ns and outcome.reply is None and outcome.asked_at_ns is None:
                        outcome = self._lie_in_wait(course, outcome, wait_inside_ns)
            finally:
                self.withdraw()
            pause_s = _pause_before_next(outcome)
            if not pause_s or time.monotonic_ns() >= until:
                return outcome
            time.sleep(pause_s)

    def withdraw(self) -> None:
        """Make sure that no request of ours lies in the main thread. Never raises."""
        if self._main is not None:
            with contextlib.suppress(SnapshotterError):
                self._main.withdraw(os.fsencode(self._spool.driver_path))

    def settle(self) -> bool:
        """Return when nothing of ours is pending, or just opens the spool; then it may be removed.

        A request may have started in the very instant in which it was withdrawn. False when one
        could not be withdrawn: whoever runs it must find its files.
        """
        self.withdraw()
        is_clear = self._ways.others is None or self._ways.others.settle()
        if self._unanswered_ns is not None:
            left_ns = self._unanswered_ns + _OPENS_WITHIN_NS - time.monotonic_ns()
            time.sleep(max(0, left_ns) / 1e9)
        return is_clear

    def _ask(self, course: Course, until: int) -> Outcome:
        started = None
        try:
            for attempt in self._ways.attempts(course, until):
                course.add(attempt)
                # one that was thought to be withdrawn, or in a thread that has ended, may have run
                if attempt.verdict is Verdict.STARTED or course.answer() is not None:
                    started = attempt
                    break
        finally:
            if course.has_asked:
                self._unanswered_ns = time.monotonic_ns()
        if started is None:
            return Outcome(None, course.question.nonce, problem=course.problem)
        return self._await_reply(course, started)

    def _lie_in_wait(self, course: Course, before: Outcome, wait_ns: int) -> Outcome:
        """Leave one request armed until the main thread runs again, as the user asked."""
        if self._main is None:
            return before
        try:
            attempt = self._main.ask(self._spool.driver_path, lie_ns=wait_ns)
        finally:
            self._unanswered_ns = time.monotonic_ns()
        course.add(attempt)
        return self._await_reply(course, attempt) if attempt.verdict is Verdict.STARTED else before

    def _await_reply(self, course: Course, attempt: Attempt) -> Outcome:
        """Wait for the end mark; the carrier gives up by itself before our deadline."""
        outcome = Outcome(
            None, course.question.nonce, asked_at_ns=attempt.armed_at_ns, thread=attempt.thread
        )
        look_at = time.monotonic_ns() + _LOOK_NS
        idle_looks = 0
        may_be_passed_over = course.question.carrier == _AUTO and attempt.thread is None
        turns = self._main.turns() if self._main is not None and may_be_passed_over else None
        while time.monotonic_ns() < course.question.deadline_ns + _START_GRACE_NS:
            answer = course.answer()
            if answer is not None:
                self._unanswered_ns = None
                self._see_off()
                return replace(outcome, reply=answer)
            if self._ways.is_gone():
                raise ProcessEndedError("The target ended while it was being asked.")
            if turns is not None and turns.none_given() and self._has_new_thread():
                return replace(outcome, problem=_PASSED_OVER, is_passed_over=True)
            if time.monotonic_ns() >= look_at:
                idle_looks = 0 if self._may_be_at_work() else idle_looks + 1
                look_at = time.monotonic_ns() + _LOOK_NS
                if idle_looks >= _IDLE_LOOKS and not course.has_begun_to_answer():
                    break
            time.sleep(_REPLY_POLL_S)
        problem = "the request started, but its answer did not come in the time given"
        is_silent = not course.has_begun_to_answer()
        if is_silent and not any(self._may_be_at_work() for _ in range(_IDLE_LOOKS)):
            problem = "the request started but did not answer"
            if attempt.thread is None:
                problem += ": a signal may have been lost"
        return replace(outcome, problem=problem)

    def _may_be_at_work(self) -> bool:
        """Whether an answer may still come.

        Beside busy threads CPython itself waits for the GIL several times, in the main thread,
        before it has opened, read and closed the script; nothing of us is to be seen yet.
        """
        if self._is_at_work():
            return True
        return self._main is not None and self._main.now() is MainNow.WAITS_FOR_GIL

    def _see_off(self) -> None:
        """Sleep until the carrier has ended.

        It needs the interpreter once more. If we computed meanwhile on the processor where it
        wakes up, it would wait for us, and all who wait for the interpreter would wait for it.
        """
        until = time.monotonic_ns() + _ENDS_WITHIN_NS
        while time.monotonic_ns() < until and self._has_new_thread():
            time.sleep(_REPLY_POLL_S)


def _of_main_alone(question: Question, *, beside: bytes = b"") -> Question:
    """Return the same question to the main thread, which is to answer in one slice of its own.

    ``beside`` is the nonce of a carrier that may still be there.
    """
    if question.carrier != _AUTO:
        return question
    return replace(question, carrier=_MAIN, os_threads=1, beside=beside)


def _with_costs(outcome: Outcome, course: Course) -> Outcome:
    return replace(
        outcome,
        armed_ns=course.armed_ns,
        holds=course.holds,
        held_ns=course.held_ns,
        woken=course.woken,
    )


def _pause_before_next(outcome: Outcome) -> float:
    """Return after how many seconds to ask again; 0 when that would not help."""
    reply = outcome.reply
    if reply is None or len(reply) >= _SHORT_REPLY:
        return 0
    if BUSY.encode() in reply:
        return _BUSY_S
    return _INTERRUPTED_S if INTERRUPTED.encode() in reply else 0
