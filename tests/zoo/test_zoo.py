"""No code of any case runs while it is captured, the process lives, and each case is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.support.targets import TARGETS, LiveTarget, spawn

from snapshotter.model import View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.model import Snapshot, Value

pytestmark = pytest.mark.live

KEEPER = TARGETS.parent / "zoo" / "keeper.py"
GROUPS = {
    "builtin_types": 56,
    "classes": 23,
    "declared": 20,
    "c_objects": 24,
    "machinery": 18,
    "third_party": 25,
    "running": 21,
    "surroundings": 87,
}
_CASE = re.compile(r"case_(\d+)")


@pytest.fixture(params=GROUPS)
def zoo(request: pytest.FixtureRequest, target_python: str) -> Iterator[tuple[str, LiveTarget]]:
    with spawn(KEEPER, request.param, python=target_python) as target:
        yield request.param, target
        assert target.stderr_text() == ""


def _ask(target: LiveTarget, line: str) -> str:
    before = target.stdout_text().count("\n")
    target.tell(line)
    target.wait_for(lambda: target.stdout_text().count("\n") > before)
    return target.stdout_text().splitlines()[before]


def _shown(snapshot: Snapshot) -> dict[int, Value]:
    return {
        int(match[1]): snapshot.values[local.node]
        for thread in snapshot.threads
        for frame in thread.frames
        for local in frame.locals
        if (match := _CASE.fullmatch(local.name))
    }


def _capture(target: LiveTarget) -> Snapshot:
    # a frame must fit into one slice, and some have close to a hundred locals
    options = CaptureOptions(locals="all", patience_ns=10_000_000_000, max_pause_ns=2_500_000)
    with Observer.open(target.pid, options) as observer:
        return observer.capture()


def test_the_zoo_is_large() -> None:
    assert sum(GROUPS.values()) >= 250


def test_the_wires_work(target_python: str) -> None:
    with spawn(KEEPER, "builtin_types", python=target_python) as target:
        assert _ask(target, "arm") == "armed"
        assert _ask(target, "poke") == "poked"
        assert "__repr__" in _ask(target, "trips")


def test_nothing_runs_and_everything_is_shown(zoo: tuple[str, LiveTarget]) -> None:
    group, target = zoo
    assert _ask(target, "arm") == "armed"
    snapshot = _capture(target)
    again = _capture(target)
    assert _ask(target, "trips") == ""
    assert target.process.poll() is None
    for one in (snapshot, again):
        assert View.INSIDE in one.capture.views, one.capture
        shown = _shown(one)
        missing = [number for number in range(GROUPS[group]) if number not in shown]
        assert missing == [], one.capture
        assert len(shown) == GROUPS[group]
        leaked = [value for value in one.values if "zoosecret" in str(value.value)]
        assert leaked == []
