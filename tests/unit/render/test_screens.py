from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from snapshotter.analysis.diff import diff
from snapshotter.analysis.dwell import dwell
from snapshotter.analysis.recordings import diff_recordings
from snapshotter.model import Kind, Local, MainState, Snapshot, Value, View
from snapshotter.render.diff import diff_view, recording_diff_view
from snapshotter.render.doctor import doctor_view
from snapshotter.render.dump import dump_view, find_threads, thread_view
from snapshotter.render.fit import fold_left, short_path
from snapshotter.render.lines import ended_line, missed_line, snapshot_line, stopped_line
from snapshotter.render.live import LiveState, live_view
from snapshotter.render.options import ViewOptions
from snapshotter.render.processes import processes_view
from snapshotter.render.recording import recording_view
from snapshotter.render.sentences import place_words
from tests.support.samples import (
    APP,
    INTERVAL_S,
    SECOND_NS,
    SITE,
    START_NS,
    STDLIB,
    frame,
    outside_only,
    recording,
    restarted,
    snapshot,
)
from tests.unit.render.screens import rendered
from tests.unit.render.test_hostile import Check, Process

SHOTS = recording(4).snapshots
DIFF = diff(SHOTS[-2], SHOTS[-1], dwells=dwell(SHOTS))


def flat(output: str) -> str:
    return " ".join(output.split())


def test_dump_says_how_it_was_taken() -> None:
    output = flat(rendered(dump_view(snapshot())))
    for words in ("pid 4121 Python 3.14.8", "2026-11-20 09:15:00.003 UTC",
                  "seen from inside and outside",
                  "pause: longest of 5 slices 900 µs, together 3.1 ms", "values scrubbed",
                  "most recent call first"):  # fmt: skip
        assert words in output


def test_dump_groups_equal_stacks_and_counts_idle_ones() -> None:
    output = flat(rendered(dump_view(snapshot())))
    assert "17 threads with this stack: db-1, db-2" in output
    assert "13 idle threads hidden, the main thread among them" in output
    assert "GTHREAD" not in output
    assert "http-1" not in output


def test_dump_of_which_only_the_main_thread_is_idle_says_so() -> None:
    shot = snapshot()
    threads = tuple(one for one in shot.threads if one.is_main or one.name == "db-1")
    output = flat(rendered(dump_view(replace(shot, threads=threads))))
    assert "1 idle thread hidden, the main thread: 1 × " in output
    assert "(--all shows it)" in output


def test_dump_shows_idle_threads_on_request() -> None:
    output = flat(rendered(dump_view(snapshot(), options=ViewOptions(show_all=True))))
    assert "12 threads with this stack: http-1" in output
    assert "idle: executor worker without work" in output
    assert "hidden" not in output


def test_dump_says_why_each_value_is_not_shown() -> None:
    output = rendered(dump_view(snapshot()))
    assert "password = ‹redacted: str of 24 characters›" in output
    assert "cursor = ‹unreadable: orders.db.Cursor›" in output
    assert "items = list of 1,200: [0, 1, 2, 3, 4, 5, 6, 7, …]" in output


def test_dump_without_locals_has_none() -> None:
    output = rendered(dump_view(snapshot(), options=ViewOptions(locals="none")))
    assert "order_id" not in output


def test_dump_shows_the_most_recent_call_first() -> None:
    output = rendered(dump_view(snapshot()))
    assert output.index("Pool.get") < output.index("handle_order") < output.index("_WorkItem.run")


def test_dump_tells_whose_code_it_is_without_colour() -> None:
    rows = rendered(dump_view(snapshot())).splitlines()
    assert any(row.startswith("  app  orders/db.py:88 ") for row in rows)
    assert any(row.startswith("  std  threading.py:1024 ") for row in rows)


