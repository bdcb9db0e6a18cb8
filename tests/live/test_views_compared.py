"""A snapshot from inside and one from outside are compared without a change that was none."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from snapshotter.analysis.diff import diff
from snapshotter.model import View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.targets import LiveTarget, spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from snapshotter.model import Snapshot

pytestmark = pytest.mark.live

OPTIONS = CaptureOptions(patience_ns=5_000_000_000, locals="all")
GROWING = """
import os, sys, threading, time

def keep():
    trail, owner = [1, 2, 3], None
    arrived.set()
    sys.stdin.readline()
    trail.extend([4, 5])
    owner = "somebody"
    sys.stdout.write("grown")
    sys.stdout.flush()
    threading.Event().wait()

arrived = threading.Event()
threading.Thread(target=keep, name="keeper", daemon=True).start()
arrived.wait()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
while True:
    time.sleep(0.005)
"""


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> Views:
    return Views(monkeypatch)


class Views:
    """Takes a snapshot whose threads were seen from the view that is asked for, main apart."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def take(self, target: LiveTarget, view: View) -> Snapshot:
        with (
            self._monkeypatch.context() as patched,
            closing(Observer.open(target.pid, OPTIONS)) as observer,
        ):
            if view is View.OUTSIDE:
                patched.setattr("snapshotter.record.capture.hopeless", lambda *_: "not asked")
            found: list[Snapshot] = []

            def taken() -> bool:
                found.append(observer.capture())
                return all(one.view is view for one in found[-1].threads if not one.is_main)

            wait_until(taken)
        return found[-1]


@pytest.mark.parametrize("first", list(View))
def test_values_that_stay_do_not_change_from_view_to_view(
    target_python: str, views: Views, first: View
) -> None:
    second = View.OUTSIDE if first is View.INSIDE else View.INSIDE
    with spawn("value_zoo.py", python=target_python) as zoo:
        before, after = views.take(zoo, first), views.take(zoo, second)
    found = diff(before, after)
    compared = {
        local.name
        for old, new in zip(before.threads, after.threads, strict=False)
        if not new.is_main and old.view is not new.view
        for frame in new.frames
        for local in frame.locals
    }
    assert len(compared) > 20
    parked = [one for one in found.changed_locals if not one.thread.is_main]
    assert [(one.name, one.changes) for one in parked] == []


@pytest.mark.parametrize("first", list(View))
def test_a_list_that_grew_is_told_across_views(
    target_python: str, views: Views, first: View
) -> None:
    second = View.OUTSIDE if first is View.INSIDE else View.INSIDE
    with spawn_source(GROWING, python=target_python) as live:
        before = views.take(live, first)
        live.tell("go on")
        live.wait_for(lambda: live.stdout_text() == "grown")
        after = views.take(live, second)
    found = diff(before, after)
    trail = next(one for one in found.resizes if one.expression == "trail")
    assert (trail.figure.before, trail.figure.after) == (3, 5)
    assert trail.views == (first, second)
    assert "owner" in {one.name for one in found.changed_locals}
