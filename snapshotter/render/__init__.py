"""Snapshots and results as rich renderables. Nothing here prints."""

from snapshotter.render.diff import diff_view, recording_diff_view
from snapshotter.render.dump import dump_view, thread_view
from snapshotter.render.options import ViewOptions
from snapshotter.render.sanitize import sanitize, text

__all__ = [
    "ViewOptions",
    "diff_view",
    "dump_view",
    "recording_diff_view",
    "sanitize",
    "text",
    "thread_view",
]
