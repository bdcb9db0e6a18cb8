"""The view of a comparison: sentences first, then the figures they rest on."""

from __future__ import annotations

from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING

from rich.console import Group as Renderables
from rich.text import Text

from snapshotter.analysis.changes import Unit
from snapshotter.model import Kind, Status
from snapshotter.render.fit import (
    Folded,
    Hanging,
    Trimmed,
    blank,
    fold_left,
    line,
    place_of,
    sentence,
)
from snapshotter.render.header import program_of, unreadable_lines
from snapshotter.render.sanitize import sanitize
from snapshotter.render.sentences import change_sentences, place_words
from snapshotter.render.styles import EMPHASIS, HEADING, QUIET
from snapshotter.render.tables import plain_table
from snapshotter.render.threads import name_of
from snapshotter.render.units import (
    cores,
    count,
    duration,
    instant,
    plural,
    rate,
    signed,
    signed_size,
    size,
)
from snapshotter.render.values import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from snapshotter.analysis.changes import (
        Diff,
        Elapsed,
        Figure,
        LocalChange,
        SignatureShare,
        ValueChange,
        VariableChange,
    )
    from snapshotter.analysis.recordings import RecordingDiff
    from snapshotter.model import Value, View

__all__ = ["change_parts", "diff_view", "figure_parts", "recording_diff_view"]

_NS_PER_S = 1_000_000_000
_MAX_LOCALS = 40
_MAX_SHARES = 20
_VALUE_WIDTH = 60
_DIFFERENCE = 20


def diff_view(diff: Diff) -> RenderableType:
    """Return a comparison of two snapshots of any two processes."""
    return Renderables(*_sides(diff), blank(), *change_parts(diff), *figure_parts(diff))


def recording_diff_view(comparison: RecordingDiff) -> RenderableType:
    """Return a comparison of two recordings: their last snapshots, then where threads were."""
    old, new = comparison.baseline, comparison.current
    return Renderables(
        line(
            ("Recordings", HEADING),
            f"  {plural(len(old.snapshots), 'snapshot')} and"
            f" {plural(len(new.snapshots), 'snapshot')}; their last ones compared",
        ),
        *unreadable_lines(old),
        *unreadable_lines(new),
        blank(),
        diff_view(comparison.last),
        *_share_parts(comparison.shares, comparison.last.current.process.cwd),
    )


def _sides(diff: Diff) -> Iterator[Text]:
    for name, snapshot in (("baseline", diff.baseline), ("current", diff.current)):
        yield line(
            (f"{name:<9}", EMPHASIS),
            f"{instant(snapshot.captured_at_ns)}  pid {snapshot.process.pid}  ",
            (program_of(snapshot.process), QUIET),
        )
    yield line(
        ("apart    ", EMPHASIS),
        duration(abs(diff.elapsed.ns)),
        (f"  by the {diff.elapsed.clock} clock", QUIET),
    )


def change_parts(diff: Diff, *, brief: bool = False) -> Iterator[RenderableType]:
    """Yield the sentences under their heading; unless ``brief``, what was not compared too."""
    yield line(("What changed", HEADING), (f"  {_time_between(diff, brief=brief)}", QUIET))
    found = list(change_sentences(diff, cwd=diff.current.process.cwd))
    yield from (_bullet(each) for each in found)
    if not found:
        yield _bullet(sentence("Nothing but counters that always run."))
    if not brief:
        yield from (_bullet(sentence((each, QUIET))) for each in diff.not_compared)


def _time_between(diff: Diff, *, brief: bool) -> str:
    """Return "in 30 s, since …"; of a baseline that is the newer one "30 s earlier, before …"."""
    when = instant(diff.baseline.captured_at_ns)
    span = duration(abs(diff.elapsed.ns))
    if diff.elapsed.ns < 0:
        return f"{span} earlier, before {when}"
    return f"in {span}" if brief else f"in {span}, since {when}"


