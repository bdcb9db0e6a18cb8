"""``snap view``: a dump or a recording on the screen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from snapshotter.cli.command import Command
from snapshotter.cli.console import show
from snapshotter.cli.errors import print_note
from snapshotter.cli.idle import idle_catalogue
from snapshotter.cli.output import print_json, print_snapshots
from snapshotter.cli.params import COUNT, FILE
from snapshotter.errors import ExitCode, UnreadableFileError, UsageError, shell_word
from snapshotter.model import Recording

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from snapshotter.analysis.changes import Diff
    from snapshotter.analysis.idle import IdlePattern
    from snapshotter.model import Snapshot
    from snapshotter.render.options import ViewOptions

__all__ = ["command"]

_MOST_SKIPPED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _ViewGiven:
    """What click hands over."""

    path: Path
    at: int | None
    against: int | None
    thread: str | None
    all: bool
    json: bool
    plain: bool


@click.command(
    "view",
    cls=Command,
    examples=(
        "snap view dump.msgpack",
        "snap view orders-4121-20261120T091500Z --at 12 --against 1",
        "snap view dump.msgpack --thread worker-7",
    ),
    exits=(ExitCode.DONE, ExitCode.USAGE, ExitCode.UNREADABLE_FILE),
)
@click.argument("path", type=FILE)
@click.option(
    "--at",
    type=COUNT,
    metavar="N",
    help="Of a recording: show snapshot number N.  [default: the last]",
)
@click.option(
    "--against",
    type=COUNT,
    metavar="N",
    help="Of a recording: show what changed since snapshot number N; with --thread, of that only.",
)
@click.option("--thread", metavar="X", help="Only this thread: its name, native id or ident.")
@click.option("--all", is_flag=True, help="Show the threads that only wait for work, too.")
@click.option(
    "--json",
    is_flag=True,
    help="Print JSON, the same as snap export --format json; "
    "with --against the difference, the same as snap diff --json.",
)
@click.option("--plain", is_flag=True, help="On a terminal, too: as in a pipe, without colours.")
def command(**given: object) -> int:
    """Show the dump or the recording PATH: threads grouped by stack, locals, GC.

    A dump that lies in a recording is shown with what changed since the one before it.
    """
    from snapshotter.store.reader import load  # noqa: PLC0415 -- start-up

    request = _ViewGiven(**given)  # type: ignore[arg-type]  # click made them what they should be
    loaded = load(request.path)
    if request.json:
        _print_json(loaded, request)
    else:
        show(_screen(loaded, request), plain=request.plain)
    return ExitCode.DONE


def _print_json(loaded: Snapshot | Recording, request: _ViewGiven) -> None:
    if request.against is None:
        print_snapshots(_chosen(loaded, request))
        return
    from snapshotter.export.diff_json import diff_dict  # noqa: PLC0415 -- start-up

    print_json(diff_dict(_since_the_one_named(loaded, request, idle_catalogue())))


def _screen(loaded: Snapshot | Recording, request: _ViewGiven) -> RenderableType:
    from snapshotter.render.options import ViewOptions  # noqa: PLC0415 -- start-up

    options = ViewOptions(show_all=request.all, catalogue=idle_catalogue())
    if request.thread is not None:
        return _thread_screen(loaded, request)
    if isinstance(loaded, Recording):
        return _recording_screen(loaded, request, options)
    _refuse_numbers(request)
    from snapshotter.render.dump import dump_view  # noqa: PLC0415 -- start-up

    return dump_view(loaded, options=options, comparison=_since_the_one_before(loaded, request))


def _recording_screen(
    recording: Recording, request: _ViewGiven, options: ViewOptions
) -> RenderableType:
    from snapshotter.render.recording import recording_view  # noqa: PLC0415 -- start-up

    try:
        return recording_view(recording, options=options, at=request.at, against=request.against)
    except ValueError as error:
        raise _no_such_snapshot(str(error), request) from error


def _thread_screen(loaded: Snapshot | Recording, request: _ViewGiven) -> RenderableType:
    from snapshotter.analysis.dwell import dwell  # noqa: PLC0415 -- start-up
    from snapshotter.render.dump import find_threads, thread_view  # noqa: PLC0415 -- start-up

    snapshots = _up_to(loaded, request.at, request)
    comparison = None
    if request.against is not None:
        # Who asks for one thread wants to be told of it even if it only waits for work.
        comparison = _since_the_one_named(loaded, request, ())
    threads = find_threads(snapshots[-1], request.thread or "")
    if not threads and comparison is None:
        raise _no_such_thread(request)
    return thread_view(snapshots[-1], threads, dwells=dwell(snapshots), comparison=comparison)


def _since_the_one_named(
    loaded: Snapshot | Recording, request: _ViewGiven, catalogue: tuple[IdlePattern, ...]
) -> Diff:
    """Compare the chosen snapshot with that of ``--against``; with ``--thread``, of that only."""
    from snapshotter.analysis.diff import diff  # noqa: PLC0415 -- start-up
    from snapshotter.analysis.dwell import dwell  # noqa: PLC0415 -- start-up
    from snapshotter.analysis.one_thread import diff_threads  # noqa: PLC0415 -- start-up
    from snapshotter.render.dump import find_threads  # noqa: PLC0415 -- start-up

    snapshots = _up_to(loaded, request.at, request)
    baseline, current = _up_to(loaded, request.against, request)[-1], snapshots[-1]
    dwells = dwell(snapshots)
    if request.thread is None:
        return diff(baseline, current, dwells=dwells, catalogue=catalogue)
    wanted = [
        thread for each in (baseline, current) for thread in find_threads(each, request.thread)
    ]
    if not wanted:
        raise _no_such_thread(request)
    return diff_threads(baseline, current, wanted, dwells=dwells, catalogue=catalogue)


def _chosen(loaded: Snapshot | Recording, request: _ViewGiven) -> Snapshot | Recording:
    """Return the snapshot that ``--at`` means, or all that was loaded; of ``--thread`` only."""
    if isinstance(loaded, Recording) and request.at is None:
        snapshots = _with_the_thread(loaded.snapshots, request)
        return replace(loaded, snapshots=snapshots)
    (chosen,) = _with_the_thread(_up_to(loaded, request.at, request)[-1:], request)
    return chosen


def _with_the_thread(snapshots: tuple[Snapshot, ...], request: _ViewGiven) -> tuple[Snapshot, ...]:
    """Leave out the other threads, where ``--thread`` names one that is there."""
    if request.thread is None:
        return snapshots
    from snapshotter.render.dump import find_threads  # noqa: PLC0415 -- start-up

    wanted = [find_threads(each, request.thread) for each in snapshots]
    if not any(wanted):
        raise _no_such_thread(request)
    return tuple(
        replace(each, threads=threads) for each, threads in zip(snapshots, wanted, strict=True)
    )


def _up_to(
    loaded: Snapshot | Recording, number: int | None, request: _ViewGiven
) -> tuple[Snapshot, ...]:
    """Return the snapshots of a recording up to the one with that number, or a single dump."""
    if not isinstance(loaded, Recording):
        _refuse_numbers(request)
        return (loaded,)
    from snapshotter.render.recording import index_of  # noqa: PLC0415 -- start-up

    try:
        return loaded.snapshots[: index_of(loaded, number) + 1]
    except ValueError as error:
        raise _no_such_snapshot(str(error), request) from error


def _no_such_thread(request: _ViewGiven) -> UsageError:
    at = "" if request.at is None else f" --at {request.at}"
    return UsageError(
        f"{request.path} has no thread {request.thread!r}.",
        hint=f"snap view {shell_word(request.path)}{at} --all lists them",
        slug="no-such-thread",
    )


def _no_such_snapshot(message: str, request: _ViewGiven) -> UsageError:
    return UsageError(
        message,
        hint=f"snap view {shell_word(request.path)} lists them",
        slug="no-such-snapshot",
    )


def _refuse_numbers(request: _ViewGiven) -> None:
    if request.at is not None or request.against is not None:
        raise UsageError(
            f"--at and --against choose from a recording; {request.path} is a single dump.",
            hint="compare two dumps with snap diff",
        )


def _since_the_one_before(snapshot: Snapshot, request: _ViewGiven) -> Diff | None:
    from snapshotter.analysis.diff import diff  # noqa: PLC0415 -- start-up
    from snapshotter.store.reader import load_dump, predecessors  # noqa: PLC0415 -- start-up

    for earlier in predecessors(request.path)[:_MOST_SKIPPED]:
        try:
            return diff(load_dump(earlier), snapshot, catalogue=idle_catalogue())
        except UnreadableFileError as error:
            print_note(f"skipped: {error.message}")
    return None  # The dump that was asked for is fine: show it alone.
