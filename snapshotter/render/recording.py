"""The view of a recording: head, what changed last, its snapshots, the grid, the newest one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Group as Renderables
from rich.text import Text

from snapshotter.analysis.diff import diff
from snapshotter.analysis.dwell import dwell
from snapshotter.model import MissedReason, View
from snapshotter.render.diff import change_parts, figure_parts
from snapshotter.render.dump import snapshot_parts
from snapshotter.render.fit import Facts, Hanging, Trimmed, blank, line, sentence
from snapshotter.render.grid import Grid
from snapshotter.render.header import (
    capture_lines,
    main_thread_line,
    missing_lines,
    process_title,
    unreadable_lines,
)
from snapshotter.render.options import ViewOptions
from snapshotter.render.styles import HEADING, QUIET, WARN
from snapshotter.render.tables import plain_table
from snapshotter.render.units import clock, count, duration, instant, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from snapshotter.model import Missed, Recording, Snapshot

__all__ = ["index_of", "number_of", "recording_view"]

_DEFAULT = ViewOptions()
_FIRST_ROWS = 3
_LAST_ROWS = 20
_MISSED_WORDS = {
    MissedReason.OVERRUN: "the snapshot before was still being taken",
    MissedReason.STALL: "snap itself did not run",
    MissedReason.FAILED: "no snapshot could be taken",
    MissedReason.STORAGE: "the snapshot could not be written",
}


def recording_view(
    recording: Recording,
    *,
    options: ViewOptions = _DEFAULT,
    at: int | None = None,
    against: int | None = None,
) -> RenderableType:
    """Return a recording as of its newest snapshot, or as of the one with the number ``at``.

    That snapshot is compared with its predecessor, or with the one with the number ``against``.
    Raises ValueError with a sentence when the recording has no snapshot of such a number.
    """
    if not recording.snapshots:
        return Renderables(*_empty(recording))
    snapshots = recording.snapshots[: index_of(recording, at) + 1]
    baseline = snapshots[-2] if len(snapshots) > 1 else None
    if against is not None:
        baseline = recording.snapshots[index_of(recording, against)]
    shown = replace(recording, snapshots=snapshots)
    parts: list[RenderableType] = [*_head(recording), *_trouble(recording)]
    parts += _body(shown, baseline, options)
    return Renderables(*parts)


def _body(
    recording: Recording, baseline: Snapshot | None, options: ViewOptions
) -> Iterator[RenderableType]:
    newest = recording.snapshots[-1]
    dwells = dwell(recording.snapshots)
    comparison = None
    if baseline is not None:
        comparison = diff(baseline, newest, dwells=dwells, catalogue=options.catalogue)
        yield blank()
        yield from change_parts(comparison)
    yield blank()
    yield from _snapshot_table(recording.snapshots)
    if len(recording.snapshots) > 1:
        yield blank()
        yield Grid(recording.snapshots, show_all=options.show_all, catalogue=options.catalogue)
    yield blank()
    yield from capture_lines(newest)
    yield from main_thread_line(newest)
    yield from missing_lines(newest)
    yield from snapshot_parts(newest, options=options, dwells=dwells)
    if comparison is not None:
        yield from figure_parts(comparison)


def number_of(snapshot: Snapshot, snapshots: Sequence[Snapshot]) -> int:
    """Return a snapshot's sequence number, or its place where it never had a tick."""
    if snapshot.tick is not None:
        return snapshot.tick.sequence
    return next(at for at, each in enumerate(snapshots, 1) if each is snapshot)


def index_of(recording: Recording, number: int | None) -> int:
    """Return the place of the snapshot with that number, of the last one for None.

    Raises ValueError with a sentence when the recording has no such snapshot.
    """
    if number is None:
        return len(recording.snapshots) - 1
    numbers = [number_of(each, recording.snapshots) for each in recording.snapshots]
    if number not in numbers:
        raise ValueError(f"The recording has no snapshot {number}; it has {_span(numbers)}.")
    return numbers.index(number)


def _span(numbers: Sequence[int]) -> str:
    first, last = numbers[0], numbers[-1]
    span = f"{first} to {last}"
    return span if len(numbers) > last - first else f"{len(numbers)} of those from {span}"


