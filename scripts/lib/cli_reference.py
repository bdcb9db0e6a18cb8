"""Print docs/reference/cli.md, made from the parser itself."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import click

from snapshotter.cli.app import COMMANDS, app
from snapshotter.cli.command import EXIT_CODES, Command
from snapshotter.cli.settings import SETTABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# Commands

<!-- Made by scripts/generate-docs from the parser. Change the command, not this page. -->

`snap` and `snapshotter` are the same program. Results go to stdout, everything else to stderr.
Durations are written `500us 250ms 30s 5m 2h 7d` (or `1h30m`), sizes `64KB 1.5GB` (powers of 1000)
or `64KiB` (powers of 1024). `NO_COLOR` and `COLUMNS` are respected. An error is a sentence, a next
step and an entry of [the messages](messages.md).
"""


def reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    yield from _exit_codes()
    yield from _settings()
    yield "## snap\n"
    yield from _options(_program())
    for name in COMMANDS:
        command = importlib.import_module(f"snapshotter.cli.{name}").command
        yield from _command(command)


def _program() -> click.Context:
    return click.Context(app, info_name="snap", **app.context_settings)


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| code | meaning |\n|---|---|"
    yield from (f"| {int(code)} | {meaning} |" for code, meaning in EXIT_CODES.items())
    yield ""
    yield (
        "Each command has its own listed below. Any may also end with 5 when stdout cannot be\n"
        "written, as on a full disk, with 70 and with 130.\n"
    )


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield (
        "Options may stand in `snapshotter.toml`, or in `[tool.snapshotter]` of `pyproject.toml`,\n"
        "of the current directory; the first of the two that is there counts, the command line\n"
        "wins, and a key that means nothing is an error. A file of another user is left out.\n"
    )
    yield (
        "```toml\n"
        'locals = "all"        # options of snapshots hold for dump and watch\n'
        'idle = ["* << orders.worker:Worker.wait_for_job"]   # further stacks that wait for work\n'
        "[watch]\n"
        'every = "1m"\n'
        'keep = "7d"\n'
        "```\n"
    )
    yield (
        "An `idle` pattern is held against a stack from its innermost frame outwards. Its steps\n"
        "are `module:function`, with `*` for any text, or `*` alone; `<` means called directly\n"
        "by, `<<` called by, with any frames in between. The module is the file's path below the\n"
        "standard library or `site-packages`, elsewhere its last two parts:\n"
        "`/srv/orders/worker.py` is `orders.worker`.\n"
    )
    yield "| table | keys |\n|---|---|"
    shared = sorted(SETTABLE["dump"])
    yield f"| top | {_code('color', 'idle', *shared)} |"
    yield from (f"| `[{name}]` | {_code(*sorted(keys))} |" for name, keys in SETTABLE.items())
    yield ""


def _command(command: Command) -> Iterator[str]:
    context = click.Context(command, parent=_program(), info_name=command.name)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"## snap {command.name}\n"
    yield f"```\n{usage}\n```\n"
    yield f"{(command.help or '').strip()}\n"
    yield from _options(context)
    yield "```\n" + "\n".join(command.examples) + "\n```\n"
    codes = ", ".join(f"{int(code)} {text}" for code, text in command.exits.items())
    yield f"Exit codes: {codes}.\n"


def _options(context: click.Context) -> Iterator[str]:
    yield "| option | |\n|---|---|"
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            names, text = (part.replace("|", "\\|") for part in record)
            yield f"| `{names}` | {text} |"
    yield ""


def _code(*words: str) -> str:
    return " ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    sys.stdout.write(reference())
