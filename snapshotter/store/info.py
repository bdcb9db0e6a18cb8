"""``recording.json``: whose recording this is, how it is taken, and what it misses."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from snapshotter.errors import UnreadableFileError
from snapshotter.model import Identity, Incarnation, Missed, MissedReason
from snapshotter.store.atomic import atomic_file
from snapshotter.store.names import INFO_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from snapshotter.model import ProcessInfo

__all__ = ["RecordingInfo", "read_info", "write_info"]

SCHEMA: Final = "snapshotter.recording/1"
_MAX_BYTES = 4 * 1024 * 1024
_MAX_MISSED = 10_000

type Option = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """All that ``recording.json`` says. Times are Unix time in nanoseconds."""

    target: Incarnation
    started_at_ns: int
    command: tuple[str, ...] = ()
    host: str = ""
    interval_ns: int | None = None
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    tool: str = ""
    missed: tuple[Missed, ...] = ()
    ended: str | None = None

    @classmethod
    def of(
        cls,
        process: ProcessInfo,
        *,
        started_at_ns: int,
        interval_ns: int | None = None,
        options: Mapping[str, Option] | None = None,
        tool: str = "",
    ) -> Self:
        """Return the information on a new recording of ``process``."""
        return cls(
            target=replace(process.incarnation, host=""),  # the host stands beside it
            started_at_ns=started_at_ns,
            command=process.cmdline,
            host=process.host,
            interval_ns=interval_ns,
            options=MappingProxyType(dict(options or {})),
            tool=tool,
        )

    def with_missed(self, missed: Missed, *, joins_last: bool) -> RecordingInfo:
        """Return this with ``missed`` added, in one entry with the last if it continues it."""
        earlier, last = self.missed[:-1], self.missed[-1:]
        if (
            joins_last
            and last
            and (last[0].reason, last[0].detail)
            == (
                missed.reason,
                missed.detail,
            )
        ):
            joined = replace(last[0], count=last[0].count + missed.count)
            return replace(self, missed=(*earlier, joined))
        return replace(self, missed=(*self.missed, missed)[-_MAX_MISSED:])


def write_info(directory: Path, info: RecordingInfo) -> None:
    """Write ``recording.json`` in ``directory``; the old one stays until the new one is whole."""
    text = json.dumps(_to_json(info), indent=2)
    with atomic_file(directory / INFO_NAME, overwrite=True, tidy=False) as stream:
        stream.write(text.encode() + b"\n")


def read_info(directory: Path) -> RecordingInfo | None:
    """Return what ``recording.json`` in ``directory`` says, None when there is none.

    Raises UnreadableFileError (``recording-info``) when it says nothing that makes sense.
    """
    path = directory / INFO_NAME
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise _unreadable(path, "it is too large or not a plain file")
        return _from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path, "its fields make no sense") from error
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error) or type(error).__name__) from error


def _unreadable(path: Path, reason: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{path} cannot be read: {reason}.",
        hint="Record into another directory; the dumps in this one are still readable.",
        slug="recording-info",
    )


def _to_json(info: RecordingInfo) -> dict[str, object]:
    identity = info.target.identity
    return {
        "schema": SCHEMA,
        "target": {
            "pid": info.target.pid,
            "start_time_ns": info.target.start_time_ns,
            "command": list(info.command),
            "host": info.host,
            "identity": None
            if identity is None
            else {
                "boot_id": identity.boot_id,
                "pid": identity.pid,
                "start_ticks": identity.start_ticks,
                "executable_inode": f"{identity.executable_inode:x}",
                "random_address": f"{identity.random_address:x}",
            },
        },
        "tool": info.tool,
        "started_at_ns": info.started_at_ns,
        "interval_ns": info.interval_ns,
        "options": dict(info.options),
        "missed": [
            {
                "due_at_ns": missed.due_at_ns,
                "count": missed.count,
                "reason": missed.reason.value,
                "detail": missed.detail,
            }
            for missed in info.missed
        ],
        "ended": info.ended,
    }


def _from_json(fields: Any) -> RecordingInfo:  # noqa: ANN401  whatever stood in the file
    name, _, major = str(fields["schema"]).rpartition("/")
    if name != SCHEMA.rpartition("/")[0] or not major.isdecimal():
        raise ValueError("it has another schema")
    if int(major) > int(SCHEMA.rpartition("/")[2]):
        raise ValueError("a newer snapshotter wrote it")
    target = fields["target"]
    interval_ns, ended = fields["interval_ns"], fields["ended"]
    return RecordingInfo(
        target=Incarnation(
            int(target["pid"]), int(target["start_time_ns"]), _identity(target["identity"])
        ),
        started_at_ns=int(fields["started_at_ns"]),
        command=tuple(map(str, target["command"])),
        host=str(target["host"]),
        interval_ns=None if interval_ns is None else int(interval_ns),
        options=MappingProxyType(dict(fields["options"])),
        tool=str(fields["tool"]),
        missed=tuple(map(_missed, fields["missed"])),
        ended=None if ended is None else str(ended),
    )


def _identity(fields: Any) -> Identity | None:  # noqa: ANN401  whatever stood in the file
    if fields is None:
        return None
    return Identity(
        boot_id=str(fields["boot_id"]),
        pid=int(fields["pid"]),
        start_ticks=int(fields["start_ticks"]),
        executable_inode=int(fields["executable_inode"], 16),
        random_address=int(fields["random_address"], 16),
    )


def _missed(fields: Any) -> Missed:  # noqa: ANN401  whatever stood in the file
    return Missed(
        due_at_ns=int(fields["due_at_ns"]),
        count=int(fields["count"]),
        reason=MissedReason(fields["reason"]),
        detail=str(fields["detail"]),
    )
