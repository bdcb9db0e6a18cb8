"""What confines a process is told, with what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snapshotter.attach import surroundings
from snapshotter.attach.surroundings import (
    check_container,
    check_security_module,
    check_user,
    sandbox_of,
    user_name,
)
from snapshotter.model.checks import CheckStatus

CONTAINER = "4f0c8b2d11aa" + "0" * 52


@pytest.mark.parametrize(
    ("label", "status", "words"),
    [
        (None, CheckStatus.OK, "No security module confines it."),
        ("docker-default (enforce)", CheckStatus.OK, "docker-default (enforce)"),
        ("cri-containerd.apparmor.d (enforce)", CheckStatus.OK, "cri-containerd"),
        ("gunicorn (complain)", CheckStatus.OK, "gunicorn (complain)"),
        ("gunicorn (enforce)", CheckStatus.WARN, "The AppArmor profile gunicorn may keep it"),
        ("system_u:system_r:container_t:s0:c1,c2", CheckStatus.OK, "container_t"),
    ],
)
def test_profile_that_may_hide_our_files_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, label: str | None, status: CheckStatus, words: str
) -> None:
    monkeypatch.setattr(surroundings, "security_label", lambda _: label)
    found = check_security_module(os.getpid())
    assert found.status is status
    assert words in found.sentence
    assert bool(found.fix) == (status is CheckStatus.WARN)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (None, None, "It runs in no container."),
        (None, CONTAINER, "It runs in the container 4f0c8b2d11aa of docker."),
        (CONTAINER, CONTAINER, "It runs in our own container of docker."),
    ],
)
def test_container_is_ours_or_another(
    monkeypatch: pytest.MonkeyPatch, ours: str | None, theirs: str | None, expected: str
) -> None:
    monkeypatch.setattr(
        surroundings, "container_of", lambda pid: ours if pid == os.getpid() else theirs
    )
    monkeypatch.setattr(surroundings, "runtime_of", lambda _: "docker")
    assert check_container(1).sentence == expected


def test_own_user_is_told_by_name_and_number() -> None:
    name = user_name(os.geteuid())
    assert f"It runs as user {name} ({os.geteuid()})" in check_user(os.getpid()).sentence
    assert user_name(4_000_000_000) == "4000000000"


@pytest.mark.parametrize(
    ("program", "expected"),
    [("runsc-sandbox", "a gVisor sandbox"), ("qemu-system-x86_64", "QEMU"), ("python3", None)],
)
def test_sandbox_is_known_by_its_program(
    monkeypatch: pytest.MonkeyPatch, program: str, expected: str | None
) -> None:
    monkeypatch.setattr(Path, "readlink", lambda _: Path("/usr/bin", program))
    found = sandbox_of(1)
    assert found is None if expected is None else expected in (found or "")
