"""Captured values on one bounded line, and as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from snapshotter.model import Item, Kind, Status, Value
from snapshotter.render.fit import clip, line
from snapshotter.render.sanitize import sanitize
from snapshotter.render.styles import QUIET, STATUS
from snapshotter.render.units import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.analysis.seen import Seen

__all__ = ["describe", "value_lines"]

DEFAULT_WIDTH = 100
MAX_DEPTH = 4
MAX_TREE_LINES = 400
MAX_TREE_DEPTH = 16

_BRACKETS = {
    Kind.LIST: ("[", "]"),
    Kind.TUPLE: ("(", ")"),
    Kind.DICT: ("{", "}"),
    Kind.SET: ("{", "}"),
    Kind.DEQUE: ("[", "]"),
}
_PLAIN_TYPE = {kind: kind.value for kind in (*_BRACKETS, Kind.STR, Kind.BYTES, Kind.INT)}
_SCALARS = frozenset({Kind.NONE, Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.COMPLEX})
_UNITS = {Kind.STR: "character", Kind.BYTES: "byte", Kind.INT: "bit"}


def describe(seen: Seen, *, width: int = DEFAULT_WIDTH) -> Text:
    """Return a value on one line of at most ``width`` cells: type, length, head of its members.

    Redacted, truncated and unreadable values stand in guillemets, with the reason.
    No captured text can imitate that, because text is always quoted.
    """
    writer = _Writer(width)
    writer.value(seen, depth=0, path=())
    return writer.finish()


class _Writer:
    """Appends to a line until it is full."""

    def __init__(self, width: int) -> None:
        self.text = Text(no_wrap=True, overflow="ellipsis")
        self._left = width
        self._cut = False

    @property
    def _full(self) -> bool:
        """Whether nothing more fits; whoever asks has something to write, so it is cut."""
        self._cut = self._cut or self._left <= 0
        return self._cut

    def finish(self) -> Text:
        """Return the line, with an ellipsis if something did not fit."""
        if self._cut and not self.text.plain.endswith("…"):
            self.text.right_crop(1)
            self.text.append("…")
        return self.text

    def put(self, part: str, style: str = "") -> None:
        if not part or self._full:
            return
        shown = sanitize(part)
        self.text.append(clip(shown, self._left), style)
        self._left -= cell_len(shown)

    def value(self, seen: Seen, *, depth: int, path: tuple[int, ...]) -> None:
        if self._full:
            return
        value = seen.value
        if hidden := _hidden(value):
            self.put(hidden, STATUS[value.status])
        elif value.kind is Kind.INT and value.status is Status.TRUNCATED:
            # Only its highest bits are known: they must not read as a number.
            self.put(_marked(f"{_named(value)}, beginning with {int(value.value or 0):#x}"))
        elif value.kind in _SCALARS and value.value is not None:
            self.put(str(value.value))
        elif value.kind is Kind.NONE:
            self.put("None")
        elif value.kind in {Kind.STR, Kind.BYTES}:
            self._text_value(value)
        elif seen.node in path or depth > MAX_DEPTH:
            self.put(
                f"{_named(value)} …" if depth > MAX_DEPTH else _marked(f"cycle: {_named(value)}")
            )
        else:
            self._members(seen, depth=depth, path=(*path, seen.node))

    def _text_value(self, value: Value) -> None:
        if value.status is Status.TRUNCATED or value.type != _PLAIN_TYPE[value.kind]:
            self.put(f"{_named(value)}: ")
        self.put(repr(value.value))
        if value.status is Status.TRUNCATED:
            self.put("…", STATUS[Status.TRUNCATED])

    def _members(self, seen: Seen, *, depth: int, path: tuple[int, ...]) -> None:
        value = seen.value
        if value.kind is Kind.LOCK and value.value is not None and not value.items:
            self.put(str(value.value))  # It reads "<locked _thread.lock object at 0x…>".
            return
        opening, closing = _BRACKETS.get(value.kind, ("<", ">"))
        is_container = value.kind in _BRACKETS
        if is_container and not value.items and value.type == "set":
            self.put("set()")
            return
        if is_container and (value.status is not Status.OK or value.type != value.kind):
            self.put(f"{_named(value)}: ")
        self.put(opening)
        if not is_container:
            self.put(_head(value))
        for index, item in enumerate(value.items):
            if self._full:
                return
            if index or not is_container:
                self.put(", " if is_container else " ")
            self._label(seen, item, depth=depth, path=path)
            self.value(seen.at(item.node), depth=depth + 1, path=path)
        # of a time with a zone, the zone is not told
        is_cut = value.items or is_container or value.kind is Kind.TIME
        if value.status is Status.TRUNCATED and is_cut:
            gap = (", " if is_container else " ") if value.items else ""
            self.put(f"{gap}…", STATUS[Status.TRUNCATED])
        self.put(closing)

    def _label(self, seen: Seen, item: Item, *, depth: int, path: tuple[int, ...]) -> None:
        if item.name is not None:
            self.put(f"{item.name}=" if item.attribute else f"{item.name!r}: ")
        elif item.key is not None:
            self.value(seen.at(item.key), depth=depth + 1, path=path)
            self.put(": ")


def _marked(words: str) -> str:
    return f"\u2039{words}\u203a"


def _hidden(value: Value) -> str | None:
    """Say why a value is not shown at all, or return None when something of it is."""
    known = bool(value.type) or value.kind is not Kind.UNKNOWN
    what = f": {_named(value)}" if known else ""
    if value.status is Status.REDACTED:
        return _marked(f"redacted{what}")
    if value.status is Status.UNREADABLE:
        return _marked(f"unreadable{what}")
    if value.kind is Kind.UNKNOWN:
        return _marked(f"not captured{what}")
    if value.value is not None or value.items or value.kind is Kind.NONE:
        return None
    if value.status is Status.TRUNCATED:
        return _marked(f"not captured{what}")
    # At the level "shapes" text has a length and no characters.
    return _marked(_named(value)) if value.kind in _UNITS else None


def _named(value: Value) -> str:
    """Return "list of 1,950", "str of 24 characters", "orders.db.Pool"."""
    name = value.type or value.kind.value
    if value.length is None or value.kind is Kind.OBJECT:
        return name
    unit = _UNITS.get(value.kind)
    if unit is None:
        return f"{name} of {count(value.length)}"
    return f"{name} of {count(value.length)} {unit}{'' if value.length == 1 else 's'}"


def _head(value: Value) -> str:
    """Return what stands first between the brackets of something that is no container."""
    name = value.type or value.kind.value
    if value.kind is Kind.ARRAY and value.length is not None:
        name = _named(value)
    return name if value.value is None else f"{name} {value.value!s}"


def value_lines(name: str, seen: Seen, *, indent: int = 0) -> Iterator[Text]:
    """Yield a value with all its captured members, one per line, below its name."""
    for index, each in enumerate(_tree(name, seen, indent, ())):
        if index >= MAX_TREE_LINES:
            yield line(" " * indent, ("… more than can be shown", QUIET))
            return
        yield each


def _tree(name: str, seen: Seen, indent: int, path: tuple[int, ...]) -> Iterator[Text]:
    value = seen.value
    opened = bool(value.items) and seen.node not in path and _hidden(value) is None
    opened = opened and len(path) < MAX_TREE_DEPTH
    if not opened:
        yield line(" " * indent, f"{name} = ", describe(seen))
        return
    yield line(" " * indent, f"{name} = ", (_summary(value), STATUS[value.status]))
    for index, item in enumerate(value.items):
        label = _tree_label(seen, item, index)
        yield from _tree(label, seen.at(item.node), indent + 2, (*path, seen.node))
    left = None if value.length is None else value.length - len(value.items)
    if value.status is Status.TRUNCATED and (left is None or left > 0):
        number = "" if left is None else f"{count(left)} "
        yield line(" " * (indent + 2), (f"… {number}more, not captured", QUIET))


def _summary(value: Value) -> str:
    if value.kind in _BRACKETS:
        return _named(value)
    return f"<{_head(value)}>"


def _tree_label(seen: Seen, item: Item, index: int) -> str:
    if item.name is not None:
        return f".{item.name}" if item.attribute else f"[{item.name!r}]"
    if item.key is not None:
        return f"[{describe(seen.at(item.key), width=40).plain}]"
    return "·" if seen.value.kind is Kind.SET else f"[{index}]"
