from __future__ import annotations

from dataclasses import replace

import pytest

from snapshotter.analysis.changes import Change
from snapshotter.analysis.diff import diff
from snapshotter.analysis.dwell import dwell
from snapshotter.analysis.movement import Movement
from snapshotter.analysis.recordings import diff_recordings
from snapshotter.analysis.timeline import Cell, timeline
from snapshotter.model import (
    Frame,
    GcState,
    Item,
    Kind,
    Local,
    Recording,
    Snapshot,
    Status,
    TaskState,
    Value,
    ValueLevel,
    Variable,
    View,
)
from snapshotter.model.snapshot import TORN
from tests.support.samples import (
    APP,
    BUSY,
    POLL,
    SPIN,
    STILL,
    frame,
    outside_only,
    recording,
    restarted,
    snapshot,
)


def movements(before: Snapshot, after: Snapshot) -> dict[str | None, Movement | None]:
    return {each.thread.name: each.movement for each in diff(before, after).threads}


def test_diff_classes_every_thread() -> None:
    found = movements(snapshot(0), snapshot(1))
    assert found["worker-7"] is Movement.FROZEN
    assert found["parser-1"] is Movement.MOVED
    assert found["parser-2"] is Movement.SPINNING
    assert found["collector"] is Movement.POLLING


def test_diff_uses_the_outside_view_when_one_side_has_no_other() -> None:
    assert movements(snapshot(0), outside_only(1))["worker-7"] is Movement.FROZEN


def test_diff_tells_added_and_removed_threads() -> None:
    before, after = snapshot(0), snapshot(1)
    found = diff(
        replace(before, threads=before.threads[:-1]), replace(after, threads=after.threads[:-2])
    ).threads
    assert [each.thread.name for each in found if each.change is Change.REMOVED] == ["http-11"]
    found = diff(replace(before, threads=before.threads[:-1]), after).threads
    assert [each.thread.name for each in found if each.change is Change.ADDED] == ["http-12"]


def test_diff_tells_a_growing_container_once_with_its_rate() -> None:
    found = diff(snapshot(0), snapshot(1)).resizes
    items = next(each for each in found if each.expression == "items")
    assert (items.figure.before, items.figure.after) == (1_200, 1_950)
    assert items.figure.rate_per_s == pytest.approx(25.0)
    assert [each.expression for each in found] == ["items", "orders.cache:CACHE"]


def test_diff_figures_have_deltas_and_rates() -> None:
    found = {each.name: each for each in diff(snapshot(0), snapshot(2)).process}
    assert found["resident memory"].delta == 2_500_000
    assert found["resident memory"].rate_per_s == pytest.approx(2_500_000 / 60)
    assert found["processor time"].rate_per_s == pytest.approx(31 / 30 * 1e9)


def test_diff_counts_collections_by_generation() -> None:
    young = diff(snapshot(0), snapshot(1)).gc[0]
    assert young.collections_per_min == pytest.approx(80)
    assert young.collected_per_collection == pytest.approx(22.5)
    assert diff(snapshot(0), snapshot(1)).gc[2].collected_per_collection is None


def test_diff_tells_changed_collector_settings() -> None:
    before = snapshot(0)
    assert before.gc is not None
    after = replace(before, gc=replace(before.gc, enabled=False, garbage=3))
    sentences = " ".join(diff(before, after).gc_settings)
    assert "switched off" in sentences
    assert "from 0 to 3" in sentences


def test_diff_tells_tasks_that_changed() -> None:
    before, after = snapshot(0), snapshot(1)
    done = replace(after.tasks[0], state=TaskState.FINISHED)
    tasks = diff(before, replace(after, tasks=(done, *after.tasks[2:]), tasks_total=3)).tasks
    assert tasks is not None
    assert [each.change for each in tasks.changes] == [Change.REMOVED, Change.CHANGED]


