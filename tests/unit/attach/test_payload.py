"""The probe's modules become one source that means the same, or are refused."""

from __future__ import annotations

import marshal
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach import compilers
from snapshotter.attach.payload import amalgamate, compile_for
from snapshotter.errors import BuildError, UnsupportedPythonError

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = '''
"""Docstring of the entry."""
from __future__ import annotations
import sys
import time as _time
from typing import TYPE_CHECKING, Final
from snapshotter.probe.limits import LIMIT
from snapshotter.probe.walk import steps
if TYPE_CHECKING:
    from snapshotter.probe.walk import Step
__all__ = ["run"]
NAME: Final = "probe"
"""What it is called."""
declared: int

def run(request: dict[str, int], *rest: int) -> list[int]:
    """Do it."""
    found: list[int] = []
    empty: int
    found.extend(steps(request["n"]))
    assert _time and sys
    return found[:LIMIT]
'''

WALK = '''
"""Walks."""
import sys
from .limits import LIMIT
type Step = int

def steps[T](count: int) -> list[int]:
    """Return the steps."""
    def inner(x: int) -> int:
        """Only a docstring and a result."""
        return x * 2
    return [inner(x) for x in range(count)]

def nothing() -> None:
    """Nothing."""
'''
SOURCES = {"entry": ENTRY, "walk": WALK, "limits": "LIMIT = 3\n", "unused": "import socket\n"}


def build(**changes: str) -> str:
    return amalgamate({**SOURCES, **changes})


def test_amalgam_runs_and_needs_no_import_but_the_allowed() -> None:
    namespace: dict[str, object] = {}
    exec(build(), namespace)  # noqa: S102 - what the target does with it
    assert namespace["run"]({"n": 5}) == [0, 2, 4]  # type: ignore[operator]
    assert "Final" not in namespace
    assert "Step" not in namespace


def test_amalgam_has_no_docstrings_annotations_or_unused_modules() -> None:
    text = build()
    for absent in ('"""', "Docstring", "called", "->", ": int", "__all__", "[T]", "socket"):
        assert absent not in text
    assert text.count("import sys") == 1
    assert text.index("LIMIT = 3") < text.index("def steps") < text.index("def run")


def test_amalgam_is_the_same_each_time() -> None:
    assert build() == amalgamate(dict(reversed(SOURCES.items())))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limits": "LIMIT = 3\ndef run(): pass\n"}, ("run", "limits.py", "entry.py")),
        ({"limits": "LIMIT = 3\ntime = 1\nimport time\n"}, ("time", "limits.py")),
        ({"limits": "LIMIT = 3\nimport marshal as _time\n"}, ("_time", "entry.py", "marshal")),
        ({"limits": "LIMIT = 3\nlen = 3\n"}, ("len", "builtins")),
        ({"limits": "LIMIT = 3\nfor (sys, x) in (): pass\n"}, ("sys",)),
        ({"limits": "OTHER = 3\n"}, ("LIMIT", "limits.py", "does not define")),
        ({"limits": "from .walk import steps\nLIMIT = 3\n"}, ("cycle", "limits -> walk -> limits")),
        ({"limits": "from .gone import x\nLIMIT = 3\n"}, ("gone", "limits.py")),
        ({"limits": "from . import walk\nLIMIT = 3\n"}, ("limits.py, line 1", "names")),
        ({"walk": WALK.replace("import LIMIT", "import LIMIT as M")}, ("LIMIT as M", "walk.py")),
        ({"limits": "import threading\nLIMIT = 3\n"}, ("limits.py", "threading")),
        ({"limits": "from os.path import *\nLIMIT = 3\n"}, ("limits.py", "os.path")),
        ({"limits": "from sys import *\nLIMIT = 3\n"}, ("limits.py", "star")),
        ({"limits": "def f():\n    import sys\nLIMIT = 3\n"}, ("line 2", "imports")),
        ({"limits": "class A: pass\nLIMIT = 3\n"}, ("class A",)),
        ({"limits": "async def run(): pass\nLIMIT = 3\n"}, ("run", "entry.py")),
        ({"limits": "def f():\n    global LIMIT\nLIMIT = 3\n"}, ("global LIMIT",)),
        ({"limits": "from typing import cast\nLIMIT = cast(int, 3)\n"}, ("cast", "typing only")),
    ],
)
def test_amalgam_refuses_what_would_change_its_meaning(
    changes: dict[str, str], words: tuple[str, ...]
) -> None:
    with pytest.raises(BuildError) as error:
        build(**changes)
    for word in words:
        assert word in error.value.message
    assert error.value.slug == "probe-build"


def test_private_name_in_two_modules_is_refused() -> None:
    with pytest.raises(BuildError, match="_x means two things"):
        build(limits="LIMIT = 3\n_x = 1\n", walk=WALK + "_x = 1\n")


def test_names_of_inner_scopes_may_repeat() -> None:
    build(limits="LIMIT = 3\ndef f(found): run = [x for x in found]\n")


def test_own_version_is_compiled_here_without_docstrings_and_assertions() -> None:
    code = marshal.loads(compile_for(sys.version_info[:2], build()))  # noqa: S302 - our own
    assert code.co_filename == compilers.PROBE_FILENAME
    run = next(c for c in code.co_consts if getattr(c, "co_name", "") == "run")
    assert "AssertionError" not in run.co_names
    assert not run.co_flags & 0x4000000 or run.co_consts[0] is None


def test_missing_version_is_named_with_a_next_step() -> None:
    with pytest.raises(UnsupportedPythonError, match=r"CPython 3\.99") as error:
        compile_for((3, 99), "x = 1")
    assert error.value.slug == "no-compiler"
    assert "python3.99 on PATH" in error.value.hint


def fake_interpreter(directory: Path, output: str) -> None:
    program = directory / "python3.98"
    program.write_text(f"#!/bin/sh\ncat >/dev/null\n{output}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    "output",
    ["printf '3.97\\ncode'", "printf '3.98\\n'", "exit 1", "head -c 9000000 /dev/zero"],
)
def test_interpreter_that_answers_nonsense_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    fake_interpreter(tmp_path, output)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(UnsupportedPythonError):
        compile_for((3, 98), output)


def test_interpreter_on_path_is_used_and_its_output_passed_on_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_interpreter(tmp_path, "printf '3.98\\nnot marshal'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert compile_for((3, 98), "y = 1") == b"not marshal"


@pytest.mark.skipif(os.geteuid() != 0, reason="only as root is the owner of an interpreter asked")
def test_interpreter_that_others_can_write_is_not_run_as_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    fake_interpreter(tmp_path, f"touch {marker}; printf '3.98\\ncode'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    tmp_path.chmod(stat.S_IMODE(tmp_path.stat().st_mode) | stat.S_IWGRP)
    with pytest.raises(UnsupportedPythonError):
        compile_for((3, 98), "z = 1")
    assert not marker.exists()
