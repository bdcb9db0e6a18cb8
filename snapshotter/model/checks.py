"""What was checked of a process before it is asked for anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Check", "CheckStatus", "Report"]


class CheckStatus(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    """Snapshots can be taken, with less in them or with something to know."""
    FAIL = "fail"
    """No request may be sent to the process."""


@dataclass(frozen=True, slots=True)
class Check:
    """One precondition: its name, how it came out, a sentence, and what to do about it."""

    name: str
    status: CheckStatus
    sentence: str
    fix: str = ""
    """A command where there is one, else a sentence."""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one process, in order; it ends early where nothing more could be found out."""

    pid: int
    checks: tuple[Check, ...]

    @property
    def status(self) -> CheckStatus:
        """The worst of all."""
        order = list(CheckStatus)
        return max((check.status for check in self.checks), key=order.index, default=order[0])
