"""``snap export``: a dump or a recording in another format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from snapshotter.cli.command import ENDED_BY_SIGNALS, Command
from snapshotter.cli.output import STDOUT, check_destination, check_directory, open_result
from snapshotter.cli.params import FILE
from snapshotter.errors import ExitCode
from snapshotter.export import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command(
    "export",
    cls=Command,
    examples=(
        "snap export dump.msgpack --format json | jq .threads",
        "snap export orders-4121-20261120T091500Z --format jsonl -o orders.jsonl",
    ),
    exits=(
        ExitCode.DONE,
        ExitCode.USAGE,
        ExitCode.NO_SNAPSHOT,
        ExitCode.UNREADABLE_FILE,
        ExitCode.INTERRUPTED,
    ),
    interrupted=ENDED_BY_SIGNALS,
)
@click.argument("path", type=FILE)
@click.option(
    "--format",
    "name",
    type=click.Choice(list(FORMATS)),
    required=True,
    help="json: one document; jsonl: one line per snapshot, of a recording after one about itself.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    default=STDOUT,
    metavar="FILE",
    help="Where to write; - is stdout.  [default: -]",
)
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
def command(path: Path, name: str, output: Path, *, force: bool) -> int:
    """Write the dump or the recording PATH in another format, for other programs.

    The shape of the JSON is stable and described by a JSON Schema.
    """
    from snapshotter.record.stop import interrupt_on_signals  # noqa: PLC0415 -- start-up
    from snapshotter.store.reader import load  # noqa: PLC0415 -- start-up

    check_directory(output)
    check_destination(output, force=force)
    subject = load(path)
    chosen = FORMATS[name]
    with (
        interrupt_on_signals(),  # whatever ends us, no half file stays
        open_result(output, force=force, binary=chosen.binary) as stream,
    ):
        chosen.write(subject, stream)
    return ExitCode.DONE
