"""A captured value together with the table that its members are in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapshotter.model import Value

__all__ = ["Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A captured value within the table it belongs to (``Snapshot.values``)."""

    values: tuple[Value, ...] = field(repr=False)
    node: int

    @property
    def value(self) -> Value:
        """The value itself."""
        return self.values[self.node]

    def at(self, node: int) -> Seen:
        """Return another value of the same table."""
        return Seen(self.values, node)
