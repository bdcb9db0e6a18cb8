"""Puts the two views of one instant together into a snapshot, and says what is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snapshotter.attach.compilers import PROBE_FILENAME
from snapshotter.attach.reply import NO_TIME, is_about_tasks, is_about_threads
from snapshotter.model import Capture, Interpreter, Pause, Snapshot, Thread, View
from snapshotter.model.limits import limits_for
from snapshotter.record.version import TOOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.attach.inject import Outcome
    from snapshotter.attach.reply import InsideThread, InsideView
    from snapshotter.model import Frame, GcState, ProcessInfo, Task, Variable
    from snapshotter.outside.details import OutsideDetails
    from snapshotter.outside.selection import Selection
    from snapshotter.outside.view import OutsideThread, OutsideView
    from snapshotter.record.options import CaptureOptions

__all__ = ["Names", "Views", "merge"]

_MOVED = "the thread moved on"
_TOO_DEEP = "its outermost frames are missing: there are too many"
_NO_TASKS = "no asyncio tasks: they could not be read from outside"
_NO_OTHER_TASKS = "no asyncio tasks of other makes of loops: they could not be read from outside"

type Names = dict[tuple[int, int], tuple[str | None, bool | None]]
"""(ident, native id) -> name, daemon, as far as an inside view has told them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """All that was read for one snapshot."""

    captured_at_ns: int
    monotonic_ns: int
    process: ProcessInfo
    outside: OutsideView
    inside: InsideView | None
    outcome: Outcome
    details: OutsideDetails | None
    """What the inside view lacks."""
    details_problem: str | None
    """Why there are no details."""
    selection: Selection
    options: CaptureOptions
    runtime_version: str
    free_threaded: bool
    carriers: frozenset[int] = frozenset()
    """Idents of our own threads of earlier snapshots, which may be just ending."""


def merge(views: Views, names: Names) -> Snapshot:
    """Return the snapshot; ``names`` learns the thread names that the inside view tells."""
    threads = _threads(views, names)
    inside, details = views.inside, views.details
    tasks, tasks_total = _tasks(views)
    missing = _missing(views, threads)
    return Snapshot(
        captured_at_ns=views.captured_at_ns,
        monotonic_ns=views.monotonic_ns,
        process=views.process,
        capture=_capture(views, threads, missing),
        threads=threads,
        values=(inside.values if inside else ()) + (details.values if details else ()),
        gc=_gc(views),
        interpreter=_interpreter(views),
        tasks=tasks,
        tasks_total=tasks_total,
        variables=_variables(views),
        tool=TOOL_VERSION,
    )


def _threads(views: Views, names: Names) -> tuple[Thread, ...]:
    told_threads = views.inside.threads if views.inside else ()
    inside = {thread.ident: thread for thread in told_threads if not _runs_probe(thread.frames)}
    told = views.inside or views.details
    known = told.names if told else {}
    merged = []
    for seen in views.outside.threads:
        if _is_ours(seen, views.carriers):
            continue
        key = seen.ident, seen.native_id
        named = known.get(seen.ident)
        if named is not None and (named[0] is not None or key not in names):
            names[key] = named
        name, daemon = names.get(key, (None, None))
        if name is None and seen.is_main:
            name, daemon = "MainThread", False
        if name is None and named is None and known:
            name = seen.os_name  # a thread that ``threading`` does not know, made in C
        # an OS thread has a state, and an ident, in each interpreter that it ever entered
        own = inside.pop(seen.ident, None) if seen.interpreter == 0 else None
        merged.append(_fullest(views, seen, own, name=name, daemon=daemon))
    merged.extend(_new_thread(thread) for thread in inside.values())
    _forget_ended(names, {(thread.ident, thread.native_id) for thread in merged})
    return tuple(merged)


def _is_ours(seen: OutsideThread, carriers: frozenset[int]) -> bool:
    """Whether it is a carrier thread: it runs the probe, or did, and has no Python left to run."""
    if _runs_probe(seen.frames):
        return not seen.is_main
    # an application's thread may get the same ident later, but has frames
    return not seen.frames and seen.ident in carriers


def _runs_probe(frames: tuple[Frame, ...]) -> bool:
    return any(frame.filename == PROBE_FILENAME for frame in frames)


def _forget_ended(names: Names, alive: set[tuple[int, int | None]]) -> None:
    for key in [key for key in names if key not in alive]:
        del names[key]


