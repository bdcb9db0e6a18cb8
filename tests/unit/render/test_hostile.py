from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from snapshotter.analysis.diff import diff
from snapshotter.analysis.dwell import dwell
from snapshotter.analysis.recordings import diff_recordings
from snapshotter.model import GcState, Generation
from snapshotter.render.diff import diff_view, recording_diff_view
from snapshotter.render.doctor import doctor_view
from snapshotter.render.dump import dump_view, thread_view
from snapshotter.render.lines import ended_line, missed_line, snapshot_line, trouble_line
from snapshotter.render.live import LiveState, live_view
from snapshotter.render.options import ViewOptions
from snapshotter.render.processes import processes_view
from snapshotter.render.recording import recording_view
from snapshotter.render.tables import collector_section
from tests.support.samples import (
    HOSTILE,
    INTERVAL_S,
    SECOND_NS,
    START_NS,
    hostile_recording,
    hostile_snapshot,
    restarted,
)
from tests.unit.render.screens import rendered

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
OWN_STYLES = re.compile(r"\x1b\[[0-9;]*m")
RECORDING = hostile_recording()
FIRST, LAST = RECORDING.snapshots[0], RECORDING.snapshots[-1]


@dataclass(frozen=True)
class Check:
    name: str = HOSTILE
    status: str = "fail"
    sentence: str = HOSTILE
    fix: str = HOSTILE


@dataclass(frozen=True)
class Process:
    pid: int = 1
    version: str | None = HOSTILE
    user: str = HOSTILE
    cmdline: tuple[str, ...] = (HOSTILE, HOSTILE)
    container: str | None = HOSTILE
    uid: int = 0
    build: str | None = HOSTILE
    container_runtime: str | None = HOSTILE
    inside: bool = False
    why: str = HOSTILE
    outside: bool = False
    outside_why: str = HOSTILE


def _live() -> RenderableType:
    state = LiveState(
        HOSTILE, START_NS, START_NS, INTERVAL_S * SECOND_NS, START_NS + 1, 4, 1, HOSTILE, LAST,
        diff(RECORDING.snapshots[1], LAST), HOSTILE, HOSTILE,
    )  # fmt: skip
    return live_view(state, replace(state, ended=None))


def _thread() -> RenderableType:
    comparison = diff(RECORDING.snapshots[1], LAST)
    dwells = dwell(RECORDING.snapshots)
    return thread_view(LAST, LAST.threads[1:2], dwells=dwells, comparison=comparison)


SCREENS: dict[str, Callable[[], RenderableType]] = {
    "dump": lambda: dump_view(LAST, comparison=diff(FIRST, LAST), dwells=dwell([FIRST, LAST])),
    "dump all": lambda: dump_view(LAST, options=ViewOptions(show_all=True, locals="all")),
    "dump from outside": lambda: dump_view(RECORDING.snapshots[2]),
    "thread": _thread,
    "recording": lambda: recording_view(RECORDING),
    "empty recording": lambda: recording_view(replace(RECORDING, snapshots=())),
    "diff": lambda: diff_view(diff(FIRST, LAST)),
    "diff of two processes": lambda: diff_view(diff(FIRST, restarted())),
    "recordings": lambda: recording_diff_view(diff_recordings(RECORDING, RECORDING)),
    "live": _live,
    "doctor": lambda: doctor_view([Check(), Check(status=HOSTILE)], title=HOSTILE),
    "ps": lambda: processes_view([Process()]),
}


def controls(output: str) -> set[str]:
    return {c for c in output if unicodedata.category(c) in FORBIDDEN and c != "\n"}


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("name", SCREENS)
def test_no_screen_lets_a_control_character_through(name: str, width: int) -> None:
    output = rendered(SCREENS[name](), width)
    assert controls(output) == set()
    assert "\\x1b" in output or name == "empty recording"
    assert max(cell_len(row) for row in output.splitlines()) <= width


@pytest.mark.parametrize("name", SCREENS)
def test_with_colour_only_our_own_styles_are_sent(name: str) -> None:
    output = rendered(SCREENS[name](), 80, color=True)
    assert controls(OWN_STYLES.sub("", output)) == set()


def test_lines_for_pipes_are_one_line_each() -> None:
    lines = [
        snapshot_line(LAST, diff(FIRST, LAST), path=HOSTILE),
        missed_line(RECORDING.missed[0], pid=4),
        ended_line(HOSTILE, pid=4, now_ns=START_NS),
        trouble_line(HOSTILE, pid=4, now_ns=START_NS),
    ]
    for each in lines:
        assert controls(each) == set()
        assert "\n" not in each


def test_the_samples_are_hostile_everywhere() -> None:
    snapshot = hostile_snapshot()
    thread = snapshot.threads[1]
    for field in (thread.name, thread.frames[0].filename, thread.frames[0].qualname,
                  thread.frames[0].locals[0].name, snapshot.values[0].type,
                  snapshot.process.cmdline[0], snapshot.tasks[0].name):  # fmt: skip
        assert field is not None
        assert field.endswith(HOSTILE)


def test_names_of_figures_are_no_exception() -> None:
    generation = Generation(1, 1, 1, 1, 1, extra={HOSTILE: 1, "duration": 1e300})
    gc = GcState(enabled=True, generations=(generation,), freeze_count=0, garbage=0, callbacks=())
    assert controls(rendered(collector_section(gc, now_ns=0), 160)) == set()
