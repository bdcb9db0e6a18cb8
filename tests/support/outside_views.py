"""Outside views made by hand, of a process whose main thread is blocked."""

from __future__ import annotations

from snapshotter.model import MainState
from snapshotter.outside.view import OutsideThread, OutsideView

__all__ = ["outside_view"]


def outside_view(*threads: OutsideThread) -> OutsideView:
    """A view of these threads."""
    return OutsideView(
        threads=threads,
        gil_holder=None,
        interpreters=1,
        main=MainState.BLOCKED,
        main_detail=None,
        started_ns=0,
        duration_ns=1,
    )
