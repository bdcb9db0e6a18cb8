"""Who had the processor while a target waited, from a record of the scheduler."""

from __future__ import annotations

from benchmarks.sched import Ready, Switch, parse, turns_of_others
from benchmarks.stats import Gap, shortened

MAIN, CARRIER, SNAP, DAEMON = 100, 101, 200, 300
LINES = (
    "# tracer: nop",
    (
        " python-100 [000] d..2.   812.000001: sched_switch: prev_comm=python prev_pid=100 "
        "prev_prio=120 prev_state=R+ ==> next_comm=a daemon-7 next_pid=300 next_prio=110"
    ),
    (" <idle>-0 [001] dNh4.   812.000002: sched_wakeup: comm=snap pid=200 prio=120 target_cpu=001"),
    (
        " python-100 [000] d..2.   812.000003: sched_wakeup_new: comm=python pid=101 "
        "prio=120 target_cpu=001"
    ),
    (
        " migration/0-20 [000] d..3.   812.000004: sched_migrate_task: comm=python pid=100 "
        "prio=120 orig_cpu=0 dest_cpu=1"
    ),
    "CPU:1 [LOST 12 EVENTS]",
)


def runs(at: int, cpu: int, before: int, after: int, *, ready: bool = False) -> Switch:
    return Switch(at, cpu, before, ready, after, {SNAP: "snap", DAEMON: "daemon"}.get(after, ""))


def test_lines_of_the_kernel_are_understood() -> None:
    second = 812 * 10**9
    assert parse(LINES) == [
        Switch(second + 1000, 0, 100, is_ready=True, after=300, name="a daemon-7"),
        Ready(second + 2000, 1, 200),
        Ready(second + 3000, 1, 101, parent=100),
        Ready(second + 4000, 1, 100),
    ]


def test_a_daemon_on_the_processor_of_a_ready_main_thread_takes_it() -> None:
    events = [runs(10, 0, MAIN, DAEMON, ready=True), runs(30, 0, DAEMON, MAIN)]
    assert turns_of_others(events, MAIN, [], "snap") == [Gap(10, 30)]


def test_the_tool_and_an_idle_processor_are_no_others() -> None:
    events = [
        runs(10, 0, MAIN, SNAP, ready=True),
        runs(20, 0, SNAP, 0),
        runs(30, 0, 0, MAIN),
    ]
    assert turns_of_others(events, MAIN, [], "snap") == []


def test_a_main_thread_that_was_moved_waits_elsewhere() -> None:
    events = [
        runs(10, 0, MAIN, DAEMON, ready=True),
        Ready(15, 1, MAIN),
        runs(20, 1, 0, MAIN),
    ]
    assert turns_of_others(events, MAIN, [], "snap") == [Gap(10, 15)]


def test_a_carrier_that_has_the_interpreter_may_wait_too() -> None:
    events = [
        Ready(5, 1, CARRIER, parent=MAIN),
        runs(6, 1, 0, CARRIER),
        runs(10, 0, MAIN, 0),
        runs(20, 1, CARRIER, DAEMON, ready=True),
        runs(40, 1, DAEMON, CARRIER),
        runs(50, 1, CARRIER, 0),
        Ready(51, 0, MAIN),
    ]
    assert turns_of_others(events, MAIN, [], "snap") == [Gap(20, 40)]


def test_a_thread_of_somebody_else_that_waits_is_not_ours() -> None:
    events = [
        Ready(5, 1, CARRIER, parent=DAEMON),
        runs(10, 0, MAIN, 0),
        runs(20, 1, CARRIER, DAEMON, ready=True),
    ]
    assert turns_of_others(events, MAIN, [], "snap") == []


def test_a_gap_is_shortened_by_what_falls_into_it() -> None:
    gaps = [Gap(100, 200), Gap(300, 310)]
    turns = [Gap(90, 110), Gap(150, 160), Gap(195, 305)]
    assert shortened(gaps, turns) == [Gap(100, 175), Gap(300, 305)]
