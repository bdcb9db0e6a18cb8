"""Values of programs that were drawn by lot: both views tell the same, and it is the truth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from snapshotter.analysis.seen import Seen
from snapshotter.model import ValueLevel, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.comparing import Comparison, untruths
from tests.support.details import details_of
from tests.support.programs import draw_program
from tests.support.targets import spawn, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from snapshotter.model import Frame, Value
    from tests.support.comparing import Fact
    from tests.support.targets import LiveTarget

    type Stacks = dict[int, tuple[Frame, ...]]
    type Reading = tuple[Stacks, tuple[Value, ...]]

pytestmark = pytest.mark.live

LEVELS = (ValueLevel.SCRUBBED, ValueLevel.FULL, ValueLevel.SHAPES)
SHORT, LONG = range(3), range(100, 250)


def from_inside(target: LiveTarget, level: ValueLevel) -> Reading:
    options = CaptureOptions(
        patience_ns=5_000_000_000, max_pause_ns=500_000_000, locals="all", values=level
    )
    found = []

    def taken() -> bool:
        with Observer.open(target.pid, options) as observer:
            found.append(observer.capture())
        return View.INSIDE in found[-1].capture.views

    wait_until(taken)
    threads = [one for one in found[-1].threads if one.view is View.INSIDE]
    return {one.ident: one.frames for one in threads}, found[-1].values


def from_outside(target: LiveTarget, level: ValueLevel) -> Reading:
    with details_of(target.pid) as details:
        found = details.read("all", level=level, budget_ns=10_000_000_000)
    return {ident: one.frames for (ident, _, _), one in found.threads.items()}, found.values


def told(target: LiveTarget, path: Path) -> dict[int, list[Fact]]:
    target.tell("the truth")
    target.wait_for(lambda: target.stdout_text() == "told\n")
    return {one["ident"]: one["stack"] for one in json.loads(path.read_text())}


def compare(inside: Reading, outside: Reading) -> Comparison:
    comparison = Comparison()
    for ident, frames in inside[0].items():
        for one, other in zip(frames, outside[0].get(ident, frames), strict=True):
            if one.locals_missing or other.locals_missing:
                continue
            names = [local.name for local in one.locals]
            if names != [local.name for local in other.locals]:
                comparison.problems.append(f"{one} inside, {other} outside")
                continue
            for local, again in zip(one.locals, other.locals, strict=True):
                path = f"{one.qualname} {local.name}"
                first, second = Seen(inside[1], local.node), Seen(outside[1], again.node)
                comparison.compare(first, second, path)
    return comparison


def lies(reading: Reading, truth: dict[int, list[Fact]]) -> list[str]:
    problems = []
    for ident, stack in truth.items():
        for frame, fact in zip(reading[0].get(ident, ()), stack, strict=False):
            place = [frame.filename, frame.qualname, frame.lineno, frame.lasti]
            if place != fact["place"]:
                problems.append(f"{place} is {fact['place']}")
            names = {local.name for local in frame.locals}
            if not frame.locals_missing and names != set(fact["locals"]):
                problems.append(f"{frame.qualname}: {names} as all of {set(fact['locals'])}")
            for local in frame.locals:
                path = f"{frame.qualname} {local.name}"
                seen = Seen(reading[1], local.node)
                problems += untruths(seen, fact["locals"][local.name], path)
    return problems


def check(seed: int, python: str, folder: Path) -> None:
    program, answer = folder / "drawn.py", folder / "truth.json"
    program.write_text(draw_program(seed))
    level = LEVELS[seed % len(LEVELS)]
    with spawn("telling.py", str(program), str(answer), python=python) as target:
        before = from_outside(target, level)
        inside = from_inside(target, level)
        after = from_outside(target, level)  # the probe has been there: instances may have dicts
        truth = told(target, answer)
    for outside in (before, after):
        comparison = compare(inside, outside)
        assert comparison.problems == []
        assert comparison.compared > 100
    assert set(truth) <= set(before[0])
    for reading in (before, inside, after):
        assert lies(reading, truth) == []


@pytest.mark.parametrize("seed", SHORT)
def test_both_views_tell_the_truth(target_python: str, seed: int, tmp_path: Path) -> None:
    check(seed, target_python, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_both_views_tell_the_truth_of_many_programs(target_python: str, tmp_path: Path) -> None:
    for seed in LONG:
        try:
            check(seed, target_python, tmp_path)
        except Exception as error:
            error.add_note(f"program {seed}")
            raise
