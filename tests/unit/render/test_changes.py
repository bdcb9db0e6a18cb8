from __future__ import annotations

from dataclasses import replace

import pytest

from snapshotter.analysis.diff import diff
from snapshotter.analysis.dwell import dwell
from snapshotter.model import Frame, Kind, Local, Snapshot, Thread, Value, Variable, View
from snapshotter.render.diff import diff_view
from snapshotter.render.dump import dump_view
from tests.support.samples import STDLIB, Ref, Values, frame, recording
from tests.unit.render.screens import rendered

BEFORE, AFTER = recording(2).snapshots
SHAPE = Value(Kind.STR, "str", length=2)


def flat(output: str) -> str:
    return " ".join(output.split())


def outside(whole: Snapshot) -> Snapshot:
    """Return the snapshot as if all of it had been read from outside."""
    threads = tuple(replace(thread, view=View.OUTSIDE) for thread in whole.threads)
    return replace(whole, threads=threads, capture=replace(whole.capture, views=(View.OUTSIDE,)))


def test_changes_between_two_views_are_told_and_labelled() -> None:
    output = flat(rendered(diff_view(diff(outside(BEFORE), AFTER))))
    assert "items in orders/collect.py:22 Collector.run grew 1,200 -> 1,950 (+25.0/s)" in output
    assert "Collector.run outside -> inside self.items length 1,200 -> 1,950" in output
    assert "variables outside -> inside orders.cache:CACHE" in output
    assert "by type, length and simple value only: locals of " in output


def test_changes_within_one_view_need_no_label() -> None:
    for one, other in ((BEFORE, AFTER), (outside(BEFORE), outside(AFTER))):
        output = flat(rendered(diff_view(diff(one, other))))
        assert "items in orders/collect.py:22 Collector.run grew 1,200 -> 1,950" in output
        assert "side -> " not in output
        assert "simple value" not in output


def test_that_nothing_changed_is_said_after_who_is_stuck() -> None:
    before, after = (
        replace(whole, threads=whole.threads[1:2], variables=(), process=BEFORE.process,
                interpreter=None)
        for whole in (BEFORE, AFTER)
    )  # fmt: skip
    output = flat(rendered(diff_view(diff(before, after))))
    assert output.index("worker-7 has not moved") < output.index(
        "Nothing changed in 30 s: 1 thread"
    )
    assert "containers, tasks and figures is different" in output
    output = flat(rendered(diff_view(diff(replace(before, gc=None), after))))
    assert "containers, tasks and figures that were compared is different" in output


def quiet(thread: Thread) -> tuple[Snapshot, Snapshot]:
    """Two snapshots of one thread between which nothing happened."""
    before = replace(BEFORE, threads=(thread,), variables=())
    return before, replace(before, monotonic_ns=AFTER.monotonic_ns)


def test_a_thread_whose_place_is_not_known_is_not_said_to_be_where_it_was() -> None:
    part = replace(BEFORE.threads[1], complete=False, view=View.OUTSIDE, outside=None)
    before, after = quiet(part)
    output = flat(rendered(diff_view(diff(before, after))))
    assert "Nothing changed in 30 s: none of the locals, containers, tasks" in output
    assert "Of 1 thread the place was not compared" in output


def test_something_changed_where_objects_could_not_be_collected() -> None:
    before, after = quiet(BEFORE.threads[1])
    assert "Nothing changed" in rendered(diff_view(diff(before, after)))
    assert after.gc is not None
    oldest = after.gc.generations[-1]
    oldest = replace(oldest, uncollectable=oldest.uncollectable + 1)
    gc = replace(after.gc, generations=(*after.gc.generations[:-1], oldest))
    output = flat(rendered(diff_view(diff(before, replace(after, gc=gc)))))
    assert "Nothing changed" not in output
    assert "1 object more could not be collected." in output


def test_a_thread_that_moved_by_a_line_of_the_library_is_not_said_to_be_back() -> None:
    own = frame("/srv/orders/app.py:10", "work")
    waits = frame(f"{STDLIB}/threading.py:373", "Condition.wait")
    base = frame("/srv/orders/app.py:20", "main")
    worker = replace(BEFORE.threads[1], frames=(waits, own, base), outside=None)
    before, _ = quiet(worker)

    def moved_to(*frames: Frame) -> str:
        _, after = quiet(replace(worker, frames=frames))
        return flat(rendered(diff_view(diff(before, after))))

    inner, outer = replace(waits, lineno=377), replace(base, lineno=22)
    assert "worker-7 moved: threading.py:373 Condition.wait -> threading.py:377" in moved_to(
        inner, own, base
    )
    assert "worker-7 moved: app.py:20 main -> app.py:22 main" in moved_to(waits, own, outer)
    deeper = moved_to(waits, waits, own, base)
    assert "worker-7 moved within app.py:10 work (in Condition.wait)" in deeper
    assert "is back" not in deeper


