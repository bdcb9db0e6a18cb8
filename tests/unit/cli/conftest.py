from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from snapshotter.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


type Snap = Callable[..., Outcome]


@pytest.fixture
def snap(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Snap:
    """Run a command in an empty directory, without a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["snap"])
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "SNAP_DEBUG", "_SNAP_COMPLETE"):
        monkeypatch.delenv(name, raising=False)

    def run(*argv: object) -> Outcome:
        capsysbinary.readouterr()
        code = main([str(argument) for argument in argv])
        captured = capsysbinary.readouterr()
        return Outcome(code, captured.out.decode(), captured.err.decode())

    return run
