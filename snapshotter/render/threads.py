"""Threads grouped by signature, with the idle ones out of the way and counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group as Renderables

from snapshotter.analysis.align import ThreadIndex
from snapshotter.analysis.idle import thread_idle_reason
from snapshotter.analysis.movement import Movement
from snapshotter.analysis.signatures import group_threads, place_signature
from snapshotter.model import View
from snapshotter.render.fit import SEPARATOR, Facts, Hanging, blank, line, names_of, sentence
from snapshotter.render.stacks import Stack
from snapshotter.render.styles import (
    EMPHASIS,
    HEADING,
    MOVEMENT,
    MOVEMENT_WORDS,
    MOVEMENT_WORDS_MANY,
    QUIET,
    WARN,
)
from snapshotter.render.units import clock, cores, count, duration, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from snapshotter.analysis.dwell import Dwell, Stretch
    from snapshotter.analysis.signatures import Group
    from snapshotter.model import Counters, Snapshot, Thread
    from snapshotter.render.options import ViewOptions

__all__ = [
    "counter_facts",
    "dwell_text",
    "identity_words",
    "name_of",
    "threads_section",
    "whole_run_words",
]

_STATES = {
    "R": "on a processor or waiting for one",
    "S": "asleep",
    "D": "in uninterruptible sleep",
    "T": "stopped",
    "t": "stopped by a debugger",
    "Z": "ended",
    "I": "idle",
}


def name_of(thread: Thread) -> str:
    """Return a thread's name, or what stands for it when the view did not tell."""
    if thread.name:
        return thread.name
    if thread.is_main:
        return "MainThread"
    return f"thread {thread.native_id if thread.native_id is not None else hex(thread.ident)}"


def threads_section(
    snapshot: Snapshot, *, options: ViewOptions, dwells: Sequence[Dwell] = ()
) -> RenderableType:
    """Return the threads of a snapshot: groups that do something, then how many were hidden."""
    busy, idle = _split(snapshot.threads, options)
    groups = group_threads((*busy, *idle) if options.show_all else busy)
    hidden = {id(thread) for thread in idle}
    groups = tuple(sorted(groups, key=lambda group: id(group.threads[0]) in hidden))
    parts: list[RenderableType] = [_heading(snapshot, groups)]
    parts += [sentence("All threads wait for work.")] if idle and not busy else []
    for group in groups:
        parts += [blank(), *_group_parts(group, snapshot, options, dwells)]
    if idle and not options.show_all:
        parts += [blank(), _hidden(idle, options)]
    return Renderables(*parts)


def _split(threads: Sequence[Thread], options: ViewOptions) -> tuple[list[Thread], list[Thread]]:
    busy: list[Thread] = []
    idle: list[Thread] = []
    for thread in threads:
        reason = thread_idle_reason(thread, options.catalogue)
        (busy if reason is None else idle).append(thread)
    return busy, idle


def _heading(snapshot: Snapshot, groups: Sequence[Group]) -> Text:
    shown = sum(len(group.threads) for group in groups)
    total = len(snapshot.threads)
    number = count(total) if shown == total else f"{count(shown)} of {count(total)}"
    different = _different_stacks(groups)
    stacks = f" with {count(different)} different stacks" if different > 1 else ""
    if different == 1 and shown > 1:
        stacks = " with the same stack"
    order = ", most recent call first" if groups else ""
    return line(("Threads", HEADING), f"  {number}{stacks}", (order, QUIET))


def _different_stacks(groups: Sequence[Group]) -> int:
    """Count stacks; one that was seen from two views makes two groups, half a stack equals none."""
    whole = [place_signature(group.frames) for group in groups if group.threads[0].complete]
    return len(set(whole)) + len(groups) - len(whole)


def _group_parts(
    group: Group, snapshot: Snapshot, options: ViewOptions, dwells: Sequence[Dwell]
) -> Iterator[RenderableType]:
    first = group.threads[0]
    if len(group.threads) == 1:
        yield _title_of_one(first, snapshot)
        yield from _facts_of_one(first)
    else:
        names = names_of([name_of(thread) for thread in group.threads], shown=10)
        number = plural(len(group.threads), "thread")
        view = ", seen from outside" if _is_exception(first, snapshot) else ""
        yield Hanging("", sentence((f"{number} with this stack{view}: ", EMPHASIS), names))
        yield from _facts_of_many(group)
    yield from _dwell_lines(group.threads, dwells)
    idle = thread_idle_reason(group.threads[0], options.catalogue)
    if idle is not None:
        yield line(("  idle: ", QUIET), (idle, QUIET))
    example = _with_locals(group.threads) if options.locals != "none" else None
    if example is not None and len(group.threads) > 1:
        yield line((f"  locals are those of {name_of(example)}", QUIET))
    yield Stack((example or first).frames, snapshot, locals_=options.locals)


def _title_of_one(thread: Thread, snapshot: Snapshot) -> Text:
    words = identity_words(thread)
    if _is_exception(thread, snapshot):
        words.append("seen from outside")
    title = line((name_of(thread), EMPHASIS), "  ", (SEPARATOR.join(words), QUIET))
    return title.append("  ·  holds the GIL", WARN) if thread.holds_gil else title


