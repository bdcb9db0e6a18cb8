"""``snap dump``: one snapshot of each process."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from snapshotter.cli.capture import CaptureGiven, capture_arguments, capture_options
from snapshotter.cli.command import ENDED_BY_SIGNALS, Command
from snapshotter.cli.console import show
from snapshotter.cli.errors import print_error, print_note
from snapshotter.cli.idle import idle_catalogue
from snapshotter.cli.output import (
    STDOUT,
    check_destination,
    check_directory,
    open_result,
    print_snapshots,
)
from snapshotter.cli.params import DURATION, FILE, PID
from snapshotter.cli.units import format_size
from snapshotter.errors import ExitCode, SnapshotterError, UsageError

if TYPE_CHECKING:
    from snapshotter.model import Snapshot
    from snapshotter.record.options import CaptureOptions

__all__ = ["command"]

_PATIENCE_NS = 1_000_000_000


class DumpGiven(CaptureGiven):
    """What click hands over."""

    pids: tuple[int, ...]
    output: Path | None
    json: bool
    force: bool
    wait_inside: int | None


@click.command(
    "dump",
    cls=Command,
    examples=(
        "snap dump 4121",
        "snap dump 4121 -o before.msgpack --locals all",
        "snap dump 4121 --json | jq '.threads[].name'",
    ),
    exits=(
        ExitCode.DONE,
        ExitCode.USAGE,
        ExitCode.NO_TARGET,
        ExitCode.NOT_PERMITTED,
        ExitCode.NO_SNAPSHOT,
        ExitCode.INTERRUPTED,
    ),
    interrupted=ENDED_BY_SIGNALS,
)
@click.argument("pids", metavar="PID...", type=PID, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="FILE",
    help="Where to write the dump; - is stdout.  [default: dump.msgpack, of several processes "
    "dump-PID.msgpack; nothing with --json]",
)
@click.option("--json", is_flag=True, help="Print each snapshot as JSON, one per line.")
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
@capture_arguments(
    patience_help="How long to wait for a moment at which the main thread can be asked.  "
    "[default: 1s]"
)
@click.option(
    "--wait-inside",
    type=DURATION,
    help="Leave the request in a blocked process for so long. A signal that ends the blocking "
    "call may be lost to the application meanwhile.",
)
def command(**given: Unpack[DumpGiven]) -> int:
    """Take one snapshot of each process PID, write it and show it.

    The process goes on running; it is held for at most --max-pause at a time. What it does is
    seen even if it is blocked, deadlocked or stopped. Of several processes, one that fails keeps
    nobody from taking the others; the exit code is that of the first that failed.
    """
    destinations = _destinations(given)
    idle_catalogue()  # one that cannot be meant is refused before anything is done
    options = capture_options(given, patience_ns=_PATIENCE_NS, wait_inside_ns=given["wait_inside"])
    if options.wait_inside_ns is not None:
        print_note("a signal that reaches the process while the request waits may be lost to it")
    from snapshotter.record.stop import interrupt_on_signals  # noqa: PLC0415 -- start-up

    with interrupt_on_signals():  # whatever ends us, no half file and no request stays
        codes = [_try(pid, options, destinations[pid], given) for pid in destinations]
    return next((code for code in codes if code), 0)


def _destinations(given: DumpGiven) -> dict[int, Path | None]:
    pids = tuple(dict.fromkeys(given["pids"]))
    output = given["output"]
    if output is not None and len(pids) > 1:
        raise UsageError(f"-o names one file, but there are {len(pids)} processes.")
    if given["json"] and output == STDOUT:
        raise UsageError("--json and -o - both want stdout.")
    if output is not None or given["json"]:
        found: dict[int, Path | None] = dict.fromkeys(pids, output)
    elif len(pids) == 1:
        found = {pids[0]: Path("dump.msgpack")}
    else:
        found = {pid: Path(f"dump-{pid}.msgpack") for pid in pids}
    for path in found.values():
        if path is not None:
            check_directory(path)
    return found


def _try(pid: int, options: CaptureOptions, path: Path | None, given: DumpGiven) -> int:
    """Take one of them; that it fails keeps nobody from taking the next."""
    try:
        snapshot = _capture(pid, options, path, force=given["force"])
        if path is not None:
            _write(snapshot, path, force=given["force"])
        if given["json"]:
            print_snapshots(snapshot)
        elif path != STDOUT:
            _show(snapshot)
    except SnapshotterError as error:
        if len(given["pids"]) == 1:
            raise
        print_error(error)
        return error.exit_code
    return 0


def _capture(pid: int, options: CaptureOptions, path: Path | None, *, force: bool) -> Snapshot:
    """Take the snapshot, unless it could not be written: the process is looked for first."""
    from snapshotter.attach.priority import modest  # noqa: PLC0415 -- start-up
    from snapshotter.record.capture import Observer  # noqa: PLC0415 -- start-up

    modest()  # the target must not have to wait for us
    with closing(Observer.open(pid, options)) as observer:
        if path is not None:
            check_destination(path, force=force)
        return observer.capture()


def _write(snapshot: Snapshot, path: Path, *, force: bool) -> None:
    if path == STDOUT:
        from snapshotter.store.encode import encode  # noqa: PLC0415 -- start-up

        with open_result(path, binary=True) as stream:
            stream.write(encode(snapshot))
        return
    from snapshotter.store.dump_file import write_dump  # noqa: PLC0415 -- start-up

    size_bytes = write_dump(path, snapshot, overwrite=force)
    print_note(f"wrote {path} ({format_size(size_bytes)})")


def _show(snapshot: Snapshot) -> None:
    from snapshotter.render.dump import dump_view  # noqa: PLC0415 -- start-up
    from snapshotter.render.options import ViewOptions  # noqa: PLC0415 -- start-up

    show(dump_view(snapshot, options=ViewOptions(catalogue=idle_catalogue())))
