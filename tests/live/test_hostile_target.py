"""Targets that want to harm who looks at them: a true snapshot from outside, or one sentence.

Each command runs with little memory and a time limit, and may never show a traceback.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

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


def dump(target: LiveTarget, folder: Path, *, code: int = 0) -> dict[str, Any]:
    """Take a snapshot into a file and look at it, in every way that there is."""
    done = snap("dump", target.pid, "-o", "d.msgpack", "--patience", "3s", cwd=folder)
    check_harmless(done.stdout + done.stderr)
    assert done.returncode == code, done.stderr.decode()
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
        snapshot = dump(target, tmp_path)
        assert "outside" in snapshot["capture"]["views"]
        assert snapshot["process"]["pid"] == target.pid