def _fullest(
    views: Views,
    seen: OutsideThread,
    own: InsideThread | None,
    *,
    name: str | None,
    daemon: bool | None,
) -> Thread:
    """Return the thread as the probe saw it, or from outside if that gives more locals."""
    thread = _thread(seen, own, name=name, daemon=daemon)
    if own is not None and not own.lacks_locals:
        return thread
    found = _with_details(views, _thread(seen, None, name=name, daemon=daemon))
    if own is None:
        return found
    # the main thread may just be leaving the probe
    is_of_application = found.complete and not _runs_probe(found.frames)
    return found if is_of_application and _lacking(found) < _lacking(thread) else thread


def _lacking(thread: Thread) -> int:
    """Frames whose locals are not, or not all, there."""
    return sum(1 for frame in thread.frames if frame.locals_missing)


def _thread(
    seen: OutsideThread, own: InsideThread | None, *, name: str | None, daemon: bool | None
) -> Thread:
    stack, known = seen.stack, seen.stack or seen.outer
    common = Thread(
        ident=seen.ident,
        native_id=seen.native_id,
        name=name,
        daemon=daemon,
        is_main=seen.is_main,
        view=View.OUTSIDE,
        at_ns=known.at_ns if known else 0,
        frames=seen.frames,
        complete=stack is not None and not stack.truncated,
        note=_TOO_DEEP if stack is not None and stack.truncated else seen.problem,
        counters=seen.counters,
        outside=stack,
        holds_gil=seen.holds_gil,
        interpreter=seen.interpreter,
    )
    if own is None:
        return common
    return replace(
        common,
        view=View.INSIDE,
        at_ns=own.at_ns,
        frames=own.frames,
        complete=own.complete,
        note=None if own.complete else "only its innermost frames were taken",
    )


def _with_details(views: Views, thread: Thread) -> Thread:
    """Add the locals that were read from outside, with the stack that they belong to."""
    if views.details is None:
        return thread
    key = thread.ident, thread.native_id or 0, thread.interpreter
    details = views.details.threads.get(key)
    if details is not None and details.frames:
        found = replace(thread, frames=details.frames, at_ns=details.at_ns)
        is_cut = thread.outside is not None and thread.outside.truncated
        return found if is_cut else replace(found, complete=True, note=None)
    origins = [frame.origin for frame in thread.frames]
    selected = views.selection.frames(origins, limits_for(views.options.values).app_frames)
    frames = list(thread.frames)
    reason = NO_TIME if views.details.is_late else _MOVED
    for place in selected:
        frames[place] = replace(frames[place], locals_missing=reason)
    return replace(thread, frames=tuple(frames))


def _gc(views: Views) -> GcState | None:
    """The inside view's figures, with the runs that only the outside view can tell."""
    inside = views.inside.gc if views.inside else None
    outside = views.details.gc if views.details else None
    if inside is None or outside is None:
        return inside or outside
    return replace(inside, recent=outside.recent)


def _tasks(views: Views) -> tuple[tuple[Task, ...], int | None]:
    """The tasks, and how many there are: the probe knows only loops that asyncio itself turns."""
    told, inside, details = _tells_tasks(views), views.inside, views.details
    if told is None:
        return (), None
    if told is details or inside is None:
        return told.tasks, told.tasks_total
    if details is None:
        return inside.tasks, None if _refused(inside) else inside.tasks_total
    if details.tasks_total is None:
        return inside.tasks, None  # those of other loops are not known
    if inside.lacks_tasks:
        return inside.tasks, inside.tasks_total
    return inside.tasks + details.tasks, inside.tasks_total + details.tasks_total


def _refused(inside: InsideView) -> bool:
    """Whether the probe could not even count tasks."""
    return inside.lacks_tasks and not inside.tasks_total


def _tells_tasks(views: Views) -> InsideView | OutsideDetails | None:
    """The view whose tasks stand in the snapshot: the other one where the probe left some out."""
    inside, details = views.inside, views.details
    if inside is None:
        return details
    is_better = (
        inside.lacks_tasks
        and details is not None
        and details.tasks_total is not None
        and len(details.tasks) >= len(inside.tasks)
    )
    return details if is_better else inside


def _new_thread(own: InsideThread) -> Thread:
    """A thread that came between the outside and the inside view."""
    return Thread(
        ident=own.ident,
        native_id=None,
        name=own.name,
        daemon=own.daemon,
        is_main=False,
        view=View.INSIDE,
        at_ns=own.at_ns,
        frames=own.frames,
        complete=own.complete,
        note="it began while the snapshot was taken",
    )


