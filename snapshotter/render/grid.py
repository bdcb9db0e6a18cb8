"""The grid of a recording: threads by snapshots, one sign for each movement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from snapshotter.analysis.idle import CATALOGUE
from snapshotter.analysis.movement import Movement
from snapshotter.analysis.signatures import place_signature
from snapshotter.analysis.timeline import Cell, Row, timeline
from snapshotter.render.fit import Hanging, clip, fold_left, line, names_of, sentence
from snapshotter.render.sanitize import sanitize
from snapshotter.render.sentences import thread_place
from snapshotter.render.styles import HEADING, MOVEMENT, QUIET, WARN
from snapshotter.render.threads import name_of
from snapshotter.render.units import clock, duration, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from snapshotter.analysis.idle import IdlePattern
    from snapshotter.model import Snapshot

__all__ = ["Grid"]

_SIGNS = {
    Cell.FROZEN: "#",
    Cell.SPINNING: "*",
    Cell.POLLING: "~",
    Cell.REPEATING: "=",
    Cell.MOVED: "o",
    Cell.NEW: "+",
    Cell.UNKNOWN: "?",
    Cell.ABSENT: ".",
}
_STYLES = {
    **{Cell(movement.value): style for movement, style in MOVEMENT.items()},
    Cell.NEW: WARN,
    Cell.ABSENT: QUIET,
}
_NAME_WIDTH = 22
_NAME_SHARE = 0.25
_TAIL_SHARE = 0.5
_CLASS_WIDTH = 9
_MAX_ROWS = 200


@dataclass(frozen=True, slots=True)
class _Layout:
    """Widths in cells, and how many snapshots are shown."""

    width: int
    names: int
    shown: int
    gap: str
    ages: int


class Grid:
    """Threads by snapshots; as many of the newest snapshots as the width holds.

    Threads that stand at one place and did alike share a row; idle ones are only counted, unless
    ``show_all`` asks for them.
    """

    def __init__(
        self,
        snapshots: Sequence[Snapshot],
        *,
        show_all: bool = False,
        catalogue: Iterable[IdlePattern] = CATALOGUE,
    ) -> None:
        self._snapshots = snapshots
        rows = timeline(snapshots, catalogue=catalogue)
        self._idle = sum(row.idle is not None for row in rows)
        self._show_all = show_all
        self._groups = _grouped(row for row in rows if show_all or row.idle is None)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the heading, a row for each group, the key to the signs."""
        del console
        layout = self._layout(options.max_width)
        yield self._heading(layout.shown)
        for group in self._groups[:_MAX_ROWS]:
            yield self._row(group, layout)
        if len(self._groups) > _MAX_ROWS:
            yield line((f"… {plural(len(self._groups) - _MAX_ROWS, 'row')} more", QUIET))
        if self._idle and not self._show_all:
            them = "them" if self._idle > 1 else "it"
            yield line((f"{plural(self._idle, 'idle thread')} hidden (--all shows {them})", QUIET))
        yield Hanging("", self._key(layout.shown))

    def _layout(self, width: int) -> _Layout:
        labels = (cell_len(sanitize(_label(group))) for group in self._groups)
        names = min(max(_NAME_WIDTH, int(width * _NAME_SHARE)), max(labels, default=0))
        room = width - names - 2 - int(width * _TAIL_SHARE)
        columns = len(self._snapshots)
        gap = " " if 2 * columns <= room else ""
        return _Layout(width, names, max(1, min(columns, room)), gap, self._ages())

    def _ages(self) -> int:
        return max((len(_age(group[0])) for group in self._groups), default=0)

    def _heading(self, shown: int) -> Text:
        first, last = self._snapshots[-shown], self._snapshots[-1]
        times = f"{clock(first.captured_at_ns)} to {clock(last.captured_at_ns)}"
        left = len(self._snapshots) - shown
        older = f", {plural(left, 'older one')} not shown" if left else ""
        return line(("Timeline", HEADING), f"  {plural(shown, 'snapshot')}, {times}{older}")

    def _row(self, group: Sequence[Row], layout: _Layout) -> Text:
        label = clip(sanitize(_label(group)), layout.names)
        text = line(label, " " * (layout.names - cell_len(label) + 2))
        for cell in group[0].cells[-layout.shown :]:
            text.append(_SIGNS[cell] + layout.gap, _STYLES[cell])
        left = layout.width - text.cell_len - 2
        return text.append_text(
            line("  ", *_tail(group[0], self._snapshots[-1], width=left, ages=layout.ages))
        )

    def _key(self, shown: int) -> Text:
        present = {cell for group in self._groups for cell in group[0].cells[-shown:]}
        words = (f"{sign} {cell}" for cell, sign in _SIGNS.items() if cell in present)
        return sentence(("   ".join(words), QUIET))


def _grouped(rows: Iterable[Row]) -> list[list[Row]]:
    found: dict[object, list[Row]] = {}
    for row in rows:
        key = (row.cells, row.idle, place_signature(row.thread.frames))
        found.setdefault(key, []).append(row)
    return list(found.values())


def _label(group: Sequence[Row]) -> str:
    names = [name_of(row.thread) for row in group]
    return names[0] if len(names) == 1 else f"{len(names)}x {names_of(names, shown=2)}"


def _age(row: Row) -> str:
    run = row.dwell and row.dwell.strongest
    return duration(run.duration_ns) if run and run.movement else ""


def _tail(row: Row, newest: Snapshot, *, width: int, ages: int) -> Iterator[tuple[str, str] | str]:
    """Yield how long it has been there, its class over that time, and where."""
    run = row.dwell
    if run is None:
        yield "gone", QUIET
        return
    kind = run.strongest.movement or (Movement.MOVED if run.arrived else Movement.UNKNOWN)
    yield f"{_age(row):>{ages}}  "
    yield f"{kind.value:<{_CLASS_WIDTH}}", MOVEMENT[kind]
    place = row.idle or thread_place(row.thread, newest.process.cwd)
    yield f"  {fold_left(sanitize(place), width - ages - _CLASS_WIDTH - 4)}"
