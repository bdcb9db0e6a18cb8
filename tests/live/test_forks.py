"""A forked child runs nothing of ours and inherits nothing of ours."""

from __future__ import annotations

import pytest

from tests.support.observing import capturing
from tests.support.targets import spawn, wait_until

pytestmark = pytest.mark.live


@pytest.mark.parametrize("threads", ["0", "3"])
@pytest.mark.parametrize("how", ["os", "c"])
@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_child_runs_nothing_and_inherits_nothing(
    target_python: str, how: str, threads: str, count: int
) -> None:
    arguments = (how, str(count), threads)
    with spawn("forker.py", *arguments, python=target_python) as target:
        with capturing(target.pid, every_s=0.002, patience_ns=50_000_000) as watch:
            wait_until(lambda: watch.inside)
            target.tell("go")
            assert target.wait(100) == 0, target.stderr_text()
        said = target.stdout_text().split()
        assert "ran" not in said
        # A carrier gives the interpreter away while it writes its reply; alone it is not in use.
        assert said.count("inherited") <= (count // 10 if threads != "0" else 0)
        assert said[-1] == "done"
        if how == "os":
            assert "began" not in said
        # CPython supports no Python after a fork from C beside threads, and we are one for a while
        assert said.count("stuck") <= (max(1, count // 100) if how == "c" and threads != "0" else 0)
        assert watch.inside
        # the interpreter warns of forks beside other threads, ours among them
        assert all("fork" in line for line in target.stderr_text().splitlines())
