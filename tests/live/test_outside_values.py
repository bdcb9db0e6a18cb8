"""What is read from outside equals what the probe tells from inside, and nothing runs meanwhile."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from snapshotter.model import Status, ValueLevel, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.details import details_of, tree
from tests.support.targets import DEADLINE_S, spawn, spawn_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snapshotter.model import Frame, Snapshot, Value

pytestmark = pytest.mark.live

SHAPES = "scalars texts containers objects callables times secrets cells class_body".split()  # noqa: SIM905
REPLACING = """
import os, sys
CONFIG = {"stays": 0, "key 0": 0}
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
for number, _line in enumerate(sys.stdin):
    del CONFIG["key %d" % number]
    CONFIG["key %d" % (number + 1)] = number + 1
    os.write(1, b"%d." % (number + 1))
"""
PATIENCE_NS = 5_000_000_000


def shown(frame: Frame, values: Sequence[Value]) -> dict[str, object]:
    return {local.name: tree(values, local.node) for local in frame.locals}


def whole_frames(snapshot: Snapshot) -> dict[str, dict[str, object]]:
    """Locals of the zoo's functions, as far as the inside view had time for all of them."""
    return {
        frame.qualname: shown(frame, snapshot.values)
        for thread in snapshot.threads
        if thread.view is View.INSIDE and not thread.is_main
        for frame in thread.frames
        if frame.filename.endswith("value_zoo.py") and frame.locals_missing is None
    }


@pytest.mark.parametrize("level", [ValueLevel.SCRUBBED, ValueLevel.FULL])
def test_values_of_every_kind_equal_those_from_inside(
    target_python: str, level: ValueLevel
) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS, values=level)
    with (
        spawn("value_zoo.py", python=target_python) as target,
        details_of(target.pid) as details,
        Observer.open(target.pid, options) as observer,
    ):
        found = details.read(level=level)
        inside: dict[str, dict[str, object]] = {}
        end = time.monotonic() + DEADLINE_S
        while not set(SHAPES) <= set(inside) and time.monotonic() < end:
            inside |= whole_frames(observer.capture())
        again = details.read(level=level)  # the probe has been there: instances may have dicts

    assert set(SHAPES) <= set(inside)
    for details_found in (found, again):
        outside = {
            frame.qualname: (shown(frame, details_found.values), frame.locals_missing)
            for thread in details_found.threads.values()
            for frame in thread.frames
        }
        for name, wanted in inside.items():
            assert outside[name][1] is None
            assert list(outside[name][0]) == list(wanted)
            for local, value in wanted.items():
                assert outside[name][0][local] == value, (name, local)


def test_variables_are_followed_while_the_main_thread_is_blocked(target_python: str) -> None:
    paths = (
        ("__main__", "CONFIG", "levels", "1"),
        ("__main__", "CONFIG", "nested", "deep"),
        ("__main__", "Plain", "kind"),
        ("__main__", "Color", "RED"),
        ("__main__", "stop", "_flag"),
        ("__main__", "CONFIG", "absent"),
        ("no_such_module", "x"),
    )
    with (
        spawn("value_zoo.py", "blocked", python=target_python) as target,
        details_of(target.pid) as details,
    ):
        found = details.read(variables=paths)

    first, second, third, fourth, fifth, sixth, seventh = found.variables
    assert found.values[first.node or 0].value == 2
    assert found.values[second.node or 0].items[0].name == "deeper"
    assert found.values[third.node or 0].value == "plain"
    assert fourth.expression == "__main__:Color.RED"
    assert found.values[fifth.node or 0].value is False
    assert sixth.problem == "nothing readable is called absent"
    assert seventh.problem == "no module of this name is loaded"


def test_a_key_that_comes_where_another_one_was_is_found(target_python: str) -> None:
    with spawn_source(REPLACING, python=target_python) as target, details_of(target.pid) as details:
        for number in range(40):
            paths = [("__main__", "CONFIG", f"key {at}") for at in (number, number + 1)]
            old, new = details.read("none", variables=tuple(paths)).variables
            assert old.problem is None
            assert new.problem == f"nothing readable is called key {number + 1}"
            target.tell("next")
            last = f"{number + 1}."
            target.wait_for(lambda last=last: target.stdout_text().endswith(last))  # type: ignore[misc]
            found = details.read("none", variables=tuple(paths))
            old, new = found.variables
            assert old.problem == f"nothing readable is called key {number}"
            assert found.values[new.node or 0].value == number + 1


def test_names_of_threads_are_those_of_threading(target_python: str) -> None:
    with (
        spawn("value_zoo.py", "blocked", python=target_python) as target,
        details_of(target.pid) as details,
    ):
        found = details.read("none")
        idents = {
            thread.ident for thread in details.runtime.threads(details.runtime.main_interpreter())
        }

    assert set(found.names) == idents
    assert set(found.names.values()) == {("MainThread", False), *((name, True) for name in SHAPES)}
    assert found.values == ()


BUSY = """
import os, threading
class Holder: pass
holder = Holder()
def churn(items, table):
    count = 0
    while True:
        count += 1
        pair = (count, -count)
        items.append(count)
        if len(items) > 50: items.clear()
        table[count % 100] = [count, count]
        holder.value = {"count": count, "twice": [count, count]}
        checked = text_of(count)
def text_of(number):
    text = str(number) * 2
    return text
for _ in range(3):
    threading.Thread(target=churn, args=([], {}), daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
import sys; sys.stdin.readline()
"""


def test_no_value_of_a_busy_target_is_a_mixture(target_python: str) -> None:
    """Pairs that the program keeps equal are equal, or said to be unreadable."""
    seen = unreadable = 0
    with spawn_source(BUSY, python=target_python) as target, details_of(target.pid) as details:
        for _ in range(60):
            found = details.read("all", variables=(("__main__", "holder", "value"),))
            values = found.values
            unreadable += sum(value.status is Status.UNREADABLE for value in values)
            for thread in found.threads.values():
                for frame in thread.frames:
                    pairs = [x for x in frame.locals if x.name == "pair"]
                    for local in pairs:
                        numbers = [values[item.node].value for item in values[local.node].items]
                        if len(numbers) == 2 and None not in numbers:
                            seen += 1
                            assert numbers[0] == -numbers[1]  # type: ignore[operator]
            node = found.variables[0].node
            if node is not None and len(values[node].items) == 2:
                count, twice = (values[item.node] for item in values[node].items)
                numbers = [values[item.node].value for item in twice.items]
                if count.value is not None and numbers and None not in numbers:
                    assert numbers == [count.value, count.value]
                    seen += 1
    assert seen > 20
    assert unreadable >= 0


def test_reading_leaves_no_trace_in_the_target(target_python: str) -> None:
    with (
        spawn("value_zoo.py", "blocked", python=target_python) as target,
        details_of(target.pid) as details,
    ):
        target.wait_for(lambda: _switches(target.pid) == _settled(target.pid))
        before = _switches(target.pid)
        details.read("all")
        assert _switches(target.pid) == before


def _settled(pid: int) -> list[str]:
    time.sleep(0.05)
    return _switches(pid)


def _switches(pid: int) -> list[str]:
    """Context switches of each thread: none of them ran."""
    found = []
    for tid in sorted(os.listdir(f"/proc/{pid}/task")):  # noqa: PTH208 - names are numbers
        with open(f"/proc/{pid}/task/{tid}/status", encoding="ascii") as file:  # noqa: PTH123
            found += [line for line in file if "ctxt_switches" in line]
    return found
