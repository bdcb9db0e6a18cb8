"""The spool serves the target and nobody else, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach.namespaces import credentials
from snapshotter.attach.places import candidates
from snapshotter.attach.process import identify
from snapshotter.attach.spool import Spool, clean, leftovers
from snapshotter.errors import NoSnapshotError, NotPermittedError, ProcessEndedError, StorageError
from tests.support.puppet import NOBODY, Puppet, puppet
from tests.support.targets import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

SHM, TMP = "/dev/shm", "/tmp"  # noqa: S108 - where spools are expected
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes users, roots and mounts")


def make_spool(pid: int) -> Spool:
    user = credentials(pid)
    spool = Spool.create(pid, identify(pid), user.uid, user.gid)
    spool.write_code(b"# driver", b"probe")
    return spool


@pytest.fixture
def doll() -> Iterator[Puppet]:
    with puppet() as it:
        yield it


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    def descriptors() -> set[str]:
        found = set()
        for path in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(f"{path.name} {path.readlink()}")
        return {entry for entry in found if "/proc/" not in entry}

    before = descriptors()
    yield
    assert descriptors() - before == set()


def modes(path: str) -> dict[str, str]:
    files = {file.name: file.stat() for file in Path(path).iterdir()}
    return {name: f"{stat.S_IMODE(info.st_mode):o} {info.st_uid}" for name, info in files.items()}


@pytest.mark.parametrize("number", range(5))
def test_a_removal_that_ctrl_c_cuts_short_can_be_done_anew(
    doll: Puppet, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = 0
    close = os.close

    def interrupted(fd: int) -> None:
        nonlocal closed
        close(fd)
        if (closed := closed + 1) == number:
            raise KeyboardInterrupt

    spool = make_spool(doll.pid)
    spool.new_request(b"request 1")
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(os, "close", interrupted)
        spool.remove()
    assert closed == (number or 4)
    spool.remove()
    assert not Path(f"/proc/{doll.pid}/root{spool.path_in_target}").exists()


def test_target_reads_request_and_code_and_writes_the_reply(doll: Puppet) -> None:
    with make_spool(doll.pid) as spool, spool.new_request(b"request 1") as reply:
        base = spool.path_in_target
        assert len(os.fsencode(spool.driver_path)) < 512
        assert doll.get(
            f"[open('{base}/' + n).read() for n in ('driver.py', 'probe', 'request')]"
        ) == [
            "# driver",
            "probe",
            "request 1",
        ]
        assert (reply.size(), reply.read()) == (0, b"")
        doll.run(f"f = os.open('{base}/reply-0', os.O_WRONLY); os.write(f, b'answer'); os.close(f)")
        assert (reply.size(), reply.read()) == (6, b"answer")
    assert not Path(base).exists()


def test_each_request_has_a_reply_file_of_its_own(doll: Puppet) -> None:
    with make_spool(doll.pid) as spool:
        first = spool.new_request(b"1")
        doll.run(f"late = os.open('{spool.path_in_target}/reply-0', os.O_WRONLY)")
        second = spool.new_request(b"2")
        assert first.closed
        doll.run("os.write(late, b'too late')")
        assert second.read() == b""
        assert doll.get(f"open('{spool.path_in_target}/request').read()") == "2"


def test_same_user_gets_a_private_directory(doll: Puppet) -> None:
    us = os.geteuid()
    with make_spool(doll.pid) as spool, spool.new_request(b""):
        assert stat.S_IMODE(Path(spool.path_in_target).stat().st_mode) == 0o700
        assert modes(spool.path_in_target) == {
            "owner": f"400 {us}",
            "driver.py": f"444 {us}",
            "probe": f"444 {us}",
            "request": f"444 {us}",
            "reply-0": f"600 {us}",
        }


@needs_root
def test_other_user_can_write_only_into_the_reply(doll: Puppet) -> None:
    doll.become(NOBODY)
    with make_spool(doll.pid) as spool, spool.new_request(b"request") as reply:
        base = spool.path_in_target
        assert base.startswith(SHM)
        assert stat.S_IMODE(Path(base).stat().st_mode) == 0o710
        assert Path(base).stat().st_gid == NOBODY
        assert modes(base)["reply-0"] == f"600 {NOBODY}"
        for forbidden in (
            f"os.listdir('{base}')",
            f"os.open('{base}/request', os.O_WRONLY)",
            f"os.open('{base}/driver.py', os.O_WRONLY)",
            f"os.open('{base}/owner', os.O_RDONLY)",
            f"os.open('{base}/mine', os.O_WRONLY | os.O_CREAT)",
            f"os.unlink('{base}/reply-0')",
            f"os.rename('{base}/reply-0', '{base}/request')",
            f"os.rename('{base}', '{base}2')",
            f"os.symlink('/etc/passwd', '{base}/link')",
        ):
            assert doll.get(forbidden) == "PermissionError", forbidden
        assert doll.get(f"open('{base}/request').read()") == "request"
        doll.run(f"f = os.open('{base}/reply-0', os.O_WRONLY); os.write(f, b'answer')")
        assert reply.read() == b"answer"


def test_endless_reply_is_refused_and_its_space_given_back(doll: Puppet) -> None:
    with make_spool(doll.pid) as spool:
        reply = spool.new_request(b"")
        doll.run(
            f"f = os.open('{spool.path_in_target}/reply-0', os.O_WRONLY); os.write(f, b'x' * 101)"
        )
        assert len(reply.read(101)) == 101
        with pytest.raises(NoSnapshotError) as error:
            reply.read(100)
        assert error.value.slug == "reply-too-large"
        assert doll.get("os.fstat(f).st_blocks") == 0


def test_code_is_written_once(doll: Puppet) -> None:
    with make_spool(doll.pid) as spool, pytest.raises(StorageError) as error:
        spool.write_code(b"other", b"other")
    assert error.value.slug == "spool-write"


def test_umask_does_not_matter(doll: Puppet) -> None:
    before = os.umask(0o077)
    try:
        with make_spool(doll.pid) as spool, spool.new_request(b""):
            assert modes(spool.path_in_target)["request"].startswith("444")
    finally:
        os.umask(before)


def test_target_that_is_not_the_one_meant_gets_no_spool(doll: Puppet) -> None:
    identity = identify(doll.pid)
    doll.run("os.set_inheritable(int(os.environ['SNAP_READY_FD']), True)")
    before = spools_of_us()
    doll.target.tell(repr(("exec", "os.execv(sys.executable, [sys.executable, *sys.argv])")))
    wait_until(lambda: not same(identity))
    with pytest.raises(ProcessEndedError):
        Spool.create(doll.pid, identity, os.geteuid(), os.getegid())
    assert spools_of_us() == before


def same(identity: object) -> bool:
    with contextlib.suppress(ProcessEndedError):
        return identify(identity.pid) == identity  # type: ignore[attr-defined]
    return False


def spools_of_us() -> set[str]:
    found = set()
    for base in candidates(0, owner_uid=0):
        with contextlib.suppress(OSError):
            found |= {str(path) for path in Path(base).glob("snapshotter-*")}
    return found


def test_process_that_is_gone_gets_no_spool() -> None:
    with puppet() as doll:
        identity = identify(doll.pid)
        doll.target.kill()
    with pytest.raises(ProcessEndedError):
        Spool.create(identity.pid, identity, 0, 0)


@pytest.fixture
def jail(tmp_path: Path, doll: Puppet) -> Path:
    """The root directory of a target that is locked into it."""
    tmp_path.chmod(0o755)
    for name, mode in (("run", 0o755), ("dev", 0o755), ("dev/shm", 0o1777), ("tmp", 0o1777)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    doll.run(f"os.chroot({str(tmp_path)!r}); os.chdir('/')")
    return tmp_path


@needs_root
def test_spool_stands_in_the_root_of_the_target(doll: Puppet, jail: Path) -> None:
    with make_spool(doll.pid) as spool, spool.new_request(b"inside"):
        assert spool.path_in_target.startswith("/run/snapshotter-")
        assert Path(f"{jail}{spool.path_in_target}/request").read_text() == "inside"
        assert doll.get(f"open('{spool.path_in_target}/request').read()") == "inside"
    assert list((jail / "run").iterdir()) == []


@needs_root
def test_link_on_the_way_is_not_followed(doll: Puppet, jail: Path, tmp_path: Path) -> None:
    (jail / "run").rmdir()
    (jail / "elsewhere").mkdir()
    (jail / "run").symlink_to("/elsewhere")
    with make_spool(doll.pid) as spool:
        assert spool.path_in_target.startswith(SHM)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@needs_root
@pytest.mark.parametrize("spoil", ["writable", "owned"])
def test_directory_that_others_can_bend_is_passed_over(
    doll: Puppet, jail: Path, spoil: str
) -> None:
    if spoil == "writable":
        (jail / "run").chmod(0o777)
    else:
        os.chown(jail / "run", NOBODY, NOBODY)
    with make_spool(doll.pid) as spool:
        assert spool.path_in_target.startswith(SHM)


@needs_root
def test_user_that_cannot_reach_a_directory_gets_another(doll: Puppet, jail: Path) -> None:
    (jail / "run").chmod(0o700)
    doll.become(NOBODY)
    with make_spool(doll.pid) as spool:
        assert spool.path_in_target.startswith(SHM)


@needs_root
def test_refusal_names_every_directory_and_its_reason(doll: Puppet, jail: Path) -> None:
    (jail / "run").chmod(0o777)
    (jail / "dev" / "shm").rmdir()
    os.chown(jail / "tmp", NOBODY, NOBODY)
    with pytest.raises(NotPermittedError) as error:
        make_spool(doll.pid)
    assert error.value.slug == "no-spool"
    for words in (
        "/run lies below a directory that others can write",
        f"{SHM} does not exist",
        f"{TMP} lies below a directory of user {NOBODY}",
    ):
        assert words in error.value.message


@needs_root
def test_own_mount_namespace_with_a_full_file_system_is_served_elsewhere(doll: Puppet) -> None:
    doll.run("os.unshare(os.CLONE_NEWNS)")
    mount = "subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=755,size={}', 'none', '{}'])"
    doll.run("subprocess.run(['mount', '--make-rprivate', '/'], check=True)")
    doll.run(mount.format("256k", "/run"))
    doll.run(mount.format("64m", SHM))
    with make_spool(doll.pid) as spool, spool.new_request(b"there") as reply:
        assert spool.path_in_target.startswith(SHM)
        assert not Path(spool.path_in_target).exists()
        assert doll.get(f"open('{spool.path_in_target}/request').read()") == "there"
        doll.run(f"f = os.open('{spool.path_in_target}/reply-0', os.O_WRONLY); os.write(f, b'ok')")
        assert reply.read() == b"ok"
        doll.run(f"open('{SHM}/ballast', 'wb').write(bytes(60 << 20))")
        with pytest.raises(StorageError) as error:
            spool.new_request(b"full")
        assert error.value.slug == "spool-full"


@needs_root
def test_own_user_namespace_is_served_as_its_root(doll: Puppet) -> None:
    doll.run("os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)")
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{doll.pid}/{name}").write_text("0 100000 65536\n")
    doll.run("os.setgid(0); os.setuid(0)")
    mount = "subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode={}', 'none', '{}'], check=True)"
    doll.run(mount.format("755", "/run"))
    doll.run(mount.format("1777", SHM))
    doll.run("os.setgid(33); os.setuid(33)")
    assert credentials(doll.pid).uid == 100033
    with make_spool(doll.pid) as spool, spool.new_request(b"there") as reply:
        assert spool.path_in_target.startswith(SHM)
        assert doll.get(f"os.stat('{spool.path_in_target}').st_uid") == 0
        assert doll.get(f"open('{spool.path_in_target}/request').read()") == "there"
        assert doll.get(f"os.stat('{spool.path_in_target}/reply-0').st_uid") == 33
        doll.run(f"f = os.open('{spool.path_in_target}/reply-0', os.O_WRONLY); os.write(f, b'ok')")
        assert reply.read() == b"ok"
    for place in ("/run", SHM):
        assert not [name for name in doll.get(f"os.listdir('{place}')") if "snapshotter" in name]


@needs_root
def test_target_of_another_user_gets_no_file_where_it_could_not_make_one(
    doll: Puppet, jail: Path
) -> None:
    """It can fill the file system that its reply lies on, and nothing can keep it from that."""
    (jail / "dev" / "shm").rmdir()
    (jail / "tmp").rmdir()
    with make_spool(doll.pid) as spool:
        assert spool.path_in_target.startswith("/run/"), "root could do so anyway"
    doll.become(NOBODY)
    with pytest.raises(NotPermittedError):
        make_spool(doll.pid)


@needs_root
@pytest.mark.parametrize("plant", ["fifo", "link", "file"])
def test_what_a_target_plants_in_place_of_a_directory_is_passed_over(
    doll: Puppet, jail: Path, plant: str
) -> None:
    for place in (jail / "run", jail / "dev" / "shm"):
        place.rmdir()
        if plant == "fifo":
            os.mkfifo(place)
        elif plant == "link":
            place.symlink_to("/tmp")  # noqa: S108 - of the jail
        else:
            place.touch()
    with make_spool(doll.pid) as spool:
        assert spool.path_in_target.startswith(TMP)
    assert list((jail / "tmp").iterdir()) == []
    (jail / "tmp").rmdir()
    (jail / "tmp").symlink_to("/run")
    with pytest.raises(NotPermittedError):
        make_spool(doll.pid)


def test_cleaners_by_age_find_the_directory_locked(doll: Puppet) -> None:
    with make_spool(doll.pid) as spool:
        fd = os.open(spool.path_in_target, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(fd)


CONTROLLER = """
import os, sys
from tests.live.test_attach_spool import make_spool
spool = make_spool(int(sys.argv[1]))
spool.new_request(b"request")
print(spool.path_in_target, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def controller(pid: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_spool_of_a_living_controller_is_no_leftover(doll: Puppet) -> None:
    with controller(doll.pid) as (_, path):
        assert Path(path).is_dir()
        assert path not in {leftover.path for leftover in leftovers()}
        assert path not in clean()
        assert Path(path).is_dir()
        clean(identify(doll.pid))
        assert Path(path).is_dir()


def test_leftover_of_a_living_target_is_removed_only_once_withdrawn(doll: Puppet) -> None:
    identity = identify(doll.pid)
    with controller(doll.pid) as (process, path):
        kill(process)
    (found,) = leftovers(identity)
    assert (found.path, found.path_in_target) == (f"/proc/{doll.pid}/root{path}", path)
    assert found.marker.target == identity
    assert found.marker.controller_pid == process.pid
    assert path not in clean()
    assert Path(path).is_dir()
    assert clean(identity) == (found.path,)
    assert not Path(path).exists()


def test_leftover_of_a_dead_target_is_removed() -> None:
    with puppet() as doll, controller(doll.pid) as (process, path):
        kill(process)
    assert path in {leftover.path for leftover in leftovers()}
    assert path in clean()
    assert not Path(path).exists()


@needs_root
def test_directory_that_is_not_provably_ours_is_left_alone(tmp_path: Path) -> None:
    with puppet() as doll, controller(doll.pid) as (process, path):
        kill(process)
    marker = Path(path, "owner").read_bytes()
    forged = Path(f"{SHM}/snapshotter-" + "0" * 32)
    unmarked = Path(f"{SHM}/snapshotter-" + "1" * 32)
    linked = Path(f"{SHM}/snapshotter-" + "2" * 32)
    try:
        for directory in (forged, unmarked):
            directory.mkdir()
        (forged / "owner").write_bytes(marker)
        os.chown(forged, NOBODY, NOBODY)
        os.chown(forged / "owner", NOBODY, NOBODY)
        (tmp_path / "owner").write_bytes(marker)
        linked.symlink_to(tmp_path)
        removed = clean()
        assert path in removed
        assert not {str(forged), str(unmarked), str(linked)} & set(removed)
        assert (forged / "owner").exists()
        assert unmarked.exists()
        assert (tmp_path / "owner").exists()
    finally:
        linked.unlink()
        (forged / "owner").unlink()
        forged.rmdir()
        unmarked.rmdir()


def test_leftover_with_a_file_that_we_did_not_make_is_kept() -> None:
    with puppet() as doll, controller(doll.pid) as (process, path):
        kill(process)
    foreign = Path(path, "notes")
    foreign.write_text("mine")
    assert path not in clean()
    assert foreign.read_text() == "mine"
    foreign.unlink()
    Path(path).rmdir()
