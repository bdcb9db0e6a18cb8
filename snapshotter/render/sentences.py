"""What changed, in sentences: the number, the name and the place first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.analysis.changes import Change, Unit
from snapshotter.analysis.movement import Movement, SamePlace, same_place
from snapshotter.analysis.signatures import is_console_script, place_signature
from snapshotter.model import Origin
from snapshotter.render.fit import clip, fold_left, names_of, place_of, sentence
from snapshotter.render.sanitize import sanitize
from snapshotter.render.styles import (
    BAD,
    EMPHASIS,
    GOOD,
    MOVEMENT,
    MOVEMENT_WORDS,
    MOVEMENT_WORDS_MANY,
    QUIET,
    WARN,
)
from snapshotter.render.threads import name_of, whole_run_words
from snapshotter.render.units import (
    cores,
    count,
    duration,
    plural,
    rate,
    signed,
    signed_size,
    size,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from snapshotter.analysis.changes import Diff, Figure, LocalChange, Resize, ThreadChange
    from snapshotter.model import Frame, Thread

__all__ = ["change_sentences", "place_words", "stay_sentences", "thread_place"]

MAX_RESIZES = 12
_MAX_PLACE = 60
_MAX_NAME = 40
_STAY_ORDER = (Movement.FROZEN, Movement.SPINNING, Movement.POLLING, Movement.REPEATING)


def place_words(frames: Sequence[Frame], cwd: str | None) -> str:
    """Return "orders/db.py:88 Pool.get": the innermost frame of the application.

    Without one it is that of a library, else the innermost of all. Where that called something
    else, the innermost call of all follows: "(in Condition.wait)".
    """
    if not frames:
        return "outside Python"
    own = _telling(frames)
    place = f"{_place(own, cwd)} {_call(own)}"
    return place if own is frames[0] else f"{place} (in {_call(frames[0])})"


def thread_place(thread: Thread, cwd: str | None) -> str:
    """Return where a thread is; where its innermost calls are not known, what they come from."""
    words = place_words(thread.frames, cwd)
    return f"in calls from {words}" if thread.lacks_innermost else words


def _telling(frames: Sequence[Frame]) -> Frame:
    """Choose the frame that a reader knows best."""
    for origin in (Origin.APP, Origin.LIBRARY):
        for frame in frames:
            if frame.origin is origin and not is_console_script(frame):
                return frame
    return frames[0]


def _place(frame: Frame, cwd: str | None) -> str:
    return fold_left(sanitize(place_of(frame, cwd)), _MAX_PLACE)


def _call(frame: Frame) -> str:
    return clip(sanitize(frame.qualname), _MAX_PLACE)


def _names(changes: Sequence[ThreadChange], *, shown: int = 6) -> str:
    ordered = sorted((each.thread for each in changes), key=lambda thread: thread.native_id or 0)
    return names_of([clip(sanitize(name_of(each)), _MAX_NAME) for each in ordered], shown=shown)


def change_sentences(diff: Diff, *, cwd: str | None = None) -> Iterator[Text]:
    """Yield what changed between two snapshots, what is gravest first."""
    if not diff.same_process:
        yield sentence(("These are two different processes", BAD), ": ", _two_processes(diff))
        return
    yield from stay_sentences(diff, cwd=cwd)
    if diff.nothing_changed:
        yield _nothing(diff)
    yield from _came_and_went(diff, cwd)
    yield from (_resize(each, cwd) for each in diff.resizes[:MAX_RESIZES])
    if len(diff.resizes) > MAX_RESIZES:
        more = len(diff.resizes) - MAX_RESIZES
        yield sentence((f"{plural(more, 'container')} more changed in length.", QUIET))
    yield from _memory(diff)
    yield from _tasks(diff)
    yield from _collector(diff)
    yield from _moved(diff, cwd)
    yield from _locals(diff, cwd)


def _two_processes(diff: Diff) -> str:
    old, new = diff.baseline.process, diff.current.process
    if old.pid == new.pid:
        return f"pid {new.pid} was started again, or ran exec, in between."
    here = "this host"
    return f"pid {old.pid} on {old.host or here} and pid {new.pid} on {new.host or here}."


def _nothing(diff: Diff) -> Text:
    compared = " that were compared" if diff.not_compared else ""
    return sentence(
        ("Nothing changed", GOOD),
        f" in {duration(abs(diff.elapsed.ns))}: {_at_their_places(diff)}none of the locals,"
        f" containers, tasks and figures{compared} is different.",
    )


def _at_their_places(diff: Diff) -> str:
    sides = [(each.before, each.after) for each in diff.threads]
    known = sum(
        old is not None and new is not None and same_place(old, new) is SamePlace.YES
        for old, new in sides
    )
    if not known and diff.threads:
        return ""
    return f"{plural(known, 'thread')} at the same place{'' if known == 1 else 's'}, and "


def stay_sentences(diff: Diff, *, cwd: str | None = None) -> Iterator[Text]:
    """Yield one sentence for the threads (idle ones aside) that stand at one place alike."""
    groups: dict[object, list[ThreadChange]] = {}
    for change in diff.threads:
        if change.stays and change.idle is None and change.after is not None:
            key = (_span(change, diff)[2], place_signature(change.after.frames))
            groups.setdefault(key, []).append(change)
    ordered = sorted(groups.values(), key=lambda group: _STAY_ORDER.index(_span(group[0], diff)[2]))
    for group in ordered:
        yield _stay(group, diff, cwd)


def _span(change: ThreadChange, diff: Diff) -> tuple[int, int, Movement]:
    """Return how long, over how many snapshots, and how: over its whole run where it is known."""
    run = change.dwell
    if run is not None and (told := run.strongest).movement in _STAY_ORDER:
        return told.duration_ns, told.snapshots, told.movement
    return diff.elapsed.ns, 2, change.movement or Movement.UNKNOWN


def _stay(group: Sequence[ThreadChange], diff: Diff, cwd: str | None) -> Text:
    spans = [_span(change, diff) for change in group]
    time_ns, snapshots, kind = min(spans, key=lambda span: span[0])
    names = _names(group, shown=4)
    many = len(group) > 1
    who = f"{plural(len(group), 'thread')} " if many else ""
    least = "at least " if len({span[0] for span in spans}) > 1 else ""
    verb = _VERBS[kind][many]
    return sentence(
        (who if many else f"{names} ", EMPHASIS),
        (verb, MOVEMENT[kind]),
        f" for {least}{duration(time_ns)} ({snapshots} snapshots): ",
        (place_words(group[0].thread.frames, cwd), EMPHASIS),
        f"; {_reason(kind, group)}{_before(group)}",
        (f" ({names})" if many else "", QUIET),
    )


_VERBS = {
    Movement.FROZEN: ("has not moved", "have not moved"),
    Movement.SPINNING: ("has been spinning", "have been spinning"),
    Movement.POLLING: ("has been polling", "have been polling"),
    Movement.REPEATING: ("has been at one place", "have been at one place"),
}


def _before(group: Sequence[ThreadChange]) -> str:
    """Return for how long one thread has been there when that is longer than it did alike."""
    run = group[0].dwell
    return f"; {whole_run_words(run)}" if len(group) == 1 and run and run.tail else ""


def _reason(kind: Movement, group: Sequence[ThreadChange]) -> str:
    if len(group) > 1:
        return MOVEMENT_WORDS_MANY[kind]
    words = MOVEMENT_WORDS[kind]
    run = group[0].dwell
    counters = run.strongest.counters if run else group[0].counters
    if counters is None or not counters.cores or kind is Movement.FROZEN:
        return words
    return f"{words}, {cores(counters.cores)}"


def _came_and_went(diff: Diff, cwd: str | None) -> Iterator[Text]:
    for change, verb, verbs, style in (
        (Change.ADDED, "is new", "are new", WARN),
        (Change.REMOVED, "is gone", "are gone", WARN),
    ):
        found = [each for each in diff.threads if each.change is change]
        if not found:
            continue
        names = _names(found)
        number = "" if len(found) == 1 else f"{plural(len(found), 'thread')} "
        place = f": {thread_place(found[0].thread, cwd)}" if len(found) == 1 else f": {names}"
        yield sentence(
            (number or f"{names} ", EMPHASIS), (verb if not number else verbs, style), place
        )


def _resize(resize: Resize, cwd: str | None) -> Text:
    figure = resize.figure
    where = " (variable)"
    if resize.frame is not None:
        where = f" in {_place(resize.frame, cwd)} {_call(resize.frame)}"
    verb = "grew" if figure.delta > 0 else "shrank"
    pace = rate(figure.rate_per_s)
    return sentence(
        (clip(sanitize(resize.expression), _MAX_PLACE), EMPHASIS),
        f"{where} ",
        (verb, WARN if figure.delta > 0 else ""),
        f" {count(figure.before)} -> {count(figure.after)} ({pace or signed(figure.delta)})",
    )


def _memory(diff: Diff) -> Iterator[Text]:
    for figure in diff.process:
        if not figure.delta or figure.name not in {"resident memory", "file descriptors"}:
            continue
        in_bytes = figure.unit is Unit.BYTES
        number = size if in_bytes else count
        old, new = number(figure.before), number(figure.after)
        if old == new:
            continue  # A page or two: less than the number shows.
        verb = "grew" if figure.delta > 0 else "fell"
        change = signed_size(figure.delta) if in_bytes else signed(figure.delta)
        pace = rate(figure.rate_per_s, in_bytes=in_bytes) or change
        yield sentence((figure.name.capitalize(), EMPHASIS), f" {verb} {old} -> {new} ({pace})")


def _tasks(diff: Diff) -> Iterator[Text]:
    if diff.tasks is None:
        return
    numbers = [
        (sum(each.change is change for each in diff.tasks.changes), word)
        for change, word in (
            (Change.ADDED, "new"), (Change.REMOVED, "gone"), (Change.CHANGED, "elsewhere"),
        )
    ]  # fmt: skip
    words = ", ".join(f"{count(number)} {word}" for number, word in numbers if number)
    total: Figure | None = diff.tasks.total
    if words or (total is not None and total.delta):
        now = "" if total is None else f"{count(total.before)} -> {count(total.after)}"
        yield sentence(("Tasks ", EMPHASIS), now, ": " if now and words else "", words)


def _collector(diff: Diff) -> Iterator[Text]:
    for words in diff.gc_settings:
        yield sentence((words, WARN))
    stuck = sum(each.uncollectable.delta for each in diff.gc)
    if stuck > 0:
        yield sentence((f"{plural(stuck, 'object')} more could not be collected.", WARN))


def _moved(diff: Diff, cwd: str | None) -> Iterator[Text]:
    moved = [each for each in diff.threads if each.movement is Movement.MOVED]
    # Who waited for work, and waits again, only did its work.
    moved = [each for each in moved if each.idle is None or not _is_back(each)]
    if len(moved) > 1:
        yield sentence((f"{plural(len(moved), 'thread')} moved: ", EMPHASIS), _names(moved))
    for each in moved[:1] if len(moved) == 1 else ():
        yield sentence((_names(moved), EMPHASIS), f" moved{_from_to(each, cwd)}")


def _is_back(change: ThreadChange) -> bool:
    old, new = change.before, change.after
    if old is None or new is None:
        return False
    return place_signature(old.frames) == place_signature(new.frames)


def _from_to(change: ThreadChange, cwd: str | None) -> str:
    if change.before is None or change.after is None:
        return ""
    old, new = thread_place(change.before, cwd), thread_place(change.after, cwd)
    if old != new:
        return f": {old} -> {new}"
    if _is_back(change):
        return f" and is back: {new}"
    for was, now in zip(
        reversed(change.before.frames), reversed(change.after.frames), strict=False
    ):
        if place_signature((was,)) != place_signature((now,)):
            return f": {_place(was, cwd)} {_call(was)} -> {_place(now, cwd)} {_call(now)}"
    return f" within {new}"


def _locals(diff: Diff, cwd: str | None) -> Iterator[Text]:
    changed = diff.changed_locals
    told = {each.after.node for each in diff.resizes[:MAX_RESIZES]}
    if all(_is_told(each, told) for each in changed):
        return
    number = plural(len(changed), "local")
    if len(changed) == 1:
        frame = changed[0].frame
        name = clip(sanitize(changed[0].name), _MAX_NAME)
        yield sentence(f"{number} changed: {name} in {_place(frame, cwd)} {_call(frame)}")
        return
    frames = plural(len({(id(each.thread), id(each.frame)) for each in changed}), "frame")
    names = [clip(sanitize(name), _MAX_NAME) for name in dict.fromkeys(c.name for c in changed)]
    yield sentence(f"{number} changed in {frames}: {names_of(names)}")


def _is_told(local: LocalChange, resized: set[int]) -> bool:
    """Tell whether a local differs only in and below containers that are told to have grown."""
    grown = [
        each.path
        for each in local.changes
        if each.length_delta and each.after is not None and each.after.node in resized
    ]
    return all(each.path.startswith(tuple(grown)) for each in local.changes)
