"""Both views tell the same of the hostile and strange objects that the probe is tested with."""

from __future__ import annotations

import pytest

from snapshotter.model import View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.details import details_of, tree
from tests.support.targets import TARGETS, spawn

pytestmark = [pytest.mark.live, pytest.mark.slow]

KEEPER = TARGETS.parent / "zoo" / "keeper.py"
CUT_SHORT = "'unknown', '', 'truncated'"
PATIENCE_NS = 5_000_000_000


@pytest.mark.parametrize(
    "group",
    ["builtin_types", "classes", "declared", "c_objects", "machinery", "third_party",
     "surroundings"],
)  # fmt: skip
def test_strange_objects_are_told_the_same(target_python: str, group: str) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS, locals="all")
    compared: set[tuple[int, str]] = set()
    with (
        spawn(KEEPER, group, python=target_python) as target,
        details_of(target.pid) as details,
        Observer.open(target.pid, options) as observer,
    ):
        found = details.read("all")
        for _ in range(3):
            snapshot = observer.capture()
            for thread in snapshot.threads:
                key = thread.ident, thread.native_id or 0, 0
                if thread.view is View.OUTSIDE or thread.is_main or key not in found.threads:
                    continue
                frames = zip(thread.frames, found.threads[key].frames, strict=True)
                for inside, outside in frames:
                    told = {one.name: one.node for one in outside.locals}
                    for local in inside.locals:
                        wanted = tree(snapshot.values, local.node)
                        if local.name.startswith("case_") and CUT_SHORT not in str(wanted):
                            assert tree(found.values, told[local.name]) == wanted
                            compared.add((thread.ident, local.name))
    assert compared
