"""The ways in which a request may reach the interpreter, tried one after the other.

The main thread at a moment at which it runs Python; and, only if the user asked for it, a main
thread whose idle event loop is woken, and other threads, which are held by ptrace meanwhile.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from snapshotter.attach.priority import urgent
from snapshotter.attach.protocol import WAKE_LEAD_NS, Attempt, MainNow, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.attach.any_thread import OtherThreads
    from snapshotter.attach.loop_bell import LoopBell
    from snapshotter.attach.protocol import MainThread
    from snapshotter.attach.request import Question
    from snapshotter.attach.spool import Reply

__all__ = ["Course", "Ways"]

_EAGER_NS: Final = 300_000_000
_EAGER_POLL_S: Final = 20e-6
_PATIENT_POLL_S: Final = 250e-6
_LONGEST_POLL_S: Final = 1e-3
_BACK_OFF_S: Final = 0.05
_NEAR_NS: Final = 20_000_000
"""How far ahead a wake-up is waited for."""
_RUNS_ALONE_NS: Final = 5_000_000
"""A switch interval: so long another thread waits before it takes the GIL."""
_CHOOSY_NS: Final = 25_000_000
_OTHERS_POLL_S: Final = 100e-6
_LEAST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.05
"""Between two holds of other threads; it grows."""

_FOREIGN = "a request of another tool lies in the target and was left alone"
_ASTRAY = (
    "the main thread runs code without builtins (a namedtuple's constructor, exec), "
    "from where CPython cannot open a script"
)
_IN_C = "the main thread kept the interpreter in C code"
_ENDING = "the interpreter is ending: no safe point will come"
_NO_MAIN = "there is no main thread that could be asked"
_NOT_IN_TIME = "the main thread did not run Python in the time given"


@dataclass(slots=True)
class Course:
    """One question on its way: what it is, and what it has cost so far."""

    question: Question
    driver_path: str
    reply: Reply | None = None
    problem: str = _NOT_IN_TIME
    """Why there is no reply yet, one sentence."""
    has_asked: bool = False
    """Whether something was armed."""
    armed_ns: int = 0
    holds: int = 0
    held_ns: int = 0
    woken: bool = False

    def add(self, attempt: Attempt) -> None:
        """Count what an attempt cost."""
        self.armed_ns += attempt.armed_ns
        self.holds += attempt.holds
        self.held_ns += attempt.held_ns

    def has_begun_to_answer(self) -> bool:
        """Return whether anything stands in the reply."""
        return self.reply is not None and self.reply.size() > 0

    def answer(self) -> bytes | None:
        """Return the reply once it is complete."""
        if self.reply is None or not self.has_begun_to_answer():
            return None
        data = self.reply.read()
        return data if data.endswith(self.question.nonce) else None


@dataclass(frozen=True, slots=True)
class Ways:
    """To whom a request may go, in this order."""

    main: MainThread | None
    """None where there is none any more."""
    bell: LoopBell | None = None
    """Wakes the event loop of the main thread, on request only."""
    others: OtherThreads | None = None
    """The other threads, on request only."""

    def attempts(self, course: Course, until: int) -> Iterator[Attempt]:
        """Ask again and again until ``until`` (monotonic); who takes one that started stops here.

        What is tried on request only has the second half of the time.
        """
        now = time.monotonic_ns()
        has_more = self.bell is not None or self.others is not None
        first_until = now + (until - now) // 2 if has_more else until
        course.problem = _NOT_IN_TIME
        if self.main is None:
            course.problem = _NO_MAIN
        else:
            yield from _through_main(self.main, course, first_until)
            if self.bell is not None:
                yield from _through_loop(self.main, self.bell, course)
        if self.others is not None:
            yield from _through_others(self.others, course, until)

    def is_gone(self) -> bool:
        """Return whether the process has ended, or become another program."""
        one = self.main or self.others
        return one is not None and one.is_gone()


@dataclass(frozen=True, slots=True)
class _Chance:
    """A moment in which the main thread can be asked."""

    wake_ns: int | None = None
    """When it wakes by itself, if it sleeps."""
    is_still: bool = False


@dataclass(frozen=True, slots=True)
class _Nap:
    """A sleep of the main thread: to see that it lasts is far cheaper than to look anew."""

    since_ns: int
    runs: int | None
    """How often it had been put on a CPU before it was seen asleep."""
    wake_ns: int | None

    def lasts(self, runs: int | None, now: int) -> bool:
        """Return whether it has not run since, and will not wake by itself before long."""
        is_far = self.wake_ns is None or self.wake_ns - now > _NEAR_NS
        return is_far and runs is not None and runs == self.runs

    def pause_s(self, now: int) -> float:
        """Return when to look again: the longer it has slept, the less often."""
        return min(max((now - self.since_ns) / 64e9, _EAGER_POLL_S), _LONGEST_POLL_S)


def _through_main(main: MainThread, course: Course, until: int) -> Iterator[Attempt]:
    if main.foreign_request() is not None:
        course.problem = _FOREIGN
    for chance in _chances(main, until, alone=course.question.os_threads == 1):
        # Also while it is asked: to change the priority takes half of the lead. (Not across a
        # yield: what is raised when a generator is dropped, Ctrl-C for instance, is lost.)
        with contextlib.nullcontext() if chance.wake_ns is None else urgent():
            attempt = _ask_main(main, course, chance)
        if attempt is None:
            if course.problem == _ASTRAY and not chance.is_still:
                break
            continue  # it may stand somewhere else the next time
        yield attempt
        if attempt.verdict is Verdict.ENDING:
            course.problem = _ENDING
            break
        if attempt.verdict is Verdict.FOREIGN:
            course.problem = _FOREIGN
            time.sleep(_BACK_OFF_S)
        elif main.holds_gil():
            course.problem = _IN_C
            time.sleep(_BACK_OFF_S)


def _ask_main(main: MainThread, course: Course, chance: _Chance) -> Attempt | None:
    """Ask in this moment; None when it has passed or the main thread is in the wrong place."""
    wake_ns, is_still = chance.wake_ns, chance.is_still
    if wake_ns is not None and not _sleep_until(wake_ns - WAKE_LEAD_NS):
        return None
    if not main.can_open_a_script(still=is_still):
        course.problem = _ASTRAY
        return None
    course.has_asked = True
    return main.ask(course.driver_path, wake_ns=wake_ns, still=is_still)


def _chances(main: MainThread, until: int, *, alone: bool) -> Iterator[_Chance]:
    """Yield each moment in which the main thread runs Python, or is just about to.

    Best is one in which it stands still, before it wakes or until it gets the GIL: then it is
    known where it will be when it stops for us. While it runs that is a guess: so it is asked
    then only if it has no other thread beside it that could take the GIL (it is ``alone``), if
    none takes it, or if nothing better came for a while.
    """
    eager_until = time.monotonic_ns() + _EAGER_NS
    runs_since = first_seen = 0
    nap = None
    while (now := time.monotonic_ns()) < until:
        runs = main.times_run()
        if nap is None or not nap.lasts(runs, now):
            nap, doing = None, main.now()
            if doing is MainNow.PYTHON:
                runs_since, first_seen = runs_since or now, first_seen or now
                passed = max(now - runs_since - _RUNS_ALONE_NS, now - first_seen - _CHOOSY_NS)
                if alone or passed >= 0:
                    yield _Chance()
                    continue
            elif doing is MainNow.WAITS_FOR_GIL and not main.has_signal():
                yield _Chance(is_still=True)
                continue
            else:
                runs_since = 0
                wake = main.next_wake_ns()
                if wake is not None and 0 <= wake - now <= _NEAR_NS:
                    yield _Chance(wake, is_still=True)
                    continue
                nap = _Nap(now, runs, wake) if doing is MainNow.BLOCKED else None
        pause_s = _EAGER_POLL_S if now < eager_until else _PATIENT_POLL_S
        time.sleep(pause_s if nap is None else nap.pause_s(now))


def _sleep_until(due_ns: int) -> bool:
    """Sleep; False when we came too late by more than half of the lead."""
    left = due_ns - time.monotonic_ns()
    if left > 0:
        time.sleep(left / 1e9)
    return time.monotonic_ns() - due_ns < WAKE_LEAD_NS // 2


def _through_loop(main: MainThread, bell: LoopBell, course: Course) -> Iterator[Attempt]:
    """Wake the event loop."""
    from snapshotter.attach.loop_bell import NoBellError  # noqa: PLC0415 -- start-up

    if main.now() is not MainNow.BLOCKED or not main.can_open_a_script(still=True):
        return
    try:
        with bell.rope() as ring:
            course.has_asked = course.woken = True
            attempt = main.ask(course.driver_path, ring=ring)
    except NoBellError as error:
        course.problem = f"{course.problem}, and its event loop was not woken: {error}"
        return
    yield attempt
    if attempt.verdict is Verdict.FOREIGN:
        course.problem = _FOREIGN
    else:
        course.problem = f"{course.problem}, not even when its event loop was woken"


def _through_others(others: OtherThreads, course: Course, until: int) -> Iterator[Attempt]:
    """Ask another thread that runs Python; it is held for that."""
    why = "and no other thread ran Python either"
    pause_s = _LEAST_PAUSE_S
    while time.monotonic_ns() < until:
        thread = others.find()
        if thread is None:
            time.sleep(_OTHERS_POLL_S)
            continue
        course.has_asked = True
        attempt = others.ask(thread, course.driver_path, is_answered=course.has_begun_to_answer)
        yield attempt
        why = f"and no other thread could be asked: {_why_not(attempt)}"
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    course.problem = f"{course.problem}, {why}"


def _why_not(attempt: Attempt) -> str:
    if attempt.problem is not None:
        return attempt.problem
    words = {
        Verdict.ENDED: "thread {} ended meanwhile",
        Verdict.FOREIGN: "a request of another tool lies in thread {}",
        Verdict.WITHDRAWN: "thread {} ran no Python in time",
    }
    return words.get(attempt.verdict, "thread {} was just about to wait").format(attempt.thread)
