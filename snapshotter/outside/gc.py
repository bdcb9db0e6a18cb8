"""The garbage collector of the target, from its own counters: nothing is asked, nothing is run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError
from snapshotter.model.gc import Collection, GcState, Generation
from snapshotter.outside.readings import Reading

if TYPE_CHECKING:
    from snapshotter.outside.classes import ClassReader
    from snapshotter.outside.heap import Heap
    from snapshotter.outside.runtime import Runtime

__all__ = ["GcReader"]

_GENERATIONS: Final = 3
_GENERATION: Final = Struct("<16xii")  # list head; threshold, count
_OLD_STATS: Final = Struct("<qqq")  # struct gc_generation_stats of 3.14
_NEW_STATS: Final = Struct("<qqqqqqdq")  # and of 3.15
_NEW_STATS_BYTES: Final = 1112
_RINGS: Final = ((0, 11), (712, 3), (912, 3))
"""Of each generation: where its ring is in ``struct gc_stats``, and how many items it has."""
_TRIES: Final = 5
_MOST_FROZEN: Final = 2_000
_MOST_CALLBACKS: Final = 32
_MAX_NAME: Final = 200
_LARGEST: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class _Layout:
    """Byte offsets in ``struct _gc_runtime_state``."""

    enabled: int
    generations: int
    permanent: int
    stats: int
    collecting: int
    garbage: int
    callbacks: int
    size: int


_LAYOUTS: Final = {
    (3, 14): _Layout(12, 24, 96, 120, 192, 200, 208, 264),
    (3, 15): _Layout(0, 8, 80, 104, 112, 128, 136, 176),
}


class GcReader:
    """Reads the collector of the main interpreter."""

    __slots__ = ("_classes", "_heap", "_layout", "_runtime")

    def __init__(self, runtime: Runtime, heap: Heap, classes: ClassReader) -> None:
        """Prepare for ``runtime``."""
        self._runtime = runtime
        self._heap = heap
        self._classes = classes
        layout = _LAYOUTS.get(runtime.version)
        table = runtime.offsets.table
        known = layout and (table["gc.size"], table["gc.collecting"])
        fits = layout is not None and known == (layout.size, layout.collecting)
        self._layout = layout if fits and not runtime.free_threaded else None

    def read(self) -> GcState | None:
        """Return the state of the collector; None in a build that keeps it differently.

        Raises ``TornReadError`` when it changed each time that it was read.
        """
        if self._layout is None:
            return None
        address = self._runtime.main_interpreter().address
        address += self._runtime.offsets.table["interpreter_state.gc"]
        layout, memory = self._layout, self._runtime.memory
        for _ in range(_TRIES):
            data = memory.read(address, layout.size)
            rings = self._rings(layout, data)
            # counts of allocations change all the time, but in one step each
            if self._rings(layout, memory.read(address, layout.size)) == rings:
                return self._decode(layout, address, data, rings)
        raise TornReadError("The collector ran each time that it was read.")

    def _rings(self, layout: _Layout, data: bytes) -> bytes:
        """Return what collections write: the statistics, wherever this version keeps them."""
        if self._runtime.version < (3, 15):
            return data[layout.stats : layout.stats + _GENERATIONS * _OLD_STATS.size]
        stats = int.from_bytes(data[layout.stats : layout.stats + 8], "little")
        return self._runtime.memory.read(stats, _NEW_STATS_BYTES)

    def _decode(self, layout: _Layout, address: int, data: bytes, rings: bytes) -> GcState:
        enabled = int.from_bytes(data[layout.enabled : layout.enabled + 4], "little")
        if enabled > 1:
            raise TornReadError("The collector is neither on nor off.")
        is_old = self._runtime.version < (3, 15)
        totals, recent = _totals(rings) if is_old else _totals_of_rings(rings)
        generations = []
        for number in range(_GENERATIONS):
            at = layout.generations + number * _GENERATION.size
            threshold, count = _GENERATION.unpack_from(data, at)
            generations.append(_generation(count, threshold, totals[number]))
        return GcState(
            enabled=enabled == 1,
            generations=tuple(generations),
            freeze_count=self._frozen(address + layout.permanent),
            garbage=self._length(data, layout.garbage),
            callbacks=self._callbacks(data, layout.callbacks),
            recent=recent,
        )

    def _frozen(self, head: int) -> int | None:
        """Count the list of the permanent generation; None if it is long."""
        with suppress(TornReadError):
            following = self._heap.pages.u64(head)
            for count in range(_MOST_FROZEN):
                if following == head:
                    return count
                following = self._heap.pages.u64(following) & ~3
        return None

    def _list_at(self, data: bytes, offset: int) -> int:
        address = int.from_bytes(data[offset : offset + 8], "little")
        if not address:
            return 0
        plan = self._classes.plan(self._heap.type_of(address))
        return address if plan.reading is Reading.LIST else 0

    def _length(self, data: bytes, offset: int) -> int | None:
        address = self._list_at(data, offset)
        return self._heap.list_items(address, 0)[1] if address else None

    def _callbacks(self, data: bytes, offset: int) -> tuple[str, ...]:
        address = self._list_at(data, offset)
        items = self._heap.list_items(address, _MOST_CALLBACKS)[0] if address else ()
        return tuple([self._name_of(item) for item in items])

    def _name_of(self, address: int) -> str:
        """Return the qualified name of a function, method or builtin; the type of anything else."""
        heap = self._heap
        plan = self._classes.plan(heap.type_of(address))
        if plan.reading is Reading.METHOD:
            address = heap.pages.u64(address + 16)
            plan = self._classes.plan(heap.type_of(address))
        if plan.reading is Reading.FUNCTION:
            code = heap.pages.u64(address + 48)
            name = heap.text(heap.pages.u64(code + heap.layout.code_qualname), _MAX_NAME)[0]
        elif plan.reading is Reading.BUILTIN:
            name = heap.c_text(heap.pages.u64(heap.pages.u64(address + 16)), _MAX_NAME)
        else:
            name = plan.short.rpartition(".")[2] if plan.is_made_in_c else plan.short
            name = f"an instance of {name}"
        return name.encode("utf-8", "backslashreplace").decode()


type _Stats = dict[str, int | float]


def _generation(count: int, threshold: int, stats: _Stats) -> Generation:
    known = {name: int(stats[name]) for name in ("collections", "collected", "uncollectable")}
    if any(not 0 <= number < _LARGEST for number in known.values()):
        raise TornReadError("The collector has no plausible totals.")
    extra = {name: number for name, number in stats.items() if name not in known}
    return Generation(
        count=count,
        threshold=threshold,
        extra=MappingProxyType(extra),
        collections=known["collections"],
        collected=known["collected"],
        uncollectable=known["uncollectable"],
    )


def _totals(data: bytes) -> tuple[list[_Stats], tuple[Collection, ...]]:
    totals: list[_Stats] = []
    for number in range(_GENERATIONS):
        found = _OLD_STATS.unpack_from(data, number * _OLD_STATS.size)
        totals.append(dict(zip(("collections", "collected", "uncollectable"), found, strict=True)))
    return totals, ()


def _totals_of_rings(rings: bytes) -> tuple[list[_Stats], tuple[Collection, ...]]:
    """3.15 keeps the last runs of each generation; each has the totals up to its end."""
    totals: list[_Stats] = []
    recent: list[Collection] = []
    for number, (start, size) in enumerate(_RINGS):
        index = rings[start + size * _NEW_STATS.size]
        if index >= size:
            raise TornReadError("The collector has no plausible statistics.")
        in_order = [(index + 1 + step) % size for step in range(size)]
        items = [_NEW_STATS.unpack_from(rings, start + at * _NEW_STATS.size) for at in in_order]
        _, _, collections, collected, uncollectable, candidates, duration, _ = items[-1]
        totals.append(
            {
                "collections": collections,
                "collected": collected,
                "uncollectable": uncollectable,
                "candidates": candidates,
                "duration": duration,
            }
        )
        recent += _runs(number, items)
    return totals, tuple(sorted(recent, key=lambda run: run.started_ns))


def _runs(generation: int, items: list[tuple[int, ...]]) -> list[Collection]:
    runs = []
    before: tuple[int, ...] = (0, 0, 0, 0, 0, 0, 0, 0)
    for item in items:
        started, stopped, count = item[:3]
        if count and 0 < started <= stopped:
            follows = count == before[2] + 1
            gained = [item[at] - before[at] if follows else None for at in (3, 4, 5)]
            runs.append(Collection(generation, started, stopped - started, item[7], *gained))
        before = item
    return runs
