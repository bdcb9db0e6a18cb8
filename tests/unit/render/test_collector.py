from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from snapshotter.analysis.diff import diff
from snapshotter.model import Collection, GcState, Generation
from snapshotter.render.diff import diff_view
from snapshotter.render.tables import collector_section
from tests.support.samples import SECOND_NS, recording
from tests.unit.render.screens import rendered

NOW_NS = 100 * SECOND_NS


def state(*recent: Collection) -> GcState:
    """Return a collector with the figures of a large process, as 3.15 keeps them."""
    more = MappingProxyType({"candidates": 1_439_734, "duration": 0.0658})
    one = Generation(1_336, 2_000, 123_702, 9_423_337, 0, more)
    return GcState(enabled=True, generations=(one, one, one), recent=recent)


def run(generation: int, duration_ns: int, ago_s: int) -> Collection:
    return Collection(generation, NOW_NS - ago_s * SECOND_NS, duration_ns, 259_530)


def test_the_last_runs_are_told_with_their_times() -> None:
    runs = [run(2, 12_000_000, 9), run(2, 11_000_000, 8), run(2, 14_000_000, 6), run(1, 730_000, 3)]
    runs += [run(0, 14_000 + 1_000 * n, 1) for n in range(11)]
    output = " ".join(rendered(collector_section(state(*runs), now_ns=NOW_NS)).split())
    assert (
        "last 3 full collections: 12.0 ms, 11.0 ms, 14.0 ms;"
        " the last one 6 s before, among 259,530 objects" in output
    )
    assert "last run of generation 1: 730 µs" in output
    assert "last 11 runs of generation 0: 14 µs to 24 µs" in output


@pytest.mark.parametrize("width", [80, 160])
def test_no_number_of_the_collector_is_cut(width: int) -> None:
    output = rendered(collector_section(state(), now_ns=NOW_NS), width=width)
    assert "…" not in output
    assert "last" not in output
    assert "9,423,337" in output


def test_a_collector_that_did_not_run_is_one_line() -> None:
    before, after = recording(2).snapshots
    output = rendered(diff_view(diff(before, replace(after, gc=before.gc))))
    assert "Collector  did not run between the two\n" in output
    assert "uncollectable" not in output
    assert "uncollectable" in rendered(diff_view(diff(before, after)))
