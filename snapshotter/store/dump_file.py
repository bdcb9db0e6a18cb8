"""Writing one dump: whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.store.atomic import atomic_file
from snapshotter.store.encode import encode

if TYPE_CHECKING:
    from pathlib import Path

    from snapshotter.model import Snapshot

__all__ = ["write_dump"]


def write_dump(path: Path, snapshot: Snapshot, *, overwrite: bool = False) -> int:
    """Write ``snapshot`` to ``path`` and return the size in bytes.

    The file appears whole or not at all, readable by us only. Raises UsageError when it exists
    and ``overwrite`` is not set, StorageError when it cannot be written.
    """
    data = encode(snapshot)
    with atomic_file(path, overwrite=overwrite) as stream:
        stream.write(data)
    return len(data)
