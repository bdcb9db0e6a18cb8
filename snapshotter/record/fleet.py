"""Several recordings in one loop: whoever is due first comes first, one request at a time."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from snapshotter.errors import NO_ROOM
from snapshotter.record.events import Stopped, Waiting
from snapshotter.record.stop import StopReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snapshotter.record.clock import Clock
    from snapshotter.record.events import Event
    from snapshotter.record.recorder import Recorder

__all__ = ["Fleet", "Limits", "Newcomers", "Stop"]


class Stop(Protocol):
    """What the loop needs of a stop token."""

    @property
    def reason(self) -> StopReason | None:
        """Return why to stop; None as long as nobody asked for it."""

    def set(self, reason: StopReason) -> None:
        """Ask for the end."""

    def fileno(self) -> int:
        """Return the descriptor that ends a sleep."""

    def wake_on_end(self, pid: int) -> None:
        """End a sleep when the process ends, too."""

    def forget(self, pid: int) -> None:
        """Take ``wake_on_end`` back."""

    def ended(self) -> tuple[int, ...]:
        """Return the processes that ended since the last call."""


class Newcomers(Protocol):
    """Where processes come from that start later."""

    @property
    def interval_ns(self) -> int:
        """Return how often to look for them."""

    def join(self) -> Iterable[Recorder]:
        """Return recorders for the processes that came since the last call."""

    def forget(self, pid: int) -> None:
        """Take it that this process has ended: whoever has its number now is somebody else."""

    def over(self) -> bool:
        """Return whether nobody can come any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a recording ends by itself: snapshots of each process, monotonic end time."""

    count: int | None = None
    until_ns: int | None = None


class Fleet:
    """Runs recorders until they have ended, the limits are reached or ``stop`` is set.

    Use it as a context manager: only its end closes the recordings.
    """

    def __init__(
        self,
        recorders: Iterable[Recorder],
        *,
        clock: Clock,
        stop: Stop,
        limits: Limits,
        newcomers: Newcomers | None = None,
    ) -> None:
        self._clock = clock
        self._stop = stop
        self._limits = limits
        self._newcomers = newcomers
        self._running: list[Recorder] = []
        self._busy_until_ns = clock.monotonic_ns()
        self._look_ns = self._busy_until_ns
        self._admit(recorders)

    def events(self) -> Iterator[Event]:
        """Yield what happens, until nothing more will."""
        while self._stop.reason is None and self._going():
            yield from self._round()
        reason = self._stop.reason
        if reason is not None:
            self._finish(reason)
            yield Stopped(reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Close every recording in order, however it came to the end."""
        self._finish(self._stop.reason or _reason_of(error))

    def _going(self) -> bool:
        """Tell whether anything can still happen.

        With a count, newcomers are followed only while others are recorded: nobody else would
        ever end the recording.
        """
        if self._running:
            return True
        awaits = self._newcomers is not None and self._limits.count is None
        return awaits and self._newcomers is not None and not self._newcomers.over()

    def _round(self) -> Iterator[Event]:
        """Sleep until something is due, and do it."""
        following = min(self._running, key=lambda recorder: recorder.due_ns, default=None)
        if following is not None:
            yield Waiting(following.pid, following.due_ns)
        self._clock.sleep_until(self._wake_ns(following), self._stop.fileno())
        if self._stop.reason is not None:
            return
        if self._is_over(self._limits.until_ns):
            self._stop.set(StopReason.DURATION)
            return
        yield from self._look_after_the_ended()
        if following is not None and not following.ended and self._is_over(following.due_ns):
            yield from following.tick(self._busy_until_ns)
            self._busy_until_ns = self._clock.monotonic_ns()
            self._dismiss(following)
        self._look_for_newcomers()

    def _wake_ns(self, following: Recorder | None) -> int:
        times = [self._limits.until_ns, following.due_ns if following else None]
        if self._newcomers is not None:
            times.append(self._look_ns)
        return min(time for time in times if time is not None)

    def _is_over(self, time_ns: int | None) -> bool:
        return time_ns is not None and time_ns <= self._clock.monotonic_ns()

    def _look_after_the_ended(self) -> Iterator[Event]:
        pids = self._stop.ended()
        for recorder in [recorder for recorder in self._running if recorder.pid in pids]:
            yield from recorder.check_ended()
            self._dismiss(recorder)

    def _dismiss(self, recorder: Recorder) -> None:
        """Let go of a recorder that has nothing left to do."""
        if not recorder.ended and recorder.taken != self._limits.count:
            return
        recorder.finish(StopReason.COUNT)
        self._running.remove(recorder)
        self._stop.forget(recorder.pid)
        if recorder.ended and self._newcomers is not None:
            self._newcomers.forget(recorder.pid)
        if not recorder.ended and not self._going():
            self._stop.set(StopReason.COUNT)

    def _look_for_newcomers(self) -> None:
        if self._newcomers is None or not self._is_over(self._look_ns) or not self._going():
            return
        self._look_ns = self._clock.monotonic_ns() + self._newcomers.interval_ns
        self._admit(self._newcomers.join())

    def _admit(self, recorders: Iterable[Recorder]) -> None:
        for recorder in recorders:
            self._running.append(recorder)
            self._stop.wake_on_end(recorder.pid)

    def _finish(self, reason: str) -> None:
        with ExitStack() as stack:  # All of them, even if one cannot be closed.
            for recorder in self._running:
                stack.callback(recorder.finish, reason)


def _reason_of(error: BaseException | None) -> str:
    if error is None or isinstance(error, BrokenPipeError):
        return StopReason.READER_GONE
    if isinstance(error, KeyboardInterrupt):
        return StopReason.INTERRUPT
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return StopReason.OUTPUT_FULL
    return f"ended by an error of snapshotter: {type(error).__name__}"
