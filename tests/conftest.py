"""Options and fixtures of all tests."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import settings

_PYTHONS = {
    "3.14": os.environ.get("SNAP_TEST_PYTHON_314", sys.executable),
    "3.15": os.environ.get("SNAP_TEST_PYTHON_315", ""),
}

settings.register_profile("quick", max_examples=25)

# Whoever runs the tests in the background, or with nohup, has these ignored, and hands that on.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the long form of tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="long form: run with --long")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(params=sorted(_PYTHONS))
def target_python(request: pytest.FixtureRequest) -> str:
    """An interpreter for targets: the test runs once on each minor version."""
    python = _PYTHONS[request.param]
    if not python:
        pytest.skip(f"no Python {request.param} for targets: set SNAP_TEST_PYTHON_315")
    return python
