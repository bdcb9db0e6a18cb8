"""The rest of a snapshot: collector, interpreter, asyncio tasks and variables."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from rich.console import Group as Renderables
from rich.table import Table
from rich.text import Text

from snapshotter.analysis.awaited import tasks_awaited
from snapshotter.analysis.seen import Seen
from snapshotter.analysis.signatures import place_signature
from snapshotter.render.fit import (
    SEPARATOR,
    Facts,
    Hanging,
    Trimmed,
    blank,
    line,
    names_of,
    sentence,
)
from snapshotter.render.sanitize import text
from snapshotter.render.stacks import Stack
from snapshotter.render.styles import EMPHASIS, HEADING, QUIET, WARN
from snapshotter.render.units import count, duration, plural, size
from snapshotter.render.values import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from snapshotter.model import GcState, Interpreter, Snapshot, Task, Variable

__all__ = [
    "collector_section",
    "interpreter_section",
    "plain_table",
    "tasks_section",
    "tasks_unseen",
    "variables_section",
]

_MAX_TASK_GROUPS = 20
_FEW = 3
_MOST_SECONDS = 1e9  # what is longer was not written by a collector
_EXTRA_NAMES = {"duration": "time"}


def plain_table(*columns: str, numbers_from: int = 1) -> Table:
    """Return a table without lines; columns from ``numbers_from`` on are numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=QUIET)
    for index, column in enumerate(columns):
        number = index >= numbers_from
        # The names of a generation's figures, too, come from the process.
        table.add_column(
            text(column), justify="right" if number else "left", no_wrap=True, overflow="ellipsis"
        )
    return table


def collector_section(gc: GcState, *, now_ns: int) -> RenderableType:
    """Return the collector's state, a row for each generation, and its last runs.

    ``now_ns`` is the monotonic time of the snapshot.
    """
    words = ["enabled" if gc.enabled else "DISABLED"]
    words += [f"{count(gc.freeze_count)} frozen objects"] if gc.freeze_count else []
    words += [f"{count(gc.garbage)} in gc.garbage"] if gc.garbage else []
    words += [f"callbacks: {', '.join(gc.callbacks)}"] if gc.callbacks else []
    style = "" if gc.enabled and not gc.garbage else WARN
    heading = line(("Collector", HEADING), "  ", (SEPARATOR.join(words), style))
    extras = sorted({key for generation in gc.generations for key in generation.extra})
    table = plain_table(
        "gen", "count", "threshold", "runs", "collected", "uncollectable",
        *(_EXTRA_NAMES.get(key, key) for key in extras), numbers_from=0,
    )  # fmt: skip
    for number, generation in enumerate(gc.generations):
        figures = (
            number, generation.count, generation.threshold, generation.collections,
            generation.collected, generation.uncollectable,
        )  # fmt: skip
        extra = (_extra(key, generation.extra.get(key)) for key in extras)
        table.add_row(*(Text(count(each)) for each in figures), *(Text(each) for each in extra))
    return Renderables(heading, Trimmed(table), *_recent(gc, now_ns))


def _recent(gc: GcState, now_ns: int) -> Iterator[RenderableType]:
    """Yield how long the runs took that the version remembers, the fullest first."""
    oldest = len(gc.generations) - 1
    for generation in range(oldest, -1, -1):
        runs = [run for run in gc.recent if run.generation == generation]
        if not runs:
            continue
        full = generation == oldest
        kind = "full collection" if full else f"run of generation {generation}"
        many = "full collections" if full else f"runs of generation {generation}"
        alone = len(runs) == 1
        which = kind if alone else plural(len(runs), kind, many)
        words = f"last {which}: {_times([run.duration_ns for run in runs])}"
        if full:
            ago = f"{duration(max(0, now_ns - runs[-1].started_ns))} before"
            words += f"; {ago if alone else f'the last one {ago}'}"
            words += f", among {count(runs[-1].heap_objects)} objects"
        yield Hanging("  ", sentence(words))


def _times(times_ns: Sequence[int]) -> str:
    """Return each of a few durations, or the least and the largest of many."""
    if len(times_ns) <= _FEW:
        return ", ".join(duration(each) for each in times_ns)
    return f"{duration(min(times_ns))} to {duration(max(times_ns))}"


def _extra(key: str, value: float | None) -> str:
    if value is None:
        return ""
    if key == "duration" and abs(value) < _MOST_SECONDS:
        return duration(round(value * 1_000_000_000))
    return count(value) if isinstance(value, int) else f"{value:,.3f}"


