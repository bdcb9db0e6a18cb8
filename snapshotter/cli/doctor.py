"""``snap doctor``: everything a snapshot depends on, and the fix for what is wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from snapshotter.cli.command import Command
from snapshotter.cli.console import show
from snapshotter.cli.errors import print_note
from snapshotter.cli.output import print_json
from snapshotter.cli.params import PID
from snapshotter.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from snapshotter.attach.preflight import Check

__all__ = ["command"]


@click.command(
    "doctor",
    cls=Command,
    examples=("snap doctor", "snap doctor 4121", "snap doctor --clean"),
    exits=(ExitCode.DONE, ExitCode.USAGE, ExitCode.NO_TARGET, ExitCode.NOT_PERMITTED),
)
@click.argument("pid", type=PID, required=False)
@click.option("--clean", is_flag=True, help="Remove what killed recorders left behind, first.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as a JSON array.")
def command(pid: int | None, *, clean: bool, as_json: bool) -> int:
    """Check, in order, everything a snapshot depends on: of this machine, or of process PID too.

    Nothing is sent to the process. The exit code is 4 when a check failed.
    """
    from snapshotter.attach.preflight import examine  # noqa: PLC0415 -- start-up

    if clean:
        _clean()
    checks = examine(pid)
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        _show(checks)
    failed = any(check.status == "fail" for check in checks)
    return ExitCode.NOT_PERMITTED if failed else ExitCode.DONE


def _clean() -> None:
    from snapshotter.attach.leftovers import clean  # noqa: PLC0415 -- start-up

    removed = clean()
    for path in removed:
        print_note(f"removed {path}")
    if not removed:
        print_note("nothing was left behind that could be removed")


def _show(checks: Iterable[Check]) -> None:
    from snapshotter.render import doctor_view  # noqa: PLC0415 -- start-up

    show(doctor_view(checks))
