import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach import preflight
from snapshotter.model.checks import Check, CheckStatus, Report
from snapshotter.record import cleaning

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Snap


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    checks: list[Check] = []
    monkeypatch.setattr(preflight, "examine", lambda pid: Report(pid, tuple(checks)))
    return checks


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("process", CheckStatus.FAIL, 3),
        ("python", CheckStatus.FAIL, 3),
        ("permission", CheckStatus.FAIL, 4),
        ("permission", CheckStatus.WARN, 0),
    ],
)
def test_the_exit_code_tells_a_target_from_a_permission(
    snap: Snap, found: list[Check], name: str, status: CheckStatus, code: int
) -> None:
    found.append(Check(name, status, "It is so."))
    outcome = snap("doctor", os.getpid())
    assert outcome.code == code
    assert "It is so." in outcome.out


def test_a_program_that_is_not_python_has_the_exit_code_of_a_dump(snap: Snap) -> None:
    with subprocess.Popen(["sleep", "600"]) as sleep:
        try:
            assert snap("doctor", sleep.pid).code == 3
            assert snap("dump", sleep.pid).code == 3
            assert snap("doctor", sleep.pid, "--clean").code == 3
        finally:
            sleep.kill()


def test_clean_is_for_the_process_that_is_named(
    snap: Snap, found: list[Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def clean_up(pid: int | None) -> tuple[str, ...]:
        asked.append(pid)
        return ("/run/snapshotter-1",)

    monkeypatch.setattr(cleaning, "clean_up", clean_up)
    assert "snap: removed /run/snapshotter-1" in snap("doctor", os.getpid(), "--clean").err
    snap("doctor", "--clean")
    assert asked == [os.getpid(), None]
    assert found == []