def test_tasks_that_one_side_may_only_lack_neither_came_nor_went() -> None:
    whole, after = snapshot(0), snapshot(1)
    for part, words in (
        (replace(whole, tasks=(), tasks_total=None), "not both snapshots know all tasks"),
        (replace(whole, tasks=whole.tasks[:1]), "more tasks than a snapshot holds"),
    ):
        for first, second in ((part, after), (replace(after, process=part.process), part)):
            found = diff(first, second)
            assert found.tasks is not None
            assert found.tasks.changes == ()
            assert any(words in each for each in found.not_compared)


def test_a_task_whose_name_one_side_hides_is_the_same_task() -> None:
    def named(whole: Snapshot, name: str | None) -> Snapshot:
        tasks = (replace(whole.tasks[0], name=name), *whole.tasks[1:])
        return replace(whole, tasks=tasks)

    before, after = snapshot(0), snapshot(0)
    for first, second in ((None, "poll-1"), ("poll-1", None), (None, None)):
        tasks = diff(named(before, first), named(after, second)).tasks
        assert tasks is not None
        assert tasks.changes == ()
    tasks = diff(named(before, "poll-1"), named(after, "poll-2")).tasks
    assert tasks is not None
    assert [each.change for each in tasks.changes] == [Change.ADDED, Change.REMOVED]


def test_diff_of_a_snapshot_with_itself_finds_nothing() -> None:
    same = diff(snapshot(0), snapshot(0))
    assert same.nothing_changed
    assert any("same instant" in sentence for sentence in same.not_compared)


def test_diff_in_the_wrong_order_says_so_and_has_no_rates() -> None:
    found = diff(snapshot(1), snapshot(0))
    assert found.process[0].rate_per_s is None
    assert [each for each in found.not_compared if "newer" in each] == [
        "The baseline is the newer of the two: changes are told backwards in time, without rates."
    ]


def test_diff_of_two_incarnations_compares_signatures_only() -> None:
    found = diff(snapshot(0), restarted())
    assert not found.same_process
    assert not found.threads
    assert not found.process
    workers = next(each for each in found.signatures if each.frames[0].qualname == "_worker")
    assert (workers.before, workers.after) == (12, 8)
    assert found.not_compared


def test_diff_takes_the_wall_clock_across_boots() -> None:
    before, after = snapshot(0), snapshot(1)
    assert before.process.identity is not None
    other = replace(after.process, identity=replace(before.process.identity, boot_id="other"))
    moved = replace(after, process=other, monotonic_ns=5)
    assert diff(before, moved).elapsed.clock == "wall"
    assert diff(before, moved).elapsed.ns == 30_000_000_000
    assert diff(before, after).elapsed.clock == "monotonic"


def test_diff_says_what_a_missing_view_leaves_out() -> None:
    found = diff(outside_only(0), snapshot(1))
    assert any("the baseline one has no inside view" in each for each in found.not_compared)
    assert not found.locals
    assert not found.gc


def test_diff_says_when_only_the_collector_is_missing() -> None:
    found = diff(replace(snapshot(0), gc=None), snapshot(1))
    assert any("collector was not compared" in each for each in found.not_compared)
    state: GcState | None = snapshot(1).gc
    assert state is not None


def test_locals_left_out_for_a_reason_are_not_called_removed() -> None:
    before, after = snapshot(0), snapshot(1)
    threads = list(after.threads)
    at = next(n for n, each in enumerate(threads) if each.name == "collector")
    top, second, *rest = threads[at].frames
    cut = replace(second, locals=second.locals[:1], locals_missing="the time was over")
    threads[at] = replace(threads[at], frames=(top, cut, *rest))
    found = diff(before, replace(after, threads=tuple(threads))).locals
    assert {each.name for each in found if each.thread.name == "collector"} == {"self"}


