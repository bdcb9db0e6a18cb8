"""Real web services as targets: started on a free loopback port, asked over HTTP, always reaped."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.targets import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Service", "gunicorn", "uvicorn"]

_APPS = Path(__file__).parents[1] / "targets" / "services"


@dataclass(slots=True)
class Service:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str, timeout_s: float = 10.0) -> str:
        """Return the body of a page; raise when the service does not answer with 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            assert answer.status == 200, f"{path}: {answer.status} {body[:200]}"
            return body.strip('"')
        finally:
            connection.close()

    def get_in_background(self, path: str) -> None:
        """Ask for a page that will not come."""

        def ask() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.get(path, timeout_s=60)

        threading.Thread(target=ask, daemon=True).start()

    def is_up(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the service ended:\n{self.log.read_text()}")
        try:
            return bool(self.get("/pid", timeout_s=1))
        except OSError, http.client.HTTPException:
            return False

    @property
    def worker_pid(self) -> int:
        """Pid of a worker, as it tells it itself."""
        return int(self.get("/pid"))


def gunicorn(
    app: str, *options: str, python: str | None = None, as_script: bool = False
) -> contextlib.AbstractContextManager[Service]:
    """Serve ``app`` (a module of tests/targets/services) under gunicorn with one worker.

    ``as_script`` starts it by the script that an installer wrote.
    """
    start = _start("gunicorn", python, as_script=as_script)
    return _serve(python, [*start, "-b", "127.0.0.1:{port}", *options, f"{app}:app"])


def uvicorn(
    app: str, *, python: str | None = None, as_script: bool = False
) -> contextlib.AbstractContextManager[Service]:
    """Serve ``app`` under uvicorn, in one process; ``as_script`` as for gunicorn."""
    start = _start("uvicorn", python, as_script=as_script)
    words = [*start, "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning"]
    return _serve(python, [*words, f"{app}:app"])


def _start(name: str, python: str | None, *, as_script: bool) -> list[str]:
    return [str(Path(python or sys.executable).parent / name)] if as_script else ["-m", name]


@contextlib.contextmanager
def _serve(python: str | None, words: list[str]) -> Iterator[Service]:
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="snap-service-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [python or sys.executable, *(word.format(port=port) for word in words)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=_APPS,
                start_new_session=True,
            )
        service = Service(process, port, log)
        try:
            wait_until(service.is_up)
            yield service
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