def test_dump_from_outside_says_what_is_missing_and_where_main_is_blocked() -> None:
    output = flat(rendered(dump_view(outside_only())))
    assert "seen from outside only" in output
    assert "The main thread was blocked: in select.epoll.poll" in output
    assert "Not in this snapshot: The main thread stayed blocked for 1 s" in output


def test_dump_lists_what_is_missing_in_one_block() -> None:
    whole = outside_only()
    missing = ("no inside view: it is busy", "so no locals", "the stacks of 2 threads are torn")
    several = replace(whole, capture=replace(whole.capture, missing=missing))
    output = rendered(dump_view(several))
    assert (
        "Not in this snapshot:\n - no inside view: it is busy\n - so no locals\n"
        " - the stacks of 2 threads are torn\n"
    ) in output


def test_dump_of_a_stopped_main_thread_says_so() -> None:
    whole = snapshot()
    stopped = replace(whole, capture=replace(whole.capture, main=MainState.STOPPED))
    assert "The main thread was stopped" in rendered(dump_view(stopped))


def test_dump_of_a_fork_of_a_thread_claims_neither_an_end_nor_other_threads() -> None:
    whole = outside_only()
    capture = replace(whole.capture, main=MainState.GONE, main_detail="it may be a fork")
    output = rendered(dump_view(replace(whole, capture=capture)))
    assert "There is no main thread that could be asked: it may be a fork." in output
    assert "go on" not in output


def test_dump_with_a_predecessor_starts_with_what_changed() -> None:
    output = rendered(dump_view(SHOTS[-1], comparison=DIFF, dwells=dwell(SHOTS)))
    assert output.index("What changed") < output.index("Threads") < output.index("Figures")


def idle_only(whole: Snapshot) -> Snapshot:
    selector = frame(f"{STDLIB}/selectors.py:452", "EpollSelector.select")
    loop = frame(f"{STDLIB}/asyncio/base_events.py:1", "BaseEventLoop._run_once")
    return replace(whole, threads=(replace(whole.threads[0], frames=(selector, loop)),))


def test_dump_of_an_idle_process_says_that_it_waits() -> None:
    output = flat(rendered(dump_view(idle_only(snapshot()))))
    assert "Threads 0 of 1 All threads wait for work." in output
    assert "3 tasks with this stack: fetch-0, fetch-1, fetch-2" in output
    assert "inside only" not in output


def test_dump_of_an_event_loop_without_its_tasks_says_so() -> None:
    output = flat(rendered(dump_view(idle_only(outside_only()))))
    assert "Tasks were not read; a view from inside has them." in output
    assert "Tasks were" not in flat(rendered(dump_view(outside_only())))
    none = replace(outside_only(), tasks_total=0)
    assert "Tasks were" not in flat(rendered(dump_view(idle_only(none))))


def test_dump_of_a_main_thread_names_no_start_script_as_caller() -> None:
    whole = outside_only()
    detail = "waiting in EpollSelector.select (selectors.py:452), called at gunicorn:8 in <module>"
    for more in ("", ", and has not run once for 2 s or more"):
        blocked = replace(whole, capture=replace(whole.capture, main_detail=detail + more))
        output = flat(rendered(dump_view(blocked)))
        assert f"waiting in EpollSelector.select (selectors.py:452){more}. Not in" in output


def test_a_long_program_leaves_room_for_pid_and_version() -> None:
    whole = snapshot()
    words = ("python3", "/app/bin/serve", "--listen", "0.0.0.0:80", "--name", "x" * 200)
    long = replace(whole, process=replace(whole.process, cmdline=words))
    for width in (40, 80, 160):
        first = rendered(dump_view(long), width).splitlines()[0]
        assert first.startswith("serve ")
        assert first.endswith("…  pid 4121  Python 3.14.8")


