"""How much of the values of one snapshot is shown, whichever view reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from snapshotter.model.snapshot import ValueLevel

__all__ = ["Limits", "limits_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds of one snapshot."""

    depth: int = 2
    """Levels of containers below a local."""
    items: int = 8
    """Of a container."""
    attributes: int = 16
    """Of an object or named tuple."""
    text: int = 120
    """Characters of a text."""
    nodes: int = 50_000
    """Values of all."""
    frames: int = 1_000
    """Of a thread."""
    threads: int = 4_000
    tasks: int = 2_000
    app_frames: int = 8
    """Of a thread whose locals are selected by ``app``."""


_SCRUBBED: Final = Limits()
_FULL: Final = replace(_SCRUBBED, depth=3, text=400)


def limits_for(level: ValueLevel) -> Limits:
    """Return the limits that go with a level."""
    return _FULL if level is ValueLevel.FULL else _SCRUBBED
