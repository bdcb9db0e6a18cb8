"""Puts together what several rounds of reading have found, and leaves out what was torn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from snapshotter.model.snapshot import TORN, Local, Variable, View
from snapshotter.model.values import Item, Kind, Status, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snapshotter.model.snapshot import Frame
    from snapshotter.outside.locals import SeenFrame, SeenLocal, SeenThread
    from snapshotter.outside.modules import SeenVariable
    from snapshotter.outside.pages import PagedMemory
    from snapshotter.outside.scrub import Scrubber
    from snapshotter.outside.values import Node, ValueTable

__all__ = ["Assembly", "ThreadDetails"]

_NO_TIME: Final = "no time was left in this dump"
_REDACTED: Final = Value(Kind.UNKNOWN, "", Status.REDACTED)
_UNREADABLE: Final = Value(Kind.UNKNOWN, "", Status.UNREADABLE)


@dataclass(frozen=True, slots=True)
class ThreadDetails:
    """The stack of a thread, with locals, at one instant."""

    frames: tuple[Frame, ...]
    at_ns: int


class Assembly:
    """The result so far; each round hands in its table, then its threads and variables."""

    def __init__(self, scrubber: Scrubber, first: int) -> None:
        """Begin with nothing; the first value gets the index ``first``."""
        self._first = first
        self.threads: dict[tuple[int, int, int], ThreadDetails] = {}
        self.variables: dict[tuple[str, ...], Variable] = {}
        self._values: list[Value] = []
        self._scrubber = scrubber
        self._table: ValueTable
        self._torn: set[int] = set()
        self._is_last = False
        self._places: dict[int, int] = {}

    def begin(self, table: ValueTable, torn: set[int], *, is_last: bool) -> None:
        """Take from ``table`` from now on; in the last round what is torn stays unreadable."""
        self._table, self._torn, self._is_last = table, torn, is_last
        self._places = {}

    def take_thread(self, pages: PagedMemory, seen: SeenThread | None) -> bool:
        """Take a thread; False when it must be read again, or could not be read."""
        if seen is None or any(pages.differs(*place) for place in seen.places):
            return False
        torn = {
            id(local)
            for frame in seen.frames
            for local in frame.locals
            if any(pages.differs(*place) for place in local.places)
        }
        roots = [local.node for frame in seen.frames for local in frame.locals]
        if not self._is_last and (torn or self._reaches_torn(roots)):
            return False
        self._add(
            local.node for frame in seen.frames for local in frame.locals if id(local) not in torn
        )
        frames = tuple(self._frame(frame, torn) for frame in seen.frames)
        ref = seen.ref
        key = ref.ident, ref.native_id, ref.interpreter_id
        self.threads[key] = ThreadDetails(frames, seen.at_ns)
        return True

    def take_variable(self, path: tuple[str, ...], seen: SeenVariable) -> bool:
        """Take a variable; False when it must be read again."""
        expression = f"{path[0]}:{'.'.join(path[1:])}"
        if seen.node is None:
            problem = seen.problem
            if self._is_last or problem:
                problem = problem or TORN
                self.variables[path] = Variable(expression, None, problem, View.OUTSIDE)
                return True
            return False
        if not self._is_last and self._reaches_torn([seen.node]):
            return False
        self._add([seen.node])
        node = self._places[seen.node]
        self.variables[path] = Variable(expression, node, view=View.OUTSIDE)
        return True

    def scrubbed_values(self) -> tuple[Value, ...]:
        """Return all values; those that hold a text which is hidden elsewhere are hidden too."""
        return tuple(
            _REDACTED if self._scrubber.is_known(_texts(value)) else value for value in self._values
        )

    def _reaches_torn(self, roots: list[int]) -> bool:
        """Whether a torn node can be reached from these."""
        if not self._torn:
            return False
        seen, stack = set(roots), list(roots)
        while stack:
            index = stack.pop()
            if index in self._torn:
                return True
            for member in self._table.nodes[index].members:
                for wanted in (member.key, member.node):
                    if wanted is not None and wanted not in seen:
                        seen.add(wanted)
                        stack.append(wanted)
        return False

    def _add(self, roots: Iterable[int]) -> None:
        """Append the nodes that ``roots`` reach, breadth first, and give each its place."""
        places, first = self._places, self._first + len(self._values)
        order: list[int] = []
        self._place(roots, order, first)
        for index in order:  # grows meanwhile
            if index not in self._torn:
                for member in self._table.nodes[index].members:
                    self._place((member.key, member.node), order, first)
        for index in order:
            torn = index in self._torn
            self._values.append(_UNREADABLE if torn else _value(self._table.nodes[index], places))

    def _place(self, indices: Iterable[int | None], order: list[int], first: int) -> None:
        for index in indices:
            if index is not None and index not in self._places:
                self._places[index] = first + len(order)
                order.append(index)

    def _frame(self, seen: SeenFrame, torn: set[int]) -> Frame:
        if not seen.locals and seen.note is None:
            return seen.frame
        note = seen.note
        if self._table.out_of_time and note is None:
            note = _NO_TIME
        return replace(
            seen.frame,
            locals=tuple(self._local(local, id(local) in torn) for local in seen.locals),
            locals_missing=note,
        )

    def _local(self, local: SeenLocal, is_torn: bool) -> Local:  # noqa: FBT001 - private
        if not is_torn:
            return Local(local.name, self._places[local.node])
        self._values.append(_UNREADABLE)
        return Local(local.name, self._first + len(self._values) - 1)


def _value(node: Node, places: dict[int, int]) -> Value:
    items = tuple(
        [
            Item(
                node=places[member.node],
                name=member.name,
                key=None if member.key is None else places[member.key],
                attribute=member.attribute,
            )
            for member in node.members
        ]
    )
    return Value(
        kind=node.kind,
        type=node.type,
        status=node.status,
        length=node.length,
        value=node.value,
        items=items,
        identity=node.identity,
    )


def _texts(value: Value) -> Iterator[str | bytes]:
    if isinstance(value.value, str | bytes):
        yield value.value
    for item in value.items:
        if item.name is not None:
            yield item.name
