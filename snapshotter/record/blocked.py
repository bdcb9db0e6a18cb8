"""Since when the main thread has been blocked: only what the kernel's counters prove."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.model import MainState

if TYPE_CHECKING:
    from snapshotter.model import Counters
    from snapshotter.outside.view import OutsideView

__all__ = ["BlockedSince"]

_NS = 1_000_000_000


@dataclass(slots=True)
class BlockedSince:
    """Remembers the first view since which the kernel has not run the main thread."""

    _counters: tuple[int | None, ...] = ()
    _since_ns: int = 0

    def describe(self, view: OutsideView) -> str | None:
        """Return the view's sentence on the main thread, with the time it has been so."""
        main = next((thread for thread in view.threads if thread.is_main), None)
        counters = _never_ran(main.counters if main else None)
        if view.main is not MainState.BLOCKED or not counters:
            self._counters = ()
            return view.main_detail
        if counters != self._counters:
            self._counters, self._since_ns = counters, view.started_ns
            return view.main_detail
        seconds = (time.monotonic_ns() - self._since_ns) // _NS
        return f"{view.main_detail}, and has not run once for {seconds} s or more"


def _never_ran(counters: Counters | None) -> tuple[int | None, ...]:
    if counters is None or counters.voluntary_switches is None:
        return ()
    switches = counters.voluntary_switches, counters.involuntary_switches
    return (*switches, counters.cpu_ns, counters.start_ticks)
