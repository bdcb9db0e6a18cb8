"""Sandboxes and limits are judged by what they would do to a process, not by being there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from snapshotter.attach import limits
from snapshotter.attach.limits import Facts, check_file_size, check_seccomp, check_state
from snapshotter.model.checks import Check, CheckStatus, Report

if TYPE_CHECKING:
    from pathlib import Path

OK, WARN, FAIL = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL
PID = 4121


def facts(limit: dict[str, int] | None = None, **status: str) -> Facts:
    return Facts(PID, {"NSpid": str(PID), "PPid": "1", **status}, limit or {})


@pytest.mark.parametrize(
    ("ours", "filters", "container", "same_namespace", "expected"),
    [
        ("0", "1", None, True, FAIL),
        ("1", "1", None, True, FAIL),
        ("0", "1", "id", False, OK),
        ("0", "2", "id", False, FAIL),
        ("1", "1", "id", True, OK),
        ("1", "2", "id", True, FAIL),
    ],
)
def test_filter_of_the_container_is_told_from_one_of_the_process(  # noqa: PLR0913 - a table
    monkeypatch: pytest.MonkeyPatch,
    *,
    ours: str,
    filters: str,
    container: str | None,
    same_namespace: bool,
    expected: CheckStatus,
) -> None:
    us = {"Seccomp": "2" if ours != "0" else "0", "Seccomp_filters": ours}
    monkeypatch.setattr(limits, "status_fields", lambda _: us)
    monkeypatch.setattr(limits, "container_of", lambda _: container)
    monkeypatch.setattr(limits, "same_namespace", lambda *_: same_namespace)
    found = check_seccomp(facts(Seccomp="2", Seccomp_filters=filters, NSpid=f"{PID} 1"))
    assert found.status is expected


def test_filters_of_the_first_process_of_the_container_are_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = {
        10: {"NSpid": "10 5", "PPid": "9"},
        9: {"NSpid": "9 1", "PPid": "1", "Seccomp_filters": "2"},
    }
    monkeypatch.setattr(limits, "status_fields", lambda pid: others.get(pid, {}))
    monkeypatch.setattr(limits, "container_of", lambda _: "id")
    monkeypatch.setattr(limits, "same_namespace", lambda *_: False)
    inherited = facts(Seccomp="2", Seccomp_filters="2", NSpid=f"{PID} 7", PPid="10")
    added = facts(Seccomp="2", Seccomp_filters="3", NSpid=f"{PID} 7", PPid="10")
    assert check_seccomp(inherited).status is OK
    assert check_seccomp(added).status is FAIL


def test_strict_seccomp_is_refused() -> None:
    assert check_seccomp(facts(Seccomp="1")).status is FAIL


@pytest.mark.parametrize(
    ("limit", "ignored", "caught", "expected"),
    [
        (None, "0", "0", OK),
        (1 << 30, "0", "0", FAIL),
        (1 << 30, "1000000", "0", OK),
        (1 << 30, "0", "1000000", OK),
        (1 << 30, "800000", "2000000", FAIL),
        (1 << 12, "1000000", "0", WARN),
        (1 << 9, "1000000", "0", WARN),
        (0, "1000000", "0", FAIL),
    ],
)
def test_file_size_limit_is_harmless_unless_its_signal_kills(
    limit: int | None, ignored: str, caught: str, expected: CheckStatus
) -> None:
    limited = {} if limit is None else {"Max file size": limit}
    assert check_file_size(facts(limited, SigIgn=ignored, SigCgt=caught)).status is expected


@pytest.mark.parametrize(
    ("state", "tracer", "expected"),
    [
        ("S (sleeping)", "0", OK),
        ("R (running)", "77", WARN),
        ("T (stopped)", "0", FAIL),
        ("t (tracing stop)", "77", FAIL),
    ],
)
def test_state_without_a_safe_point_is_refused(
    state: str, tracer: str, expected: CheckStatus
) -> None:
    found = check_state(facts(State=state, TracerPid=tracer))
    assert found.status is expected
    assert (tracer in found.sentence + found.fix) == (tracer != "0")


def test_limit_of_any_control_group_above_counts(tmp_path: Path) -> None:
    inner = tmp_path / "service" / "inner"
    inner.mkdir(parents=True)
    for group, limit, used in ((inner, "max", 3), (inner.parent, "10", 8)):
        (group / "pids.max").write_text(f"{limit}\n")
        (group / "pids.current").write_text(f"{used}\n")
    assert list(limits._group_room(inner)) == []
    assert list(limits._group_room(inner.parent)) == [2]
    assert list(limits._group_room(tmp_path)) == []


def test_report_is_as_bad_as_its_worst_check() -> None:
    checks = tuple(Check("x", status, "It is so.") for status in (OK, WARN, OK))
    assert Report(PID, checks).status is WARN
    assert Report(PID, ()).status is OK