def test_a_heading_counts_stacks_only_where_there_are_several() -> None:
    whole = snapshot()
    (worker,) = (each for each in whole.threads if each.name == "worker-7")
    one = rendered(dump_view(replace(whole, threads=(worker,))))
    assert "Threads  1, most recent call first" in one
    same = tuple(each for each in whole.threads if (each.name or "").startswith("db-"))
    all_of_them = rendered(dump_view(replace(whole, threads=same)))
    assert "Threads  17 with the same stack, most recent" in all_of_them


def test_one_stack_that_was_seen_from_both_views_is_no_other_stack() -> None:
    whole = snapshot()
    same = [each for each in whole.threads if (each.name or "").startswith("db-")]
    outside = [replace(each, view=View.OUTSIDE) for each in same[:3]]
    output = rendered(dump_view(replace(whole, threads=(*outside, *same[3:]))))
    assert "Threads  17 with the same stack, most recent" in output
    assert "14 threads with this stack: " in output
    assert "3 threads with this stack, seen from outside: " in output


def test_dump_is_silent_about_a_main_thread_that_answered_in_the_end() -> None:
    whole = snapshot()
    late = replace(whole, capture=replace(whole.capture, main=MainState.BLOCKED))
    assert "The main thread was" not in rendered(dump_view(late))


def test_imports_and_functions_of_a_module_are_counted_not_listed() -> None:
    values = (Value(Kind.MODULE, "module", value="os"), Value(Kind.INT, "int", value=7))
    module = frame(f"{APP}/main.py:9", "<module>", Local("os", 0), Local("__name__", 1),
                   Local("workers", 1))  # fmt: skip
    whole = snapshot()
    cut = replace(whole, threads=(replace(whole.threads[2], frames=(module,)),), values=values)
    output = rendered(dump_view(replace(cut, variables=())))
    assert "workers = 7" in output
    assert "os =" not in output
    assert "2 dunder names and modules not shown (--thread shows all)" in output


def test_deep_stacks_are_cut_in_the_middle() -> None:
    whole = snapshot()
    deep = tuple(frame(f"{APP}/deep.py:{n + 1}", "recurse") for n in range(300))
    one = replace(whole.threads[2], frames=deep)
    cut = replace(whole, threads=(one,))
    assert "… 250 frames not shown" in rendered(dump_view(cut))
    view = thread_view(cut, find_threads(cut, "parser-1"))
    assert "300 frames" in rendered(view)


@pytest.mark.parametrize("wanted", ["worker-7", "4177", "0x7f1101051000"])
def test_a_thread_is_found_by_name_native_id_and_ident(wanted: str) -> None:
    view = thread_view(SHOTS[-1], find_threads(SHOTS[-1], wanted), dwells=dwell(SHOTS))
    output = flat(rendered(view))
    assert ".path = '/orders/1042'" in output
    assert "frozen at this place for at least 90 s (4 snapshots" in output


def test_an_unknown_thread_is_not_found() -> None:
    assert find_threads(snapshot(), "nobody") == ()


def test_diff_says_in_sentences_what_stands_and_what_grew() -> None:
    output = flat(rendered(diff_view(DIFF)))
    assert ("worker-7 has not moved for 90 s (4 snapshots): orders/db.py:88 Pool.get;"
            " the kernel did not run it once") in output  # fmt: skip
    assert "items in orders/collect.py:22 Collector.run grew 2,700 -> 3,450 (+25.0/s)" in output
    assert "parser-2 has been spinning for 90 s" in output
    assert "position 1622 -> 2433 (+811, +27.0/s)" in output
    assert "items length 2,700 -> 3,450 (+750, +25.0/s)" in output


