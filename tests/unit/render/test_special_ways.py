"""What was done on request to a process whose main thread was blocked is said on screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from snapshotter.render.dump import dump_view
from tests.support.samples import snapshot
from tests.unit.render.screens import rendered

ASKED = {"asked_thread": 24_584, "holds": 1, "held_ns": 300_000}
HELD = "held by ptrace for 300 µs"


def screen(fields: dict[str, Any]) -> str:
    taken = snapshot()
    shown = replace(taken, capture=replace(taken.capture, **fields))
    return " ".join(rendered(dump_view(shown), 100).split())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (ASKED, f"asked through thread 24584, which was {HELD}"),
        (
            {**ASKED, "holds": 3},
            f"asked through thread 24584; threads were {HELD} in 3 holds",
        ),
        (
            {"holds": 2, "held_ns": 300_000},
            f"threads other than the main one were {HELD} in 2 holds, to no avail",
        ),
        ({"woken": "loop"}, "its idle event loop was woken to be asked"),
    ],
)
def test_it_is_said(fields: dict[str, Any], words: str) -> None:
    assert words in screen(fields)


def test_otherwise_nothing_is_said() -> None:
    assert "ptrace" not in screen({})
    assert "woken" not in screen({})
