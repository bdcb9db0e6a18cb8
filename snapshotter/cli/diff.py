"""``snap diff``: what changed between two dumps, or two recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from snapshotter.cli.command import Command
from snapshotter.cli.console import show
from snapshotter.cli.idle import idle_catalogue
from snapshotter.cli.output import print_json
from snapshotter.cli.params import FILE
from snapshotter.errors import ExitCode, UsageError
from snapshotter.model import Recording

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from snapshotter.analysis.changes import Diff
    from snapshotter.analysis.recordings import RecordingDiff

__all__ = ["command"]


@click.command(
    "diff",
    cls=Command,
    examples=(
        "snap diff before.msgpack after.msgpack",
        "snap diff monday-recording tuesday-recording --json",
    ),
    exits=(ExitCode.DONE, ExitCode.USAGE, ExitCode.UNREADABLE_FILE),
)
@click.argument("baseline", type=FILE)
@click.argument("current", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
def command(baseline: Path, current: Path, *, as_json: bool) -> int:
    """Show what changed from BASELINE to CURRENT, the older first.

    Both are dumps, or both are recordings: threads that came, went and moved, locals that
    changed, GC, tasks and process figures with their rates.
    """
    difference = _difference(baseline, current)
    if as_json:
        from snapshotter.export.diff_json import diff_dict  # noqa: PLC0415 -- start-up

        print_json(diff_dict(difference))
    else:
        show(_screen(difference))
    return ExitCode.DONE


def _difference(baseline: Path, current: Path) -> Diff | RecordingDiff:
    from snapshotter.analysis.diff import diff  # noqa: PLC0415 -- start-up
    from snapshotter.analysis.recordings import diff_recordings  # noqa: PLC0415 -- start-up
    from snapshotter.store.reader import load  # noqa: PLC0415 -- start-up

    old, new = load(baseline), load(current)
    if isinstance(old, Recording) and isinstance(new, Recording):
        return diff_recordings(old, new, catalogue=idle_catalogue())
    if isinstance(old, Recording) or isinstance(new, Recording):
        raise UsageError(
            "A dump and a recording cannot be compared with each other.",
            hint="name a dump inside the recording",
            slug="dump-and-recording",
        )
    return diff(old, new, catalogue=idle_catalogue())


def _screen(difference: Diff | RecordingDiff) -> RenderableType:
    from snapshotter.analysis.changes import Diff  # noqa: PLC0415 -- start-up
    from snapshotter.render.diff import diff_view, recording_diff_view  # noqa: PLC0415 -- start-up

    return (
        diff_view(difference) if isinstance(difference, Diff) else recording_diff_view(difference)
    )
