from __future__ import annotations

import sys
import unicodedata

import pytest

from snapshotter.render.sanitize import sanitize, text
from tests.support.samples import HOSTILE

FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
FILLERS = "\u115f\u1160\u2800\u3164\uffa0"


def test_no_code_point_passes_that_a_terminal_could_obey_or_hide() -> None:
    everything = "x".join(map(chr, range(sys.maxunicode + 1)))
    left = set(sanitize(everything))
    kinds = {char: unicodedata.category(char) for char in left}
    assert not FORBIDDEN & set(kinds.values())
    assert {char for char, kind in kinds.items() if kind == "Zs"} == {" "}
    assert not left & set(FILLERS)
    assert len(left) > 100_000, "letters of all scripts pass"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("\n\r\t\0\x7f\x9b", "\\n\\r\\t\\x00\\x7f\\x9b"),
        ("\u202eabc", "\\u202eabc"),
        ("\U000e0041", "\\U000e0041"),
        ("\udc9b", "\\udc9b"),
        ("a\u00a0b\u3000c", "a\\xa0b\\u3000c"),
        ("\u3164\u2800", "\\u3164\\u2800"),
        ("naïve Žižek 日本語 🦆", "naïve Žižek 日本語 🦆"),
        ("e\u0301\u0302", "e\u0301\u0302"),
        ("e\u0301\u0302\u0303\u0304", "e\u0301\u0302\\u0303\\u0304"),
        ("C:\\temp\\x1b", "C:\\temp\\x1b"),
        ("[bold]:bomb:[/]", "[bold]:bomb:[/]"),
    ],
)
def test_sanitize_makes_visible_what_hides(value: str, shown: str) -> None:
    assert sanitize(value) == shown


def test_sanitize_twice_changes_nothing() -> None:
    assert sanitize(sanitize(HOSTILE)) == sanitize(HOSTILE)


def test_text_never_reads_markup() -> None:
    assert text("[bold]x[/bold]").plain == "[bold]x[/bold]"
    assert text("[bold]x[/bold]").spans == []
