"""Files of an older schema pass through one small upgrader per version."""

from __future__ import annotations

from typing import Any

import pytest

from snapshotter.store.upgrade import UPGRADERS, upgrade
from snapshotter.store.wire import WireError


def _add_tool(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"tool": "unknown"}


def _rename_host(document: dict[str, Any]) -> dict[str, Any]:
    return {("node" if key == "host" else key): value for key, value in document.items()}


def test_each_step_from_the_written_to_the_current_version_is_taken_in_order() -> None:
    upgraders = {1: _add_tool, 2: _rename_host}

    assert upgrade({"host": "a1"}, 1, upgraders=upgraders, current=3) == {
        "node": "a1",
        "tool": "unknown",
    }
    assert upgrade({"host": "a1"}, 2, upgraders=upgraders, current=3) == {"node": "a1"}
    assert upgrade({"host": "a1"}, 3, upgraders=upgraders, current=3) == {"host": "a1"}


def test_version_without_an_upgrader_is_refused() -> None:
    with pytest.raises(WireError, match="format 1 is not one"):
        upgrade({}, 1, upgraders={2: _rename_host}, current=3)


def test_current_version_needs_no_upgrader() -> None:
    assert not UPGRADERS
    assert upgrade({"a": 1}, 1) == {"a": 1}
