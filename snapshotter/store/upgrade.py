"""One small upgrader for each older major version of the dump file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from snapshotter.store.format import MAJOR
from snapshotter.store.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["UPGRADERS", "upgrade"]

type _Document = dict[str, Any]
type _Upgrader = Callable[[_Document], _Document]

UPGRADERS: Mapping[int, _Upgrader] = MappingProxyType({})
"""From a major version to the function that turns its map into that of the next one.

An upgrader gets unchecked content and may raise WireError; what it returns is checked like any
file of the next version.
"""


def upgrade(
    document: _Document,
    major: int,
    *,
    upgraders: Mapping[int, _Upgrader] = UPGRADERS,
    current: int = MAJOR,
) -> _Document:
    """Return ``document`` of version ``major`` in the form of version ``current``.

    Raises WireError when a step is missing or the content does not fit.
    """
    for version in range(major, current):
        step = upgraders.get(version)
        if step is None:
            raise WireError(f"its format {version} is not one that was ever written")
        document = step(document)
    return document
