"""Figures of the process, the interpreter and the collector, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.analysis.changes import Elapsed, Figure, GenerationChange, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snapshotter.model import GcState, Interpreter, ProcessInfo, Snapshot

__all__ = ["elapsed_between", "gc_changes", "gc_settings", "interpreter_figures", "process_figures"]


@dataclass(frozen=True, slots=True)
class _Field:
    attribute: str
    name: str
    unit: Unit = Unit.COUNT
    cumulative: bool = False
    setting: bool = False
    """Left out unless it changed."""


_PROCESS = (
    _Field("rss_bytes", "resident memory", Unit.BYTES),
    _Field("cpu_ns", "processor time", Unit.NANOSECONDS, cumulative=True),
    _Field("fds", "file descriptors"),
    _Field("os_threads", "OS threads"),
    _Field("voluntary_switches", "voluntary switches", cumulative=True),
    _Field("involuntary_switches", "involuntary switches", cumulative=True),
)

_INTERPRETER = (
    _Field("allocated_blocks", "allocated blocks"),
    _Field("modules", "modules"),
    _Field("tracemalloc_bytes", "traced memory", Unit.BYTES),
    _Field("tracemalloc_peak_bytes", "traced memory, peak", Unit.BYTES),
    _Field("interpreters", "interpreters", setting=True),
    _Field("recursion_limit", "recursion limit", setting=True),
    _Field("switch_interval_ns", "switch interval", Unit.NANOSECONDS, setting=True),
)


def elapsed_between(baseline: Snapshot, current: Snapshot) -> Elapsed:
    """Take the time from the monotonic clock of one boot, else from the wall clock."""
    old, new = baseline.process.identity, current.process.identity
    if old is not None and new is not None and old.boot_id == new.boot_id:
        return Elapsed(current.monotonic_ns - baseline.monotonic_ns, "monotonic")
    return Elapsed(current.captured_at_ns - baseline.captured_at_ns, "wall")


def process_figures(
    before: ProcessInfo, after: ProcessInfo, *, elapsed: Elapsed
) -> tuple[Figure, ...]:
    """Compare what the operating system says; figures that a side does not have are left out."""
    return tuple(_figures(_PROCESS, before, after, elapsed))


def interpreter_figures(
    before: Interpreter, after: Interpreter, *, elapsed: Elapsed
) -> tuple[Figure, ...]:
    """Compare what the interpreter says of itself."""
    return tuple(_figures(_INTERPRETER, before, after, elapsed))


def _figures(
    fields: Iterable[_Field], before: object, after: object, elapsed: Elapsed
) -> Iterator[Figure]:
    for each in fields:
        old, new = getattr(before, each.attribute), getattr(after, each.attribute)
        known = old is not None and new is not None
        if known and not (each.setting and old == new):
            yield Figure(each.name, each.unit, old, new, elapsed, each.cumulative)


def gc_changes(
    before: GcState, after: GcState, *, elapsed: Elapsed
) -> tuple[GenerationChange, ...]:
    """Compare the totals of each generation that both sides have."""
    pairs = enumerate(zip(before.generations, after.generations, strict=False))
    return tuple(
        GenerationChange(
            number,
            *(
                Figure(name, Unit.COUNT, getattr(old, name), getattr(new, name), elapsed, True)  # noqa: FBT003
                for name in ("collections", "collected", "uncollectable")
            ),
        )
        for number, (old, new) in pairs
    )


def gc_settings(before: GcState, after: GcState) -> tuple[str, ...]:
    """Say which settings of the collector are not as before."""
    return tuple(_setting_sentences(before, after))


def _setting_sentences(before: GcState, after: GcState) -> Iterator[str]:
    if before.enabled != after.enabled:
        yield f"The collector was switched {'on' if after.enabled else 'off'}."
    old = tuple(each.threshold for each in before.generations)
    new = tuple(each.threshold for each in after.generations)
    if old != new:
        yield f"The collector's thresholds went from {_numbers(old)} to {_numbers(new)}."
    for name, was, now in (
        ("frozen objects", before.freeze_count, after.freeze_count),
        ("objects in gc.garbage", before.garbage, after.garbage),
    ):
        if was is not None and now is not None and was != now:
            yield f"The number of {name} went from {was:,} to {now:,}."
    if before.callbacks != after.callbacks:
        yield "The functions in gc.callbacks are not the same."


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)
