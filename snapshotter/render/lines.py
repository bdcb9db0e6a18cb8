"""One line per event for pipes: ``key=value`` pairs that stay where they are.

Every line starts with an RFC 3339 time in UTC and what happened. Values have no spaces; free text
comes last, in double quotes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from snapshotter.analysis.changes import Change
from snapshotter.analysis.idle import CATALOGUE, thread_idle_reason
from snapshotter.analysis.movement import Movement
from snapshotter.render.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snapshotter.analysis.changes import Diff
    from snapshotter.analysis.idle import IdlePattern
    from snapshotter.model import Missed, Snapshot

__all__ = ["ended_line", "missed_line", "snapshot_line", "stopped_line", "trouble_line"]

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000


def snapshot_line(
    snapshot: Snapshot,
    comparison: Diff | None = None,
    *,
    path: str | None = None,
    catalogue: Iterable[IdlePattern] = CATALOGUE,
) -> str:
    """Return one line about a snapshot, without a line break; ``changes`` needs a comparison."""
    pairs = [*_figures(snapshot, tuple(catalogue)), *_changes(comparison)]
    words = [
        _time(snapshot.captured_at_ns),
        "snapshot",
        *(f"{key}={value}" for key, value in pairs),
    ]
    words += [f"file={_quoted(path)}"] if path else []
    return " ".join(words)


def _figures(snapshot: Snapshot, catalogue: tuple[IdlePattern, ...]) -> Iterator[tuple[str, str]]:
    capture = snapshot.capture
    yield "pid", str(snapshot.process.pid)
    if snapshot.tick is not None:
        yield "seq", str(snapshot.tick.sequence)
    yield "views", "+".join(sorted(capture.views)) or "none"
    yield "threads", str(len(snapshot.threads))
    idle = sum(thread_idle_reason(thread, catalogue) is not None for thread in snapshot.threads)
    yield "idle", str(idle)
    pause_ns = 0 if capture.pause is None else capture.pause.max_ns
    yield "pause_ms", f"{pause_ns / _NS_PER_MS:.3f}"
    if snapshot.process.rss_bytes is not None:
        yield "rss_bytes", str(snapshot.process.rss_bytes)
    yield "main", capture.main.value


def _changes(comparison: Diff | None) -> Iterator[tuple[str, str]]:
    if comparison is None:
        return
    if not comparison.same_process:
        yield "changes", "other-process"
        return
    threads = comparison.threads
    numbers = {
        "added": sum(each.change is Change.ADDED for each in threads),
        "removed": sum(each.change is Change.REMOVED for each in threads),
        "moved": sum(each.movement is Movement.MOVED for each in threads),
        "frozen": _standing(comparison, Movement.FROZEN),
        "spinning": _standing(comparison, Movement.SPINNING),
        "resized": len(comparison.resizes),
        "locals": len(comparison.changed_locals),
        "tasks": 0 if comparison.tasks is None else len(comparison.tasks.changes),
    }
    counted = ("added", "removed", "moved", "resized", "locals", "tasks")
    yield "changes", str(sum(numbers[name] for name in counted))
    yield from ((name, str(number)) for name, number in numbers.items())


def _standing(comparison: Diff, kind: Movement) -> int:
    return sum(each.movement is kind and each.idle is None for each in comparison.threads)


def missed_line(missed: Missed, *, pid: int) -> str:
    """Return one line about due times of the process ``pid`` without a snapshot."""
    figures = f"pid={pid} count={missed.count} reason={missed.reason}"
    detail = f" detail={_quoted(missed.detail)}" if missed.detail else ""
    return f"{_time(missed.due_at_ns)} missed {figures}{detail}"


def trouble_line(sentence: str, *, pid: int, now_ns: int) -> str:
    """Return one line about something that went wrong with ``pid``; the watch goes on."""
    return f"{_time(now_ns)} trouble pid={pid} detail={_quoted(sentence)}"


def ended_line(sentence: str, *, pid: int, now_ns: int) -> str:
    """Return one line about the end of the target ``pid``."""
    return f"{_time(now_ns)} ended pid={pid} detail={_quoted(sentence)}"


def stopped_line(reason: str, sentence: str, *, now_ns: int) -> str:
    """Return one line about our own end; ``reason`` is one word."""
    return f"{_time(now_ns)} stopped reason={reason} detail={_quoted(sentence)}"


def _quoted(text: str) -> str:
    escaped = sanitize(text).replace('"', '\\"')
    return f'"{escaped}"'


def _time(unix_ns: int) -> str:
    seconds, rest_ns = divmod(unix_ns, _NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // _NS_PER_MS:03d}Z"
