"""What would harm a target, or cannot work, is found before it is asked for anything."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach.preflight import (
    CheckStatus,
    carrier_problem,
    examine,
    inside_problem,
    refusals,
)
from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime
from tests.support.puppet import NOBODY, Puppet, puppet
from tests.support.targets import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.attach.preflight import Check

pytestmark = pytest.mark.live

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes users and limits")
GONE = 2**22 + 1


@pytest.fixture
def doll() -> Iterator[Puppet]:
    with puppet() as it:
        yield it


def check(pid: int, name: str) -> Check:
    return next(check for check in examine(pid).checks if check.name == name)


def problem(pid: int) -> str | None:
    with Memory(pid) as memory:
        return inside_problem(pid, Runtime.attach(pid, memory))


def test_ordinary_process_may_be_asked(target_python: str) -> None:
    with puppet(python=target_python) as doll:
        report = examine(doll.pid)
        assert refusals(report) == ()
        assert [check.name for check in report.checks][:3] == ["process", "permission", "python"]
        assert all(check.sentence.endswith(".") for check in report.checks)
        assert problem(doll.pid) is None
        assert carrier_problem(doll.pid) is None
        assert doll.get("1 + 1") == 2


def test_looking_changes_nothing_in_the_target(doll: Puppet) -> None:
    look = "(sorted(sys.modules), os.listdir('/proc/self/fd'), len(os.listdir('/proc/self/task')))"
    before = doll.get(look)
    examine(doll.pid)
    assert doll.get(look) == before
    assert doll.target.stderr_text() == ""


def test_nobody_there_ends_the_list() -> None:
    (only,) = examine(GONE).checks
    assert (only.name, only.status, only.fix) == ("process", CheckStatus.FAIL, "snap ps")


def test_zombie_ends_the_list() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        wait_until(lambda: "ended" in examine(process.pid).checks[0].sentence)
        assert len(examine(process.pid).checks) == 1


def test_program_that_is_no_python_ends_the_list() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            wait_until(lambda: "sleep" in examine(process.pid).checks[-1].sentence)
            last = examine(process.pid).checks[-1]
            assert (last.name, last.status) == ("python", CheckStatus.FAIL)
        finally:
            process.kill()


def test_refused_remote_debugging_is_told_with_the_fix() -> None:
    with puppet(env={"PYTHON_DISABLE_REMOTE_DEBUG": "1"}) as doll:
        found = check(doll.pid, "remote-debugging")
        assert found.status is CheckStatus.FAIL
        assert "PYTHON_DISABLE_REMOTE_DEBUG" in found.fix
        assert "switched off" in (problem(doll.pid) or "")


def test_stopped_process_is_not_asked(doll: Puppet) -> None:
    os.kill(doll.pid, signal.SIGSTOP)
    wait_until(lambda: check(doll.pid, "state").status is CheckStatus.FAIL)
    assert check(doll.pid, "state").fix == f"kill -CONT {doll.pid}"
    main = check(doll.pid, "main-thread")
    assert main.status is CheckStatus.WARN
    assert main.sentence.startswith("The main thread is stopped by a signal")
    assert problem(doll.pid) == "the process is stopped"
    os.kill(doll.pid, signal.SIGCONT)
    wait_until(lambda: problem(doll.pid) is None)


def test_file_size_limit_that_would_kill_is_refused(doll: Puppet) -> None:
    doll.run("resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))")
    assert check(doll.pid, "file-size").status is CheckStatus.WARN, "CPython ignores SIGXFSZ"
    assert problem(doll.pid) is None
    doll.run("signal.signal(signal.SIGXFSZ, signal.SIG_DFL)")
    found = check(doll.pid, "file-size")
    assert found.status is CheckStatus.FAIL
    assert str(doll.pid) in found.fix
    assert "SIGXFSZ" in (problem(doll.pid) or "")
    doll.run("signal.signal(signal.SIGXFSZ, lambda *_: None)")
    assert problem(doll.pid) is None


def test_process_without_free_descriptors_is_refused(doll: Puppet) -> None:
    doll.run("resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))")
    doll.run("files = [os.dup(0) for _ in range(32 - len(os.listdir('/proc/self/fd')) + 1 - 3)]")
    assert check(doll.pid, "descriptors").sentence.startswith("3 of its 32")
    assert problem(doll.pid) is None
    doll.run("files.append(os.dup(0))")
    assert check(doll.pid, "descriptors").status is CheckStatus.FAIL
    assert "file descriptors are free" in (problem(doll.pid) or "")
    doll.run("files.append(os.dup(0))")
    assert check(doll.pid, "descriptors").sentence == "Only 1 of its 32 file descriptors is free."


FILTER = """
class Prog(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("p", ctypes.c_void_p)]
allow = ctypes.create_string_buffer(bytes([6, 0, 0, 0, 0, 0, 0xff, 0x7f]), 8)
prog = Prog(1, ctypes.addressof(allow))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(prog), 0, 0) == 0
"""


def test_seccomp_filter_of_its_own_is_refused(doll: Puppet) -> None:
    assert check(doll.pid, "seccomp").status is CheckStatus.OK
    doll.run(FILTER)
    assert check(doll.pid, "seccomp").status is CheckStatus.FAIL
    assert "seccomp" in (problem(doll.pid) or "")


def test_little_address_space_costs_the_thread_only(doll: Puppet) -> None:
    doll.run("resource.setrlimit(resource.RLIMIT_AS, (120 << 20, 120 << 20))")
    assert "address space" in (carrier_problem(doll.pid) or "")
    assert check(doll.pid, "thread").status is CheckStatus.WARN
    assert refusals(examine(doll.pid)) == ()


@needs_root
def test_exhausted_process_limit_costs_the_thread_only(doll: Puppet) -> None:
    doll.run("resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))")
    assert carrier_problem(doll.pid) is None, "root is exempt"
    doll.become(NOBODY)
    assert "more tasks" in (carrier_problem(doll.pid) or "")


def test_ending_process_is_refused() -> None:
    with puppet() as doll:
        doll.run("threading.Thread(target=time.sleep, args=(1000,)).start()")
        assert doll.target.process.stdin is not None
        doll.target.process.stdin.close()
        wait_until(lambda: check(doll.pid, "main-thread").status is CheckStatus.FAIL)
        assert "waiting for the other threads" in check(doll.pid, "main-thread").sentence


def test_blocked_main_thread_is_told_where(doll: Puppet) -> None:
    wait_until(lambda: check(doll.pid, "main-thread").status is CheckStatus.WARN)
    assert "puppet.py" in check(doll.pid, "main-thread").sentence


def test_subinterpreters_are_counted(doll: Puppet) -> None:
    doll.run("import _interpreters; sub = _interpreters.create()")
    sentence = check(doll.pid, "interpreters").sentence
    assert sentence.startswith("There are 2 interpreters: the inside view is of the main one,")


def test_another_controller_is_named(doll: Puppet) -> None:
    assert check(doll.pid, "controller").status is CheckStatus.OK
    lock = "import fcntl, sys; f = open(f'/proc/{sys.argv[1]}/mem'); fcntl.flock(f, fcntl.LOCK_EX)"
    program = f"{lock}; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(doll.pid)], stdin=-1, stdout=-1
    ) as other:
        assert other.stdout is not None
        other.stdout.read(1)
        found = check(doll.pid, "controller")
        assert found.status is CheckStatus.WARN
        assert str(other.pid) in found.sentence
        other.kill()
    assert check(doll.pid, "controller").status is CheckStatus.OK


def test_looking_takes_no_lock(doll: Puppet) -> None:
    with Memory(doll.pid) as memory:
        fcntl.flock(memory.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert check(doll.pid, "controller").status is CheckStatus.OK, "our own"


@needs_root
def test_namespaces_are_named(doll: Puppet) -> None:
    assert check(doll.pid, "namespaces").sentence == "It lives in our namespaces."
    doll.run("os.unshare(os.CLONE_NEWNS)")
    assert "another namespace of this kind: mount" in check(doll.pid, "namespaces").sentence


@needs_root
def test_user_and_how_we_may_look_at_it_are_told(doll: Puppet) -> None:
    assert "CAP_SYS_PTRACE" in check(doll.pid, "user").sentence
    doll.become(NOBODY)
    sentence = check(doll.pid, "user").sentence
    assert "user nobody (65534), group 65534, and is not dumpable" in sentence
    doll.run("assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0")
    assert "not dumpable" not in check(doll.pid, "user").sentence


def test_tracer_is_named(doll: Puppet) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(0x4206, doll.pid, None, None) == 0  # PTRACE_SEIZE: it goes on running
    try:
        found = check(doll.pid, "state")
        assert found.status is CheckStatus.WARN
        assert f"Process {os.getpid()} traces it" in found.sentence
    finally:
        libc.ptrace(0x4207, doll.pid, None, None)
        wait_until(lambda: check(doll.pid, "state").status is not CheckStatus.WARN)


ASK = """
import encodings.ascii, json, os, sys
from snapshotter.attach.preflight import examine
if sys.argv[2] != "root":
    os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(65534)