def test_changed_locals_are_named() -> None:
    output = flat(rendered(diff_view(diff(BEFORE, AFTER))))
    assert "4 locals changed in 2 frames: position, self, items, batch" in output
    before, after = (
        replace(whole, threads=tuple(each for each in whole.threads if each.name == "parser-1"))
        for whole in (BEFORE, AFTER)
    )
    output = flat(rendered(diff_view(diff(before, after))))
    assert "1 local changed: position in orders/parse.py:41 tokens" in output


def test_a_changed_local_is_named_beside_one_that_grew_twice() -> None:
    def at(whole: Snapshot, step: int, number: int) -> Snapshot:
        values = Values()
        owner = values.object(
            "app.Owner",
            first=Ref(values.add([0] * step, identity=1)),
            second=Ref(values.add([0] * step, identity=2)),
        )
        own = frame("/srv/orders/app.py:10", "work", Local("self", owner))
        own = replace(own, locals=(*own.locals, Local("number", values.add(number))))
        thread = replace(whole.threads[1], frames=(own,))
        return replace(whole, threads=(thread,), values=tuple(values.nodes), variables=())

    output = flat(rendered(diff_view(diff(at(BEFORE, 1, 5), at(AFTER, 2, 6)))))
    assert "2 locals changed in 1 frame: self, number" in output
    output = flat(rendered(diff_view(diff(at(BEFORE, 1, 5), at(AFTER, 2, 5)))))
    assert "self.first in app.py:10 work grew 1 -> 2" in output
    assert "changed" not in output.partition("Changed values")[0].partition("What changed")[2]


def with_variable(whole: Snapshot, value: object) -> Snapshot:
    """Return the snapshot with this as its only variable."""
    values = Values()
    node = values.add(value)
    return replace(
        whole, threads=(), values=tuple(values.nodes), variables=(Variable("jobs:LAST", node),)
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ok", "failed", "length 2 -> 6 (+4, +8.0/min) 'ok' -> 'failed'"),
        ([1, 2], [3], "length 2 -> 1 (-1, -2.0/min) [1, 2] -> [3]"),
        ([], [3], "length 0 -> 1 (+1, +2.0/min) [] -> [3]"),
        ({"a": 1}, {"a": 1, "b": 2}, "length 1 -> 2 (+1, +2.0/min) now {'a': 1, 'b': 2}"),
        (list(range(9)), [3], "length 9 -> 1 (-8, -16.0/min) now [3]"),
        (SHAPE, replace(SHAPE, length=6), "length 2 -> 6 (+4, +8.0/min) now ‹str of 6"),
    ],
    ids=["text", "list", "from empty", "told by key", "not wholly known", "without its text"],
)
def test_old_and_new_value_are_told_beside_a_changed_length(
    old: object, new: object, words: str
) -> None:
    change = diff(with_variable(BEFORE, old), with_variable(AFTER, new))
    assert f"jobs:LAST {words}" in flat(rendered(diff_view(change), width=120))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("a" * 90 + "bc", "a" * 90 + "dc", "LAST after 90 characters: 'bc' -> 'dc' 'aaa"),
        (b"a" * 70 + b"b", b"a" * 70 + b"c", "LAST after 70 bytes: b'b' -> b'c' b'aaa"),
        (5, Value(Kind.INT, "numpy.int64", value=5), "LAST int -> numpy.int64 5"),
    ],
    ids=["text", "bytes", "type"],
)
def test_values_that_look_the_same_are_told_apart(old: object, new: object, words: str) -> None:
    change = diff(with_variable(BEFORE, old), with_variable(AFTER, new))
    assert words in flat(rendered(diff_view(change)))


def with_counts(thread: Thread, state: str, *, more: int) -> Thread:
    """Return the thread in that state, after so many further switches of its own accord."""
    old = thread.counters
    assert old is not None
    voluntary = (old.voluntary_switches or 0) + more
    at_ns = old.at_ns + more * 1_000_000_000
    counters = replace(old, state=state, voluntary_switches=voluntary, at_ns=at_ns)
    return replace(thread, counters=counters)


def test_threads_that_only_went_on_after_a_stop_are_told_as_such() -> None:
    stopped = replace(BEFORE, threads=tuple(with_counts(t, "T", more=0) for t in BEFORE.threads))
    gone_on = replace(AFTER, threads=tuple(with_counts(t, "S", more=1) for t in BEFORE.threads))
    dwells = dwell((stopped, gone_on))
    view = dump_view(gone_on, comparison=diff(stopped, gone_on, dwells=dwells), dwells=dwells)
    output = flat(rendered(view))
    assert "polling" not in output
    assert "it is not known whether the program ran: the process was stopped or" in output
    assert "unknown at this place for at least 30 s (2 snapshots" in output
    assert "stopped or continued in between, and that alone wakes a thread" in output
