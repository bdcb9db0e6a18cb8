"""The garbage collector of the target at one instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GcState", "Generation"]


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation: its counter, threshold and totals since the process started.

    ``extra`` keeps every further key of ``gc.get_stats()`` of that version under CPython's own
    name (3.15: ``candidates``, an int, and ``duration``, seconds).
    """

    count: int
    threshold: int
    collections: int
    collected: int
    uncollectable: int
    extra: Mapping[str, int | float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class GcState:
    """The collector as the ``gc`` module reports it; ``garbage`` is ``len(gc.garbage)``."""

    enabled: bool
    generations: tuple[Generation, ...]
    freeze_count: int | None = None
    garbage: int | None = None
    callbacks: tuple[str, ...] = ()
    """Qualified names of the functions in ``gc.callbacks``."""
