"""The options that say what a snapshot holds and what it may cost; shared by dump and watch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypedDict

import click

from snapshotter.cli.params import DURATION
from snapshotter.cli.units import format_duration
from snapshotter.errors import UsageError
from snapshotter.model import ValueLevel
from snapshotter.record.options import CaptureOptions, CarrierChoice, WakeChoice

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CaptureGiven", "capture_arguments", "capture_options"]

_MAX_PAUSE_NS = (50_000, 100_000_000)


class CaptureGiven(TypedDict):
    """What click hands over for the options of ``capture_arguments``."""

    locals: str
    values: str
    var: tuple[str, ...]
    max_pause: int
    patience: int | None
    carrier: str
    wake: str | None
    yes: bool


def capture_arguments[F: Callable[..., object]](*, patience_help: str) -> Callable[[F], F]:
    """Return a decorator that adds the capture options to a command."""
    options = (
        click.option(
            "--locals",
            default="app",
            metavar="WHICH",
            show_default=True,
            help="Whose locals to take: app (innermost frames of your own code), all, none, or "
            "globs module:function:name, separated by commas.",
        ),
        click.option(
            "--values",
            type=click.Choice([level.value for level in ValueLevel]),
            default=ValueLevel.SCRUBBED.value,
            show_default=True,
            help="How much of a value is written: scrubbed (secrets redacted, long ones cut), "
            "shapes (types, lengths and numbers, no text), full (asks first).",
        ),
        click.option(
            "--var",
            multiple=True,
            metavar="MODULE:PATH",
            help="A module variable to read in every snapshot; may be given several times.",
        ),
        click.option(
            "--max-pause",
            type=DURATION,
            default="1ms",
            show_default=True,
            help="How long the target may be held at a time, from 50us to 100ms.",
        ),
        click.option("--patience", type=DURATION, help=patience_help),
        click.option(
            "--carrier",
            type=click.Choice([carrier.value for carrier in CarrierChoice]),
            default=CarrierChoice.AUTO.value,
            show_default=True,
            help="The thread of the target that does the looking: a short-lived one of its own, "
            "or the main thread. any-thread: when the main thread is blocked, have another thread "
            "start it, one that runs Python; ptrace holds that thread for under a millisecond, "
            "the others go on.",
        ),
        click.option(
            "--wake",
            type=click.Choice([choice.value for choice in WakeChoice]),
            help="loop: when the main thread waits in an idle asyncio loop, wake that through its "
            "own self-pipe. For some 0.2 ms a request lies in the blocked main thread; a signal "
            "that comes just then may be lost to the application.",
        ),
        click.option("--yes", is_flag=True, help="Answer the question of --values full with yes."),
    )

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def capture_options(
    given: CaptureGiven, *, patience_ns: int, wait_inside_ns: int | None = None
) -> CaptureOptions:
    """Return the options as the capture takes them; asks before ``--values full``."""
    from snapshotter.attach.request import check_selection  # noqa: PLC0415 -- start-up

    values = ValueLevel(given["values"])
    check_selection(given["locals"], given["var"])
    _check_max_pause(given["max_pause"])
    if values is ValueLevel.FULL and not given["yes"]:
        _ask_for_full_values()
    return CaptureOptions(
        locals=given["locals"],
        values=values,
        variables=given["var"],
        max_pause_ns=given["max_pause"],
        patience_ns=given["patience"] or patience_ns,
        carrier=CarrierChoice(given["carrier"]),
        wake=None if given["wake"] is None else WakeChoice(given["wake"]),
        wait_inside_ns=wait_inside_ns,
    )


def _check_max_pause(pause_ns: int) -> None:
    least_ns, most_ns = _MAX_PAUSE_NS
    if not least_ns <= pause_ns <= most_ns:
        raise UsageError(
            f"--max-pause must be between {format_duration(least_ns)} and "
            f"{format_duration(most_ns)}, not {format_duration(pause_ns)}."
        )


def _ask_for_full_values() -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "--values full writes passwords and personal data as they are; nobody is here to ask.",
            hint="confirm it with --yes, or leave --values at scrubbed",
            slug="full-values",
        )
    question = "Redaction is off: passwords and personal data will be written as they are. Go on?"
    if not click.confirm(question, default=False, err=True):
        raise UsageError("Nothing was done.", hint="leave --values at scrubbed", slug="full-values")