elif sys.argv[3] == "capless":
    import ctypes
    head = ctypes.create_string_buffer((0x20080522).to_bytes(4, "little") + bytes(4), 8)
    data = ctypes.create_string_buffer(24)
    libc = ctypes.CDLL(None)
    assert libc.capget(head, data) == 0
    words = bytearray(data.raw)
    for number in map(int, sys.argv[4].split(",")):
        for at in (0, 4):  # out of the effective and the permitted ones
            words[at + number // 8] &= ~(1 << number % 8) & 0xff
    assert libc.capset(head, ctypes.create_string_buffer(bytes(words), 24)) == 0
print(json.dumps([[c.name, c.status, c.sentence, c.fix] for c in examine(int(sys.argv[1])).checks]))
"""


SYS_PTRACE, DAC_OVERRIDE, CHOWN = "19", "1", "0"


def ask_as(user: str, detail: str, pid: int, *, without: str = SYS_PTRACE) -> list[str]:
    """Return the last check that another user, or root without capabilities, gets to see."""
    command = [sys.executable, "-c", ASK, str(pid), user, detail, without]
    output = subprocess.run(command, stdout=-1, check=True).stdout
    last: list[str] = json.loads(output)[-1]
    return last


@needs_root
def test_other_user_is_told_whose_process_it_is(doll: Puppet) -> None:
    name, status, sentence, fix = ask_as("nobody", str(NOBODY), doll.pid)
    assert (name, status) == ("permission", "fail")
    assert sentence == f"It runs as user 0 and we as user {NOBODY}."
    assert fix == f"sudo snap doctor {doll.pid}"


@needs_root
def test_other_group_is_told(doll: Puppet) -> None:
    doll.become(NOBODY)
    assert "as group 65534 and we as group 33" in ask_as("nobody", "33", doll.pid)[2]


@needs_root
def test_process_that_is_not_dumpable_is_told(doll: Puppet) -> None:
    doll.become(NOBODY)
    assert "not dumpable" in ask_as("nobody", str(NOBODY), doll.pid)[2]


@needs_root
def test_process_of_the_same_user_may_be_asked(doll: Puppet) -> None:
    doll.become(NOBODY)
    doll.run("assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0")
    assert ask_as("nobody", str(NOBODY), doll.pid)[0] == "leftovers"


@needs_root
def test_root_without_rights_over_files_is_told_how_to_get_them(doll: Puppet) -> None:
    doll.become(NOBODY)
    # Else its files in /proc belong to root.
    doll.run("assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0")
    sentence, fix = ask_as("root", "capless", doll.pid, without=f"{DAC_OVERRIDE},{CHOWN}")[2:]
    assert "CAP_DAC_OVERRIDE" in sentence
    assert "DAC_OVERRIDE and CHOWN" in fix


@needs_root
def test_root_that_may_give_no_file_away_is_told(doll: Puppet) -> None:
    doll.become(NOBODY)
    command = [sys.executable, "-c", ASK, str(doll.pid), "root", "capless", CHOWN]
    checks = json.loads(subprocess.run(command, stdout=-1, check=True).stdout)
    (spool,) = (one for one in checks if one[0] == "spool")
    assert spool[1] == "fail"
    assert "CAP_CHOWN" in spool[2]


@needs_root
def test_root_without_the_capability_is_told_how_to_get_it(doll: Puppet) -> None:
    doll.become(NOBODY)
    sentence, fix = ask_as("root", "capless", doll.pid)[2:]
    assert "CAP_SYS_PTRACE" in sentence
    assert "--cap-add SYS_PTRACE" in fix
