"""What of a snapshot a reader wants to see."""

from __future__ import annotations

from dataclasses import dataclass

from snapshotter.analysis.idle import CATALOGUE, IdlePattern

__all__ = ["ViewOptions"]


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """How much of a snapshot to show.

    ``show_all`` also shows idle threads; ``locals`` is "app" (of the application's frames and of
    the innermost one), "all" or "none"; ``catalogue`` says which stacks are idle.
    """

    show_all: bool = False
    locals: str = "app"
    catalogue: tuple[IdlePattern, ...] = CATALOGUE
