"""The names of what we write: recordings, dumps and unfinished files. Other names are not ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from snapshotter.model import ProcessInfo

__all__ = [
    "INFO_NAME",
    "DumpName",
    "dump_files",
    "is_unfinished",
    "recording_name",
    "timestamp",
    "unfinished_name",
]

INFO_NAME = "recording.json"

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DUMP = re.compile(r"(\d{6,12})-(\d{8}T\d{6})\.(\d{3})Z\.msgpack")
_UNFINISHED = re.compile(r"\.tmp-(.+)-[0-9a-f]{16}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_COMMAND_CHARACTERS = 40


@dataclass(frozen=True, slots=True, order=True)
class DumpName:
    """The place of a dump in its recording; sorts by time."""

    sequence: int
    at_ns: int
    """Unix time of the snapshot, nanoseconds, cut to the millisecond."""

    def __str__(self) -> str:
        return f"{self.sequence:06d}-{timestamp(self.at_ns, milliseconds=True)}.msgpack"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return the parts of a file name, None when it is not one of ours."""
        match = _DUMP.fullmatch(name)
        if match is None:
            return None
        try:
            second = datetime.strptime(match[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return None
        whole_s = int((second - _EPOCH).total_seconds())
        return cls(int(match[1]), whole_s * _NS_PER_S + int(match[3]) * _NS_PER_MS)


def timestamp(at_ns: int, *, milliseconds: bool = False) -> str:
    """Return a Unix time in nanoseconds as "20261120T091500Z", cut and not rounded."""
    whole_s, rest_ns = divmod(at_ns, _NS_PER_S)
    text = datetime.fromtimestamp(whole_s, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{text}.{rest_ns // _NS_PER_MS:03d}Z" if milliseconds else f"{text}Z"


def recording_name(process: ProcessInfo, at_ns: int) -> str:
    """Return the directory name of a recording of ``process``: "orders-4121-20261120T091500Z"."""
    command = _UNSAFE.sub("_", _command(process.cmdline)).strip("._-")
    return f"{command[:_COMMAND_CHARACTERS] or 'python'}-{process.pid}-{timestamp(at_ns)}"


def dump_files(directory: Path) -> list[tuple[DumpName, Path]]:
    """Return the dumps that lie in ``directory``, oldest first; other names are left out."""
    found = ((DumpName.parse(path.name), path) for path in directory.iterdir())
    return sorted((name, path) for name, path in found if name is not None)


def unfinished_name(name: str, token: str) -> str:
    """Return the temporary name under which ``name`` is written; ``token`` is 16 hex digits."""
    return f".tmp-{name}-{token}"


def is_unfinished(name: str, *, of: str | None = None) -> bool:
    """Tell whether ``name`` is a temporary name of ours, for the final name ``of`` or for any."""
    match = _UNFINISHED.fullmatch(name)
    if match is None:
        return False
    final = match[1]
    if of is not None:
        return final == of
    return final == INFO_NAME or DumpName.parse(final) is not None


def _command(cmdline: Sequence[str]) -> str:
    """What a person would call the program: script, module, or the executable."""
    words = iter(cmdline)
    program = PurePosixPath(next(words, "")).name
    if not program.startswith("python"):
        return program
    return _after_interpreter(words) or program


def _after_interpreter(words: Iterator[str]) -> str:
    for word in words:
        if word == "-m":
            return next(words, "")
        if word in {"-c", "-"}:
            return ""
        if word in {"-X", "-W", "--check-hash-based-pycs"}:
            next(words, None)
        elif not word.startswith("-"):
            script = PurePosixPath(word)
            return script.parent.name if script.stem == "__main__" else script.stem
    return ""
