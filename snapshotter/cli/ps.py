"""``snap ps``: the Python processes of this machine."""

from __future__ import annotations

from dataclasses import asdict

import click

from snapshotter.cli.command import Command
from snapshotter.cli.console import show
from snapshotter.cli.output import print_json
from snapshotter.errors import ExitCode

__all__ = ["command"]


@click.command(
    "ps",
    cls=Command,
    examples=("snap ps", "snap ps --json | jq '.[] | select(.attachable) | .pid'"),
    exits=(ExitCode.DONE, ExitCode.USAGE),
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, one object each.")
def command(*, as_json: bool) -> int:
    """List the Python processes of this machine: which can be watched, and why the others not."""
    from snapshotter.attach.pythons import find_pythons  # noqa: PLC0415 -- start-up

    processes = find_pythons()
    if as_json:
        print_json([asdict(process) for process in processes])
        return ExitCode.DONE
    from snapshotter.render.processes import processes_view  # noqa: PLC0415 -- start-up

    show(processes_view(processes))
    return ExitCode.DONE
