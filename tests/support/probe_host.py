"""A fresh interpreter that runs the merged probe as often as a test wants."""

from __future__ import annotations

import contextlib
import marshal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapshotter.attach.compilers import PROBE_FILENAME
from snapshotter.attach.payload import amalgamate
from tests.support.puppet import Puppet, puppet
from tests.unit.probe.probing import NONCE, make_request

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Host", "host", "probe_code"]

_COMPILE = f"""
import marshal, sys
source = sys.stdin.buffer.read()
code = compile(source, {PROBE_FILENAME!r}, "exec", dont_inherit=True, optimize=2)
sys.stdout.buffer.write(marshal.dumps(code))
"""
_HOST = """
import gc, marshal, os, sys, time
class Host:
    def __init__(self, folder):
        self.request, self.reply = folder + "/request", folder + "/reply"
        with open(folder + "/probe", "rb") as file:
            self.code = marshal.load(file)
    def start(self):
        space = {"__builtins__": __builtins__ if type(__builtins__) is dict else vars(__builtins__)}
        type(lambda: 0)(self.code, space)()
        enter = space["enter"]
        enter(self.request, space)
        return space
    def dump(self):
        with open(self.reply, "wb"):
            pass
        threads = self.threads()
        self.start()
        answered = self.wait()
        while self.threads() > threads:  # the carrier answers just before it ends
            time.sleep(0.0002)
        return answered
    def threads(self):
        return len(os.listdir("/proc/self/task"))
    def wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with open(self.reply, "rb") as file:
                if file.read().endswith(b"0123456789abcdef"):
                    return True
            time.sleep(0.0005)
        return False
host = Host({folder!r})
"""


@cache
def probe_code(python: str) -> bytes:
    """The merged probe, compiled by this interpreter."""
    source = amalgamate(entry="carrier").encode()
    done = subprocess.run([python, "-c", _COMPILE], input=source, capture_output=True, check=True)
    return done.stdout


@dataclass(slots=True)
class Host:
    """Runs the merged probe in the interpreter of a puppet."""

    puppet: Puppet
    folder: Path

    def ask(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of a request
        """Lay down a request, with an empty reply."""
        request = {**make_request(**changes), "reply": str(self.folder / "reply")}
        request["pid"] = changes.get("pid", self.puppet.pid)
        (self.folder / "request").write_bytes(marshal.dumps(request, 4))
        (self.folder / "reply").write_bytes(b"")

    def dump(self, **changes: Any) -> bytes:  # noqa: ANN401 - the fields of a request
        """One dump, waited for."""
        self.ask(**changes)
        assert self.puppet.get("host.dump()") is True, self.puppet.target.stderr_text()
        return self.reply()

    def reply(self) -> bytes:
        """What has been answered so far."""
        return (self.folder / "reply").read_bytes()

    def await_reply(self) -> bytes:
        """Wait for the end mark."""
        self.puppet.target.wait_for(lambda: self.reply().endswith(NONCE))
        return self.reply()

    def run(self, statements: str) -> None:
        """Execute statements in the target; they may be indented."""
        self.puppet.run(textwrap.dedent(statements))

    def get(self, expression: str) -> Any:  # noqa: ANN401 - whatever it evaluates to
        """Evaluate an expression in the target."""
        return self.puppet.get(expression)

    def stderr(self) -> str:
        """What the target has written to stderr."""
        return self.puppet.target.stderr_text()


@contextlib.contextmanager
def host(python: str | None = None) -> Iterator[Host]:
    """Start a host; it is ended with the ``with`` block."""
    python = python or sys.executable
    with tempfile.TemporaryDirectory(prefix="snap-host-") as name, puppet(python=python) as made:
        folder = Path(name)
        (folder / "probe").write_bytes(probe_code(python))
        one = Host(made, folder)
        one.run(_HOST.replace("{folder!r}", repr(name)))
        yield one


def deadline_in(seconds: float) -> int:
    """A moment of the monotonic clock, in nanoseconds."""
    return time.monotonic_ns() + int(seconds * 1e9)
