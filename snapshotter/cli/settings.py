"""Settings: ``snapshotter.toml``, or ``[tool.snapshotter]`` of pyproject.toml, of this directory.

    locals = "app"              # capture options at the top hold for dump and watch
    idle = ["* << myapp.worker:Worker.wait_for_job"]    # further stacks that only wait for work
    [watch]
    every = "1m"
    keep = "7d"

The command line wins. What confirms or overwrites (``--yes``, ``--force``) can not be set.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from snapshotter.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SETTABLE", "load_settings"]

_CAPTURE = {"locals", "values", "var", "max-pause", "patience", "carrier", "wake"}

SETTABLE: dict[str, frozenset[str]] = {
    "dump": frozenset(_CAPTURE),
    "watch": frozenset(_CAPTURE | {"every", "count", "for", "output", "keep", "max-size", "quiet"}),
    "view": frozenset({"all", "plain"}),
}
"""Long names of the options of each command that a settings file may set."""

_LISTS = {"var"}
_FLAGS = {"quiet", "all", "plain"}

_SIZE_LIMIT_BYTES = 1 << 20

type Settings = dict[str, Any]


def load_settings(directory: Path) -> tuple[Settings, str | None]:
    """Return click's default map and, when a file was left out, a sentence that says why.

    Raises UsageError when the file cannot be read or has keys that mean nothing.
    """
    for name, table in (("snapshotter.toml", None), ("pyproject.toml", "snapshotter")):
        path = directory / name
        data, ignored = _read(path)
        if ignored is not None:
            return {}, ignored
        if data is not None and table is not None:
            data = _table(_table(data, "tool", path), table, path) or None
        if data is not None:
            return _default_map(data, path), None
    return {}, None


def _read(path: Path) -> tuple[Settings | None, str | None]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)  # nor can a stream be made of a directory
        return None, None
    with os.fdopen(descriptor, "rb") as stream:
        if not _is_trusted(path, descriptor):
            return None, f"{path.name} was left out: it, or its directory, is another user's"
        content = stream.read(_SIZE_LIMIT_BYTES)
    import tomllib  # noqa: PLC0415 -- start-up: most directories have no settings

    try:
        return tomllib.loads(content.decode()), None
    except ValueError as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}.") from error


def _is_trusted(path: Path, descriptor: int) -> bool:
    """Settings decide what is read of a target: only we, or root, may have written them."""
    owners = {os.fstat(descriptor).st_uid, path.parent.stat().st_uid}
    with suppress(OSError):
        owners.add(path.lstat().st_uid)
    return owners <= {os.geteuid(), 0}


def _table(data: Settings, name: str, path: Path) -> Settings:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path.name}: {name} must be a table.")
    return table


def _default_map(data: Settings, path: Path) -> Settings:
    shared = {key: value for key, value in data.items() if key in _CAPTURE}
    known = _CAPTURE | SETTABLE.keys() | {"color", "idle"}
    _refuse_unknown(data.keys() - known, known, path)
    result: Settings = {"color": data["color"]} if "color" in data else {}
    if "idle" in data:
        result["idle"] = _texts(data["idle"], "idle", path)
    for command, names in SETTABLE.items():
        own = _table(data, command, path)
        _refuse_unknown(own.keys() - names, names, path)
        merged = {key: value for key, value in shared.items() if key in names} | own
        result[command] = {
            _parameter(key): _as_typed(value, key, path) for key, value in merged.items()
        }
    return result


def _texts(value: object, key: str, path: Path) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{path.name}: {key} must be a list of texts.")
    return value


def _refuse_unknown(unknown: set[str], known: set[str] | frozenset[str], path: Path) -> None:
    if unknown:
        raise UsageError(
            f"{path.name} sets {min(unknown)!r}, which is no setting.",
            hint=f"one of {', '.join(sorted(known))}",
            slug="unknown-setting",
        )


def _parameter(key: str) -> str:
    """``max-pause`` as click names it."""
    return {"for": "duration"}.get(key, key.replace("-", "_"))


def _as_typed(value: object, key: str, path: Path) -> object:
    """A number in the file is parsed as if it had been typed: 30 without a unit is refused."""
    if key in _LISTS:
        return _texts(value, key, path)
    if key in _FLAGS:
        return value if isinstance(value, bool) else str(value)
    if isinstance(value, bool | list | dict):
        raise UsageError(f"{path.name}: {key} must be a text or a number.")
    return str(value)