def _bullet(text: Text) -> RenderableType:
    return Hanging(" - ", text)


def figure_parts(diff: Diff) -> Iterator[RenderableType]:
    """Yield the tables of a comparison, each after an empty line."""
    if not diff.same_process:
        yield from _share_parts(diff.signatures, diff.current.process.cwd)
        return
    if diff.changed_locals or diff.changed_variables:
        yield blank()
        yield from _local_parts(diff)
    if diff.gc:
        yield blank()
        yield _gc_table(diff)
    figures = (*diff.process, *diff.interpreter)
    if figures:
        yield blank()
        yield _figure_table(figures)


def _local_parts(diff: Diff) -> Iterator[RenderableType]:
    yield line(("Changed values", HEADING))
    frame: object = None
    changed = diff.changed_locals
    for change in changed[:_MAX_LOCALS]:
        if (change.thread, change.frame) != frame:
            frame = (change.thread, change.frame)
            yield _local_place(change, diff)
        yield from _value_changes(change.name, change, diff.elapsed)
    left = len(changed) - _MAX_LOCALS
    if left > 0:
        yield line((f"  … {plural(left, 'local')} more", QUIET))
    mixed = diff.changed_variables[:1]
    if mixed and (words := _views_words(mixed[0].views)):
        yield line("  ", ("variables", EMPHASIS), (words, QUIET))
    for variable in diff.changed_variables:
        yield from _value_changes(variable.expression, variable, diff.elapsed, indent=2)


def _local_place(change: LocalChange, diff: Diff) -> Text:
    place = sanitize(place_of(change.frame, diff.current.process.cwd))
    return line(
        "  ",
        (name_of(change.thread), EMPHASIS),
        f"  {fold_left(place, 40)} {change.frame.qualname}",
        (_views_words(change.views), QUIET),
    )


def _views_words(views: tuple[View, View]) -> str:
    old, new = views
    return "" if old is new else f"  {old} -> {new}"


def _value_changes(
    name: str, told: LocalChange | VariableChange, elapsed: Elapsed, *, indent: int = 4
) -> Iterator[Text]:
    for change in told.changes:
        yield line(" " * indent, (f"{name}{change.path}", EMPHASIS), " ", *_words(change, elapsed))
    if told.more:
        yield line(" " * indent, (f"… {plural(told.more, 'difference')} more in {name}", QUIET))


def _words(change: ValueChange, elapsed: Elapsed) -> tuple[str | Text | tuple[str, str], ...]:
    old = None if change.before is None else describe(change.before, width=_VALUE_WIDTH)
    new = None if change.after is None else describe(change.after, width=_VALUE_WIDTH)
    if old is None or new is None:
        return (f"{change.change}: ", new or old or "")
    delta = change.length_delta
    if delta and change.before and change.after:
        lengths = (change.before.value.length or 0, change.after.value.length or 0)
        before = (old, " -> ") if _tells_more(change.before.value) else (("now ", QUIET),)
        return (
            f"length {count(lengths[0])} -> {count(lengths[1])} {_by(delta, elapsed)}  ",
            *before,
            new,
        )
    if old.plain == new.plain and change.before and change.after:
        return (_apart(change.before.value, change.after.value), old)
    difference = change.number_delta
    by = () if difference is None else (f"  {_by(difference, elapsed)}",)
    return (old, " -> ", new, *by)


def _apart(old: Value, new: Value) -> str:
    """Say how two values differ that look the same on one line."""
    if old.type != new.type:
        return sanitize(f"{old.type} -> {new.type}  ")
    for kind, unit in ((str, "character"), (bytes, "byte")):
        if isinstance(old.value, kind) and isinstance(new.value, kind):
            at = _first_difference(old.value, new.value)
            parts = [text[at : at + _DIFFERENCE] for text in (old.value, new.value)]
            return sanitize(f"after {plural(at, unit)}: {parts[0]!r} -> {parts[1]!r}  ")
    return ""


