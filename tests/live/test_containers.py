"""Targets in namespaces and roots of their own, of other users, and without their interpreter.

The cells are made with what container runtimes use: namespaces, user mappings, bind mounts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cells import PRIVATE, Cell, CellTarget, cell, controller_environment
from tests.support.puppet import NOBODY
from tests.support.targets import spawn

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces, mounts and other users"),
    pytest.mark.skipif(
        not (shutil.which("nsenter") and shutil.which("setpriv")), reason="needs util-linux"
    ),
]

PLACES = ("/", "/dev", "/dev/shm", "/run", "/tmp")  # noqa: S108 - where spools could stand
SUBORDINATE = "0 100000 65536"
"""A mapping as Docker's userns-remap and Kubernetes' hostUsers: false make it."""
ROOTLESS = f"0 {NOBODY} 1\n1 100000 65536"
"""A mapping as rootless Podman makes it for user nobody."""
ALL = ("pid", "mnt", "user")
VERSIONS = ["3.14", pytest.param("3.15", marks=pytest.mark.slow)]
GENEROUS = ("--patience", "10s", "--max-pause", "50ms")
"""A machine under load must not cost values."""


def listing(target: CellTarget) -> dict[str, set[str]]:
    """What lies where a spool could stand: all of it, or of shared places our spools."""
    return {path: {*target.files(path)} - strangers(target, path) for path in PLACES}


def strangers(target: CellTarget, path: str) -> set[str]:
    place = Path(f"/proc/{target.pid}/root{path}")
    if not place.exists() or not any(place.samefile(own) for own in PLACES if Path(own).exists()):
        return set()
    ours = {
        owner.parent.name for owner in place.glob("snapshotter-*/owner") if is_for(owner, target)
    }
    return {*target.files(path)} - ours


def is_for(owner: Path, target: CellTarget) -> bool:
    try:
        return bool(json.loads(owner.read_text())["target"]["pid"] == target.pid)
    except OSError:
        return False  # it was removed meanwhile


def patiently(take: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Take a snapshot, and another where the time of a busy machine was too short for values."""
    for _ in range(4):
        snapshot = take()
        if local(snapshot, "work", "name") and local(snapshot, "rest", "word"):
            return snapshot
    return take()


def dumped(target: CellTarget, *, uid: int = 0, enter_user: bool = False) -> dict[str, Any]:
    return patiently(lambda: dumped_once(target, uid=uid, enter_user=enter_user))


