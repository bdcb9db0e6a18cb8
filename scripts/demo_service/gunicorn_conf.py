"""gunicorn for the demo: one master, two workers, the first of them with four request threads.

``DEMO_STATE`` names the folder where the service says that it is ready: in ``port`` and
``worker.pid``.
"""

import ctypes
import os
from pathlib import Path
from typing import Any, Protocol

chdir = str(Path(__file__).parent)
wsgi_app = "app:create_app()"
# Loopback only, and any free port.
bind = "127.0.0.1:0"
workers = 2
worker_class = "gthread"
loglevel = "warning"
# No other trace on the machine than what DEMO_STATE holds.
control_socket_disable = True

_state = Path(os.environ["DEMO_STATE"])
_THREADS_OF_FIRST = 4
_PR_SET_PTRACER = 0x59616D61
_ANY_PROCESS = ctypes.c_ulong(-1)


class _Arbiter(Protocol):
    LISTENERS: list[Any]


class _Worker(Protocol):
    pid: int
    age: int
    cfg: Any


def when_ready(server: _Arbiter) -> None:
    """Tell the port that the kernel has chosen."""
    _announce("port", server.LISTENERS[0].sock.getsockname()[1])


def post_fork(_server: _Arbiter, worker: _Worker) -> None:
    """Give the first worker its four threads; the second keeps to one."""
    worker.cfg.set("threads", _THREADS_OF_FIRST if worker.age == 1 else 1)


def post_worker_init(worker: _Worker) -> None:
    """Say which worker is worth watching: it has its threads by now."""
    _allow_observers()
    if worker.age == 1:
        _announce("worker.pid", worker.pid)


def _allow_observers() -> None:
    # Many Linux systems (Yama) let only a parent observe a process, unless it says otherwise.
    # Elsewhere the call fails, and that is fine.
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY_PROCESS, 0, 0, 0)


def _announce(name: str, value: int) -> None:
    # Renamed into place: a reader never sees half a number.
    temporary = _state / f".{name}"
    temporary.write_text(f"{value}\n", encoding="ascii")
    temporary.rename(_state / name)