def test_a_proof_at_the_end_of_a_run_is_told_apart_from_the_run() -> None:
    (*earlier, newest) = SHOTS

    def busy(whole: Snapshot) -> Snapshot:
        stuck = whole.threads[1]
        assert stuck.counters
        counters = replace(stuck.counters, voluntary_switches=90)
        return replace(whole, threads=(replace(stuck, counters=counters),))

    shots = [busy(earlier[0]), *earlier[1:], newest]
    output = flat(rendered(dump_view(newest, dwells=dwell(shots))))
    assert (
        "frozen at this place for at least 60 s (3 snapshots, since 09:15:30): the kernel did"
        " not run it once; at the same place for at least 90 s (4 snapshots)"
    ) in output
    output = flat(rendered(diff_view(diff(shots[-2], newest, dwells=dwell(shots)))))
    assert ("worker-7 has not moved for 60 s (3 snapshots): orders/db.py:88 Pool.get; the kernel"
            " did not run it once; at the same place for 90 s (4 snapshots)") in output  # fmt: skip


def test_diff_in_the_wrong_order_says_so_once_and_counts_forwards() -> None:
    output = flat(rendered(diff_view(diff(SHOTS[-1], SHOTS[-2]))))
    assert output.count("the newer of the two") == 1
    assert "What changed 30 s earlier, before 2026-11-20 09:16:30.003 UTC" in output
    assert "apart 30 s" in output
    assert "-30 s" not in output


def test_another_object_with_an_equal_value_is_not_told() -> None:
    def at(address: int) -> Snapshot:
        whole = snapshot()
        run = frame(f"{APP}/a.py:9", "run", Local("prices", 0))
        one = replace(whole.threads[2], frames=(run,))
        prices = Value(Kind.LIST, "list", length=0, identity=address)
        return replace(whole, threads=(one,), values=(prices,), variables=())

    output = flat(rendered(diff_view(diff(at(1), at(2)))))
    assert "Nothing changed in 0 ns: 1 thread at the same place, and" in output
    assert "local changed" not in output
    assert "Changed values" not in output
    assert "locals=0" in snapshot_line(at(2), diff(at(1), at(2)))


def test_a_console_script_is_not_where_a_thread_is_said_to_be() -> None:
    script = frame(f"{APP}/.venv/bin/gunicorn:10", "<module>")
    select = frame(f"{STDLIB}/selectors.py:452", "EpollSelector.select")
    run = frame(f"{SITE}/gunicorn/workers/gthread.py:203", "ThreadWorker.run")
    own = frame(f"{APP}/main.py:3", "<module>")
    assert place_words((select, run, script), APP) == (
        "gunicorn/workers/gthread.py:203 ThreadWorker.run (in EpollSelector.select)"
    )
    assert place_words((select, script), APP) == "selectors.py:452 EpollSelector.select"
    assert place_words((select, own, script), APP) == (
        "main.py:3 <module> (in EpollSelector.select)"
    )
    assert place_words((script,), APP) == ".venv/bin/gunicorn:10 <module>"


def test_diff_says_in_words_when_nothing_changed() -> None:
    output = flat(rendered(diff_view(diff(snapshot(), snapshot()))))
    assert "Nothing changed in 0 ns: 34 threads at the same places, and" in output
    assert "Rates were not computed" in output


def test_diff_of_two_processes_compares_shares() -> None:
    output = flat(rendered(diff_view(diff(snapshot(), restarted()))))
    assert "two different processes" in output
    assert "35.3 %" in output


def test_diff_tells_threads_that_came_and_went() -> None:
    before, after = SHOTS[0], SHOTS[1]
    gone = diff(before, replace(after, threads=after.threads[:-1]))
    assert "http-12 is gone" in flat(rendered(diff_view(gone)))
    new = diff(replace(before, threads=before.threads[:-3]), after)
    assert "3 threads are new: http-10, http-11, http-12" in flat(rendered(diff_view(new)))


def test_two_recordings_say_which_files_were_left_out() -> None:
    whole = recording(2)
    comparison = diff_recordings(replace(whole, skipped=()), whole)
    output = flat(rendered(recording_diff_view(comparison)))
    assert output.count("unreadable: 000000-20261120T091430.000Z.msgpack: has no end mark") == 1