def _empty(recording: Recording) -> Iterator[RenderableType]:
    yield line(("The recording has no snapshot.", WARN))
    yield from _trouble(recording)


def _head(recording: Recording) -> Iterator[RenderableType]:
    snapshots = recording.snapshots
    first, last = snapshots[0], snapshots[-1]
    process = last.process
    yield process_title(process, f"pid {process.pid}  Python {process.python}")
    facts = [plural(len(snapshots), "snapshot")]
    facts.append(f"{instant(first.captured_at_ns)} to {clock(last.captured_at_ns)}")
    facts += [f"every {duration(recording.interval_ns)}"] if recording.interval_ns else []
    facts += [process.host] if process.host else []
    yield Facts(facts, style="")
    yield Facts(_costs(snapshots))
    if recording.ended:
        yield Hanging("", sentence("recording ended: ", recording.ended))


def _costs(snapshots: Sequence[Snapshot]) -> Iterator[str]:
    pauses = [each.capture.pause for each in snapshots if each.capture.pause is not None]
    if pauses:
        totals = [pause.total_ns for pause in pauses]
        longest = max(pause.max_ns for pause in pauses)
        yield (
            f"pause: longest slice {duration(longest)};"
            f" median of all slices of a dump together {duration(round(_median(totals)))}"
        )
        span_ns = snapshots[-1].monotonic_ns - snapshots[0].monotonic_ns
        if span_ns > 0:
            yield f"all slices {sum(totals) / span_ns * 100:.3f} % of the time"
    outside = sum(View.INSIDE not in each.capture.views for each in snapshots)
    if outside:
        yield f"{count(outside)} from outside only"
    levels = sorted({each.capture.values.value for each in snapshots})
    yield f"values {', '.join(levels)}"


def _median(numbers: Sequence[int]) -> float:
    """Return the median; the module statistics takes longer to import than a screen to draw."""
    ordered, half = sorted(numbers), len(numbers) // 2
    return ordered[half] if len(numbers) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _trouble(recording: Recording) -> Iterator[RenderableType]:
    for missed in recording.missed:
        yield Hanging("", _missed(missed))
    yield from unreadable_lines(recording)


def _missed(missed: Missed) -> Text:
    ticks = f"{plural(missed.count, 'tick')} {'from' if missed.count > 1 else 'at'}"
    when = instant(missed.due_at_ns)
    reason = _MISSED_WORDS[missed.reason]
    detail = f": {missed.detail}" if missed.detail else ""
    return sentence(("missed: ", WARN), f"{ticks} {when}: {reason}{detail}")


def _snapshot_table(snapshots: Sequence[Snapshot]) -> Iterator[RenderableType]:
    table = plain_table(
        "", "time", "late", "views", "pause", "threads", "RSS", "fds", "gc", numbers_from=0
    )
    table.columns[3].justify = "left"
    cut = len(snapshots) - _FIRST_ROWS - _LAST_ROWS
    for index, snapshot in enumerate(snapshots):
        if cut > 0 and index == _FIRST_ROWS:
            table.add_row(Text("…"), *(Text("") for _ in range(8)))
        if cut <= 0 or not _FIRST_ROWS <= index < _FIRST_ROWS + cut:
            table.add_row(*(Text(cell) for cell in _cells(snapshot, snapshots)))
    more = f"  {plural(cut, 'snapshot')} not shown" if cut > 0 else ""
    yield line(("Snapshots", HEADING), (more, QUIET))
    yield Trimmed(table)


def _cells(snapshot: Snapshot, snapshots: Sequence[Snapshot]) -> Iterator[str]:
    capture, process = snapshot.capture, snapshot.process
    yield count(number_of(snapshot, snapshots))
    yield clock(snapshot.captured_at_ns)
    yield "" if snapshot.tick is None else duration(snapshot.tick.lateness_ns)
    yield "in+out" if len(capture.views) > 1 else ("in" if View.INSIDE in capture.views else "out")
    yield "" if capture.pause is None else duration(capture.pause.max_ns)
    yield count(len(snapshot.threads))
    yield "" if process.rss_bytes is None else size(process.rss_bytes)
    yield "" if process.fds is None else count(process.fds)
    gc = snapshot.gc
    yield "" if gc is None else "/".join(str(each.collections) for each in gc.generations)
