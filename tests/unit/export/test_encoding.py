"""JSON that can be printed: nothing in it acts on a terminal or hides, and a reader gets it all."""

from __future__ import annotations

import json
import sys
from itertools import batched

import pytest

from snapshotter.export.encoding import dumps
from snapshotter.render.sanitize import sanitize

HIDDEN = ["\x1b[31m", "\x7f", "\x9b31m", "\u202e", "\u200b", "\u2028", "\ufeff", "\U000e0041"]


@pytest.mark.parametrize("hidden", HIDDEN, ids=ascii)
def test_what_a_terminal_obeys_or_hides_is_escaped(hidden: str) -> None:
    value = {f"key{hidden}": [f"ä{hidden}€", "plain"]}
    written = dumps(value)
    assert not set(hidden) - {*"[31m"} & set(written.decode())
    assert json.loads(written) == value


def test_what_shows_stays_as_it_is() -> None:
    assert dumps({"name": "Käse 日本 🙂"}) == '{"name":"Käse 日本 🙂"}'.encode()


def test_no_code_point_is_changed_for_a_reader() -> None:
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
    # piece by piece: one text with a million different characters takes twice as long
    for piece in map("".join, batched(every, 4096, strict=False)):
        written = dumps(piece)
        assert json.loads(written) == piece
        shown = [char for char in set(written.decode()) if len(sanitize(char)) > 1]
        assert all(char.isprintable() or char.isspace() for char in shown)
