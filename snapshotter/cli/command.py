"""What all commands share: the form of their help, and ``--color`` wherever it is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from snapshotter.cli.console import ColorMode
from snapshotter.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ENDED_BY_SIGNALS", "EXIT_CODES", "Command", "color_option"]

EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.FINDINGS: "reserved, for findings",
    ExitCode.USAGE: "wrong use",
    ExitCode.NO_TARGET: "no such process, or not a CPython 3.14 or later",
    ExitCode.NOT_PERMITTED: "not permitted, or disabled in the target",
    ExitCode.NO_SNAPSHOT: "no snapshot in time, or none that could be written",
    ExitCode.UNREADABLE_FILE: "unreadable file",
    ExitCode.INTERNAL: "a bug of snapshotter",
    ExitCode.INTERRUPTED: "ended with Ctrl-C; a dump or an export with SIGTERM, too",
}
"""What each exit code means, in words for the help."""

ENDED_BY_SIGNALS = "ended with Ctrl-C or SIGTERM"
"""What 130 means of a command that any of these signals interrupts."""


def color_option() -> click.Option:
    """Return the option that decides on colours; ``cli.console`` looks it up."""
    return click.Option(
        ["--color"],
        type=click.Choice([mode.value for mode in ColorMode]),
        expose_value=False,
        callback=_keep_color,
        help="Colours: auto (on a terminal, unless NO_COLOR is set), always or never.",
    )


class Command(click.Command):
    """A command whose help ends with examples and with the exit codes it can have."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 -- handed on to click as they are
        examples: Sequence[str] = (),
        exits: Sequence[ExitCode] = (),
        interrupted: str = "ended with Ctrl-C",
        **kwargs: Any,  # noqa: ANN401 -- as above
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.exits = {code: EXIT_CODES[code] for code in exits}
        """What each exit code that it can have means."""
        if ExitCode.INTERRUPTED in self.exits:
            self.exits[ExitCode.INTERRUPTED] = interrupted
        self.params.append(color_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; click does not say of each complaint whose it is."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 -- as click's
        """Run it; who used it wrongly is shown its own help and not that of the program."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            error.message += self._where_from(ctx, error.message)
            if error.hint == UsageError.next_step:
                error.hint = f"{ctx.command_path} --help"
            raise

    def _where_from(self, ctx: click.Context, message: str) -> str:
        from snapshotter.cli.params import where_from  # noqa: PLC0415 -- start-up

        named = (
            param for param in self.params if message.startswith(f"{max(param.opts, key=len)} ")
        )
        return "".join(where_from(ctx, param) for param in named)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the exit codes below the options."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.examples))
        if self.exits:
            with formatter.section("Exit codes"):
                formatter.write_dl([(str(int(code)), text) for code, text in self.exits.items()])
        super().format_epilog(ctx, formatter)


def _keep_color(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.find_root().meta["color"] = ColorMode(value)
