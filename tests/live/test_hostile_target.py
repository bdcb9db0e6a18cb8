"""Targets that want to harm who looks at them: a true snapshot from outside, or one sentence.

Each command runs with little memory and a time limit, and may never show a traceback.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from snapshotter.attach.preflight import examine
from tests.support.corruption import CORRUPTIONS, corrupt
from tests.support.observing import spools_for
from tests.support.targets import LiveTarget, spawn

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

MOST_MEMORY = 2 << 30
"""Addresses, not memory in use: libraries and arenas count."""
MOST_SECONDS = 60
UNBELIEVED = "the target's reply cannot be believed"


def snap(*words: object, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))

    return subprocess.run(
        [sys.executable, "-m", "snapshotter", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=MOST_SECONDS,
        preexec_fn=limit,
        env={**os.environ, "COLUMNS": "100"},
    )


def check_harmless(output: bytes) -> None:
    """Nothing talks to the terminal, nothing looks like a bug."""
    text = output.decode()
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "Traceback" not in text
    assert "bug of snapshotter" not in text


def dump(target: LiveTarget, folder: Path) -> dict[str, Any]:
    """Take a snapshot."""
    done = snap("dump", target.pid, "--json", "--patience", "3s", cwd=folder)
    check_harmless(done.stderr)
    assert done.returncode == 0, done.stderr.decode()
    assert spools_for(target.pid) == []
    snapshot: dict[str, Any] = json.loads(done.stdout)
    return snapshot


def dump_and_look(target: LiveTarget, folder: Path) -> dict[str, Any]:
    """Take a snapshot into a file and look at it, in every way that there is."""
    done = snap("dump", target.pid, "-o", "d.msgpack", "--patience", "3s", cwd=folder)
    check_harmless(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr.decode()
    assert spools_for(target.pid) == []
    for words in (("view", "--plain", "--all"), ("diff",)):
        paths = ["d.msgpack"] * (2 if words[0] == "diff" else 1)
        shown = snap(*words, *paths, cwd=folder)
        check_harmless(shown.stdout + shown.stderr)
        assert shown.returncode == 0, shown.stderr.decode()[-2000:]
    exported = snap("export", "d.msgpack", "--format", "json", cwd=folder)
    assert exported.returncode == 0, exported.stderr.decode()[-2000:]
    snapshot: dict[str, Any] = json.loads(exported.stdout)
    return snapshot


def reasons(snapshot: dict[str, Any]) -> str:
    return " ".join(snapshot["capture"]["missing"])


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("garbage", UNBELIEVED),
        ("array-bomb", UNBELIEVED),
        ("many-empty-arrays", UNBELIEVED),
        ("other-nonce", UNBELIEVED),
        ("endless-stack", UNBELIEVED),
        ("many-threads", UNBELIEVED),
        ("names-that-talk", UNBELIEVED),
        ("huge", "wrote more than the"),
        ("for-ever", "wrote more than the"),
        ("cutting", "its answer did not come in the time given"),
        ("silent", "the request started"),
    ],
)
def test_reply_that_cannot_be_one_leaves_the_outside_view(
    how: str, reason: str, tmp_path: Path
) -> None:
    with spawn("hostile_reply.py", how) as target:
        snapshot = dump(target, tmp_path)
        assert snapshot["capture"]["views"] == ["outside"]
        assert reason in reasons(snapshot)
        (main,) = (thread for thread in snapshot["threads"] if thread["is_main"])
        assert main["name"] == "MainThread"


@pytest.mark.parametrize(
    "how",
    [
        "absurd-figures",
        "values-that-hold-each-other",
        "long-texts",
        "changing",
    ],
)
def test_well_formed_lie_harms_nobody(how: str, tmp_path: Path) -> None:
    with spawn("hostile_reply.py", how) as target:
        snapshot = dump_and_look(target, tmp_path)
        assert "outside" in snapshot["capture"]["views"]
        assert snapshot["process"]["pid"] == target.pid


def is_one_error(output: bytes) -> bool:
    """A sentence, perhaps a next step, and where to read more."""
    lines = output.decode().splitlines()
    heads = [line.partition(":")[0].strip() for line in lines]
    return heads[0] == "snap" and heads[-1] == "see" and len(lines) <= 3


@pytest.mark.parametrize(
    "target_python", ["3.14", pytest.param("3.15", marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.parametrize("how", sorted(CORRUPTIONS))
def test_memory_full_of_nonsense_gives_a_snapshot_or_one_sentence(
    how: str, tmp_path: Path, target_python: str
) -> None:
    with spawn("parked.py", python=target_python) as target:
        corrupt(target.pid, how)
        done = snap("dump", target.pid, "--json", "--patience", "200ms", cwd=tmp_path)
        check_harmless(done.stderr)
        assert done.returncode in {0, 3, 5}
        if done.returncode == 0:
            snapshot = json.loads(done.stdout)
            assert snapshot["capture"]["views"] == ["outside"]
            assert snapshot["process"]["pid"] == target.pid
            assert len(snapshot["threads"]) <= 2
        else:
            assert is_one_error(done.stderr)
        assert spools_for(target.pid) == []


def test_list_and_doctor_survive_all_of_them(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(spawn("parked.py")) for _ in CORRUPTIONS]
        for target, how in zip(targets, CORRUPTIONS, strict=True):
            corrupt(target.pid, how)
        done = snap("ps", "--json", cwd=tmp_path)
        check_harmless(done.stdout + done.stderr)
        assert done.returncode == 0
        listed = {process["pid"] for process in json.loads(done.stdout)}
        assert listed >= {target.pid for target in targets}
        for target in targets:
            assert all(check.sentence for check in examine(target.pid).checks)
