"""The head of a snapshot: which process, when, how it was taken and what is missing."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from snapshotter.analysis.signatures import is_console_script
from snapshotter.model import MainState, View
from snapshotter.render.fit import Facts, Hanging, Title, clip, line, sentence
from snapshotter.render.sanitize import sanitize
from snapshotter.render.styles import BAD, EMPHASIS, WARN
from snapshotter.render.units import count, duration, instant, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from snapshotter.model import Capture, ProcessInfo, Recording, Snapshot

__all__ = [
    "capture_lines",
    "command_of",
    "main_thread_line",
    "missing_lines",
    "pause_words",
    "process_lines",
    "process_title",
    "program_of",
    "unreadable_lines",
    "views_of",
]

_PROGRAM_WIDTH = 60
_MAX_SKIPPED = 5
_MAIN_WORDS = {
    MainState.BLOCKED: "The main thread was blocked",
    MainState.STOPPED: "The main thread was stopped by a signal or a debugger",
    MainState.ENDING: "The main thread is ending: it waits for other threads or runs exit handlers",
    MainState.GONE: "There is no main thread that could be asked",
}


def program_of(process: ProcessInfo) -> str:
    """Return what a person calls the process: "gunicorn -k gthread orders.wsgi:app"."""
    return clip(command_of(process.cmdline or (process.executable,)), _PROGRAM_WIDTH)


def command_of(cmdline: Sequence[str]) -> str:
    """Return a command line without its interpreter and the directory of its script, sanitized."""
    words = [word for word in cmdline if word] or [""]
    runs_script = len(words) > 1 and not words[1].startswith("-")
    if runs_script and words[0].rpartition("/")[2].startswith("python"):
        words = words[1:]
    words[0] = words[0].rpartition("/")[2] or words[0]
    return sanitize(" ".join(words))


def process_title(process: ProcessInfo, facts: str = "") -> RenderableType:
    """Return a line with the program, cut so that the facts after it have room."""
    return Title(command_of(process.cmdline or (process.executable,)), facts)


def process_lines(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield who the process is and the figures that the operating system has of it."""
    process = snapshot.process
    python = process.python
    if snapshot.interpreter is not None and snapshot.interpreter.free_threaded:
        python += " free-threaded"
    yield process_title(process, f"pid {process.pid}  Python {python}")
    age_ns = snapshot.captured_at_ns - process.start_time_ns
    figures = [f"uid {process.uid}"]
    figures += [process.host] if process.host else []
    figures += [f"container {process.container[:12]}"] if process.container else []
    figures.append(f"up {duration(max(0, age_ns))}")
    figures += [size(process.rss_bytes)] if process.rss_bytes is not None else []
    figures += [f"{duration(process.cpu_ns)} processor time"] if process.cpu_ns is not None else []
    figures += [plural(process.os_threads, "OS thread")] if process.os_threads is not None else []
    figures += [plural(process.fds, "fd")] if process.fds is not None else []
    yield Facts(figures)


def views_of(capture: Capture) -> str:
    """Return "inside and outside", "outside only" or "inside only"."""
    if len(capture.views) > 1:
        return "inside and outside"
    return f"{capture.views[0]} only" if capture.views else "no view at all"