def _is_exception(thread: Thread, snapshot: Snapshot) -> bool:
    """Whether it was seen from outside in a snapshot from inside."""
    return thread.view is View.OUTSIDE and View.INSIDE in snapshot.capture.views


def identity_words(thread: Thread) -> list[str]:
    """Return what besides its name tells which thread it is."""
    words = [] if thread.native_id is None else [f"native {thread.native_id}"]
    words += ["main thread"] if thread.is_main and name_of(thread) != "MainThread" else []
    words += ["daemon"] if thread.daemon else []
    words += [f"interpreter {thread.interpreter}"] if thread.interpreter else []
    return words


def _facts_of_one(thread: Thread) -> Iterator[RenderableType]:
    if thread.counters is not None:
        yield Facts(counter_facts(thread.counters), prefix="  ")
    if not thread.complete or thread.note:
        note = thread.note or "the stack is not complete"
        yield Hanging("  ", sentence((note, WARN)))


def counter_facts(counters: Counters) -> list[str]:
    """Return facts such as "asleep in futex_do_wait" and "40 ms processor time"."""
    state = _STATES.get(counters.state, f"state {counters.state}")
    parts = [f"{state} in {counters.wchan}" if counters.wchan else state]
    switches = [
        f"{count(number)} {kind}"
        for number, kind in (
            (counters.voluntary_switches, "voluntary"),
            (counters.involuntary_switches, "involuntary"),
        )
        if number is not None
    ]
    parts += [f"{', '.join(switches)} switches"] if switches else []
    if counters.cpu_ns is not None:
        parts.append(f"{duration(counters.cpu_ns)} processor time")
    return parts


def _facts_of_many(group: Group) -> Iterator[RenderableType]:
    states = Counter(
        _STATES.get(thread.counters.state, thread.counters.state)
        for thread in group.threads
        if thread.counters is not None
    )
    if states:
        words = (
            f"all {state}" if number == len(group.threads) else f"{count(number)} {state}"
            for state, number in states.most_common()
        )
        yield Facts(words, prefix="  ")
    holder = next((thread for thread in group.threads if thread.holds_gil), None)
    if holder is not None:
        yield line("  ", (f"{name_of(holder)} holds the GIL", WARN))


def _dwell_lines(threads: Sequence[Thread], dwells: Sequence[Dwell]) -> Iterator[RenderableType]:
    """Yield one line for each movement that threads of a group have had since they stand here."""
    found: dict[Movement, list[Dwell]] = {}
    index = ThreadIndex(threads)
    for run in dwells:
        kind = run.strongest.movement
        if kind is not None and index.find(run.thread) is not None:
            found.setdefault(kind, []).append(run)
    for runs in found.values():
        shortest = min(runs, key=lambda run: run.strongest.duration_ns)
        some = len(runs) < len(threads)
        who = f"{names_of([name_of(run.thread) for run in runs])}: " if some else ""
        yield Hanging("  ", sentence(who, dwell_text(shortest, many=len(runs) > 1)))


def dwell_text(run: Dwell, *, many: bool = False) -> Text:
    """Return since when a thread stands where it stands, and what the kernel says of it."""
    told = run.strongest
    if told.movement is None:
        return sentence(("not seen at this place before", QUIET))
    share = ""
    if told.counters is not None and told.counters.cores and not many:
        share = f" ({cores(told.counters.cores)})"
    words = _movement_words(told, many=many)
    return sentence(
        (told.movement.value, MOVEMENT[told.movement]),
        f" at this place for at least {duration(told.duration_ns)}"
        f" ({told.snapshots} snapshots, since {clock(told.since_ns)}):"
        f" {words}{share}",
        f"; {whole_run_words(run, least='at least ')}" if run.tail else "",
    )


def _movement_words(told: Stretch, *, many: bool) -> str:
    """Return what the kernel says of it."""
    if told.movement is Movement.UNKNOWN and told.counters is not None and told.counters.stops:
        return "stopped or continued in between, and that alone wakes a thread"
    return (MOVEMENT_WORDS_MANY if many else MOVEMENT_WORDS)[told.movement or Movement.UNKNOWN]


def whole_run_words(run: Dwell, *, least: str = "") -> str:
    """Return for how long it has been at its place, whatever it did there."""
    return f"at the same place for {least}{duration(run.duration_ns)} ({run.snapshots} snapshots)"


def _with_locals(threads: Sequence[Thread]) -> Thread | None:
    return next((each for each in threads if any(f.locals for f in each.frames)), None)


def _hidden(idle: Sequence[Thread], options: ViewOptions) -> RenderableType:
    reasons = Counter(thread_idle_reason(thread, options.catalogue) for thread in idle)
    words = ", ".join(f"{count(number)} × {reason}" for reason, number in reasons.most_common())
    hidden = plural(len(idle), "idle thread")
    among, them = (" among them", "them") if len(idle) > 1 else ("", "it")
    main = f", the main thread{among}" if any(thread.is_main for thread in idle) else ""
    return Hanging("", sentence((f"{hidden} hidden{main}: {words} (--all shows {them})", QUIET)))
