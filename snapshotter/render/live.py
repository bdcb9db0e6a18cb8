"""The live view of ``snap watch``: what the last snapshot saw, what changed, what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.render.diff import change_parts
from snapshotter.render.fit import Facts, Hanging, blank, fold_left, line, sentence
from snapshotter.render.header import main_thread_line, pause_words, process_title, views_of
from snapshotter.render.sanitize import sanitize
from snapshotter.render.styles import EMPHASIS, QUIET, WARN
from snapshotter.render.units import clock, count, duration, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

    from snapshotter.analysis.changes import Diff
    from snapshotter.model import Snapshot

__all__ = ["LiveState", "live_view"]

_MIN_HEIGHT = 6


@dataclass(frozen=True, slots=True)
class LiveState:
    """What the live view shows of one target at one moment. Times are Unix nanoseconds."""

    target: str
    """What the user asked for: "pid 4121"."""
    now_ns: int
    started_ns: int
    interval_ns: int
    next_due_ns: int | None = None
    taken: int = 0
    missed: int = 0
    path: str | None = None
    """The recording's directory."""
    snapshot: Snapshot | None = None
    """The last one."""
    comparison: Diff | None = None
    """Of the last one with the one before."""
    trouble: str | None = None
    """Why the last tick has no snapshot, or why nothing is written; one sentence."""
    ended: str | None = None
    """Why there is nothing left to look at."""
    stopped: str | None = None
    """Why we look no longer."""


def live_view(*states: LiveState) -> RenderableType:
    """Return the live view of one target or several, cut to the height of the terminal."""
    return _Live(states)


class _Live:
    def __init__(self, states: Sequence[LiveState]) -> None:
        self._states = states

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # One line stays free: a terminal that is full to the last line scrolls.
        height = max(_MIN_HEIGHT, (options.height or console.height) - 1)
        share = max(_MIN_HEIGHT, height // max(1, len(self._states)))
        shown = self._states[: max(1, height // share)]
        left = len(self._states) - len(shown)
        if left:
            share -= 1
        for state in shown:
            yield from _fitted(state, console, options, share)
        if left:
            yield line((f"… {plural(left, 'target')} more", QUIET))


def _fitted(
    state: LiveState, console: Console, options: ConsoleOptions, height: int
) -> Iterator[RenderableType]:
    """Yield the head, then as many changes as there is room for, then the foot."""
    head = _lines(_head(state), console, options)
    foot = _lines(_foot(state), console, options)
    changes = _lines(_changes(state), console, options)
    room = height - len(head) - len(foot)
    if len(changes) > room:
        kept = max(0, room - 1)
        hidden = len(changes) - kept
        changes = [*changes[:kept], line((f"   … {plural(hidden, 'line')} more", QUIET))]
    yield from (*head, *changes, *foot)[: max(1, height)]


def _lines(
    parts: Iterator[RenderableType], console: Console, options: ConsoleOptions
) -> list[Text]:
    """Render parts to lines that no longer wrap, so that they can be counted."""
    lines = []
    for part in parts:
        for segments in console.render_lines(part, options, pad=False):
            text = line()
            for segment in segments:
                text.append(segment.text.rstrip("\n"), segment.style)
            lines.append(text)
    return lines


def _head(state: LiveState) -> Iterator[RenderableType]:
    snapshot = state.snapshot
    if snapshot is None:
        yield line((state.target, EMPHASIS))
    else:
        yield process_title(snapshot.process, state.target)
    facts = [f"every {duration(state.interval_ns)}"]
    running_s = max(0, state.now_ns - state.started_ns) // 10**9
    facts += [f"for {duration(running_s * 10**9)}"] if running_s else []
    facts += [plural(state.taken, "snapshot")]
    facts += [f"{count(state.missed)} MISSED"] if state.missed else []
    yield Facts(facts)
    if snapshot is None:
        yield line(("waiting for the first snapshot", QUIET))
    else:
        yield from _last(snapshot)
    if state.trouble:
        yield Hanging("", sentence((state.trouble, WARN)))


def _last(snapshot: Snapshot) -> Iterator[RenderableType]:
    capture, process = snapshot.capture, snapshot.process
    number = "" if snapshot.tick is None else f" {snapshot.tick.sequence}"
    yield line(
        f"last{number} at ", (clock(snapshot.captured_at_ns), EMPHASIS),
        f" UTC, seen from {views_of(capture)}",
    )  # fmt: skip
    facts = [plural(len(snapshot.threads), "thread")]
    facts += [size(process.rss_bytes)] if process.rss_bytes is not None else []
    facts += [plural(process.fds, "fd")] if process.fds is not None else []
    facts += pause_words(capture)
    if snapshot.tick is not None and snapshot.tick.lateness_ns > 0:
        facts.append(f"{duration(snapshot.tick.lateness_ns)} late")
    yield Facts(facts)
    yield from main_thread_line(snapshot)


def _changes(state: LiveState) -> Iterator[RenderableType]:
    if state.comparison is None:
        return
    yield blank()
    yield from change_parts(state.comparison, brief=True)


def _foot(state: LiveState) -> Iterator[RenderableType]:
    yield blank()
    if state.ended:
        yield Hanging("", sentence(("ended: ", WARN), state.ended))
    elif state.stopped:
        yield Hanging("", sentence(("recording ended: ", WARN), state.stopped))
    elif state.next_due_ns is not None:
        yield line((f"next snapshot {_countdown(state)}, Ctrl-C ends", QUIET))
    if state.path and (state.taken or state.trouble or not state.ended):
        yield _Path(state.path)


def _countdown(state: LiveState) -> str:
    left_ns = max(0, (state.next_due_ns or 0) - state.now_ns)
    return f"in {duration(-(-left_ns // 10**9) * 10**9)}" if left_ns else "now"


class _Path:
    def __init__(self, path: str) -> None:
        self._path = sanitize(path)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        yield line(("recording ", QUIET), fold_left(self._path, options.max_width - 10))
