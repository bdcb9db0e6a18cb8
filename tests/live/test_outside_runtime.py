from __future__ import annotations

import pytest

from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime
from tests.support.targets import spawn, wait_until

pytestmark = pytest.mark.live


def test_attach_reads_the_version(target_python: str, request: pytest.FixtureRequest) -> None:
    with spawn("sleeper.py", python=target_python) as target, Memory(target.pid) as memory:
        runtime = Runtime.attach(target.pid, memory)

        assert request.node.callspec.params["target_python"] == "{}.{}".format(*runtime.version)
        assert runtime.version_text.startswith("3.")
        assert not runtime.free_threaded


def test_main_thread_is_found(target_python: str) -> None:
    with spawn("sleeper.py", python=target_python) as target, Memory(target.pid) as memory:
        runtime = Runtime.attach(target.pid, memory)
        (thread,) = runtime.threads(runtime.main_interpreter())

        assert thread.is_main
        assert thread.native_id == target.pid


def test_probe_point_sees_an_idle_main_thread(target_python: str) -> None:
    with spawn("sleeper.py", python=target_python) as target, Memory(target.pid) as memory:
        point = Runtime.attach(target.pid, memory).main_probe_point()

        assert point is not None
        wait_until(lambda: not point.is_holding_gil())
        assert not point.is_pending()
        assert point.is_enabled()
        assert point.script_path() == b""
