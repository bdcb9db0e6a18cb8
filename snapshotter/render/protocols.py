"""The shapes of records from other layers that are shown here, without an import of their homes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Check", "PythonProcess"]


class Check(Protocol):
    """One precondition that was examined; ``status`` is "ok", "warn" or "fail"."""

    @property
    def name(self) -> str:
        """Short name of the precondition."""

    @property
    def status(self) -> str:
        """How it stands."""

    @property
    def sentence(self) -> str:
        """What was found."""

    @property
    def fix(self) -> str | None:
        """What to do about it; empty when nothing is to be done."""


class PythonProcess(Protocol):
    """A Python process of this machine."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def version(self) -> str | None:
        """Its Python version, if it could be read."""

    @property
    def user(self) -> str:
        """Its user."""

    @property
    def cmdline(self) -> Sequence[str]:
        """Its arguments."""

    @property
    def container(self) -> str | None:
        """Id of its container."""

    @property
    def attachable(self) -> bool:
        """Whether a snapshot of it can be taken."""

    @property
    def why(self) -> str:
        """Why not, one sentence."""
