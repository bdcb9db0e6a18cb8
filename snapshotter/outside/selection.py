"""Which frames have their locals shown, and which of their locals: the rule of both views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.model.snapshot import Origin
from snapshotter.probe.globs import matches

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Selection", "any_match"]


@dataclass(frozen=True, slots=True)
class Selection:
    """A ``--locals`` policy: its word (app, all, none, globs) and its patterns, if any."""

    word: str
    globs: tuple[tuple[str, str, str], ...] = ()
    """(module, function, name)"""

    def frames(self, origins: Sequence[Origin], app_frames: int) -> list[int]:
        """Return the places, 0 is the innermost, of the frames of a thread that are selected.

        By ``app`` these are the innermost ``app_frames`` of the application, and the innermost of
        all.
        """
        if self.word == "none":
            return []
        if self.word != "app":
            return list(range(len(origins)))
        of_app = [place for place, origin in enumerate(origins) if origin is Origin.APP]
        wanted = of_app[:app_frames]
        return wanted if not origins or 0 in wanted else [0, *wanted]

    @property
    def needs_module(self) -> bool:
        """Whether the module of a frame decides."""
        return self.word == "globs"

    def names(self, module: str, qualname: str) -> tuple[str, ...] | None:
        """Return the patterns for the names of a frame's locals; None for all names."""
        if self.word != "globs":
            return None
        return tuple(
            name
            for in_module, in_function, name in self.globs
            if matches(in_module, module) and matches(in_function, qualname)
        )


def any_match(patterns: tuple[str, ...] | None, name: str) -> bool:
    """Whether a local of this name is selected by the patterns of its frame."""
    return patterns is None or any(matches(pattern, name) for pattern in patterns)
