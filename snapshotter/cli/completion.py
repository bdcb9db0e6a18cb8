"""``snap completion``: the script that teaches a shell our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from snapshotter.cli.command import Command
from snapshotter.cli.console import print_line
from snapshotter.errors import ExitCode

__all__ = ["command"]


@click.command(
    "completion",
    cls=Command,
    examples=(
        "snap completion bash >> ~/.bashrc",
        "snap completion fish > ~/.config/fish/completions/snap.fish",
    ),
    exits=(ExitCode.DONE, ExitCode.USAGE),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the completion script for SHELL: bash, zsh or fish.

    It is for the name you call: `snapshotter completion bash` leaves completion for another
    program called snap alone.
    """
    from snapshotter.cli.app import app  # noqa: PLC0415 -- it imports this module, when called

    name = ctx.find_root().info_name or "snap"
    variable = f"_{name.upper()}_COMPLETE"
    completion_class = get_completion_class(shell)
    assert completion_class is not None  # noqa: S101 -- click has all three of the choices
    print_line(completion_class(app, {}, name, variable).source().rstrip())
    return 0
