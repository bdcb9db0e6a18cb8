"""What a diff tells of a process is what the process was told to change, from whichever view."""

from __future__ import annotations

import random
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from snapshotter.analysis.diff import diff
from snapshotter.analysis.movement import Movement
from snapshotter.model import View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.targets import LiveTarget, spawn, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.analysis.changes import Diff
    from snapshotter.model import Snapshot

    type Fact = tuple[object, ...]

pytestmark = pytest.mark.live

OPTIONS = CaptureOptions(patience_ns=5_000_000_000, locals="all")
NAMES = {"rows", "table", "number", "thing", "extra"}


@dataclass(slots=True)
class Call:
    rows: int = 1
    table: frozenset[int] = frozenset()
    number: int = 0
    thing: int = 0
    extra: int | None = None
    side: int = 0


@dataclass(slots=True)
class State:
    """What the target is known to be like."""

    workers: dict[str, list[Call]] = field(default_factory=dict)
    tasks: dict[str, bool] = field(default_factory=dict)
    files: int = 0
    collections: list[int] = field(default_factory=lambda: [0, 0, 0])
    named: int = 0


class Puppet:
    """A target, and the state that it is in."""

    def __init__(self, target: LiveTarget, rng: random.Random) -> None:
        self.target = target
        self.state = State()
        self._rng = rng
        self._told = 0

    def tell(self, what: str, name: str = "", count: int = 0) -> None:
        self.target.tell(f"{what},{name},{count}")
        self._told += 1
        self.target.wait_for(lambda: self.target.stdout_text().count("\n") == self._told)

    def change(self) -> None:
        """Change one thing."""
        state, rng = self.state, self._rng
        match rng.randrange(12):
            case 0:
                name = self._new_name("worker")
                state.workers[name] = [Call()]
                self.tell("start", name)
            case 1 if state.workers:
                name = rng.choice(list(state.workers))
                del state.workers[name]
                self.tell("end", name)
            case 2:
                name = self._new_name("job")
                state.tasks[name] = False
                self.tell("begin", name)
            case 3 if state.tasks:
                name = rng.choice(list(state.tasks))
                state.tasks[name] = True
                self.tell("go on", name)
            case 4 if state.tasks:
                name = rng.choice(list(state.tasks))
                del state.tasks[name]
                self.tell("cancel", name)
            case 5:
                state.files += 1
                self.tell("open")
            case 6 if state.files:
                state.files -= 1
                self.tell("close")
            case 7:
                generation = rng.randrange(3)
                state.collections[generation] += 1
                self.tell("collect", count=generation)
            case _ if state.workers:
                self._change_worker(rng.choice(list(state.workers)))

    def _new_name(self, kind: str) -> str:
        self.state.named += 1
        return f"{kind}-{self.state.named}"

    def _change_worker(self, name: str) -> None:
        calls, count = self.state.workers[name], self._rng.randrange(1, 4)
        call = calls[-1]
        what = self._rng.choice(["grow", "key", "count", "swap", "name", "side", "call", "return"])
        match what:
            case "grow":
                call.rows += count
            case "key":
                call.table |= {count}
            case "count":
                call.number += count
            case "swap":
                call.thing = count
            case "name":
                call.extra = count
            case "side":
                count %= 2
                call.side = count
            case "call":
                calls.append(Call())
            case _:
                if len(calls) == 1:
                    return
                calls.pop()
        self.tell(what, name, count)


