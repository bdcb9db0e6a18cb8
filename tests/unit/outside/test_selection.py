"""The rule for which frames have locals is the one that the probe follows."""

from __future__ import annotations

import random
from typing import Any

import pytest

from snapshotter.model import Origin
from snapshotter.outside.selection import Selection, any_match
from snapshotter.probe.stacks import _selected

ORIGINS = (Origin.APP, Origin.LIBRARY, Origin.STDLIB)


def as_the_probe_does(word: str, numbers: list[int], app_frames: int) -> list[int]:
    work: Any = {
        "request": {"locals": word, "limits": {"app_frames": app_frames}},
        "stack": [number << 32 for number in numbers],
        "last_first": 0,
        "origins": [0, 1, 2],
    }
    return _selected(work)


@pytest.mark.parametrize("word", ["app", "all", "none", "globs"])
def test_frames_are_selected_as_the_probe_does(word: str) -> None:
    chosen = random.Random(word)  # noqa: S311 - repeatable
    for _ in range(200):
        numbers = [chosen.randrange(3) for _ in range(chosen.randrange(30))]
        found = Selection(word).frames([ORIGINS[number] for number in numbers], 8)
        assert found == as_the_probe_does(word, numbers, 8)


def test_globs_select_by_module_function_and_name() -> None:
    selection = Selection("globs", (("orders.*", "Cart.*", "price*"), ("*", "main", "x")))
    assert selection.needs_module
    patterns = selection.names("orders.cart", "Cart.add")
    assert patterns == ("price*",)
    assert any_match(patterns, "price_total")
    assert not any_match(patterns, "total")
    assert selection.names("other", "main") == ("x",)
    assert selection.names("other", "other") == ()
    assert Selection("app").names("other", "other") is None
    assert any_match(None, "anything")
