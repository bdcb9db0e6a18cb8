"""Targets in namespaces and roots of their own, as containers make them, and who looks at them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.targets import TARGETS, LiveTarget, spawn, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PRIVATE", "Cell", "CellTarget", "cell", "controller_environment"]

PRIVATE = ("/tmp", "/run")  # noqa: S108 - what systemd's PrivateTmp and containers make private
_LAUNCHER = Path(__file__).with_name("cell_launcher.py")
_REPOSITORY = Path(__file__).parents[2]
_HOME = Path(sys.base_prefix).parts[1]
"""Its top directory is covered on the stage, as others than root may often not enter it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a target has of its own."""

    own: tuple[str, ...] = ("pid", "mnt")
    """Of "pid", "mnt" and "user"."""
    tmpfs: tuple[str, ...] = ()
    """Directories that it has to itself, empty."""
    root: str | None = None
    """"chroot" or "pivot": a root directory of its own, with nothing writable in it."""
    read_only: bool = False
    uid: int | None = None
    """As whom its namespaces are made."""
    map: str = ""
    """Of users and groups; empty is: root inside, whoever made it outside."""
    inner_uid: int | None = None
    """Whom it becomes inside."""
    visible: tuple[str, ...] = field(default=())
    """More paths that its root shows."""


@dataclass(slots=True)
class CellTarget:
    """A running target and the stage that it was started on."""

    launcher: LiveTarget
    pid: int
    """In our numbers."""
    folder: Path
    """Where a controller of any user can write."""

    def stderr_text(self) -> str:
        return self.launcher.stderr_text()

    def files(self, path: str) -> list[str]:
        """What lies in a directory of its own tree."""
        try:
            return sorted(file.name for file in Path(f"/proc/{self.pid}/root{path}").iterdir())
        except FileNotFoundError:
            return []

    def snap(
        self, *words: object, uid: int = 0, enter_user: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run snap as ``uid``, on the stage: there everybody can reach the interpreter.

        ``enter_user`` has it join the user namespace of the target, as ``podman unshare`` does.
        """
        enter = ["nsenter", f"--mount=/proc/{self.launcher.pid}/ns/mnt", f"--wd={self.folder}"]
        user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
        join = ["nsenter", f"--user=/proc/{self.pid}/ns/user", "--setuid=0", "--setgid=0"]
        command = [*enter, *user, *(join if enter_user else []), sys.executable, "-m"]
        command += ["snapshotter", *map(str, words)]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**controller_environment(), "HOME": str(self.folder)},
        )


def controller_environment() -> dict[str, str]:
    """Variables for a snap that has to find a compiler for every version of targets."""
    other = os.environ.get("SNAP_TEST_PYTHON_315")
    folders = [os.environ["PATH"], *([str(Path(other).resolve().parent)] if other else [])]
    return {**os.environ, "PATH": ":".join(folders), "PYTHONPATH": str(_REPOSITORY)}


@contextlib.contextmanager
def cell(
    spec: Cell, program: str | Path, *args: str, python: str | None = None
) -> Iterator[CellTarget]:
    """Run ``program`` (of tests/targets, or a path) in a cell until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="snap-cell-") as base:
        folder, root = Path(base, "out"), Path(base, "root")
        for path, mode in ((Path(base), 0o755), (folder, 0o777), (root, 0o755)):
            path.mkdir(exist_ok=True)
            path.chmod(mode)
        executable = Path(python or sys.executable).resolve()
        what = {
            "own": spec.own,
            "tmpfs": spec.tmpfs,
            "root": str(root) if spec.root else None,
            "enter": spec.root,
            "read_only": spec.read_only,
            "uid": spec.uid,
            "map": spec.map,
            "inner_uid": spec.inner_uid,
            "visible": spec.visible,
            "prefixes": sorted({str(executable.parents[1]), sys.base_prefix}),
            "home": f"/{_HOME}" if _HOME != "usr" else "/root",
            "program": str(TARGETS / program),
        }
        with spawn(_LAUNCHER, json.dumps(what), str(executable), *args) as launcher:
            pid = int(launcher.stdout_text().split()[0])
            yield CellTarget(launcher, pid, folder)
            launcher.kill()
            wait_until(lambda: not Path(f"/proc/{pid}").exists())
