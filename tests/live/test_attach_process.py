"""A process is told from every other, described without secrets, and found by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach.process import identify, open_descriptors, process_info, still_same
from snapshotter.attach.pythons import find_pythons, match_name, tree
from snapshotter.errors import NoSuchProcessError, ProcessEndedError
from tests.support.puppet import NOBODY, Puppet, puppet
from tests.support.targets import spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes users")
GONE = 2**22 + 1


@pytest.fixture
def doll() -> Iterator[Puppet]:
    with puppet() as it:
        yield it


def test_process_stays_itself_until_it_ends(doll: Puppet) -> None:
    identity = identify(doll.pid)
    assert identity == identify(doll.pid)
    assert identity.random_address > 0
    assert still_same(identity)
    doll.target.kill()
    assert not still_same(identity)
    with pytest.raises(NoSuchProcessError):
        identify(doll.pid)


def test_exec_makes_another_process_of_it(doll: Puppet) -> None:
    identity = identify(doll.pid)
    doll.target.tell(repr(("exec", "os.execv(sys.executable, [sys.executable, '-c', 'input()'])")))
    wait_until(lambda: not still_same(identity))
    wait_until(lambda: b"input()" in Path(f"/proc/{doll.pid}/cmdline").read_bytes())
    after = identify(doll.pid)
    assert after.start_ticks == identity.start_ticks
    assert after.random_address != identity.random_address


def test_zombie_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    try:
        identity = None
        wait_until(lambda: _state(process.pid) == "Z")
        with pytest.raises(ProcessEndedError):
            identity = identify(process.pid)
        assert identity is None
    finally:
        process.wait()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_info_tells_what_the_system_knows(doll: Puppet) -> None:
    doll.run("files = [open('/dev/null') for _ in range(10)]")
    doll.run("threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()")
    before = time.time_ns()
    info = process_info(doll.pid, "3.14.8", identify(doll.pid))
    assert (info.pid, info.uid, info.python) == (doll.pid, os.geteuid(), "3.14.8")
    assert info.executable == doll.get("os.readlink('/proc/self/exe')")
    assert info.cmdline[1].endswith("puppet.py")
    assert info.cwd == doll.get("os.getcwd()")
    assert info.host == os.uname().nodename
    assert info.os_threads == 2
    assert info.fds == doll.get("len(os.listdir('/proc/self/fd')) - 1")
    assert info.state == "S"
    assert info.rss_bytes is not None
    assert info.rss_bytes > 5_000_000
    assert info.cpu_ns is not None
    # The boot time is known to the second.
    assert before - 60_000_000_000 < info.start_time_ns < time.time_ns() + 2_000_000_000
    assert info.identity == identify(doll.pid)


def test_start_time_does_not_change(doll: Puppet) -> None:
    times = {process_info(doll.pid, "").start_time_ns for _ in range(3)}
    assert len(times) == 1


def test_command_line_is_written_without_its_secrets() -> None:
    with spawn("puppet.py", "--password=hunter2", "--token", "abc", "\x1b[31m") as target:
        cmdline = process_info(target.pid, "").cmdline
    assert cmdline[2:] == ("--password=[redacted]", "--token", "[redacted]", "\x1b[31m")


def test_process_that_ended_has_no_info() -> None:
    with pytest.raises(ProcessEndedError):
        process_info(GONE, "")


def test_descriptors_are_counted(doll: Puppet) -> None:
    before = open_descriptors(doll.pid)
    assert before is not None
    doll.run("files = [open('/dev/null') for _ in range(300)]")
    assert open_descriptors(doll.pid) == before + 300


def test_pythons_are_found_with_version_and_user(target_python: str) -> None:
    with puppet(python=target_python) as doll:
        found = {process.pid: process for process in find_pythons()}
        process = found[doll.pid]
        assert process.version == doll.get("sys.version.split()[0]")
        assert process.user == doll.get("__import__('pwd').getpwuid(os.getuid()).pw_name")
        assert (process.attachable, process.why) == (True, "")
        assert (process.inside, process.outside, process.outside_why) == (True, True, "")
        assert process.build == "gil"
        assert os.getpid() not in found


def test_python_that_refuses_is_found_with_the_reason() -> None:
    with puppet(env={"PYTHON_DISABLE_REMOTE_DEBUG": "1"}) as doll:
        (process,) = (process for process in find_pythons() if process.pid == doll.pid)
    assert (process.attachable, process.inside, process.outside) == (False, False, True)
    assert "switched off" in process.why
    assert process.version is not None


def test_jit_that_compiles_is_told() -> None:
    loop = "def f(n):\n for i in range(n): n + i % 7\nfor _ in range(200): f(5000)"
    with puppet(env={"PYTHON_JIT": "1"}) as doll:
        doll.run(f"exec({loop!r})")
        if not doll.get("getattr(sys, '_jit', None) and sys._jit.is_enabled()"):
            pytest.skip("the interpreter has no JIT")
        (process,) = (process for process in find_pythons() if process.pid == doll.pid)
    assert process.build == "gil jit"


def test_process_that_no_request_may_be_sent_to_is_listed_with_the_reason(doll: Puppet) -> None:
    doll.run("resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))")
    doll.run("signal.signal(signal.SIGXFSZ, signal.SIG_DFL)")
    (process,) = (process for process in find_pythons() if process.pid == doll.pid)
    assert (process.inside, process.outside) == (False, True)
    assert "SIGXFSZ" in process.why


@needs_root
def test_python_of_another_user_is_found_by_root(doll: Puppet) -> None:
    doll.become(NOBODY)
    (process,) = (process for process in find_pythons() if process.pid == doll.pid)
    assert (process.uid, process.user, process.attachable) == (NOBODY, "nobody", True)


ASK_AS_NOBODY = """
import os, sys
from snapshotter.attach.process import identify
from snapshotter.attach.pythons import find_pythons
from snapshotter.errors import NotPermittedError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
(process,) = (p for p in find_pythons() if p.pid == int(sys.argv[1]))
print(process.version, process.attachable, process.why)
try:
    identify(process.pid)
