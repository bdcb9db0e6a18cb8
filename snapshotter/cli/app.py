"""The program: its commands, imported only when they are called, and its global options."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

import snapshotter
from snapshotter.cli.command import EXIT_CODES, color_option
from snapshotter.cli.errors import print_note
from snapshotter.cli.settings import load_settings
from snapshotter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "app", "run_app"]

COMMANDS = {
    "watch": "Record a process, snapshot after snapshot, until it is told to stop.",
    "dump": "Take one snapshot of each process.",
    "view": "Show a dump or a recording.",
    "diff": "Show what changed between two dumps, or two recordings.",
    "export": "Write a dump or a recording in another format.",
    "ps": "List the Python processes of this machine.",
    "doctor": "Check everything a snapshot depends on, with the fix for what is wrong.",
    "completion": "Print the completion script for a shell.",
}
"""Name and one-line help of each command; the module of the same name holds it."""

_EXAMPLES = [
    ("snap ps", "which Python processes there are"),
    ("snap dump 4121", "one snapshot, here and now"),
    ("snap watch 4121 --every 30s", "one every 30 seconds, with what changed"),
    ("snap view RECORDING", "look at what was recorded"),
]

_NAMES = ("snap", "snapshotter")
_HELP = frozenset({"-h", "--help", "--version"})


class LazyGroup(click.Group):
    """A group that imports a command when it is called and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the commands in the order in which they are met."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"snapshotter.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and tell what may have been meant when there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """End with where to begin."""
        with formatter.section("Examples"):
            formatter.write_dl(_EXAMPLES)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), text) for code, text in EXIT_CODES.items()])
        formatter.write_paragraph()
        formatter.write_text(
            "Durations are written 250ms 30s 5m 2h, sizes 64KB 1.5GB. Options can be set in "
            "snapshotter.toml or in [tool.snapshotter] of pyproject.toml."
        )


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(snapshotter.__version__, prog_name="snap", message="%(prog)s %(version)s")
def app() -> None:
    """Watch a live CPython process: threads, locals and garbage collector, and what changed."""


app.params.append(color_option())


def run_app(argv: Sequence[str] | None) -> int:
    """Parse ``argv``, run the command and return its exit code; errors come as exceptions."""
    name = _program_name()
    code = _complete(name)
    if code is not None:
        return code
    arguments = list(sys.argv[1:] if argv is None else argv)
    settings, ignored = _settings(arguments)
    if ignored is not None:
        print_note(ignored)
    with app.make_context(name, arguments, default_map=settings) as context:
        result: Any = app.invoke(context)
    return int(result or 0)


def _settings(arguments: Sequence[str]) -> tuple[dict[str, Any], str | None]:
    """Return the settings of this directory; help is to be had though they are wrong."""
    try:
        return load_settings(Path())  # relative: the directory may have been removed
    except UsageError:
        if _HELP.isdisjoint(arguments):
            raise
        return {}, None


def _program_name() -> str:
    name = PurePath(sys.argv[0]).name
    return name if name in _NAMES else _NAMES[0]


def _complete(name: str) -> int | None:
    """Answer the shell's question when it is the shell that asks."""
    variable = f"_{name.upper()}_COMPLETE"
    instruction = os.environ.get(variable)
    if not instruction:
        return None
    from click.shell_completion import shell_complete  # noqa: PLC0415 -- start-up

    return shell_complete(app, {}, name, variable, instruction)
