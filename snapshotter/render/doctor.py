"""The report of ``snap doctor``: every precondition in order, with the fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group as Renderables

from snapshotter.render.fit import Hanging, blank, clip, line, sentence
from snapshotter.render.sanitize import sanitize
from snapshotter.render.styles import BAD, EMPHASIS, GOOD, QUIET, WARN
from snapshotter.render.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from snapshotter.render.protocols import Check

__all__ = ["doctor_view"]

_NAME_WIDTH = 24
_WORDS = {"ok": ("ok  ", GOOD), "warn": ("warn", WARN), "fail": ("FAIL", BAD)}


def doctor_view(checks: Sequence[Check], *, title: str = "") -> RenderableType:
    """Return the checks in their order, then how they stand together."""
    width = min(_NAME_WIDTH, max((cell_len(sanitize(check.name)) for check in checks), default=0))
    parts: list[RenderableType] = [line((title, EMPHASIS)), blank()] if title else []
    for check in checks:
        parts += _check(check, width)
    return Renderables(*parts, blank(), _verdict(checks))


def _check(check: Check, width: int) -> Iterator[RenderableType]:
    status = str(check.status)
    word, style = _WORDS.get(status, (clip(sanitize(status), 4), ""))
    name = clip(sanitize(check.name), width)
    padding = " " * (width - cell_len(name) + 2)
    yield Hanging(line((word, style), "  ", (name, QUIET), padding), sentence(check.sentence))
    if check.fix:
        indent = " " * (len("FAIL") + 2 + width + 2)
        yield Hanging(line(indent, ("fix: ", EMPHASIS)), sentence(check.fix))


def _verdict(checks: Sequence[Check]) -> Text:
    failed = sum(str(check.status) == "fail" for check in checks)
    warned = sum(str(check.status) == "warn" for check in checks)
    if failed:
        return sentence((f"{plural(failed, 'check')} failed.", BAD))
    if warned:
        return sentence((f"It works, with {plural(warned, 'warning')}.", WARN))
    return sentence(("Everything that a snapshot needs is there.", GOOD))