def _first_difference(first: Sequence[object], second: Sequence[object]) -> int:
    return sum(1 for _ in takewhile(bool, map(eq, first, second, strict=False)))


def _tells_more(old: Value) -> bool:
    """Whether it is wholly known; keys and attributes that came or went are told one by one."""
    has_content = old.value is not None or old.items or old.length == 0
    is_told = old.kind in {Kind.DICT, Kind.OBJECT}
    return old.status is Status.OK and bool(has_content) and not is_told


def _by(delta: float, elapsed: Elapsed) -> str:
    """Return "(+5, +5.0/s)": by how much, and how fast where a time is known."""
    per_s = rate(elapsed.per_s(delta))
    amount = signed(delta) if isinstance(delta, int) else f"{delta:+,.6g}"
    return f"({amount}, {per_s})" if per_s else f"({amount})"


def _gc_table(diff: Diff) -> RenderableType:
    if not any(each.collections.delta or each.uncollectable.delta for each in diff.gc):
        return line(("Collector", HEADING), ("  did not run between the two", QUIET))
    table = plain_table(
        "gen", "runs", "per min", "collected", "per run", "uncollectable", numbers_from=0
    )
    for each in diff.gc:
        per_min, yield_ = each.collections_per_min, each.collected_per_collection
        cells = (
            count(each.generation),
            signed(each.collections.delta),
            "" if per_min is None else f"{per_min:,.1f}",
            signed(each.collected.delta),
            "" if yield_ is None else f"{yield_:,.1f}",
            signed(each.uncollectable.delta),
        )
        table.add_row(*(Text(cell) for cell in cells))
    return Renderables(line(("Collector", HEADING), ("  between the two", QUIET)), Trimmed(table))


def _figure_table(figures: Sequence[Figure]) -> RenderableType:
    table = plain_table("", "before", "now", "change", "rate")
    for figure in figures:
        table.add_row(Text(figure.name), *(Text(cell) for cell in _figure_cells(figure)))
    return Renderables(line(("Figures", HEADING)), Trimmed(table))


def _figure_cells(figure: Figure) -> tuple[str, str, str, str]:
    per_s = figure.rate_per_s
    if figure.unit is Unit.BYTES:
        return (
            size(figure.before),
            size(figure.after),
            signed_size(figure.delta),
            rate(per_s, in_bytes=True),
        )
    if figure.unit is Unit.NANOSECONDS:
        share = "" if per_s is None or not figure.cumulative else cores(per_s / _NS_PER_S)
        change = duration(figure.delta) if figure.delta else "0"
        return (duration(figure.before), duration(figure.after), change, share)
    return count(figure.before), count(figure.after), signed(figure.delta), rate(per_s)


def _share_parts(shares: Sequence[SignatureShare], cwd: str | None) -> Iterator[RenderableType]:
    if not shares:
        return
    yield blank()
    yield line(("Where threads were", HEADING), ("  share of all stacks, by function", QUIET))
    table = plain_table("before", "now", "points", "stacks", "innermost", numbers_from=0)
    place = table.columns[4]
    place.justify, place.no_wrap = "left", False
    for share in shares[:_MAX_SHARES]:
        cells = (
            _percent(share.before, share.before_total),
            _percent(share.after, share.after_total),
            f"{share.points:+.1f}".replace("+0.0", "0.0"),
            f"{count(share.before)} -> {count(share.after)}",
        )
        table.add_row(*(Text(cell) for cell in cells), Folded(place_words(share.frames, cwd)))
    yield Trimmed(table)
    if len(shares) > _MAX_SHARES:
        yield line((f"… {plural(len(shares) - _MAX_SHARES, 'stack')} more", QUIET))


def _percent(part: int, total: int) -> str:
    return f"{part / total * 100:.1f} %" if total else ""
