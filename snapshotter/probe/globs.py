"""Which locals are asked for: patterns for module, function and name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import LONGEST_PLACE, exact_text

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Work

__all__ = ["any_match", "globs_of", "matches"]


def globs_of(work: Work, frame: Any) -> list[str] | None:
    """Name patterns that apply to a frame, None for all names."""
    if work["request"]["locals"] != "globs":
        return None
    module = ""
    names = frame.f_globals
    if type(names) is dict:
        for _, (key, value) in zip(range(16), dict.items(names)):
            if type(key) is str and key == "__name__" and type(value) is str:
                module = value
    qualname = exact_text(frame.f_code.co_qualname, LONGEST_PLACE)
    return [
        name
        for in_module, in_function, name in work["request"]["globs"]
        if matches(in_module, module) and matches(in_function, qualname)
    ]


def any_match(patterns: list[str], text: str) -> bool:
    """Whether one of the patterns matches."""
    for pattern in patterns:
        if matches(pattern, text):
            return True
    return False


def matches(pattern: str, text: str) -> bool:
    """A glob with ``*`` and ``?``, matched without backtracking over more than one star."""
    p = t = 0
    star, mark = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] in ("?", text[t]) and pattern[p] != "*":
            p += 1
            t += 1
        elif p < len(pattern) and pattern[p] == "*":
            star, mark = p, t
            p += 1
        elif star >= 0:
            p = star + 1
            mark += 1
            t = mark
        else:
            return False
    while p < len(pattern) and pattern[p] == "*":
        p += 1
    return p == len(pattern)
