"""The stacks that only wait for work: the built-in catalogue and what the settings add to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from snapshotter.errors import UsageError

if TYPE_CHECKING:
    from snapshotter.analysis.idle import IdlePattern

__all__ = ["idle_catalogue"]


def idle_catalogue() -> tuple[IdlePattern, ...]:
    """Return all idle patterns. Raises UsageError when one in the settings cannot be meant."""
    from snapshotter.analysis.idle import CATALOGUE, parse_pattern  # noqa: PLC0415 -- start-up

    context = click.get_current_context(silent=True)
    settings = (context.find_root().default_map if context else None) or {}
    try:
        added = tuple(parse_pattern(text) for text in settings.get("idle", ()))
    except ValueError as error:
        raise UsageError(
            f"idle, in the settings: {error}",
            hint='such as: idle = ["* << orders.worker:Worker.wait_for_job"]',
            slug="unknown-setting",
        ) from error
    return (*CATALOGUE, *added)
