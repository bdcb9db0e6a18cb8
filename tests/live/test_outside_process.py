"""Processes that are not there, not Python, not ours, or that change while they are read."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from snapshotter.errors import (
    NoSuchProcessError,
    NotPermittedError,
    NotPythonError,
    ProcessEndedError,
    TornReadError,
    UnsupportedPythonError,
)
from snapshotter.outside import locate
from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.view import OutsideReader
from tests.support.targets import LiveTarget, spawn, spawn_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live


def attach(pid: int) -> None:
    with Memory(pid) as memory:
        Runtime.attach(pid, memory)


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command) as process:
        try:
            wait_for_exec(process.pid, command[0])
            yield process
        finally:
            process.kill()


def wait_for_exec(pid: int, program: str) -> None:
    end = time.monotonic() + 30
    while program not in os.readlink(f"/proc/{pid}/exe"):  # noqa: PTH115 - a magic link
        assert time.monotonic() < end
        time.sleep(0.005)


def test_program_that_is_not_python_is_refused() -> None:
    wanted = pytest.raises(NotPythonError, match=r"No CPython interpreter .* \(sleep\)")
    with running("sleep", "60") as process, wanted as error:
        attach(process.pid)
    assert error.value.hint


@pytest.mark.skipif(not shutil.which("python3.11"), reason="no older Python here")
def test_older_python_is_refused_with_its_version() -> None:
    wanted = pytest.raises(UnsupportedPythonError, match=r"Python 3\.11")
    with running("python3.11", "-c", "import time; time.sleep(60)") as process, wanted:
        attach(process.pid)


def test_dead_pid_is_no_process() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    with pytest.raises(NoSuchProcessError):
        attach(process.pid)


def test_zombie_has_ended() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        with pytest.raises(ProcessEndedError):
            attach(process.pid)
    finally:
        process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_user_is_not_permitted(target_python: str) -> None:
    with spawn("sleeper.py", python=target_python) as target:
        pid = os.fork()
        if pid == 0:
            os._exit(attach_as_nobody(target.pid))
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def attach_as_nobody(pid: int) -> int:
    try:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        attach(pid)
    except NotPermittedError as error:
        return 0 if "sudo" in error.hint and "CAP_SYS_PTRACE" in error.hint else 3
    except BaseException:  # noqa: BLE001 - a forked child must not return into pytest
        return 2
    return 1


@contextmanager
def reader_of(target: LiveTarget) -> Iterator[OutsideReader]:
    with Memory(target.pid) as memory:
        yield OutsideReader(target.pid, memory, Runtime.attach(target.pid, memory))


def test_process_that_ends_in_between_is_told(target_python: str) -> None:
    with spawn("sleeper.py", python=target_python) as target, reader_of(target) as reader:
        reader.read()
        target.process.kill()
        os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ProcessEndedError):
            reader.read()
        target.kill()
        with pytest.raises(ProcessEndedError):
            reader.read()


EXEC = """
import os, sys
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
sys.stdin.readline()
os.execv("/bin/sleep", ["sleep", "60"])
"""


def test_exec_ends_the_program_that_was_read(target_python: str) -> None:
    with spawn_source(EXEC, python=target_python) as target, reader_of(target) as reader:
        reader.read()
        target.tell("go")
        target.wait_for(lambda: "sleep" in os.readlink(f"/proc/{target.pid}/exe"))  # noqa: PTH115 - a magic link
        with pytest.raises(ProcessEndedError):
            reader.read()


@contextmanager
def copied(python: str, folder: Path, name: str) -> Iterator[tuple[LiveTarget, Path]]:
    """A target that runs a copy of the interpreter under another name."""
    code = "import sys, sysconfig; print(sys.base_prefix); print(sysconfig.get_path('stdlib'))"
    out = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    prefix, stdlib = out.split()
    program = folder / name
    shutil.copy(os.path.realpath(python), program)
    dynamic = f"{stdlib}/lib-dynload"
    env = {"PYTHONHOME": prefix, "PYTHONPATH": f"{stdlib}:{dynamic}"}
    with spawn("sleeper.py", python=str(program), env=env) as target:
        yield target, program


def test_deleted_interpreter_is_read(target_python: str, tmp_path: Path) -> None:
    with copied(target_python, tmp_path, "python3") as (target, program):
        program.unlink()
        with reader_of(target) as reader:
            assert reader.read().threads[0].stack


def test_replaced_interpreter_is_read(target_python: str, tmp_path: Path) -> None:
    with copied(target_python, tmp_path, "python3") as (target, program):
        program.unlink()
        shutil.copy("/bin/true", program)
        with reader_of(target) as reader:
            assert reader.read().threads[0].stack


def test_interpreter_under_another_name_is_read(target_python: str, tmp_path: Path) -> None:
    with (
        copied(target_python, tmp_path, "orders-service") as (target, _program),
        reader_of(target) as reader,
    ):
        assert reader.read().threads[0].stack


def test_runtime_is_found_in_data_when_no_file_can_be_opened(
    target_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError

    with spawn("sleeper.py", python=target_python) as target, Memory(target.pid) as memory:
        wanted = locate.find_runtime(target.pid, memory)
        monkeypatch.setattr(locate, "section_address", refuse)
        assert locate.find_runtime(target.pid, memory) == wanted


def test_short_lived_threads_are_read_or_left_out(target_python: str) -> None:
    known = {"short", "inner", "<module>"}
    seen = 0
    with spawn("churn.py", python=target_python) as target, reader_of(target) as reader:
        for _ in range(200):
            try:
                view = reader.read(budget_ns=5_000_000)
            except TornReadError:
                continue
            for thread in view.threads:
                assert thread.stack or thread.problem
                own = [f for f in thread.stack.frames if f.origin == "app"] if thread.stack else []
                assert {frame.qualname for frame in own} <= known
                seen += bool(own)
    assert seen > 100


SUBINTERPRETER = """
import os, threading, time
from concurrent import interpreters
interpreter = interpreters.create()
interpreter.exec("def inside(): import time; time.sleep(3600)")
threading.Thread(target=interpreter.exec, args=("inside()",), daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
time.sleep(3600)
"""


def test_subinterpreters_are_told_apart(target_python: str) -> None:
    with spawn_source(SUBINTERPRETER, python=target_python) as target, reader_of(target) as reader:
        target.wait_for(lambda: innermost(reader).get(1) == "inside")
        view = reader.read()
        (main,) = (thread for thread in view.threads if thread.is_main)

    assert view.interpreters == 2
    assert main.native_id == target.pid


def innermost(reader: OutsideReader) -> dict[int, str]:
    """Name of the innermost frame, by interpreter."""
    return {
        thread.interpreter: thread.stack.frames[0].qualname
        for thread in reader.read().threads
        if thread.stack and thread.stack.frames
    }


NAMESPACE = """
import os, sys, threading, time
os.unshare(os.CLONE_NEWPID)
pid = os.fork()
if pid == 0:
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    while True:
        time.sleep(0.05)
print(pid, flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a pid namespace")
def test_threads_of_another_pid_namespace_are_found(target_python: str) -> None:
    with spawn_source(NAMESPACE, python=target_python) as target:
        target.wait_for(lambda: target.stdout_text().endswith("\n"))
        inner = int(target.stdout_text())
        try:
            with Memory(inner) as memory:
                view = OutsideReader(inner, memory, Runtime.attach(inner, memory)).read()
        finally:
            os.kill(inner, 9)

    (main,) = (thread for thread in view.threads if thread.is_main)
    assert main.native_id == 1
    assert main.os_tid == inner
    assert main.counters is not None
    assert len({thread.os_tid for thread in view.threads}) == 2


def test_own_version_is_read_from_the_interpreter(target_python: str) -> None:
    code = "import sys; print(sys.version.split()[0])"
    out = subprocess.run([target_python, "-c", code], capture_output=True, text=True, check=True)
    with spawn("sleeper.py", python=target_python) as target, Memory(target.pid) as memory:
        assert Runtime.attach(target.pid, memory).version_text == out.stdout.strip()
