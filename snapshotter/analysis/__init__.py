"""The verbs of snapshotter: pure functions of snapshots that group, class, align and compare."""

from snapshotter.analysis.changes import (
    Change,
    Diff,
    Elapsed,
    Figure,
    GenerationChange,
    LocalChange,
    Resize,
    Seen,
    SignatureShare,
    TaskChange,
    TaskChanges,
    ThreadChange,
    Unit,
    ValueChange,
    VariableChange,
)
from snapshotter.analysis.diff import diff
from snapshotter.analysis.dwell import Dwell, Stretch, dwell
from snapshotter.analysis.idle import CATALOGUE, IdlePattern, idle_reason, parse_pattern
from snapshotter.analysis.movement import CounterDelta, Movement, movement
from snapshotter.analysis.recordings import RecordingDiff, diff_recordings
from snapshotter.analysis.signatures import Group, group_threads
from snapshotter.analysis.timeline import Cell, Row, timeline

__all__ = [
    "CATALOGUE",
    "Cell",
    "Change",
    "CounterDelta",
    "Diff",
    "Dwell",
    "Elapsed",
    "Figure",
    "GenerationChange",
    "Group",
    "IdlePattern",
    "LocalChange",
    "Movement",
    "RecordingDiff",
    "Resize",
    "Row",
    "Seen",
    "SignatureShare",
    "Stretch",
    "TaskChange",
    "TaskChanges",
    "ThreadChange",
    "Unit",
    "ValueChange",
    "VariableChange",
    "diff",
    "diff_recordings",
    "dwell",
    "group_threads",
    "idle_reason",
    "movement",
    "parse_pattern",
    "timeline",
]