def test_locals_that_could_not_be_read_are_said_not_to_be_compared() -> None:
    def at(value: Value, missing: str | None = None) -> Snapshot:
        one = replace(frame(f"{APP}/main.py:9", "run", Local("i", 0)), locals_missing=missing)
        return with_frames(snapshot(), one, values=(value,))

    def gaps(before: Snapshot, after: Snapshot) -> list[str]:
        return [each for each in diff(before, after).not_compared if "not all compared" in each]

    known = at(Value(Kind.INT, "int", value=3))
    hidden = at(Value(Kind.UNKNOWN, "", Status.REDACTED))
    for status in (Status.UNREADABLE, Status.TRUNCATED):
        unread = at(Value(Kind.UNKNOWN, "", status))
        for before, after in ((known, unread), (unread, known), (unread, unread)):
            assert diff(before, after).nothing_changed
            assert gaps(before, after)[0].startswith("Locals of 1 thread were not all compared:")
    assert gaps(known, at(Value(Kind.INT, "int", value=3), "no time was left"))
    assert not gaps(known, known)
    assert not gaps(hidden, hidden)


def test_locals_of_a_stack_without_its_outermost_frames_are_not_compared() -> None:
    def at(depth: int) -> Snapshot:
        calls = [frame(f"{APP}/a.py:9", "walk", Local("depth", at)) for at in range(3)]
        values = tuple(Value(Kind.INT, "int", value=depth - at) for at in range(3))
        whole = with_frames(snapshot(), *calls, values=values)
        return replace(whole, threads=(replace(whole.threads[0], complete=False),))

    found = diff(at(1_200), at(1_201))
    assert not found.locals
    assert any(each.startswith("Locals of 1 thread were not com") for each in found.not_compared)


def test_names_that_another_level_shows_longer_are_the_same_names() -> None:
    def at(level: ValueLevel, shown: int, row: int) -> Snapshot:
        items = (Item(1, "x" * shown),)
        values = (
            Value(Kind.DICT, "dict", length=1, items=items),
            Value(Kind.INT, "int", value=row),
        )
        one = frame(f"{APP}/main.py:9", "run", Local("rows", 0))
        whole = with_frames(snapshot(), one, values=values)
        return replace(whole, capture=replace(whole.capture, values=level))

    short, long = at(ValueLevel.SCRUBBED, 120, 1), at(ValueLevel.FULL, 400, 1)
    assert diff(short, long).nothing_changed
    assert diff(long, short).nothing_changed
    (changed,) = diff(short, at(ValueLevel.FULL, 400, 2)).changed_locals
    assert [one.change for one in changed.changes] == [Change.CHANGED]


def test_a_variable_of_another_view_is_compared_by_what_both_views_read_exactly() -> None:
    def at(view: View | None, length: int, row: int) -> Snapshot:
        variable = Variable("app:ITEM", 0, view=view)
        items = (Item(1, "row", attribute=True),)
        values = (
            Value(Kind.OBJECT, "app.Item", length=length, items=items),
            Value(Kind.INT, "int", value=row),
        )
        return replace(snapshot(), threads=(), values=values, variables=(variable,))

    inside = at(View.INSIDE, 1, 3)
    assert View.INSIDE in inside.capture.views
    found = diff(inside, at(View.OUTSIDE, 2, 3))
    assert not found.variables
    assert any("compared by" in each and "1 variable" in each for each in found.not_compared)
    for view in (View.INSIDE, None):
        assert diff(inside, at(view, 2, 3)).variables
    (changed,) = diff(inside, at(View.OUTSIDE, 1, 4)).variables
    assert changed.views == (View.INSIDE, View.OUTSIDE)


def test_a_variable_that_one_side_could_not_read_neither_came_nor_went() -> None:
    def at(problem: str | None) -> Snapshot:
        variable = Variable("app:ROWS", None if problem else 0, problem)
        values = (Value(Kind.INT, "int", value=3),)
        return replace(snapshot(), threads=(), values=values, variables=(variable,))

    for before, after in ((at(None), at(TORN)), (at(TORN), at(None))):
        found = diff(before, after)
        assert found.variables == ()
        assert any(each.startswith("1 variable was not compared:") for each in found.not_compared)
    ((gone,),) = [one.changes for one in diff(at(None), at("no module")).variables]
    assert gone.change is Change.REMOVED


