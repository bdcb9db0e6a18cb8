"""Parameter types of the command line, and click's complaints in our words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snapshotter.cli.units import parse_duration_ns, parse_size_bytes
from snapshotter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

__all__ = ["COUNT", "DIRECTORY", "DURATION", "FILE", "PID", "SIZE", "usage_error", "where_from"]

_LARGEST_PID = (1 << 31) - 1
"""What a pid_t holds, more than any machine gives out: such a number is a process not there."""


class _Parsed(click.ParamType[Any]):
    """A type made of a function that raises UsageError."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Return the parsed text; what is no text was parsed already."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UsageError as error:
            self.fail(error.message, param, ctx)


class _Pid(_Parsed):
    """A process id; completes to the Python processes of this machine."""

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 -- click's signature
        param: click.Parameter,  # noqa: ARG002 -- click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the processes that could be meant."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 -- start-up

        from snapshotter.attach.pythons import find_pythons  # noqa: PLC0415 -- start-up

        return [
            CompletionItem(str(process.pid), help=" ".join(process.cmdline)[:60])
            for process in find_pythons()
            if process.attachable and str(process.pid).startswith(incomplete)
        ]


class _Count(click.IntRange):
    """A whole number; click would call it an integer range."""

    name = "number"


class _Named(click.Path):
    """A path that names something: an empty one would be this directory, which nobody means."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 -- click's signature
        """Return the path; what is no text was parsed already."""
        text = os.fspath(value)
        if not text.strip():
            self.fail("the name is empty.", param, ctx)
        if "\0" in text:  # in a settings file
            self.fail("no name holds a zero byte.", param, ctx)
        return super().convert(value, param, ctx)


def _parse_pid(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _LARGEST_PID:
        raise UsageError(f"{text!r} is not a process id.")
    return int(text)


DURATION = _Parsed("duration", parse_duration_ns)
SIZE = _Parsed("size", parse_size_bytes)
COUNT = _Count(min=1)
PID = _Pid("pid", _parse_pid)
FILE = _Named(path_type=Path, readable=False)
DIRECTORY = _Named(path_type=Path, readable=False, file_okay=False)


def usage_error(error: click.ClickException) -> UsageError:
    """Return click's complaint as one sentence, with the help of that command as next step."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "snap"
    return UsageError(_sentence(error) + _where_from(error), hint=f"{command} --help")


def _sentence(error: click.ClickException) -> str:
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{_name(error.param)} is missing."
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{_name(error.param)}: {error.message}"
    text = error.format_message()
    return text if text.endswith((".", "?")) else f"{text}."


def _name(param: click.Parameter) -> str:
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.human_readable_name.rstrip(".")


def _where_from(error: click.ClickException) -> str:
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None:
        return ""
    return where_from(error.ctx, error.param)


def where_from(context: click.Context, param: click.Parameter) -> str:
    """Tell that it stands in a settings file: nobody would look there for it."""
    source = context.get_parameter_source(param.name or "")
    return " (from the settings file)" if source is click.ParameterSource.DEFAULT_MAP else ""
