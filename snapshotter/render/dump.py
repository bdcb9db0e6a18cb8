"""The view of one snapshot, and the closer view of one of its threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group as Renderables

from snapshotter.analysis.signatures import module_of
from snapshotter.render.fit import Facts, Hanging, blank, line, sentence
from snapshotter.render.header import (
    capture_lines,
    main_thread_line,
    missing_lines,
    process_lines,
)
from snapshotter.render.options import ViewOptions
from snapshotter.render.stacks import Stack
from snapshotter.render.styles import EMPHASIS, QUIET, WARN
from snapshotter.render.tables import (
    collector_section,
    interpreter_section,
    tasks_section,
    tasks_unseen,
    variables_section,
)
from snapshotter.render.threads import (
    counter_facts,
    dwell_text,
    identity_words,
    name_of,
    threads_section,
)
from snapshotter.render.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from snapshotter.analysis.changes import Diff
    from snapshotter.analysis.dwell import Dwell
    from snapshotter.model import Snapshot, Thread

__all__ = ["dump_view", "find_threads", "snapshot_parts", "thread_view"]

_DEFAULT = ViewOptions()


def dump_view(
    snapshot: Snapshot,
    *,
    options: ViewOptions = _DEFAULT,
    comparison: Diff | None = None,
    dwells: Sequence[Dwell] = (),
) -> RenderableType:
    """Return everything a snapshot holds; with a comparison, what changed comes first."""
    parts: list[RenderableType] = [
        *process_lines(snapshot),
        *capture_lines(snapshot),
        *main_thread_line(snapshot),
        *missing_lines(snapshot),
    ]
    sections = snapshot_parts(snapshot, options=options, dwells=dwells)
    if comparison is None:
        return Renderables(*parts, *sections)
    from snapshotter.render.diff import change_parts, figure_parts  # noqa: PLC0415 -- start-up

    parts += [blank(), *change_parts(comparison), *sections, *figure_parts(comparison)]
    return Renderables(*parts)


def snapshot_parts(
    snapshot: Snapshot, *, options: ViewOptions = _DEFAULT, dwells: Sequence[Dwell] = ()
) -> Iterator[RenderableType]:
    """Yield the sections of a snapshot below its head, each after an empty line."""
    yield blank()
    yield threads_section(snapshot, options=options, dwells=dwells)
    if snapshot.tasks or snapshot.tasks_total:
        yield blank()
        yield tasks_section(snapshot)
    elif snapshot.tasks_total is None and _runs_a_loop(snapshot):
        yield blank()
        yield tasks_unseen()
    if snapshot.variables:
        yield blank()
        yield variables_section(snapshot)
    if snapshot.gc is not None:
        yield blank()
        yield collector_section(snapshot.gc, now_ns=snapshot.monotonic_ns)
    if snapshot.interpreter is not None:
        yield blank()
        yield interpreter_section(snapshot.interpreter)


def _runs_a_loop(snapshot: Snapshot) -> bool:
    frames = (frame for thread in snapshot.threads for frame in thread.frames)
    return any(module_of(frame.filename).startswith("asyncio.") for frame in frames)


def find_threads(snapshot: Snapshot, wanted: str) -> tuple[Thread, ...]:
    """Return the threads that have this name, ident (decimal or hexadecimal) or native id."""
    number = _number(wanted)
    return tuple(
        thread
        for thread in snapshot.threads
        if wanted in {thread.name, name_of(thread)}
        or (number is not None and number in {thread.ident, thread.native_id})
    )


def _number(wanted: str) -> int | None:
    try:
        return int(wanted, 0)
    except ValueError:
        return None


def thread_view(
    snapshot: Snapshot,
    threads: Sequence[Thread],
    *,
    dwells: Sequence[Dwell] = (),
    comparison: Diff | None = None,
) -> RenderableType:
    """Return all of these threads, values expanded; with a comparison, what changed of them."""
    parts: list[RenderableType] = [*process_lines(snapshot), *capture_lines(snapshot)]
    closer = [part for each in threads for part in _thread_parts(each, snapshot, dwells)]
    if comparison is None:
        return Renderables(*parts, *closer)
    from snapshotter.render.diff import change_parts, figure_parts  # noqa: PLC0415 -- start-up

    parts += [blank(), *change_parts(comparison), *closer, *figure_parts(comparison)]
    return Renderables(*parts)


def _thread_parts(
    thread: Thread, snapshot: Snapshot, dwells: Sequence[Dwell]
) -> Iterator[RenderableType]:
    """Yield an empty line, and all that is known of one thread."""
    words = [f"ident {thread.ident:#x}", *identity_words(thread)]
    words += ["holds the GIL"] if thread.holds_gil else []
    words.append(f"seen from {thread.view}")
    yield blank()
    yield line((name_of(thread), EMPHASIS))
    yield Facts(words, prefix="  ")
    if thread.counters is not None:
        yield Facts(counter_facts(thread.counters), prefix="  ", style="")
    for run in dwells:
        if run.thread is thread and run.snapshots > 1:
            yield Hanging("  ", dwell_text(run))
    if thread.note or not thread.complete:
        yield Hanging("  ", sentence((thread.note or "the stack is not complete", WARN)))
    frames = plural(len(thread.frames), "frame")
    yield line((f"  {frames}, most recent call first, all captured locals", QUIET))
    yield Stack(thread.frames, snapshot, locals_="all", expanded=True)
