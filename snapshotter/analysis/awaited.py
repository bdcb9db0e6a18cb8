"""Which asyncio tasks await which."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from snapshotter.model import Task

__all__ = ["tasks_awaited"]


def tasks_awaited(tasks: Iterable[Task]) -> dict[int, list[Task]]:
    """Return for the identity of each task that awaits others which of ``tasks`` those are."""
    found: dict[int, list[Task]] = {}
    for task in tasks:
        for awaiter in task.awaited_by:
            found.setdefault(awaiter, []).append(task)
    return found