except NotPermittedError as error:
    print(error.message)
"""


@needs_root
def test_python_that_is_out_of_reach_is_listed_with_the_reason(doll: Puppet) -> None:
    out = subprocess.run(
        [sys.executable, "-c", ASK_AS_NOBODY, str(doll.pid)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert "False The kernel does not let" in out[0]
    assert "does not let us look" in out[1]


def test_name_matches_program_script_module_and_title(tmp_path: Path) -> None:
    script = tmp_path / "orders_service.py"
    script.write_text("import os\nos.write(int(os.environ['SNAP_READY_FD']), b'ready\\n')\ninput()")
    with spawn(script, "--port", "80") as target:
        for glob in ("orders_service.py", "orders_*", "*orders_service.py --port 80", "python*"):
            assert target.pid in match_name(glob), glob
        for glob in ("service", "orders", "80", "ORDERS_*"):
            assert target.pid not in match_name(glob), glob
        assert os.getpid() not in match_name("*")


FAMILY = """
import os, subprocess, sys
child = [sys.executable, "-c", "import os; os.write(1, b'x'); input()"]
children = [subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in "ab"]
shell = subprocess.Popen(["sleep", "1000"])
for c in children:
    c.stdout.read(1)
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
try:
    input()
finally:
    shell.kill()
    for c in children:
        c.kill()
    print(*[c.pid for c in children])
"""


def test_tree_is_a_process_and_its_python_descendants() -> None:
    with spawn_source(FAMILY) as target:
        family = tree(target.pid)
        target.tell("")
        target.wait()
        children = sorted(map(int, target.stdout_text().split()))
    assert family[0] == target.pid
    assert sorted(family[1:]) == children


def test_tree_of_nobody_is_an_error() -> None:
    with pytest.raises(NoSuchProcessError):
        tree(GONE)