def with_frames(whole: Snapshot, *frames: Frame, values: tuple[Value, ...]) -> Snapshot:
    one = replace(whole.threads[2], frames=frames)
    return replace(whole, threads=(one,), values=values, variables=())


def test_names_that_every_module_has_are_not_compared() -> None:
    def at(spec: str, rows: int) -> Snapshot:
        module = frame(f"{APP}/main.py:9", "<module>", Local("__spec__", 0), Local("rows", 1))
        values = (Value(Kind.STR, "str", length=1, value=spec), Value(Kind.INT, "int", value=rows))
        return with_frames(snapshot(), module, values=values)

    assert [each.name for each in diff(at("a", 1), at("b", 2)).locals] == ["rows"]
    assert diff(at("a", 1), at("b", 1)).nothing_changed


def test_another_object_with_the_same_value_is_kept_but_no_change() -> None:
    def at(address: int) -> Snapshot:
        values = (Value(Kind.LIST, "list", length=0, identity=address),)
        return with_frames(
            snapshot(), frame(f"{APP}/a.py:9", "run", Local("prices", 0)), values=values
        )

    found = diff(at(1), at(2))
    assert [each.name for each in found.locals] == ["prices"]
    assert found.changed_locals == ()
    assert found.nothing_changed


def test_dwell_measures_unbroken_runs() -> None:
    runs = {run.thread.name: run for run in dwell(recording(4).snapshots)}
    stuck = runs["worker-7"]
    assert (stuck.snapshots, stuck.duration_ns) == (4, 90_000_000_000)
    assert stuck.movement is Movement.FROZEN
    assert not stuck.arrived
    assert (runs["parser-1"].snapshots, runs["parser-1"].movement) == (1, None)
    assert runs["parser-1"].arrived


def shots_of(*deltas: tuple[int, int, int]) -> list[Snapshot]:
    """Return snapshots of a thread at one place, one more than (voluntary, involuntary, cpu)."""
    shots = []
    sums = (0, 0, 0)
    for step, delta in enumerate(((0, 0, 0), *deltas)):
        sums = (sums[0] + delta[0], sums[1] + delta[1], sums[2] + delta[2])
        whole = snapshot(step)
        stuck = next(each for each in whole.threads if each.name == "worker-7")
        assert stuck.counters
        counters = replace(
            stuck.counters,
            voluntary_switches=sums[0],
            involuntary_switches=sums[1],
            cpu_ns=sums[2],
        )
        shots.append(replace(whole, threads=(replace(stuck, counters=counters),)))
    return shots


def test_dwell_tells_the_proof_at_its_end_apart_from_the_whole_run() -> None:
    (run,) = dwell(shots_of(POLL, STILL, STILL, STILL))
    assert (run.snapshots, run.movement) == (5, Movement.POLLING)
    assert run.tail is not None
    assert (run.tail.snapshots, run.tail.movement) == (4, Movement.FROZEN)
    assert run.tail.duration_ns == 90_000_000_000
    assert run.tail.since_ns == run.since_ns + 30_000_000_000
    assert run.strongest == run.tail
    (row,) = timeline(shots_of(POLL, STILL, STILL, STILL))
    assert row.dwell == run


def test_dwell_has_no_tail_where_the_whole_run_is_of_one_class() -> None:
    for deltas in ((STILL, STILL), (POLL, POLL), (STILL, POLL), (BUSY, POLL), (SPIN, SPIN)):
        (run,) = dwell(shots_of(*deltas))
        assert run.tail is None
        assert run.strongest.movement is run.movement
    (run,) = dwell(shots_of(BUSY, SPIN))
    assert run.tail is not None
    assert run.tail.movement is Movement.SPINNING