def take(target: LiveTarget, view: View, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    found: list[Snapshot] = []
    with monkeypatch.context() as patched, closing(Observer.open(target.pid, OPTIONS)) as observer:
        if view is View.OUTSIDE:
            patched.setattr("snapshotter.record.capture.hopeless", lambda *_: "not asked")

        def taken() -> bool:
            found.append(observer.capture())
            return (View.INSIDE in found[-1].capture.views) is (view is View.INSIDE)

        wait_until(taken)
    return found[-1]


def seen_twice(before: Snapshot, after: Snapshot) -> set[str | None]:
    """Return the threads that two views have read: of some the probe may have had no time."""
    views = [{one.name: one.view for one in whole.threads} for whole in (before, after)]
    return {name for name, view in views[0].items() if views[1].get(name) is not view}


def truth(before: State, after: State, mixed: set[str | None]) -> Iterator[Fact]:
    for name in before.workers.keys() | after.workers.keys():
        if name not in before.workers or name not in after.workers:
            yield "thread", name, "added" if name in after.workers else "removed"
            continue
        old, new = before.workers[name], after.workers[name]
        if (len(old), old[-1].side) != (len(new), new[-1].side):
            yield "thread", name, "moved"
        for depth, (was, now) in enumerate(zip(old, new, strict=False)):
            found = of_call(was, now, mixed=name in mixed)
            yield from (("local", name, depth, *each) for each in found)
    for name in before.tasks.keys() | after.tasks.keys():
        if name not in before.tasks or name not in after.tasks:
            yield "task", name, "added" if name in after.tasks else "removed"
        elif before.tasks[name] is not after.tasks[name]:
            yield "task", name, "changed"
    if before.files != after.files:
        yield "files", after.files - before.files
    runs = zip(before.collections, after.collections, strict=True)
    yield "runs", *(new - old for old, new in runs)


def of_call(was: Call, now: Call, *, mixed: bool) -> Iterator[Fact]:
    if was.rows != now.rows:
        yield "rows", "changed", now.rows - was.rows
    if was.table != now.table:
        yield "table", "changed", len(now.table) - len(was.table)
        yield from ((f"table[{key}]", "added", None) for key in now.table - was.table)
        yield from ((f"table[{key}]", "removed", None) for key in was.table - now.table)
    if was.number != now.number:
        yield "number", "changed", None
    if was.thing != now.thing:
        yield "thing", "changed", None
    if was.extra is not None and now.extra is not None:
        if was.extra != now.extra:
            yield "extra", "changed", None
    elif was.extra != now.extra and not mixed:
        yield "extra", "added" if was.extra is None else "removed", None


def told(found: Diff) -> Iterator[Fact]:
    for each in found.threads:
        what = "moved" if each.movement is Movement.MOVED else each.change
        if what is not None and (each.thread.name or "").startswith("worker"):
            yield "thread", each.thread.name, str(what)
    for local in found.changed_locals:
        if local.name in NAMES and local.frame.qualname == "stand":
            calls = [one for one in reversed(local.thread.frames) if one.qualname == "stand"]
            depth = next(at for at, one in enumerate(calls) if one is local.frame)
            for one in local.changes:
                path = local.name + one.path
                yield "local", local.thread.name, depth, path, str(one.change), one.length_delta
    assert found.tasks is not None
    for task in found.tasks.changes:
        of = task.after or task.before
        assert of is not None
        yield "task", of.name, str(task.change)
    files = next(one for one in found.process if one.name == "file descriptors")
    if files.delta:
        yield "files", files.delta
    yield "runs", *(each.collections.delta for each in found.gc)


def compare(python: str, seed: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)  # noqa: S311 - reproducible
    with spawn("changing.py", python=python) as target:
        puppet = Puppet(target, rng)
        for _ in range(10):
            puppet.change()
        view = rng.choice(list(View))
        before, known = take(target, view, monkeypatch), deepcopy(puppet.state)
        for number in range(rounds):
            for _ in range(rng.choice([0, 1, 2, 10])):
                puppet.change()
            other = rng.choice(list(View))
            after = take(target, other, monkeypatch)
            wanted = set(truth(known, puppet.state, seen_twice(before, after)))
            assert set(told(diff(before, after))) == wanted, (seed, number, view, other)
            before, known, view = after, deepcopy(puppet.state), other


def test_what_was_changed_is_told(target_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(target_python, 1, 25, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_much_that_was_changed_is_told(
    target_python: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(target_python, seed, 100, monkeypatch)