def test_recording_has_head_table_and_grid() -> None:
    output = rendered(recording_view(recording(4)))
    for words in ("4 snapshots", "every 30 s", "missed: 2 ticks", "unreadable: 000000",
                  "# # #", "# frozen   * spinning", "17x db-1"):  # fmt: skip
        assert words in output


def test_recording_can_be_read_as_of_a_snapshot_and_against_another() -> None:
    output = flat(rendered(recording_view(recording(4), at=3, against=1)))
    assert "snapshot 3 of 2026-11-20 09:16:00.003 UTC" in output
    assert "in 60 s, since 2026-11-20 09:15:00.003 UTC" in output


def test_recording_without_such_a_snapshot_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="has no snapshot 9; it has 1 to 4"):
        recording_view(recording(4), at=9)


def test_recording_of_one_snapshot_has_no_comparison() -> None:
    output = rendered(recording_view(recording(1)))
    assert "What changed" not in output
    assert "Timeline" not in output


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("count", [1, 4, 60])
def test_recording_fits_every_width(width: int, count: int) -> None:
    rows = rendered(recording_view(recording(count)), width).splitlines()
    assert max(cell_len(row) for row in rows) <= width
    assert not [row for row in rows if row.endswith(" ")]


def live(**changes: object) -> LiveState:
    state = LiveState(
        "pid 4121", START_NS + 105 * SECOND_NS, START_NS, INTERVAL_S * SECOND_NS,
        START_NS + 120 * SECOND_NS, 4, 2, "/var/lib/orders-4121", SHOTS[-1], DIFF,
    )  # fmt: skip
    return replace(state, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("height", [10, 16, 24, 50])
def test_live_view_fits_the_height(height: int) -> None:
    rows = rendered(live_view(live()), height=height).splitlines()
    assert len(rows) < height
    assert "next snapshot in 15 s" in "\n".join(rows)
    assert any("lines more" in row for row in rows) == (height < 30)


def test_live_view_before_the_first_snapshot() -> None:
    output = rendered(live_view(live(snapshot=None, comparison=None, trouble="No space left.")))
    assert "waiting for the first snapshot" in output
    assert "No space left." in output
    assert "every 30 s  ·  for 105 s  ·  4 snapshots" in output
    assert "every 30 s  ·  4 snapshots" in rendered(live_view(live(now_ns=START_NS + 1)))


def test_live_view_names_no_recording_that_is_not_there() -> None:
    gone = live(ended="Process 4 exited.", snapshot=None, comparison=None, taken=0)
    assert "recording /var" not in rendered(live_view(gone))
    assert "recording /var" in rendered(live_view(replace(gone, trouble="It was torn.")))


def test_live_view_of_several_targets_fits_and_counts_the_rest() -> None:
    rows = rendered(live_view(*[live()] * 9), height=24).splitlines()
    assert len(rows) < 24
    assert "targets more" in rows[-1]


def test_snapshot_line_is_stable() -> None:
    assert snapshot_line(SHOTS[-1], DIFF, path="/r/a b.msgpack") == (
        "2026-11-20T09:16:30.003Z snapshot pid=4121 seq=4 views=inside+outside threads=34 idle=13"
        " pause_ms=0.900 rss_bytes=185750000 main=running changes=7 added=0 removed=0 moved=1"
        ' frozen=18 spinning=1 resized=2 locals=4 tasks=0 file="/r/a b.msgpack"'
    )


def test_our_own_end_is_told_apart_from_the_end_of_the_target() -> None:
    assert ended_line("Process 4 exited.", pid=4, now_ns=START_NS).endswith(
        'Z ended pid=4 detail="Process 4 exited."'
    )
    assert stopped_line("count", "took enough", now_ns=START_NS).endswith(
        'Z stopped reason=count detail="took enough"'
    )
    ended = rendered(live_view(live(ended="Process 4 exited.")))
    assert "ended: Process 4 exited." in ended
    assert "recording ended" not in ended
    stopped = rendered(live_view(live(stopped="took enough")))
    assert "recording ended: took enough" in stopped
    assert "next snapshot" not in stopped


def test_recording_tells_pauses_apart() -> None:
    output = flat(rendered(recording_view(replace(recording(4), ended="took enough"))))
    assert "longest slice 900 µs" in output
    assert "median of all slices of a dump together 3.1 ms" in output
    assert "recording ended: took enough" in output


def test_missed_line_has_count_and_reason() -> None:
    line = missed_line(recording(1).missed[0], pid=4121)
    assert line.endswith('missed pid=4121 count=2 reason=stall detail="controller stopped"')


def test_doctor_says_what_failed_and_how_to_mend_it() -> None:
    failed = Check("remote debugging", "fail", "It is off.", "start it without the option")
    output = rendered(doctor_view([Check("identity", "ok", "It is CPython.", ""), failed]))
    assert "FAIL  remote debugging  It is off." in output
    assert "fix: start it without the option" in output
    assert "1 check failed." in output


def test_ps_tells_why_a_process_cannot_be_attached() -> None:
    server = ("/usr/bin/python3", "/app/bin/gunicorn", "a:b")
    off = Process(11, "3.14.8", "7", server, None, uid=7, build="gil", outside=True,
                  why="It is switched off.", outside_why="")  # fmt: skip
    able = replace(off, pid=4121, user="www", uid=33, build="gil jit", inside=True, why="",
                   container="4f0c8b2d11aa00", container_runtime="docker")  # fmt: skip
    old = replace(off, pid=9, version="3.11", build=None, outside=False, why="It is.",
                  outside_why="It is too old.")  # fmt: skip
    older = replace(old, pid=10)
    output = rendered(processes_view([able, old, older, off]), 160)
    for words in (
        "4121  3.14.8 gil jit  www 33  yes     yes      docker 4f0c8b2d11aa  gunicorn a:b",
        "11  3.14.8 gil      7       no      yes",
        "4 processes: 1 can be asked from inside, 2 read from outside",
        "9, 10: It is too old.",
        "11: It is switched off.",
    ):
        assert words in output
    assert "It is." not in output
    assert "No Python process" in rendered(processes_view([]))


def test_a_reason_that_names_its_process_is_told_once_for_several() -> None:
    def refused(pid: int, why: str) -> Process:
        return Process(pid, "3.14.8", "7", ("python",), None, why=why, outside_why=why)

    unread = "The kernel does not let this user read the memory of process {0}."
    older = "Process {0} runs Python 3.11, and snapshotter reads CPython 3.14 and 3.15."
    processes = [refused(pid, unread.format(pid)) for pid in (41, 410)]
    processes += [refused(pid, older.format(pid)) for pid in (5, 6)]
    output = rendered(processes_view(processes), 160)
    assert "41, 410: The kernel does not let this user read the memory of them." in output
    assert "5, 6: Each of them runs Python 3.11, and" in output
    alone = rendered(processes_view(processes[:1]), 160)
    assert "41: The kernel does not let this user read the memory of process 41." in alone


def test_paths_lose_what_every_reader_knows() -> None:
    assert short_path(f"{SITE}/flask/app.py", APP) == "flask/app.py"
    assert short_path(f"{STDLIB}/queue.py") == "queue.py"
    assert short_path(f"{APP}/orders/db.py", APP) == "orders/db.py"
    assert short_path("/other/db.py", APP) == "/other/db.py"


def test_folding_keeps_the_end_and_cuts_between_parts() -> None:
    assert fold_left("/srv/very/long/orders/db.py:88", 16) == "…orders/db.py:88"
    assert fold_left("concurrent/futures/thread.py:59", 22) == "…/futures/thread.py:59"
    assert fold_left("short.py:1", 20) == "short.py:1"
    assert fold_left("abc", 0) == ""
