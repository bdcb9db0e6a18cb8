r"""The border that every string from a target or a file passes before it reaches a terminal.

A thread's name, a path or a local may hold anything: escape sequences, bidirectional overrides,
characters without width. What could act on the terminal, or hide, becomes a visible escape such
as ``\x1b`` or ``\u202e``. The result goes into ``rich.text.Text`` only, never into markup.
"""

from __future__ import annotations

from unicodedata import category

from rich.text import Text

__all__ = ["sanitize", "text"]

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by category that show nothing, wherever they stand."""
_MARKS = frozenset({"Mn", "Me"})
_MAX_MARKS = 2
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def sanitize(value: str) -> str:
    """Return the text with everything that does not show as itself made visible.

    The result holds no control, format, surrogate, private or unassigned character, no line
    break, no space but the ordinary one, and at most two combining marks in a row. Doing it twice
    changes nothing.
    """
    if value.isascii() and value.isprintable():
        return value
    out: list[str] = []
    marks = 0
    for char in value:
        kind = category(char)
        marks = marks + 1 if kind in _MARKS else 0
        odd_space = kind == "Zs" and char != " "
        unsafe = kind in _UNSAFE_CATEGORIES or odd_space or char in _FILLERS or marks > _MAX_MARKS
        out.append(_escape(char) if unsafe else char)
    return "".join(out)


def text(value: str, style: str = "") -> Text:
    """Return sanitized text as a renderable without any markup."""
    return Text(sanitize(value), style=style)


def _escape(char: str) -> str:
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if code <= 0xFF:  # noqa: PLR2004 - the widths of Python's own escapes
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - as above
