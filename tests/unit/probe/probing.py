# ruff: noqa: ANN401 - what is captured is of any type
"""Runs the probe in this process, as plain modules, and decodes what it replies."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from snapshotter.attach.reply import decode_reply
from snapshotter.model import ValueLevel
from snapshotter.model.limits import limits_for
from snapshotter.outside.origin import Origins
from snapshotter.probe.survey import run
from snapshotter.probe.tools import gather_tools
from tests.unit.probe.variables import module_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snapshotter.attach.reply import InsideView
    from snapshotter.model import Value

__all__ = ["NONCE", "Seen", "make_request", "raw_reply", "see", "see_locals", "survey"]

NONCE = b"0123456789abcdef"
_SECOND_NS = 1_000_000_000
LONG_NS = 10 * _SECOND_NS


def make_request(**changes: Any) -> Any:
    """A request with time for everything; limits are given by name."""
    now = time.monotonic_ns()
    limits = asdict(limits_for(ValueLevel.SCRUBBED))
    for name in list(changes):
        if name in limits:
            limits[name] = changes.pop(name)
    request = {
        "nonce": NONCE,
        "pid": 0,
        "start_by_ns": now + LONG_NS,
        "deadline_ns": now + LONG_NS,
        "slice_ns": LONG_NS,
        "carrier": "main",
        "os_threads": 1,
        "locals": "none",
        "globs": [],
        "values": "scrubbed",
        "variables": [],
        "stdlib": [],
        "reply": "/dev/null",
        "beside": b"",
        "limits": limits,
    }
    return {**request, **changes}


def raw_reply(
    *, tools: Mapping[str, Any] | None = None, carrier: str = "main", **changes: Any
) -> bytes:
    """The bytes of a reply; a switch interval so long that one slice is enough."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(100.0)
    try:
        found: Any = gather_tools()
        return b"".join(run(make_request(**changes), {**found, **(tools or {})}, carrier))
    finally:
        sys.setswitchinterval(interval)


def survey(**changes: Any) -> InsideView:
    """A decoded reply."""
    return decode_reply(raw_reply(**changes), NONCE, Origins(()))


@dataclass(frozen=True, slots=True)
class Seen:
    """A captured value that can be walked by names and positions."""

    view: InsideView
    node: int

    @property
    def value(self) -> Value:
        return self.view.values[self.node]

    def __getitem__(self, key: str | int) -> Seen:
        items = self.value.items
        if isinstance(key, int):
            return Seen(self.view, items[key].node)
        found = [item.node for item in items if item.name == key]
        assert found, (key, [item.name for item in items])
        return Seen(self.view, found[0])

    def names(self) -> list[str | None]:
        return [item.name for item in self.value.items]


def see(value: Any, name: str = "thing", /, **changes: Any) -> Seen:
    """Capture one value as a module variable of this name."""
    return see_locals({name: value}, **changes)[name]


def see_locals(values: dict[Any, Any], /, **changes: Any) -> dict[str, Seen]:
    """Capture several values as module variables; the reply is shared."""
    with module_of(values) as variables:
        view = survey(variables=variables, **changes)
    seen = {}
    for name, variable in zip(values, view.variables, strict=True):
        assert variable.node is not None, variable.problem
        seen[name] = Seen(view, variable.node)
    return seen
