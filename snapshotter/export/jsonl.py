"""JSON Lines: one line for each snapshot, for tools that read a recording as a stream.

A recording begins with a line about itself (schema "snapshotter.snapshots/1"); every other line
is a snapshot in the shape of the json format (schema "snapshotter.snapshot/1").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snapshotter.export.encoding import dumps
from snapshotter.export.json import recording_dict, snapshot_dict
from snapshotter.model import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from snapshotter.model import Snapshot

__all__ = ["write"]


def write(subject: Snapshot | Recording, stream: BinaryIO) -> None:
    """Write a line for each snapshot, and one about the recording before them."""
    stream.writelines(dumps(record) + b"\n" for record in _records(subject))


def _records(subject: Snapshot | Recording) -> Iterator[dict[str, Any]]:
    if isinstance(subject, Recording):
        yield recording_dict(subject)
        yield from map(snapshot_dict, subject.snapshots)
    else:
        yield snapshot_dict(subject)
