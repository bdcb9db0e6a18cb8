"""Values of the target as a flat table of nodes, filled breadth first from copies of its memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError
from snapshotter.model.values import Kind, Status
from snapshotter.outside.readings import Reading
from snapshotter.probe.redaction import LONGEST_KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.model.limits import Limits
    from snapshotter.outside.classes import ClassReader
    from snapshotter.outside.heap import Heap
    from snapshotter.outside.readings import Plan
    from snapshotter.outside.scrub import Scrubber

__all__ = ["Content", "Member", "Node", "Scalar", "ValueTable"]

type Scalar = bool | int | float | str | bytes | None
type Content = tuple[Kind, Status, int | None, Scalar, list[Member]]
"""Kind, status, length, scalar and members."""

_LONGEST_NAME: Final = 64
_NODES_PER_LOOK: Final = 16
_SECRET, _CUT_OFF, _MADE = -1, -2, -3


@dataclass(slots=True)
class Member:
    """One member of a node; see ``Item``."""

    node: int
    name: str | None = None
    key: int | None = None
    attribute: bool = False


@dataclass(slots=True)
class Node:
    """A value before it has its final place; ``spans`` are the bytes that it was made of."""

    kind: Kind
    type: str
    status: Status = Status.OK
    length: int | None = None
    value: Scalar = None
    members: list[Member] = field(default_factory=list)
    identity: int | None = None
    spans: tuple[int, int] = (0, 0)
    plan: Plan | None = None


_REDACTED: Final = Node(Kind.UNKNOWN, "", Status.REDACTED)
_NOT_CAPTURED: Final = Node(Kind.UNKNOWN, "", Status.TRUNCATED)
_NONE: Final = Node(Kind.NONE, "NoneType")
_TRUE: Final = Node(Kind.BOOL, "bool", value=True)
_FALSE: Final = Node(Kind.BOOL, "bool", value=False)


class ValueTable:
    """Queues objects by address and reads them; equal addresses are one node."""

    __slots__ = (
        "_addresses",
        "_cut_node",
        "_depths",
        "_made",
        "_seen",
        "classes",
        "deadline_ns",
        "heap",
        "limits",
        "nodes",
        "out_of_time",
        "scrubber",
        "write",
    )

    def __init__(
        self, heap: Heap, classes: ClassReader, scrubber: Scrubber, *, limits: Limits
    ) -> None:
        """Read through ``heap``; ``write`` must be set to what decodes one object."""
        self.heap = heap
        self.classes = classes
        self.scrubber = scrubber
        self.limits = limits
        self.nodes: list[Node] = []
        self.deadline_ns = 0
        """Monotonic time at which what is still queued is left out."""
        self.out_of_time = False
        self._addresses: list[int] = []
        self._depths: list[int] = []
        self._seen: dict[int, int] = {}
        self._made: dict[int, Node] = {}
        self._cut_node = -1
        self.write: Callable[[ValueTable, int, int, Plan], Node]

    def root(self, name: str, address: int) -> int:
        """Queue a local or variable under its name; return the index of its node."""
        return self.add(address, 0, secret=self.scrubber.is_secret(name))

    def add(self, address: int, depth: int, *, secret: bool = False) -> int:
        """Queue an object; return the index of its node, that of all that is cut off if full."""
        index = len(self._addresses)
        if secret:
            self.learn(address)
        else:
            known = self._seen.get(address)
            if known is not None and self._serves(known, depth):
                return known
        if index >= self.limits.nodes:
            return self._cut_off()
        self._addresses.append(address)
        self._depths.append(_SECRET if secret else depth)
        if not secret:
            self._seen[address] = index
        return index

    def add_hidden(self) -> int:
        """Return the index of a node that stands for something secret."""
        if len(self._addresses) >= self.limits.nodes:
            return self._cut_off()
        self._addresses.append(0)
        self._depths.append(_SECRET)
        return len(self._addresses) - 1

    def add_made(self, node: Node) -> int:
        """Return the index of a node for a value that is no object of its own."""
        index = self.add_hidden()
        if index != self._cut_node:
            self._depths[index] = _MADE
            self._made[index] = node
        return index

    def drain(self) -> None:
        """Read everything that is queued."""
        while len(self.nodes) < len(self._addresses):
            at = len(self.nodes)
            if at % _NODES_PER_LOOK == 0:
                self.is_late()
            if self._depths[at] == _MADE:
                self.nodes.append(self._made[at])
            else:
                self.nodes.append(self._node(self._addresses[at], self._depths[at]))

    def is_late(self) -> bool:
        """Look at the clock: whether what is still queued is to be left out."""
        self.out_of_time = self.out_of_time or time.monotonic_ns() > self.deadline_ns
        return self.out_of_time

    def short_text(self, address: int) -> str:
        """Return a text or bytes short enough to be a name; "" of anything else."""
        try:
            plan = self.classes.plan(self.heap.type_of(address))
            if plan.base is Reading.STR:
                text, length = self.heap.text(address, _LONGEST_NAME)
            elif plan.base is Reading.BYTES:
                head, length = self.heap.octets(address, _LONGEST_NAME)
                text = head.decode("latin-1")
            else:
                return ""
        except TornReadError:
            return ""
        return text if length <= _LONGEST_NAME else ""

    def learn(self, address: int) -> None:
        """Remember the head of a hidden text, to hide it wherever else it stands."""
        if not self.scrubber.hides or not address:
            return
        try:
            short = self.classes.plan(self.heap.type_of(address)).short
            if short == "str":
                text, _ = self.heap.text(address, LONGEST_KNOWN)
                self.scrubber.learn(text.encode("utf-8", "backslashreplace"))
            elif short == "bytes":
                self.scrubber.learn(self.heap.octets(address, LONGEST_KNOWN)[0])
        except TornReadError:
            return

    def _serves(self, index: int, depth: int) -> bool:
        """Whether a known node shows as much as one at this depth would."""
        if depth >= self._depths[index]:
            return True
        if index >= len(self.nodes):  # not read yet: let it show more
            self._depths[index] = depth
            return True
        node = self.nodes[index]
        return node.status is not Status.TRUNCATED or bool(node.members)

    def _cut_off(self) -> int:
        if self._cut_node < 0:
            self._cut_node = len(self._addresses)
            self._addresses.append(0)
            self._depths.append(_CUT_OFF)
        return self._cut_node

    def _node(self, address: int, depth: int) -> Node:
        if depth == _SECRET:
            return _REDACTED
        if depth == _CUT_OFF or self.out_of_time:
            return _NOT_CAPTURED
        spans = self.heap.pages.spans
        first, queued, name = len(spans), len(self._addresses), ""
        plan: Plan | None = None
        try:
            plan = self.classes.plan(self.heap.type_of(address))
            if plan.reading is Reading.NONE:
                return _NONE
            if plan.reading is Reading.BOOL:
                return _TRUE if self.heap.integer(address)[0] else _FALSE
            name = plan.name
            node = self.write(self, address, depth, plan)
        except TornReadError:
            self._take_back(queued)
            node = Node(Kind.OBJECT, name, Status.UNREADABLE, identity=address)
            plan = None
        node.spans = first, len(spans)
        node.plan = plan
        return node

    def _take_back(self, queued: int) -> None:
        """Undo what a failed reading has queued, so that no node is an orphan."""
        while len(self._addresses) > queued:
            address = self._addresses.pop()
            self._depths.pop()
            if self._seen.get(address) == len(self._addresses):
                del self._seen[address]
        if self._cut_node >= queued:
            self._cut_node = -1
