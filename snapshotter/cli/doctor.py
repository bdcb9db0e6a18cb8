"""``snap doctor``: everything a snapshot depends on, and the fix for what is wrong."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snapshotter.cli.command import Command
from snapshotter.cli.console import show
from snapshotter.cli.errors import print_note
from snapshotter.cli.output import print_json
from snapshotter.cli.params import PID
from snapshotter.errors import ExitCode, NoSuchProcessError
from snapshotter.model.checks import Check, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command"]

_ABOUT_THE_TARGET = frozenset({"process", "python"})
"""The checks of a process that say whether it is one that we can look at."""


@click.command(
    "doctor",
    cls=Command,
    examples=("snap doctor", "snap doctor 4121", "snap doctor 4121 --clean"),
    exits=(
        ExitCode.DONE,
        ExitCode.USAGE,
        ExitCode.NO_TARGET,
        ExitCode.NOT_PERMITTED,
        ExitCode.NO_SNAPSHOT,
    ),
)
@click.argument("pid", type=PID, required=False)
@click.option(
    "--clean",
    is_flag=True,
    help="Remove what killed recorders left behind, first. Files for a process that still runs "
    "are removed, and a request that waits in it is taken back, only with its PID.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as a JSON array.")
def command(pid: int | None, *, clean: bool, as_json: bool) -> int:
    """Check, in order, everything a snapshot of process PID depends on, or of any process.

    Nothing is sent to the process. The exit code is 3 when PID is no process that runs CPython
    3.14 or later, and 4 when another check failed.
    """
    if clean:
        _clean(pid)
    checks = _checks(pid)
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        _show(checks, "this machine" if pid is None else f"process {pid}")
    failed = {check.name for check in checks if check.status is CheckStatus.FAIL}
    if pid is not None and failed & _ABOUT_THE_TARGET:
        return ExitCode.NO_TARGET
    return ExitCode.NOT_PERMITTED if failed else ExitCode.DONE


def _clean(pid: int | None) -> None:
    from snapshotter.record.cleaning import clean_up  # noqa: PLC0415 -- start-up

    removed = clean_up(pid)
    for path in removed:
        print_note(f"removed {path}")
    if not removed:
        print_note("nothing was left behind that could be removed")
    if pid is None:
        _tell_what_stays()


def _tell_what_stays() -> None:
    """Name what was left for processes that still run: a request may wait in them."""
    from snapshotter.attach.leftovers import leftovers  # noqa: PLC0415 -- start-up

    for left in leftovers():
        target = left.marker.target.pid
        print_note(f"{left.path} stays, process {target} runs: snap doctor {target} --clean")


def _checks(pid: int | None) -> tuple[Check, ...]:
    if pid is None:
        from snapshotter.cli.machine import machine_checks  # noqa: PLC0415 -- start-up

        return machine_checks()
    from snapshotter.attach.preflight import examine  # noqa: PLC0415 -- start-up

    if not Path(f"/proc/{pid}").exists():
        raise NoSuchProcessError(f"There is no process {pid}.", hint="snap ps lists them")
    return examine(pid).checks


def _show(checks: Sequence[Check], title: str) -> None:
    from snapshotter.render.doctor import doctor_view  # noqa: PLC0415 -- start-up

    show(doctor_view(checks, title=title))
