"""The version of snapshotter that takes the snapshots."""

from snapshotter import __version__

__all__ = ["TOOL_VERSION"]

TOOL_VERSION = __version__
