"""Ctrl-Z: the shell gets its terminal back as it was, and we take it again afterwards."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["not_suspended", "suspendable"]


@contextmanager
def suspendable(leave: Callable[[], None], come_back: Callable[[], None]) -> Iterator[None]:
    """Call ``leave`` before SIGTSTP stops this process, and ``come_back`` when it goes on."""

    def handle(_signum: int, _: FrameType | None) -> None:
        leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # here we stand until somebody says ``fg``
        signal.signal(signal.SIGTSTP, handle)
        come_back()

    before = signal.getsignal(signal.SIGTSTP)
    if before is signal.SIG_IGN:  # a shell without jobs: nobody could wake us again
        yield
        return
    signal.signal(signal.SIGTSTP, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL if before is None else before)


@contextmanager
def not_suspended() -> Iterator[None]:
    """Keep SIGTSTP waiting: what the block writes must not be cut in two."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