def interpreter_section(interpreter: Interpreter) -> RenderableType:
    """Return the figures of the interpreter that are known."""
    known = [
        f"{count(number)} {name}"
        for number, name in (
            (interpreter.allocated_blocks, "allocated blocks"),
            (interpreter.modules, "modules"),
        )
        if number is not None
    ]
    if interpreter.interpreters is not None and interpreter.interpreters != 1:
        known.append(plural(interpreter.interpreters, "interpreter"))
    if interpreter.recursion_limit is not None:
        known.append(f"recursion limit {count(interpreter.recursion_limit)}")
    if interpreter.switch_interval_ns is not None:
        known.append(f"switch interval {duration(interpreter.switch_interval_ns)}")
    if interpreter.tracemalloc_bytes is not None:
        peak = interpreter.tracemalloc_peak_bytes
        known.append(
            f"{size(interpreter.tracemalloc_bytes)} traced"
            + (f" (peak {size(peak)})" if peak is not None else "")
        )
    if interpreter.gil_holder is not None:
        known.append(f"GIL held by native thread {interpreter.gil_holder}")
    handlers = ", ".join(
        f"{_signal_name(each.signum)} {each.handler}" for each in interpreter.signal_handlers
    )
    parts: list[RenderableType] = [line(("Interpreter", HEADING), f"  {interpreter.version}")]
    parts += [Facts(known, prefix="  ", style="")] if known else []
    parts += [Hanging("  ", sentence("signal handlers: ", handlers))] if handlers else []
    return Renderables(*parts)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def tasks_section(snapshot: Snapshot) -> RenderableType:
    """Return asyncio tasks, grouped by state, what they wait for and coroutine stack."""
    total = len(snapshot.tasks) if snapshot.tasks_total is None else snapshot.tasks_total
    groups = _task_groups(snapshot.tasks)
    awaited = tasks_awaited(snapshot.tasks)
    seen = "" if total <= len(snapshot.tasks) else f", {count(len(snapshot.tasks))} of them seen"
    parts: list[RenderableType] = [
        line(("Tasks", HEADING), f"  {count(total)}{seen}", (", most recent call first", QUIET))
    ]
    for group in groups[:_MAX_TASK_GROUPS]:
        parts += [blank(), *_task_group(group, snapshot, awaited)]
    left = sum(len(group) for group in groups[_MAX_TASK_GROUPS:])
    parts += [blank(), line((f"… {plural(left, 'task')} more", QUIET))] if left else []
    return Renderables(*parts)


def tasks_unseen() -> RenderableType:
    """Return a sentence for an event loop whose tasks are not known."""
    words = "were not read; a view from inside has them."
    return Hanging("", sentence(("Tasks", HEADING), f" {words}"))


def _task_groups(tasks: Sequence[Task]) -> list[list[Task]]:
    found: dict[object, list[Task]] = {}
    for task in tasks:
        # What is waited for may name one task by its address: its type is enough to group.
        waits = (task.waits_for or "").split(" ")[0]
        key = (task.state, waits, place_signature(task.frames))
        found.setdefault(key, []).append(task)
    return sorted(found.values(), key=len, reverse=True)


def _task_group(
    group: Sequence[Task], snapshot: Snapshot, awaited: Mapping[int, Sequence[Task]]
) -> Iterator[RenderableType]:
    first = group[0]
    names = _task_names(group)
    title = f"{plural(len(group), 'task')} with this stack: " if len(group) > 1 else ""
    waits = ""
    if first.waits_for:
        waits = f", waits for {first.waits_for if len(group) == 1 else first.waits_for.split()[0]}"
    others = {one.identity: one for task in group for one in awaited.get(task.identity, ())}
    if others:
        waits += f", awaits {names_of(_task_names(others.values()))}"
    name = (names_of(names), "" if title else EMPHASIS)
    yield Hanging("", sentence((title, EMPHASIS), name, (f"  {first.state}{waits}", QUIET)))
    yield Stack(first.frames, snapshot, locals_="none")


def _task_names(tasks: Iterable[Task]) -> list[str]:
    return [task.name or hex(task.identity) for task in tasks]


def variables_section(snapshot: Snapshot) -> RenderableType:
    """Return the variables that were asked for, or why one could not be read."""
    return Renderables(
        line(("Variables", HEADING)),
        *(_variable(each, snapshot) for each in snapshot.variables),
    )


def _variable(variable: Variable, snapshot: Snapshot) -> Text:
    if variable.node is None:
        problem = variable.problem or "not captured"
        return line("  ", variable.expression, "  ", (problem, WARN))
    value = describe(Seen(snapshot.values, variable.node), width=200)
    return line("  ", variable.expression, " = ", value)