def printed(command: list[str]) -> dict[str, Any]:
    """Run a command that prints a snapshot and says nothing else."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=controller_environment(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    snapshot: dict[str, Any] = json.loads(done.stdout)
    return snapshot


def dumped_once(target: CellTarget, *, uid: int, enter_user: bool) -> dict[str, Any]:
    """Take a snapshot; whatever it has in it, it must have left nothing behind."""
    before = listing(target)
    done = target.snap("dump", target.pid, "--json", *GENEROUS, uid=uid, enter_user=enter_user)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert listing(target) == before
    assert target.stderr_text() == ""
    snapshot: dict[str, Any] = json.loads(done.stdout)
    return snapshot


def local(snapshot: dict[str, Any], qualname: str, name: str) -> object:
    frames = [frame for thread in snapshot["threads"] for frame in thread["frames"]]
    (frame,) = (frame for frame in frames if frame["qualname"] == qualname)
    return next((one["value"] for one in frame["locals"] if one["name"] == name), None)


def check_whole(snapshot: dict[str, Any], target: CellTarget) -> None:
    """Both views, all locals, and every number in the namespace in which it counts."""
    assert snapshot["capture"]["views"] == ["outside", "inside"], snapshot["capture"]["missing"]
    assert local(snapshot, "rest", "word") == "waiting"
    assert local(snapshot, "work", "name") == "at work"
    assert snapshot["process"]["pid"] == target.pid
    tasks = sorted(int(path.name) for path in Path(f"/proc/{target.pid}/task").iterdir())
    inner = [innermost(target.pid, task) for task in tasks]
    threads = {thread["name"]: thread for thread in snapshot["threads"]}
    assert [threads[name]["native_id"] for name in ("MainThread", "rest")] == inner
    # The counters are the kernel's, of the very thread, found by its outer number.
    assert threads["MainThread"]["counters"]["cpu_ns"] > threads["rest"]["counters"]["cpu_ns"]


def innermost(pid: int, task: int) -> int:
    status = Path(f"/proc/{pid}/task/{task}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("NSpid")).split()[-1])


@pytest.fixture(params=[0, NOBODY], ids=["by-root", "by-nobody"])
def controller(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(Cell(tmpfs=PRIVATE, inner_uid=NOBODY), id="private tmp and run"),
        pytest.param(Cell(own=ALL, tmpfs=PRIVATE, uid=NOBODY), id="root of its own users"),
        pytest.param(Cell(own=("user",), uid=NOBODY), id="user namespace only"),
        pytest.param(Cell(root="pivot", tmpfs=("/tmp",), inner_uid=NOBODY), id="own root"),  # noqa: S108
        pytest.param(
            Cell(own=ALL, root="pivot", tmpfs=("/tmp",), uid=NOBODY),  # noqa: S108
            id="own root and users",
        ),
        pytest.param(Cell(own=(), inner_uid=NOBODY), id="nothing of its own"),
    ],
)
def test_target_of_a_user_is_seen_whole_by_root_and_by_that_user(
    spec: Cell, controller: int
) -> None:
    with cell(spec, "at_work.py") as target:
        check_whole(dumped(target, uid=controller), target)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(Cell(tmpfs=PRIVATE), id="private tmp and run"),
        pytest.param(Cell(root="chroot", tmpfs=("/tmp",)), id="chroot"),  # noqa: S108
        pytest.param(Cell(root="pivot", read_only=True, tmpfs=("/tmp",)), id="read-only root"),  # noqa: S108
        pytest.param(Cell(own=ALL, tmpfs=PRIVATE, map=SUBORDINATE), id="mapped root"),
        pytest.param(Cell(own=ALL, tmpfs=PRIVATE, map=SUBORDINATE, inner_uid=33), id="mapped user"),
    ],
)
@pytest.mark.parametrize("target_python", VERSIONS, indirect=True)
def test_target_in_a_container_is_seen_whole_by_root(spec: Cell, target_python: str) -> None:
    with cell(spec, "at_work.py", python=target_python) as target:
        check_whole(dumped(target), target)


@pytest.mark.parametrize("inner_uid", [None, 33], ids=["as-root", "as-user"])
def test_rootless_container_is_seen_whole_from_its_user_namespace(inner_uid: int | None) -> None:
    spec = Cell(
        own=ALL, root="pivot", tmpfs=("/tmp",), uid=NOBODY, map=ROOTLESS, inner_uid=inner_uid  # noqa: S108
    )  # fmt: skip
    with cell(spec, "at_work.py") as target:
        check_whole(dumped(target, uid=NOBODY, enter_user=True), target)


def test_owner_of_a_rootless_container_is_told_to_enter_its_user_namespace() -> None:
    spec = Cell(own=ALL, tmpfs=PRIVATE, uid=NOBODY, map=ROOTLESS, inner_uid=33)
    with cell(spec, "at_work.py") as target:
        assert target.snap("dump", target.pid, uid=NOBODY).returncode == 4
        told = target.snap("doctor", target.pid, uid=NOBODY)
        assert told.returncode == 4
        assert "podman unshare snap" in told.stdout
        assert "nsenter" in told.stdout


@pytest.mark.parametrize(
    ("spec", "uid"),
    [
        pytest.param(Cell(root="pivot", read_only=True), 0, id="by-root"),
        pytest.param(
            Cell(own=ALL, root="pivot", read_only=True, uid=NOBODY), NOBODY, id="by-nobody"
        ),
    ],
)
def test_root_with_nothing_to_write_in_gives_the_outside_view_and_a_sentence(
    spec: Cell, uid: int
) -> None:
    with cell(spec, "at_work.py") as target:
        snapshot = dumped(target, uid=uid)
        assert snapshot["capture"]["views"] == ["outside"]
        (reason,) = (line for line in snapshot["capture"]["missing"] if "inside" in line)
        assert "found no directory to share files with" in reason
        assert local(snapshot, "rest", "word") == "waiting"


def test_controller_beside_its_target_uses_the_numbers_that_it_sees() -> None:
    """As a sidecar does: the same pid namespace, other files."""
    with cell(Cell(tmpfs=PRIVATE), "at_work.py") as target:
        inside = ["nsenter", f"--pid=/proc/{target.pid}/ns/pid"]
        command = f"{sys.executable} -m snapshotter dump 1 --json {' '.join(GENEROUS)}"
        own_files = ["unshare", "--mount", "sh", "-c", f"mount -t proc proc /proc && {command}"]
        snapshot = patiently(lambda: printed([*inside, *own_files]))
        assert snapshot["capture"]["views"] == ["outside", "inside"], snapshot["capture"]
        assert snapshot["process"]["pid"] == 1
        assert local(snapshot, "rest", "word") == "waiting"


@pytest.fixture
def own_interpreter(target_python: str, tmp_path: Path) -> Path:
    """A copy of the interpreter's file beside a link to its standard library."""
    real = Path(target_python).resolve()
    (tmp_path / "lib").symlink_to(real.parents[1] / "lib")
    (tmp_path / "bin").mkdir()
    return Path(shutil.copy2(real, tmp_path / "bin" / real.name))


@pytest.mark.parametrize("target_python", VERSIONS, indirect=True)
@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_interpreter_that_is_gone_makes_no_difference(own_interpreter: Path, how: str) -> None:
    with spawn("at_work.py", python=str(own_interpreter)) as target:
        own_interpreter.unlink()
        if how == "replaced":
            shutil.copy2("/bin/true", own_interpreter)
        command = [sys.executable, "-m", "snapshotter", "dump", str(target.pid), "--json"]
        snapshot = patiently(lambda: printed([*command, *GENEROUS]))
        assert snapshot["capture"]["views"] == ["outside", "inside"], snapshot["capture"]["missing"]
        assert local(snapshot, "work", "name") == "at work"
        assert target.stderr_text() == ""
