"""A target does not grow, however often it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from snapshotter.model import View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.targets import LiveTarget, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

_WARM_UP = 100
_OPTIONS = CaptureOptions(locals="all", variables=("__main__:orders",), patience_ns=5_000_000_000)


@pytest.fixture
def target(target_python: str) -> Iterator[LiveTarget]:
    with spawn("growing_nothing.py", python=target_python) as one:
        yield one


def _size(target: LiveTarget) -> dict[str, int]:
    before = target.stdout_text().count("\n")
    target.tell("size")
    target.wait_for(lambda: target.stdout_text().count("\n") > before)
    answer: Any = eval(target.stdout_text().splitlines()[before])  # noqa: S307 - of our target
    return dict(answer)


def _growth(target: LiveTarget, dumps: int) -> dict[str, int]:
    with Observer.open(target.pid, _OPTIONS) as observer:
        before = _size(target)  # the first look itself leaves two objects
        seen = 0
        for number in range(dumps):
            if number == _WARM_UP:
                before = _size(target)
            seen += View.INSIDE in observer.capture().capture.views
        after = _size(target)
    assert seen >= dumps * 0.98
    assert target.stderr_text() == ""
    return {name: after[name] - before[name] for name in after}


def _check(growth: dict[str, int]) -> None:
    memory = growth.pop("memory")
    assert set(growth.values()) == {0}, growth
    assert memory <= 2 << 20


def test_three_hundred_dumps_leave_nothing(target: LiveTarget) -> None:
    _check(_growth(target, 300))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_thousand_dumps_leave_nothing(target: LiveTarget) -> None:
    growth = _growth(target, 5_000)
    print(growth)  # noqa: T201 - the record of a long run
    _check(growth)
