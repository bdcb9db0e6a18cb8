"""Command lines without the secrets that people put into them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from snapshotter.probe.redaction import (
    gives_password,
    is_announced,
    name_is_secret,
    password_option,
)
from snapshotter.probe.texts import name_in_text_is_secret, text_is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HIDDEN", "mask_secrets", "printable", "read_cmdline"]

HIDDEN = "[redacted]"
"""Stands in place of a secret."""

_MAX_BYTES = 64 << 10
_MAX_ARGUMENTS = 512
# Each begins where a word begins: a long argument is gone through once.
# "Authorization: Bearer …" as a whole argument; --password=…, TOKEN=…, ?token=…&, "token": "…"
_HEADER = re.compile(r"([\w-]+)(:\s+)(.+)", re.DOTALL)
_ASSIGNED = re.compile(
    r"""(?<![\w.-])([\w.-]+)(["']?\s*[=:](?!//)\s*)"""
    r"""("[^"]*"|'[^']*'|(?:(?:basic|bearer|digest|negotiate|token)\s+)?[^\s&;,"']+)""",
    re.IGNORECASE,
)
_UP_TO_AT = re.compile(r"(?<!\S)\S*@")
_PASSWORD_IN_URL = re.compile(r"(://[^\s/:@]*:)\S*@")


def read_cmdline(pid: int) -> tuple[str, ...]:
    """Return the arguments of a process as it shows them now, without secrets.

    Empty for kernel threads and zombies. Raises OSError.
    """
    with Path(f"/proc/{pid}/cmdline").open("rb") as file:
        return _without_secrets(file.read(_MAX_BYTES))


@lru_cache(maxsize=32)
def _without_secrets(data: bytes) -> tuple[str, ...]:
    """A command line is the same in snapshot after snapshot: it is gone through once."""
    arguments = data.rstrip(b"\0").split(b"\0")[:_MAX_ARGUMENTS] if data else []
    return mask_secrets(printable(argument) for argument in arguments)


def printable(data: bytes) -> str:
    """Decode what the system hands on as bytes; undecodable ones become visible escapes."""
    return data.decode("utf-8", "backslashreplace")


def mask_secrets(arguments: Iterable[str]) -> tuple[str, ...]:
    """Return the arguments with the values of secrets replaced."""
    masked = []
    option = before = ""
    for argument in arguments:
        if gives_password(argument, option):
            masked.append(option + HIDDEN)
        elif is_announced(argument, before, option):
            masked.append(HIDDEN)
        else:
            masked.append(_mask(argument))
        option = option or password_option(argument)
        before = argument
    return tuple(masked)


def _mask(argument: str) -> str:
    header = _HEADER.fullmatch(argument)
    if header and name_is_secret(header[1]):
        return header[1] + header[2] + HIDDEN
    text = _UP_TO_AT.sub(_without_password, argument)
    # What has a name is judged by its name, all the rest by how it looks.
    rest = _ASSIGNED.sub(lambda match: " " if _is_secret(match) else f" {match[3]}", text)
    if text_is_secret(rest.replace(f":{HIDDEN}@", "")):
        return HIDDEN
    return _ASSIGNED.sub(
        lambda match: match[1] + match[2] + HIDDEN if _is_secret(match) else match[0], text
    )


def _without_password(match: re.Match[str]) -> str:
    return _PASSWORD_IN_URL.sub(rf"\g<1>{HIDDEN}@", match[0])


def _is_secret(match: re.Match[str]) -> bool:
    return name_in_text_is_secret(match[1].lstrip("-"))
