"""Whose code a file is: the application's, a library's, or the standard library's."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Self

from snapshotter.errors import SnapshotterError
from snapshotter.model.snapshot import Origin
from snapshotter.outside.locate import read_mappings

__all__ = ["Origins"]

_PACKAGES = ("/site-packages/", "/dist-packages/")
_STDLIB_FOLDER = re.compile(r"/lib(?:64)?/python3\.\d+t?/|/python3\d+\.zip/")
_LIBRARY_OF_INTERPRETER = re.compile(r"(?:lib)?(python3\.\d+t?)(?:$|[^/]*$)")
_DYNAMIC_MODULES = "/lib-dynload/"
_MAX_CACHED = 20_000


class Origins:
    """Decides by the file name alone; the file itself is never looked at."""

    __slots__ = ("_known", "_prefixes")

    def __init__(self, stdlib_prefixes: tuple[str, ...] = ()) -> None:
        """``stdlib_prefixes`` are folders of the target's standard library."""
        self._prefixes = tuple(prefix.rstrip("/") + "/" for prefix in stdlib_prefixes if prefix)
        self._known: dict[str, Origin] = {}

    @classmethod
    def for_process(cls, pid: int) -> Self:
        """Guess the standard library of ``pid`` from what it has mapped; never raises."""
        with suppress(SnapshotterError, OSError):
            return cls(_stdlib_prefixes(pid))
        return cls()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Folders of the standard library, each with its final slash."""
        return self._prefixes

    def of(self, filename: str) -> Origin:
        """Return whose code ``filename`` (a ``co_filename``) is."""
        known = self._known.get(filename)
        if known is None:
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            known = self._known[filename] = self._decide(filename)
        return known

    def _decide(self, filename: str) -> Origin:
        if filename.startswith("<frozen "):
            return Origin.STDLIB
        if any(folder in filename for folder in _PACKAGES):
            return Origin.LIBRARY
        if filename.startswith(self._prefixes) or _STDLIB_FOLDER.search(filename):
            return Origin.STDLIB
        return Origin.APP


def _stdlib_prefixes(pid: int) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for path in dict.fromkeys(mapping.path for mapping in read_mappings(pid)):
        folder, dynamic, _module = path.partition(_DYNAMIC_MODULES)
        if dynamic:
            found[folder] = None
        else:
            found.update(dict.fromkeys(_beside_interpreter(pid, path)))
    return tuple(found)


def _beside_interpreter(pid: int, path: str) -> list[str]:
    """Folders of the standard library where an interpreter or libpython at ``path`` expects it."""
    folder, name = os.path.split(path)
    match = _LIBRARY_OF_INTERPRETER.match(name)
    if not match:
        return []
    above = os.path.dirname(folder)
    places = (
        f"{above}/lib/{match[1]}",
        f"{above}/lib64/{match[1]}",
        f"{folder}/{match[1]}",
        f"{above}/{match[1]}",
    )
    return [place for place in places if os.path.exists(f"/proc/{pid}/root{place}/os.py")]
