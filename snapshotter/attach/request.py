"""What the probe is asked for, as the bytes of the request file."""

from __future__ import annotations

import marshal
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from snapshotter.errors import UsageError
from snapshotter.model.limits import limits_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snapshotter.model import ValueLevel

__all__ = [
    "NONCE_BYTES",
    "Question",
    "check_locals",
    "check_selection",
    "check_variable",
    "new_nonce",
    "request_bytes",
]

NONCE_BYTES = 16
_GLOB_PARTS = 3
_MOST_CHARACTERS = 6_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request; times are nanoseconds of the monotonic clock."""

    nonce: bytes
    inner_pid: int
    start_by_ns: int
    deadline_ns: int
    slice_ns: int
    carrier: str
    os_threads: int
    locals: str
    values: ValueLevel
    variables: tuple[str, ...]
    stdlib: tuple[str, ...]
    reply_path: str
    beside: bytes = b""
    """Nonce of an earlier request; a carrier that is at work on it is no obstacle."""


def new_nonce() -> bytes:
    """Return the bytes that tie a reply to its request."""
    return os.urandom(NONCE_BYTES)


def check_locals(policy: str) -> tuple[str, list[list[str]]]:
    """Split a ``--locals`` policy into its word and its globs. Raises UsageError."""
    if policy in {"app", "all", "none"}:
        return policy, []
    globs = [glob.split(":") for glob in policy.split(",")]
    if any(len(glob) != _GLOB_PARTS or not all(glob) for glob in globs):
        raise UsageError(
            f"--locals {policy!r} is neither app, all, none nor module:function:name patterns.",
            hint="For example: --locals 'orders.*:*:order_id,*:handle:*'",
            slug="locals",
        )
    return "globs", globs


def check_variable(expression: str) -> list[str]:
    """Split ``module:dotted.path`` into module and names. Raises UsageError."""
    module, colon, path = expression.partition(":")
    names = path.split(".")
    if not module or not colon or not all(names):
        raise UsageError(
            f"--var {expression!r} is not of the form module:dotted.path.",
            hint="For example: --var orders.cache:CACHE.hits",
            slug="var",
        )
    return [module, *names]


def check_selection(policy: str, variables: Sequence[str]) -> None:
    """Check all that selects values, also that it fits into a request. Raises UsageError."""
    check_locals(policy)
    for variable in variables:
        check_variable(variable)
    if len(policy) + sum(map(len, variables)) > _MOST_CHARACTERS:
        raise UsageError(
            f"--locals and --var may have at most {_MOST_CHARACTERS:,} characters together.",
            hint="Ask for less, such as with * in --locals.",
        )


def request_bytes(question: Question) -> bytes:
    """Return the request file's content: exact builtin types, marshalled."""
    word, globs = check_locals(question.locals)
    return marshal.dumps(
        {
            "nonce": question.nonce,
            "pid": question.inner_pid,
            "start_by_ns": question.start_by_ns,
            "deadline_ns": question.deadline_ns,
            "slice_ns": question.slice_ns,
            "carrier": str(question.carrier),
            "os_threads": question.os_threads,
            "locals": word,
            "globs": globs,
            "values": str(question.values),
            "variables": [check_variable(name) for name in question.variables],
            "stdlib": list(question.stdlib),
            "reply": question.reply_path,
            "beside": question.beside,
            "limits": asdict(limits_for(question.values)),
        },
        # an older version of the format: readable by every minor version of the target
        4,
    )
