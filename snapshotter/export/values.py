"""The tree of one captured value: finite, whatever cycles and shared parts the values have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snapshotter.export.encoding import scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snapshotter.model import Item, Value

__all__ = ["MAX_DEPTH", "ValueTrees"]

MAX_DEPTH = 8
_SPARE_VALUES = 20_000
_TIMES_SHARED = 4


class ValueTrees:
    """Writes values of one table out as trees, within one bound for all of them together.

    A value that is open above has ``"cycle": true`` in place of its items. A value whose items are
    not all written out, because they lie deeper than 8 levels or ``max_values`` are used up, has
    ``"elided": true``. A part that two values share stands in both.
    """

    def __init__(self, values: Sequence[Value], *, max_values: int | None = None) -> None:
        self._values = values
        generous = _SPARE_VALUES + _TIMES_SHARED * len(values)
        self._left = generous if max_values is None else max_values
        self._open: list[int] = []

    def tree(self, node: int) -> dict[str, Any]:
        """Return the value at ``node`` with all that it holds."""
        self._left -= 1
        return self._tree(node)

    def _tree(self, node: int) -> dict[str, Any]:
        value = self._values[node]
        tree: dict[str, Any] = {
            "type": value.type,
            "kind": value.kind.value,
            "value": scalar(value.value),
            "length": value.length,
            "status": value.status.value,
            "identity": value.identity,
        }
        if not value.items:
            return tree
        if node in self._open:
            return tree | {"cycle": True}
        fitting = value.items[: max(self._left, 0)] if len(self._open) < MAX_DEPTH else ()
        # Paid for before any of them is opened, so that the first cannot spend it all twice.
        self._left -= len(fitting)
        self._open.append(node)
        tree["items"] = [self._item(item) for item in fitting]
        self._open.pop()
        if len(fitting) < len(value.items):
            tree["elided"] = True
        return tree

    def _item(self, item: Item) -> dict[str, Any]:
        tree = self._tree(item.node)
        if item.name is not None:
            return {"name": item.name, "attribute": item.attribute, **tree}
        if item.key is not None:
            return {"key": self.tree(item.key), **tree}
        return tree
