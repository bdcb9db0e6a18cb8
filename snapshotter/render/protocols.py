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
    def build(self) -> str | None:
        """Which build of CPython it is, in words."""

    @property
    def uid(self) -> int:
        """Number of its user."""

    @property
    def user(self) -> str:
        """Name of its user, or the number."""

    @property
    def cmdline(self) -> Sequence[str]:
        """Its arguments."""

    @property
    def container(self) -> str | None:
        """Id of its container."""

    @property
    def container_runtime(self) -> str | None:
        """Whose container it is."""

    @property
    def inside(self) -> bool:
        """Whether it can be asked."""

    @property
    def why(self) -> str:
        """Why not, one sentence."""

    @property
    def outside(self) -> bool:
        """Whether its memory can be read."""

    @property
    def outside_why(self) -> str:
        """Why not, one sentence."""