def test_a_stop_in_the_middle_of_a_run_is_no_polling() -> None:
    wake = (1, 0, 20_000)
    shots = shots_of(STILL, wake, STILL, wake, STILL, STILL)
    for step in (2, 3):
        (each,) = shots[step].threads
        assert each.counters
        counters = replace(each.counters, state="T")
        shots[step] = replace(shots[step], threads=(replace(each, counters=counters),))
    (run,) = dwell(shots)
    assert (run.snapshots, run.movement) == (7, Movement.UNKNOWN)
    assert run.counters
    assert run.counters.stops == 2
    assert run.tail is not None
    assert (run.tail.snapshots, run.tail.movement) == (3, Movement.FROZEN)
    (row,) = timeline(shots)
    assert "".join(cell.value[0] for cell in row.cells) == "nfufuff"
    (change,) = diff(shots[0], shots[-1], dwells=(run,)).threads
    assert change.movement is Movement.UNKNOWN
    (change,) = diff(shots[1], shots[2]).threads
    assert change.movement is Movement.UNKNOWN
    (told,) = (each for each in diff(shots[1], shots[2]).not_compared if "stopped" in each)
    assert told.startswith("Of 1 thread it is not known whether the program ran: the process was")
    assert not any("stopped" in each for each in diff(shots[2], shots[3]).not_compared)


def test_dwell_ends_where_the_thread_was_away() -> None:
    shots = list(recording(4).snapshots)
    shots[1] = replace(shots[1], threads=shots[1].threads[:1])
    runs = {run.thread.name: run for run in dwell(shots)}
    assert (runs["worker-7"].snapshots, runs["worker-7"].arrived) == (2, True)
    assert dwell(()) == ()


def test_diff_knows_from_the_recording_that_a_thread_came_back() -> None:
    shots = recording(3).snapshots
    found = diff(shots[0], shots[2], dwells=dwell(shots)).threads
    parser = next(each for each in found if each.thread.name == "parser-1")
    assert parser.movement is Movement.MOVED


def test_a_wall_clock_that_is_set_back_moves_no_thread() -> None:
    shots = list(recording(4).snapshots)
    shots[0] = replace(shots[0], threads=shots[0].threads[:1])
    for late in (2, 3):
        wall_ns = shots[late].captured_at_ns - 3_600_000_000_000
        shots[late] = replace(shots[late], captured_at_ns=wall_ns)
    runs = dwell(shots)
    for first in (1, 2):
        found = diff(shots[first], shots[3], dwells=runs).threads
        stuck = next(each for each in found if each.thread.name == "worker-7")
        assert stuck.movement is Movement.FROZEN
    gone = diff(shots[0], shots[3], dwells=runs).threads
    assert next(each for each in gone if each.thread.name == "worker-7").change is Change.ADDED


def test_diff_recordings_compares_the_last_snapshots_and_all_stacks() -> None:
    found = diff_recordings(recording(2), recording(4))
    assert found.last.current.monotonic_ns == recording(4).snapshots[-1].monotonic_ns
    assert found.shares[0].before_total == 68
    with pytest.raises(ValueError, match="baseline recording has no snapshot"):
        diff_recordings(Recording(()), recording(1))


def test_timeline_has_a_cell_for_each_snapshot() -> None:
    rows = {row.thread.name: row for row in timeline(recording(3).snapshots)}
    assert rows["worker-7"].cells == (Cell.NEW, Cell.FROZEN, Cell.FROZEN)
    assert rows["parser-1"].cells == (Cell.NEW, Cell.MOVED, Cell.MOVED)
    assert rows["http-1"].idle


def test_timeline_keeps_threads_that_are_gone() -> None:
    shots = list(recording(3).snapshots)
    shots[2] = replace(shots[2], threads=shots[2].threads[:1])
    rows = {row.thread.name: row for row in timeline(shots)}
    assert rows["worker-7"].cells == (Cell.NEW, Cell.FROZEN, Cell.ABSENT)
    assert not rows["worker-7"].present
