"""Which processes are meant: process ids, names, a tree of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.errors import NoSuchProcessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Targets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the command line names; ``names`` and ``trees`` also mean processes that come later."""

    pids: tuple[int, ...]
    names: tuple[str, ...]
    trees: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (self.pids or self.names or self.trees):
            raise UsageError(
                "No process is named.",
                hint="give a process id, --name GLOB or --tree PID; snap ps lists them",
            )

    @property
    def are_open(self) -> bool:
        """Return whether processes can join later."""
        return bool(self.names or self.trees)

    @property
    def are_several(self) -> bool:
        """Return whether there can be more than one process."""
        return self.are_open or len(set(self.pids)) > 1

    def now(self) -> tuple[int, ...]:
        """Return the processes that are meant at this moment, those named by pid first.

        Raises NoSuchProcessError when there is none.
        """
        found = tuple(dict.fromkeys((*self.pids, *self.matching())))
        if not found:
            raise NoSuchProcessError(
                f"There is no Python process {self._words()}.", hint="snap ps lists them"
            )
        return found

    def matching(self) -> tuple[int, ...]:
        """Return the processes that match by name or tree at this moment.

        Raises NoSuchProcessError when the root of a tree is gone.
        """
        from snapshotter.attach.pythons import match_name, tree  # noqa: PLC0415 -- start-up

        groups: list[Iterable[int]] = [match_name(glob) for glob in self.names]
        groups += [tree(pid) for pid in self.trees]
        return tuple(dict.fromkeys(pid for group in groups for pid in group))

    def _words(self) -> str:
        parts = [f"with a name like {glob!r}" for glob in self.names]
        parts += [f"below {pid}" for pid in self.trees]
        return " or ".join(parts)