def _missing(views: Views, threads: tuple[Thread, ...]) -> tuple[str, ...]:
    missing = []
    if views.inside is None:
        missing.append(f"no inside view: {views.outcome.problem}")
        missing.extend(_not_from_outside(views))
    else:
        tasks_told = _tells_tasks(views) is views.inside
        threads_told = views.details is None
        for text in views.inside.missing:
            is_told_elsewhere = (is_about_tasks(text) and not tasks_told) or (
                is_about_threads(text) and not threads_told
            )
            if not is_told_elsewhere:
                missing.append(text)
        if not tasks_told or not views.inside.lacks_tasks:
            missing.extend(_tasks_left_out(views.details))
        if views.details and views.details.tasks_total is None:
            missing.append(_NO_OTHER_TASKS if views.inside.tasks else _NO_TASKS)
    torn = sum(1 for thread in threads if not thread.complete)
    if torn:
        missing.append(f"the {_stacks(torn, len(threads))} not complete")
    cut = sum(_lacking(thread) for thread in threads)
    if cut:
        frames = "frame" if cut == 1 else "frames"
        missing.append(f"locals of {cut} {frames} are not, or not all, there")
    missing.extend(_unread(views))
    return tuple(missing)


def _stacks(torn: int, threads: int) -> str:
    if threads == 1:
        return "stack of its only thread is"
    stacks, verb = ("stack", "is") if torn == 1 else ("stacks", "are")
    return f"{stacks} of {torn} of {threads} threads {verb}"


def _not_from_outside(views: Views) -> Iterator[str]:
    details = views.details
    if details is None:
        yield f"so no locals, GC statistics, tasks and variables: {views.details_problem}"
        return
    if details.gc is None:
        yield "no GC statistics: they could not be read from outside"
    if details.tasks_total is None:
        yield _NO_TASKS
    yield from _tasks_left_out(details)


def _tasks_left_out(details: OutsideDetails | None) -> Iterator[str]:
    if details is None or details.tasks_total is None:
        return
    left_out = details.tasks_total - len(details.tasks)
    if left_out == 1:
        yield "the stack of 1 asyncio task was left out"
    elif left_out > 1:
        yield f"the stacks of {left_out} asyncio tasks were left out"


def _variables(views: Views) -> tuple[Variable, ...]:
    """Return those that the probe told, and from outside what it had no time for."""
    found = views.details.variables if views.details else ()
    if views.inside is None:
        return found
    fuller = {one.expression: one for one in found}
    return tuple(fuller.get(one.expression, one) for one in views.inside.variables)


def _unread(views: Views) -> Iterator[str]:
    yield from (f"{one.expression}: {one.problem}" for one in _variables(views) if one.problem)
    if views.inside is not None and views.details is None:
        yield from (f"{one}: no time was left for it" for one in views.inside.variables_left_out)


def _capture(views: Views, threads: tuple[Thread, ...], missing: tuple[str, ...]) -> Capture:
    inside, outcome, outside = views.inside, views.outcome, views.outside
    details = views.details
    both = (View.OUTSIDE, View.INSIDE) if inside else (View.OUTSIDE,)
    times = [thread.at_ns for thread in threads if thread.at_ns]
    delivery = None
    if inside and outcome.asked_at_ns is not None:
        delivery = max(0, inside.started_ns - outcome.asked_at_ns)
    return Capture(
        views=both,
        complete=not missing,
        carrier=inside.carrier if inside else None,
        slices=inside.slices if inside else None,
        pause=Pause(inside.pause_max_ns, inside.pause_total_ns) if inside else None,
        delivery_ns=delivery,
        armed_ns=outcome.armed_ns,
        skew_ns=max(times) - min(times) if times else None,
        main=outside.main,
        main_detail=outside.main_detail,
        locals=views.options.locals,
        values=views.options.values,
        missing=missing,
        probe=inside.probe if inside else None,
        reply_bytes=len(outcome.reply) if outcome.reply is not None else None,
        asked_thread=outcome.thread,
        holds=outcome.holds or None,
        held_ns=outcome.held_ns if outcome.holds else None,
        woken="loop" if outcome.woken else None,
        outside_ns=outside.duration_ns + (details.duration_ns if details else 0),
    )


def _interpreter(views: Views) -> Interpreter:
    """Figures of the inside view, and those that only the outside view has."""
    known = views.inside.interpreter if views.inside else Interpreter(version="")
    return replace(
        known,
        version=views.runtime_version,
        interpreters=views.outside.interpreters,
        free_threaded=views.free_threaded,
        gil_holder=views.outside.gil_holder,
    )
