"""Snapshots and results as rich renderables. Nothing here prints."""

from snapshotter.render.diff import diff_view, recording_diff_view
from snapshotter.render.doctor import doctor_view
from snapshotter.render.dump import dump_view, find_threads, thread_view
from snapshotter.render.lines import (
    ended_line,
    missed_line,
    snapshot_line,
    stopped_line,
    trouble_line,
)
from snapshotter.render.live import LiveState, live_view
from snapshotter.render.options import ViewOptions
from snapshotter.render.processes import processes_view
from snapshotter.render.recording import recording_view
from snapshotter.render.sanitize import sanitize, text

__all__ = [
    "LiveState",
    "ViewOptions",
    "diff_view",
    "doctor_view",
    "dump_view",
    "ended_line",
    "find_threads",
    "live_view",
    "missed_line",
    "processes_view",
    "recording_diff_view",
    "recording_view",
    "sanitize",
    "snapshot_line",
    "stopped_line",
    "text",
    "thread_view",
    "trouble_line",
]
