"""The garbage collector of the target at one instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Collection", "GcState", "Generation"]


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
class Collection:
    """One of the last runs of the collector, as 3.15 remembers them.

    None where the run before it, which tells the difference, is no longer remembered.
    """

    generation: int
    started_ns: int
    """Monotonic time."""
    duration_ns: int
    heap_objects: int
    """Objects that the collector knew when it began."""
    collected: int | None = None
    uncollectable: int | None = None
    candidates: int | None = None


@dataclass(frozen=True, slots=True)
class GcState:
    """The collector as the ``gc`` module reports it; ``garbage`` is ``len(gc.garbage)``."""

    enabled: bool
    generations: tuple[Generation, ...]
    freeze_count: int | None = None
    garbage: int | None = None
    callbacks: tuple[str, ...] = ()
    """Qualified names of the functions in ``gc.callbacks``."""
    recent: tuple[Collection, ...] = ()
    """The last runs in order of time, where the version remembers them."""
