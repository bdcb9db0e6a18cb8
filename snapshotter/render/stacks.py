"""Stacks: frames in aligned columns, with the locals that were captured below them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.measure import Measurement

from snapshotter.analysis.seen import Seen
from snapshotter.analysis.signatures import MODULE_QUALNAME, is_module_dunder
from snapshotter.model import Kind, Origin
from snapshotter.render.fit import clip, fold_left, line, place_of
from snapshotter.render.sanitize import sanitize
from snapshotter.render.styles import ORIGIN, ORIGIN_WORDS, QUIET
from snapshotter.render.units import count, plural
from snapshotter.render.values import describe, value_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from snapshotter.model import Frame, Local, Snapshot

__all__ = ["Stack"]

_INDENT = 2
_ORIGIN_WIDTH = 5
_LOCALS_INDENT = _INDENT + _ORIGIN_WIDTH + 2
_MIN_PLACE = 16
_PLACE_SHARE = 0.55
_HEAD_FRAMES = 40
_TAIL_FRAMES = 10
_DUNDER = ("dunder name", "dunder names")
_DEFINITIONS = {
    Kind.MODULE: ("module", "modules"),
    Kind.FUNCTION: ("function", "functions"),
    Kind.TYPE: ("class", "classes"),
}


class Stack:
    """Frames, most recent call first. ``locals_`` is "app", "all" or "none"."""

    def __init__(
        self,
        frames: Sequence[Frame],
        snapshot: Snapshot,
        *,
        locals_: str = "app",
        expanded: bool = False,
    ) -> None:
        self._frames = frames
        self._snapshot = snapshot
        self._locals = locals_
        self._expanded = expanded

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Take the whole width."""
        del console
        return Measurement(options.max_width, options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one line for each frame and local."""
        del console
        if not self._frames:
            yield line(" " * _INDENT, ("no Python frames", QUIET))
            return
        head, tail, cut = self._shown()
        columns = self._place_width((*head, *tail), options.max_width)
        for index, frame in enumerate(head):
            yield from self._frame_lines(frame, columns, options.max_width, first=index == 0)
        if cut:
            text = f"… {plural(cut, 'frame')} not shown (--thread shows all)"
            yield line(" " * _INDENT, (text, QUIET))
        for frame in tail:
            yield from self._frame_lines(frame, columns, options.max_width, first=False)

    def _shown(self) -> tuple[Sequence[Frame], Sequence[Frame], int]:
        cut = len(self._frames) - _HEAD_FRAMES - _TAIL_FRAMES
        if self._expanded or cut <= 0:
            return self._frames, (), 0
        return self._frames[:_HEAD_FRAMES], self._frames[-_TAIL_FRAMES:], cut

    def _path(self, frame: Frame) -> str:
        root = None if self._expanded else self._snapshot.process.cwd
        if self._expanded:
            lineno = "" if frame.lineno is None else f":{frame.lineno}"
            return sanitize(f"{frame.filename}{lineno}")
        return sanitize(place_of(frame, root))

    def _place_width(self, frames: Sequence[Frame], width: int) -> int:
        widest = max(cell_len(self._path(frame)) for frame in frames)
        return min(widest, max(_MIN_PLACE, int((width - _INDENT - _ORIGIN_WIDTH) * _PLACE_SHARE)))

    def _frame_lines(
        self, frame: Frame, columns: int, width: int, *, first: bool
    ) -> Iterator[Text]:
        place = fold_left(self._path(frame), columns)
        style = ORIGIN[frame.origin]
        left = width - _INDENT - _ORIGIN_WIDTH - columns - 2
        yield line(
            " " * _INDENT,
            (ORIGIN_WORDS[frame.origin].ljust(_ORIGIN_WIDTH), QUIET),
            (place, style),
            " " * (columns - cell_len(place) + 2),
            (clip(sanitize(frame.qualname), left), style),
        )
        if self._wants_locals(frame, first=first):
            yield from self._local_lines(frame, width)

    def _wants_locals(self, frame: Frame, *, first: bool) -> bool:
        if self._locals == "app":
            return first or frame.origin is Origin.APP
        return self._locals == "all"

    def _local_lines(self, frame: Frame, width: int) -> Iterator[Text]:
        shown = frame.locals if self._expanded else self._telling(frame)
        for local in shown:
            yield from self._local(local, width)
        if hidden := len(frame.locals) - len(shown):
            text = f"{count(hidden)} {self._kinds_left_out(frame)} not shown (--thread shows all)"
            yield line(" " * _LOCALS_INDENT, (text, QUIET))
        if frame.locals_missing:
            reason = f"locals not captured: {frame.locals_missing}"
            yield line(" " * _LOCALS_INDENT, (reason, QUIET))

    def _telling(self, frame: Frame) -> Sequence[Local]:
        """Leave out what every module has: its locals are its imports, functions and classes."""
        return tuple(local for local in frame.locals if self._left_out_as(frame, local) is None)

    def _left_out_as(self, frame: Frame, local: Local) -> tuple[str, str] | None:
        """Return one and many of what a name of a module is that tells nothing, else None."""
        if frame.qualname != MODULE_QUALNAME:
            return None
        if is_module_dunder(frame, local):
            return _DUNDER
        return _DEFINITIONS.get(self._snapshot.values[local.node].kind)

    def _kinds_left_out(self, frame: Frame) -> str:
        """Return "function", or "dunder names, functions and modules"."""
        found = [kind for local in frame.locals if (kind := self._left_out_as(frame, local))]
        *most, last = (many for _, many in sorted(set(found)))
        if len(found) == 1:
            return found[0][0]
        return f"{', '.join(most)} and {last}" if most else last

    def _local(self, local: Local, width: int) -> Iterator[Text]:
        seen = Seen(self._snapshot.values, local.node)
        if self._expanded:
            yield from value_lines(local.name, seen, indent=_LOCALS_INDENT)
            return
        name = clip(sanitize(local.name), width // 3)
        left = width - _LOCALS_INDENT - cell_len(name) - 3
        yield line(" " * _LOCALS_INDENT, name, " = ", describe(seen, width=left))
