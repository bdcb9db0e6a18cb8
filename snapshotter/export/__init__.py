"""The formats a snapshot or a recording can be exported to, one module each, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from snapshotter.export import json, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from snapshotter.model import Recording, Snapshot

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True, slots=True)
class Format:
    """One format. ``write`` gets a stream of bytes that it neither opens nor closes."""

    suffix: str
    """With its dot, for a file name when none is given."""
    binary: bool
    """Not for a terminal."""
    write: Callable[[Snapshot | Recording, BinaryIO], None]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "json": Format(".json", binary=False, write=json.write),
        "jsonl": Format(".jsonl", binary=False, write=jsonl.write),
    }
)
