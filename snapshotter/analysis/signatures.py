"""Signatures: what is left of a stack without its thread, and threads that share one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from snapshotter.model import Origin
from snapshotter.model.places import MODULE_QUALNAME, is_console_script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from snapshotter.model import Frame, Local, Thread

__all__ = [
    "MODULE_QUALNAME",
    "CallSignature",
    "Group",
    "PlaceSignature",
    "below_package_root",
    "call_signature",
    "group_threads",
    "is_console_script",
    "is_module_dunder",
    "module_of",
    "place_signature",
]

type PlaceSignature = tuple[tuple[str, str, int | None], ...]
"""S1: (filename, qualname, line) of all frames, innermost first."""

type CallSignature = tuple[tuple[str, str], ...]
"""S2: (module, qualname) of all frames, innermost first."""

_FROZEN = re.compile(r"<frozen ([\w.]+)>")
_PACKAGE_ROOT = re.compile(
    r".*/(?:site-packages|dist-packages|lib(?:64)?/python3(?:\.\d+)?t?(?:\.zip)?)/", re.DOTALL
)
_APP_PARTS = 2


def place_signature(frames: Iterable[Frame]) -> PlaceSignature:
    """Return S1, by which threads group and by which "the same place" is meant."""
    return tuple((frame.filename, frame.qualname, frame.lineno) for frame in frames)


def call_signature(frames: Iterable[Frame]) -> CallSignature:
    """Return S2, which survives a new release: lines shift, directories change."""
    return tuple((module_of(frame.filename), frame.qualname) for frame in frames)


def is_module_dunder(frame: Frame, local: Local) -> bool:
    """Tell whether it is a name that every module has (``__spec__``): it tells nothing of one."""
    dunder = local.name.startswith("__") and local.name.endswith("__")
    return dunder and frame.qualname == MODULE_QUALNAME


@lru_cache(maxsize=4096)
def module_of(filename: str) -> str:
    """Return the dotted module that a file name stands for.

    A frame does not know its module. Below the standard library and ``site-packages`` the path
    tells it; elsewhere the last two parts are taken, which do not change with the directory of a
    release: ``/srv/shop/2026.31/orders/db.py`` is ``orders.db``.
    """
    if frozen := _FROZEN.fullmatch(filename):
        return frozen[1]
    if filename.startswith("<"):
        return filename
    package_path = below_package_root(filename)
    path = package_path or filename.replace("\\", "/")
    parts = path.removesuffix(".py").strip("/").split("/")
    if len(parts) > 1 and parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts if package_path else parts[-_APP_PARTS:])


def below_package_root(filename: str) -> str | None:
    """Return the part of a path below ``site-packages`` or the standard library, if it is there."""
    path = filename.replace("\\", "/")
    rest = _PACKAGE_ROOT.sub("", path, count=1)
    return rest if rest != path else None


@dataclass(frozen=True, slots=True)
class Group:
    """Threads of one snapshot that stand at the same place; ``frames`` are innermost first."""

    frames: tuple[Frame, ...]
    threads: tuple[Thread, ...]

    @property
    def has_app_code(self) -> bool:
        """Whether any frame belongs to the application."""
        return any(frame.origin is Origin.APP for frame in self.frames)


def group_threads(threads: Iterable[Thread]) -> tuple[Group, ...]:
    """Group threads by S1: the main thread's first, then large groups, then those with app code.

    Stacks that were seen from different views stay apart, and so do incomplete ones: half a stack
    equals nothing.
    """
    found: dict[tuple[object, ...], list[Thread]] = {}
    for thread in threads:
        key: tuple[object, ...] = (place_signature(thread.frames), thread.view)
        if not thread.complete:
            key = (*key, thread.ident, thread.native_id)
        found.setdefault(key, []).append(thread)
    groups = (
        Group(members[0].frames, tuple(sorted(members, key=_age))) for members in found.values()
    )
    return tuple(sorted(groups, key=_rank))


def _age(thread: Thread) -> tuple[bool, int]:
    """Sort by native id, which mostly is the order in which threads were started."""
    return thread.native_id is None, thread.native_id or 0


def _rank(group: Group) -> tuple[bool, int, bool, PlaceSignature]:
    has_main = any(thread.is_main for thread in group.threads)
    places = tuple((file, name, line or 0) for file, name, line in place_signature(group.frames))
    return (not has_main, -len(group.threads), not group.has_app_code, places)
