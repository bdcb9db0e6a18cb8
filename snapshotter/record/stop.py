"""How a recording is told to end: a flag that also wakes whoever sleeps."""

from __future__ import annotations

import os
import select
import signal
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["StopReason", "StopToken", "interrupt_on_signals", "stop_on_signals"]


class StopReason(StrEnum):
    """Why a recording was ended from our side."""

    INTERRUPT = "interrupted with Ctrl-C"
    TERMINATE = "stopped with SIGTERM"
    HANG_UP = "the terminal was closed"
    COUNT = "took as many snapshots as were asked for"
    DURATION = "recorded for as long as was asked for"
    OUTPUT_FULL = "there was no room for the output any more"
    READER_GONE = "nobody reads the output any more"


_REASONS = {
    signal.SIGINT: StopReason.INTERRUPT,
    signal.SIGTERM: StopReason.TERMINATE,
    signal.SIGHUP: StopReason.HANG_UP,
}


class StopToken:
    """Set once, from a signal handler or from anywhere; context manager over its descriptors.

    ``fileno()`` is readable when the token is set, or when a process given to ``wake_on_end``
    has ended: a sleep that polls it ends at once.
    """

    def __init__(self) -> None:
        self._reason: StopReason | None = None
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll = select.epoll()
        self._epoll.register(self._event, select.EPOLLIN)
        self._watched: dict[int, int] = {}

    @property
    def reason(self) -> StopReason | None:
        """Return why to stop; None as long as nobody asked for it."""
        return self._reason

    def set(self, reason: StopReason) -> None:
        """Ask for the end; the first reason stays."""
        if self._reason is None:
            self._reason = reason
            os.eventfd_write(self._event, 1)

    def wake_on_end(self, pid: int) -> None:
        """Become readable when the process ``pid`` ends, too."""
        if pid in self._watched:
            return
        with suppress(OSError):  # Without it the end is noticed at the next due time.
            descriptor = os.pidfd_open(pid)
            self._watched[pid] = descriptor
            self._epoll.register(descriptor, select.EPOLLIN)

    def forget(self, pid: int) -> None:
        """Stop watching ``pid``: the descriptor of an ended process stays readable."""
        descriptor = self._watched.pop(pid, None)
        if descriptor is not None:
            self._epoll.unregister(descriptor)
            os.close(descriptor)

    def ended(self) -> tuple[int, ...]:
        """Return the processes that ended since the last call, and stop watching them."""
        ready = {descriptor for descriptor, _ in self._epoll.poll(0)}
        pids = tuple(pid for pid, descriptor in self._watched.items() if descriptor in ready)
        for pid in pids:
            self.forget(pid)
        return pids

    def fileno(self) -> int:
        """Return the descriptor to poll for reading."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Close every descriptor."""
        for pid in tuple(self._watched):
            self.forget(pid)
        self._epoll.close()
        os.close(self._event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Have the first SIGINT, SIGTERM or SIGHUP raise KeyboardInterrupt, and ignore all others.

    For work that is short: whatever ends us, a request is withdrawn and an unfinished file removed.
    """

    def handle(_signum: int, _: FrameType | None) -> None:
        _ignore_signals()
        raise KeyboardInterrupt

    with _handlers(handle):
        yield


@contextmanager
def stop_on_signals(token: StopToken) -> Iterator[None]:
    """Have SIGINT, SIGTERM and SIGHUP set ``token``; the second one interrupts at once.

    The first lets the capture under way finish. The second raises KeyboardInterrupt there, and
    from then on signals are ignored, so that nothing disturbs the cleaning up: a request is
    withdrawn and an unfinished file removed. The handlers from before come back at the end.
    """

    def handle(signum: int, _: FrameType | None) -> None:
        if token.reason is None:
            token.set(_REASONS[signal.Signals(signum)])
            return
        _ignore_signals()
        raise KeyboardInterrupt

    with _handlers(handle):
        yield


def _ignore_signals() -> None:
    for number in _REASONS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _handlers(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    with ExitStack() as stack:
        for number in _REASONS:
            before = signal.getsignal(number)
            # nohup: whoever had the signal ignored on our behalf meant it.
            if before is signal.SIG_IGN:
                continue
            signal.signal(number, handle)
            stack.callback(signal.signal, number, signal.SIG_DFL if before is None else before)
        yield