def capture_lines(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield when and how the snapshot was taken, and what the target felt of it."""
    capture = snapshot.capture
    number = "" if snapshot.tick is None else f" {snapshot.tick.sequence}"
    yield line(
        f"snapshot{number} of ",
        (instant(snapshot.captured_at_ns), EMPHASIS),
        f", seen from {views_of(capture)}",
    )
    costs = list(pause_words(capture))
    costs += [f"delivered in {duration(capture.delivery_ns)}"] if capture.delivery_ns else []
    costs += [f"armed for {duration(capture.armed_ns)}"] if capture.armed_ns else []
    costs += [f"carried by {_carrier(capture.carrier)}"] if capture.carrier else []
    yield Facts(costs)
    yield from _special_ways(capture)
    selection = [f"values {capture.values}", f"locals {capture.locals}"]
    selection += [f"seen within {duration(capture.skew_ns)}"] if capture.skew_ns else []
    yield Facts(selection)


def _special_ways(capture: Capture) -> Iterator[RenderableType]:
    """Yield what was done, on request, to a process whose main thread was blocked."""
    if capture.woken is not None:
        yield line("its idle event loop was woken to be asked")
    if capture.holds is None:
        return
    held = f"held by ptrace for {duration(capture.held_ns or 0)}"
    if capture.asked_thread is None:
        times = "" if capture.holds == 1 else f" in {count(capture.holds)} holds"
        yield line(f"threads other than the main one were {held}{times}, to no avail")
    elif capture.holds == 1:
        yield line(f"asked through thread {capture.asked_thread}, which was {held}")
    else:
        yield line(
            f"asked through thread {capture.asked_thread}; threads were {held}"
            f" in {count(capture.holds)} holds"
        )


def pause_words(capture: Capture) -> Iterator[str]:
    """Yield what the target felt: the longest time at a stretch, and all of it."""
    pause = capture.pause
    if pause is None:
        if View.INSIDE not in capture.views:
            yield "no pause"
    elif capture.slices == 1:
        yield f"pause: one slice of {duration(pause.max_ns)}"
    else:
        slices = "slice" if capture.slices is None else f"of {count(capture.slices)} slices"
        yield (
            f"pause: longest {slices} {duration(pause.max_ns)}, together {duration(pause.total_ns)}"
        )


def _carrier(carrier: str) -> str:
    return {"thread": "its own thread", "main": "the main thread"}.get(carrier, carrier)


def main_thread_line(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield what kept the main thread from answering, if anything did.

    A main thread that was blocked when it was first looked at, and answered later, is no news.
    """
    capture = snapshot.capture
    words = _MAIN_WORDS.get(capture.main)
    answered = View.INSIDE in capture.views
    if answered and (words is None or capture.main is MainState.BLOCKED):
        return
    words = words or "There was no view from inside"
    detail = f": {_main_detail(snapshot)}" if capture.main_detail else ""
    style = BAD if capture.main in {MainState.STOPPED, MainState.GONE} else WARN
    yield Hanging("", sentence((f"{words}{detail}.", style)))


def _main_detail(snapshot: Snapshot) -> str:
    """Return what it did without a start script as the caller: that is nobody's code."""
    detail = (snapshot.capture.main_detail or "").rstrip(".")
    for thread in snapshot.threads:
        for frame in thread.frames if thread.is_main else ():
            if is_console_script(frame):
                place = f"{PurePath(frame.filename).name}:{frame.lineno}"
                detail = detail.replace(f", called at {place} in {frame.qualname}", "")
    return detail


def missing_lines(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield what the snapshot does not have, and why."""
    capture = snapshot.capture
    if capture.complete and not capture.missing:
        return
    title = "Not in this snapshot:"
    if len(capture.missing) == 1:
        yield Hanging("", sentence((f"{title} ", WARN), *capture.missing))
    elif not capture.missing:
        yield line(("The snapshot is not complete.", WARN))
    else:
        yield line((title, WARN))
        yield from (Hanging(" - ", sentence(each)) for each in capture.missing)


def unreadable_lines(recording: Recording) -> Iterator[RenderableType]:
    """Yield a line for each file of a recording that was left out; of many, for the first few."""
    for skipped in recording.skipped[:_MAX_SKIPPED]:
        yield Hanging(
            "", sentence(("unreadable: ", WARN), f"{skipped.path.name}: {skipped.reason}")
        )
    left = len(recording.skipped) - _MAX_SKIPPED
    if left > 0:
        yield line(("unreadable: ", WARN), plural(left, "file more", "files more"))
