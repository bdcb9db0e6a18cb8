"""Fitting text into a width: lines that clip, paths that fold from the left, names that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.measure import Measurement
from rich.segment import Segment
from rich.text import Text

from snapshotter.analysis.signatures import below_package_root
from snapshotter.render.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from snapshotter.model import Frame

__all__ = [
    "SEPARATOR",
    "Facts",
    "Folded",
    "Hanging",
    "Title",
    "Trimmed",
    "blank",
    "clip",
    "fold_left",
    "line",
    "names_of",
    "place_of",
    "sentence",
    "short_path",
]

_ELLIPSIS = "…"
SEPARATOR = "  ·  "
"""Between facts that stand side by side."""

_MIN_TITLE = 12
_MAX_TITLE = 120

type Part = str | tuple[str, str] | Text


def line(*parts: Part) -> Text:
    """Return one line that is clipped at the width; parts are text or (text, style), sanitized."""
    return _assemble(parts, Text(no_wrap=True, overflow="ellipsis", end="\n"))


def sentence(*parts: Part) -> Text:
    """Return running text that wraps between words; parts as for ``line``."""
    return _assemble(parts, Text(overflow="fold"))


def blank() -> Text:
    """Return an empty line."""
    return Text("")


def _assemble(parts: Sequence[Part], onto: Text) -> Text:
    for part in parts:
        if isinstance(part, Text):
            onto.append_text(part)
        elif isinstance(part, tuple):
            onto.append(sanitize(part[0]), part[1])
        else:
            onto.append(sanitize(part))
    return onto


class Hanging:
    """Running text after a prefix; lines that wrap start below the text, not the prefix.

    Unlike a table or a padding it ends its lines where the text ends, so that a pipe gets no
    trailing spaces.
    """

    def __init__(self, prefix: str | Text, text: Text) -> None:
        self._prefix = line(prefix)
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one line of text for each wrapped line."""
        indent = self._prefix.cell_len
        for index, each in enumerate(self._text.wrap(console, max(1, options.max_width - indent))):
            each.rstrip()
            yield line(self._prefix if index == 0 else " " * indent, each)


class Title:
    """A name, cut at its end where it must be, and facts of which nothing is cut."""

    def __init__(self, name: str, facts: str) -> None:
        self._name = sanitize(name)
        self._facts = sanitize(f"  {facts}" if facts else "")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the one line."""
        del console
        room = min(_MAX_TITLE, max(_MIN_TITLE, options.max_width - cell_len(self._facts)))
        yield line((clip(self._name, room), "bold"), self._facts)


class Facts:
    """Short facts side by side; a line breaks between two of them, never within one."""

    def __init__(self, facts: Iterable[str], *, prefix: str = "", style: str = "dim") -> None:
        self._facts = [sanitize(fact) for fact in facts]
        self._prefix = prefix
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield as many lines as the facts need."""
        del console
        width = options.max_width - len(self._prefix)
        row = ""
        for fact in self._facts:
            joined = f"{row}{SEPARATOR}{fact}" if row else fact
            if row and cell_len(joined) > width:
                yield line(self._prefix, (row, self._style))
                joined = fact
            row = joined
        if row:
            yield line(self._prefix, (row, self._style))


class Trimmed:
    """Anything else, without the spaces that tables put at the ends of their lines."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, each trimmed."""
        for segments in console.render_lines(self._renderable, options, pad=False):
            row = list(segments)
            while row and not row[-1].text.strip():
                row.pop()
            if row:
                yield from row[:-1]
                yield Segment(row[-1].text.rstrip(), row[-1].style)
            yield Segment.line()


def clip(value: str, width: int) -> str:
    """Cut sanitized text to a width in terminal cells, with an ellipsis at its end."""
    if cell_len(value) <= width:
        return value
    kept = value[: max(0, width)]
    while kept and cell_len(kept) > width - 1:
        kept = kept[:-1]
    return kept + _ELLIPSIS if width > 0 else ""


def fold_left(value: str, width: int) -> str:
    """Cut sanitized text to a width at its beginning: of a path the end is what tells.

    A path is cut between two of its parts where that costs little.
    """
    if cell_len(value) <= width:
        return value
    kept = value[-max(1, width) :]
    while kept and cell_len(kept) > width - 1:
        kept = kept[1:]
    separator = kept.find("/")
    if 0 < separator <= len(kept) // 3:
        kept = kept[separator:]
    return _ELLIPSIS + kept if width > 0 else ""


class Folded:
    """A cell that folds its text from the left into whatever width it is given."""

    def __init__(self, value: str, style: str = "", *, minimum: int = 12) -> None:
        self._text = sanitize(value)
        self._style = style
        self._minimum = minimum

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the one line."""
        style = console.get_style(self._style) if self._style else None
        yield Segment(fold_left(self._text, options.max_width), style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Ask for the whole text, and be content with its end."""
        whole = cell_len(self._text)
        return Measurement(min(whole, self._minimum), whole).with_maximum(options.max_width)


def short_path(filename: str, root: str | None = None) -> str:
    """Return a path without the directories that every reader of this process knows.

    Those of ``site-packages`` and the standard library go, and ``root``, its working directory.
    """
    below = below_package_root(filename)
    if below:
        return below
    if root and root != "/" and filename.startswith(f"{root.rstrip('/')}/"):
        return filename[len(root.rstrip("/")) + 1 :]
    return filename


def place_of(frame: Frame, root: str | None = None) -> str:
    """Return "orders/db.py:88", or the path alone where the bytecode has no line."""
    path = short_path(frame.filename, root)
    return path if frame.lineno is None else f"{path}:{frame.lineno}"


def names_of(names: Sequence[str], *, shown: int = 6) -> str:
    """Return "db-1, db-2, db-3 and 15 more"."""
    if len(names) <= shown + 1:
        return ", ".join(names)
    return f"{', '.join(names[:shown])} and {len(names) - shown:,} more"
