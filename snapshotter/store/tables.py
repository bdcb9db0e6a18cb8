"""Growing tables that store each text, code object, place and stack once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.model import Kind, MainState, Origin, Status, TaskState, View
from snapshotter.store.wire import text_to_wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from snapshotter.model import Frame

__all__ = ["OWNER_OUTSIDE", "OWNER_TASK", "OWNER_THREAD", "Stacks", "Strings", "columns"]

OWNER_THREAD = "thread"
OWNER_OUTSIDE = "outside"
OWNER_TASK = "task"

# First in the table, so that the words which stand in every row have indices of one byte.
_WORDS = (
    *(str(word) for words in (Kind, Status, Origin, View, TaskState, MainState) for word in words),
    OWNER_THREAD,
    OWNER_OUTSIDE,
    OWNER_TASK,
)


class Strings:
    """The string table."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        for word in _WORDS:
            self.add(word)

    def add(self, text: str) -> int:
        """Return the s-index of ``text``."""
        return self._index.setdefault(text, len(self._index))

    def maybe(self, text: str | None) -> int | None:
        """Return the s-index of ``text``, None for None."""
        return None if text is None else self.add(text)

    def column(self) -> list[str | bytes]:
        """Return the table as it goes into the file."""
        return [text_to_wire(text) for text in self._index]


class Stacks:
    """The code, frame and stack tables, and the locals that lie on them."""

    def __init__(self, strings: Strings) -> None:
        self._strings = strings
        self._codes: dict[tuple[int, int, int, int], int] = {}
        self._frames: dict[tuple[int, int | None, int | None], int] = {}
        self._stacks: dict[tuple[int, ...], int] = {}
        self._locals: list[tuple[int, int, int, int, int]] = []
        self._missing: list[tuple[int, int, int, int]] = []

    def add(self, frames: tuple[Frame, ...], owner: str, row: int) -> int:
        """Return the row of the stack ``frames``; its locals belong to ``owner`` number ``row``."""
        for depth, frame in enumerate(frames):
            if frame.locals or frame.locals_missing is not None:
                self._add_locals(frame, (self._strings.add(owner), row, depth))
        stack = tuple(map(self._frame, frames))
        return self._stacks.setdefault(stack, len(self._stacks))

    def document(self) -> dict[str, dict[str, list[object]]]:
        """Return the six tables as they go into the file."""
        return {
            "codes": columns(self._codes, "filename", "qualname", "first_lineno", "origin"),
            "frames": columns(self._frames, "code", "lineno", "lasti"),
            "stacks": {"length": [len(stack) for stack in self._stacks]},
            "stack_frames": {"frame": [frame for stack in self._stacks for frame in stack]},
            "locals": columns(self._locals, "of", "row", "depth", "name", "value"),
            "locals_missing": columns(self._missing, "of", "row", "depth", "reason"),
        }

    def _add_locals(self, frame: Frame, place: tuple[int, int, int]) -> None:
        text = self._strings.add
        self._locals.extend((*place, text(local.name), local.node) for local in frame.locals)
        if frame.locals_missing is not None:
            self._missing.append((*place, text(frame.locals_missing)))

    def _frame(self, frame: Frame) -> int:
        text = self._strings.add
        code = (
            text(frame.filename),
            text(frame.qualname),
            frame.first_lineno,
            text(frame.origin.value),
        )
        code_row = self._codes.setdefault(code, len(self._codes))
        place = (code_row, frame.lineno, frame.lasti)
        return self._frames.setdefault(place, len(self._frames))


def columns(rows: Iterable[tuple[object, ...]], *names: str) -> dict[str, list[object]]:
    """Turn rows into named columns; ValueError when a row has another width than ``names``."""
    cells = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(column) for name, column in zip(names, cells, strict=True)}
