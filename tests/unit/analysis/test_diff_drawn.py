"""What is told of worlds that were changed by lot is what was changed, and nothing else."""

from __future__ import annotations

import random
from collections import deque
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest

from snapshotter.analysis.diff import diff
from snapshotter.analysis.movement import Movement
from snapshotter.analysis.values import MAX_DEPTH
from snapshotter.export.diff_json import diff_dict
from tests.support.drawn_worlds import change, draw_world, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.analysis.changes import Diff, LocalChange, ValueChange
    from snapshotter.model import Snapshot
    from tests.support.drawn_worlds import Worker, World

    type Fact = tuple[object, ...]

SHORT = range(400)
_AT_ONCE = 3_000
_OPPOSITE = {"added": "removed", "removed": "added"}


def pair(seed: int, *, veiled: bool) -> tuple[Snapshot, Snapshot, set[Fact]]:
    """Return a world before and after some changes, and what is different."""
    rng = random.Random(seed)  # noqa: S311 - reproducible
    world = draw_world(rng)
    before = shown(world, rng, after_s=0, veiled=veiled)
    old = deepcopy(world)
    for _ in range(rng.randrange(6)):
        change(world, rng)
    after = shown(world, rng, after_s=30, veiled=veiled)
    return before, after, set(truth(old, world))


def truth(before: World, after: World) -> Iterator[Fact]:
    old = {(each.number, each.started): each for each in before.workers}
    new = {(each.number, each.started): each for each in after.workers}
    for number, started in old.keys() | new.keys():
        was, now = old.get((number, started)), new.get((number, started))
        if was is None or now is None:
            yield "thread", number, "added" if was is None else "removed"
        else:
            yield from of_worker(was, now)


def of_worker(was: Worker, now: Worker) -> Iterator[Fact]:
    places = [[(call.function, call.line) for call in each.calls] for each in (was, now)]
    if places[0] != places[1]:
        yield "thread", now.number, "moved"
    for depth, (old, new) in enumerate(zip(was.calls, now.calls, strict=False)):
        if old.function != new.function:
            return
        for name in old.names.keys() | new.names.keys():
            where = "local", now.number, depth, name
            if name not in old.names or name not in new.names:
                yield *where, "", "added" if name in new.names else "removed", None
            else:
                found = of_value(old.names[name], new.names[name])
                yield from ((*where, *difference) for difference in found)


def of_value(before: object, after: object) -> Iterator[Fact]:
    met = {(id(before), id(after))}
    left = deque([(before, after, "", 0)])
    while left:
        old, new, path, depth = left.popleft()
        olds, news = members(old), members(new)
        if type(old) is not type(new):
            yield path, "changed", None
            continue
        sizes = [len(each) if hasattr(each, "__len__") else None for each in (old, new)]
        if sizes[0] != sizes[1] or (not is_container(new) and repr(old) != repr(new)):
            yield path, "changed", None if sizes[0] is None else sizes[1] - sizes[0]  # type: ignore[operator]
        for label, (step, member) in news.items():
            if label in olds:
                both = id(olds[label][1]), id(member)
                if both not in met and depth < MAX_DEPTH:
                    met |= (
                        {both} if is_container(member) and is_container(olds[label][1]) else set()
                    )
                    left.append((olds[label][1], member, path + step, depth + 1))
            elif isinstance(new, dict | set):
                yield path + step, "added", None
        for label, (step, _) in olds.items():
            if label not in news and isinstance(new, dict | set):
                yield path + step, "removed", None


def is_container(value: object) -> bool:
    return isinstance(value, list | tuple | dict | set)


def members(value: object) -> dict[object, tuple[str, object]]:
    if isinstance(value, dict):
        return {(type(key), repr(key)): (f"[{key!r}]", one) for key, one in value.items()}
    if isinstance(value, set):
        return {(type(key), repr(key)): (f"{{{key!r}}}", key) for key in value}
    parts = value if isinstance(value, list | tuple) else ()
    return {at: (f"[{at}]", part) for at, part in enumerate(parts)}


def told(found: Diff) -> set[Fact]:
    facts: set[Fact] = set()
    for each in found.threads:
        what = "moved" if each.movement is Movement.MOVED else each.change
        if what is not None:
            facts.add(("thread", each.thread.native_id, str(what)))
    for local in found.changed_locals:
        facts.update((*place(local), *value_fact(one)) for one in local.changes)
    return facts


def place(local: LocalChange) -> Fact:
    frames = local.thread.frames
    depth = next(at for at, one in enumerate(reversed(frames)) if one is local.frame)
    return "local", local.thread.native_id, depth, local.name


def value_fact(one: ValueChange) -> Fact:
    return one.path, str(one.change), one.length_delta


def in_json(found: Diff) -> set[Fact]:
    document = diff_dict(found)
    facts: set[Fact] = set()
    for each in document["threads"]:
        what = "moved" if each["movement"] == "moved" else each["change"]
        if what is not None:
            facts.add(("thread", (each["after"] or each["before"])["native_id"], what))
    for local, plain in zip(found.locals, document["locals"], strict=True):
        if not plain["is_rebound"]:
            changes = plain["changes"]
            facts.update(
                (*place(local), one["path"], one["change"], one["length_delta"]) for one in changes
            )
    return facts


def mirrored(facts: set[Fact]) -> set[Fact]:
    def turned(part: object) -> object:
        if isinstance(part, str):
            return _OPPOSITE.get(part, part)
        return part

    return {
        (*map(turned, fact[:-1]), -fact[-1] if isinstance(fact[-1], int) else turned(fact[-1]))
        for fact in facts
    }


def check_whole(seed: int) -> None:
    before, after, different = pair(seed, veiled=False)
    found = diff(before, after)
    facts = told(found)
    if any(local.more for local in found.locals):
        assert facts < different, seed
        return
    assert facts == different == in_json(found), seed
    assert found.nothing_changed is not bool(facts), seed
    assert told(diff(after, before)) == mirrored(facts), seed
    assert told(diff(after, after)) == set(), seed


def check_veiled(seed: int) -> None:
    before, after, different = pair(seed, veiled=True)
    facts = told(diff(before, after))
    assert facts <= different, (seed, facts - different)


def test_what_was_changed_is_told_and_nothing_else() -> None:
    for seed in SHORT:
        check_whole(seed)


def test_nothing_is_told_of_what_is_not_seen() -> None:
    for seed in SHORT:
        check_veiled(seed)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1_000, 31_000, _AT_ONCE))
def test_many_worlds(start: int) -> None:
    for seed in range(start, start + _AT_ONCE):
        check_whole(seed)
        check_veiled(seed)
