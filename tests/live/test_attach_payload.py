"""The probe is compiled for the target's version, by an interpreter that may be trusted."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach import compilers
from snapshotter.attach.compilers import can_compile
from snapshotter.attach.payload import amalgamate, compile_for
from snapshotter.errors import UnsupportedPythonError
from tests.support.puppet import NOBODY, puppet

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

OTHER = os.environ.get("SNAP_TEST_PYTHON_315", "")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes users and roots")
needs_other = pytest.mark.skipif(not OTHER, reason="no Python 3.15: set SNAP_TEST_PYTHON_315")
LOAD = """
import json, marshal, sys
before = set(sys.modules)
code = marshal.loads(sys.stdin.buffer.read())
names = {}
exec(code, names)
del names["__builtins__"]
print(json.dumps([code.co_filename, sorted(set(sys.modules) - before), sorted(names)]))
"""


SHELL = "id; env; cat; for f in /proc/self/fd/*; do echo fd ${f##*/}; done"


@pytest.fixture(autouse=True)
def nothing_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave only the target's own interpreter to be found."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    compilers._compile_with.cache_clear()


def load(python: str, code: bytes) -> tuple[str, list[str], list[str]]:
    output = subprocess.run([python, "-I", "-S", "-c", LOAD], input=code, stdout=-1, check=True)
    filename, modules, names = json.loads(output.stdout)
    return filename, modules, names


def test_probe_loads_in_the_target_s_version_and_imports_nothing(target_python: str) -> None:
    with puppet(python=target_python) as doll:
        version = doll.get("sys.version_info[:2]")
        assert can_compile(version, pid=doll.pid)
        code = compile_for(version, amalgamate(), pid=doll.pid)
    filename, modules, names = load(target_python, code)
    assert filename == compilers.PROBE_FILENAME
    assert modules == []
    assert "enter" in names


@needs_other
@needs_root
def test_executable_of_another_user_is_run_as_that_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "_is_trusted", lambda _: False)
    with puppet(python=OTHER) as doll:
        assert not can_compile((3, 15), pid=doll.pid), "never as root"
        doll.become(NOBODY)
        assert can_compile((3, 15), pid=doll.pid)
        user = compilers.credentials(doll.pid)
        with compilers._compiler_of_target((3, 15), doll.pid) as compiler:
            assert compiler is not None
            assert compiler.user == user
            assert compiler.executable.startswith("/proc/self/fd/")


@needs_other
@needs_root
def test_executable_in_another_root_is_not_run(tmp_path: Path) -> None:
    with puppet(python=OTHER) as doll:
        doll.run(f"os.chroot({str(tmp_path)!r})")
        assert not can_compile((3, 15), pid=doll.pid)
        with pytest.raises(UnsupportedPythonError) as error:
            compile_for((3, 15), "x = 1", pid=doll.pid)
    assert error.value.slug == "no-compiler"


@needs_root
def test_program_that_is_no_python_is_not_run_as_root() -> None:
    process = subprocess.Popen(["/bin/sleep", "1000"])
    try:
        assert not can_compile((3, 15), pid=process.pid)
    finally:
        process.kill()
        process.wait()


@needs_root
def test_program_run_for_another_user_has_nothing_of_ours() -> None:
    shell = "/bin/sh"
    fd = os.open(shell, os.O_PATH)
    secret_fd = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(secret_fd, True)  # noqa: FBT003 - it takes no keyword
    try:
        compiler = compilers._Compiler(
            f"/proc/self/fd/{fd}", shell, compilers.Credentials(NOBODY, NOBODY), fd
        )
        process = compilers._start(compiler, ["-c", SHELL], b"the source")
        with process:
            output = compilers._read_bounded(process).decode()
    finally:
        os.close(fd)
        os.close(secret_fd)
    assert "uid=65534" in output
    assert "groups=65534" in output
    assert "the source" in output
    assert "SNAP" not in output
    assert f"fd {secret_fd}" not in output
