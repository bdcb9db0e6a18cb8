r"""Live target processes: started with a handshake, waited for with deadlines, always reaped.

A target says that it stands where the test wants it::

    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["DEADLINE_S", "TARGETS", "LiveTarget", "spawn", "spawn_source", "wait_until"]

TARGETS = Path(__file__).parents[1] / "targets"
DEADLINE_S = 30.0
_READY = b"ready\n"


@dataclass(slots=True)
class LiveTarget:
    """A running target; its stdout and stderr go to files, its stdin is a pipe."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for(self, predicate: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
        """Return as soon as ``predicate()`` is true; fail when the target ends or time is up."""
        end = time.monotonic() + deadline_s
        while not predicate():
            if self.process.poll() is not None:
                self._fail(f"ended with {self.process.returncode}")
            if time.monotonic() > end:
                self._fail(f"did not get there in {deadline_s} s")
            time.sleep(0.005)

    def tell(self, line: str) -> None:
        """Write one line to the target's stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def stdout_text(self) -> str:
        return (self.folder / "stdout").read_text(errors="replace")

    def stderr_text(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait for the end of the target and return its exit code."""
        return self.process.wait(deadline_s)

    def kill(self) -> None:
        """Kill and reap it; harmless when it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def _fail(self, what: str) -> None:
        error = self.stderr_text()
        raise AssertionError(f"target {self.pid} {what}\n{error}")


@contextlib.contextmanager
def spawn(
    program: str | Path,
    *args: str,
    python: str | None = None,
    env: Mapping[str, str] | None = None,
    wait_ready: bool = True,
) -> Iterator[LiveTarget]:
    """Run ``program`` (a file of tests/targets, or a path) until the end of the ``with`` block.

    ``python`` is the interpreter, by default our own; ``env`` is added to our environment.
    """
    with tempfile.TemporaryDirectory(prefix="snap-target-") as folder:
        target, ready = _start(TARGETS / program, args, python, env, Path(folder))
        try:
            if wait_ready:
                _await_ready(target, ready)
            yield target
        finally:
            os.close(ready)
            target.kill()


@contextlib.contextmanager
def spawn_source(
    source: str,
    *args: str,
    python: str | None = None,
    env: Mapping[str, str] | None = None,
    wait_ready: bool = True,
) -> Iterator[LiveTarget]:
    """Run ``source`` from a file called ``program.py``; else as ``spawn``."""
    with tempfile.TemporaryDirectory(prefix="snap-source-") as folder:
        program = Path(folder) / "program.py"
        program.write_text(source)
        with spawn(program, *args, python=python, env=env, wait_ready=wait_ready) as target:
            yield target


def wait_until(predicate: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Return as soon as ``predicate()`` is true; fail when time is up."""
    end = time.monotonic() + deadline_s
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"not true within {deadline_s} s")
        time.sleep(0.005)


def _start(
    program: Path,
    args: tuple[str, ...],
    python: str | None,
    env: Mapping[str, str] | None,
    folder: Path,
) -> tuple[LiveTarget, int]:
    ready_read, ready_write = os.pipe()
    variables = {**os.environ, "SNAP_READY_FD": str(ready_write), **(env or {})}
    try:
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as error:
            process = subprocess.Popen(
                [python or sys.executable, str(program), *args],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=error,
                env=variables,
                pass_fds=(ready_write,),
            )
    except BaseException:
        os.close(ready_read)
        raise
    finally:
        os.close(ready_write)
    return LiveTarget(process, folder), ready_read


def _await_ready(target: LiveTarget, ready: int) -> None:
    end = time.monotonic() + DEADLINE_S
    said = b""
    while _READY not in said:
        readable, _, _ = select.select([ready], [], [], max(0.0, end - time.monotonic()))
        chunk = os.read(ready, 64) if readable else b""
        if not chunk:
            target.process.poll()
            target._fail("never said that it is ready")
        said += chunk
