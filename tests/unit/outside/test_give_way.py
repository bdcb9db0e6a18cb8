"""How often the processor is offered to others while a process is looked at."""

from __future__ import annotations

import pytest

from snapshotter.outside import give_way as module
from snapshotter.outside.give_way import give_way

US = 1_000


class Processor:
    """Counts how often it was given away; it comes back after ``away_ns``."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000
        self.away_ns = 0
        self.given = 0

    def sched_yield(self) -> None:
        self.given += 1
        self.now_ns += self.away_ns


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Processor:
    made = Processor()
    monkeypatch.setattr(module, "_next_ns", 0)
    monkeypatch.setattr(module.os, "sched_yield", made.sched_yield)
    monkeypatch.setattr(module.time, "monotonic_ns", lambda: made.now_ns)
    return made


def work(processor: Processor, length_ns: int) -> None:
    """Compute for so long, and offer the processor each ten microseconds."""
    for _ in range(length_ns // (10 * US)):
        give_way()
        processor.now_ns += 10 * US


def test_it_is_offered_at_once_and_then_each_fifth_of_a_millisecond(processor: Processor) -> None:
    give_way()
    assert processor.given == 1
    work(processor, 1_000 * US)
    assert processor.given == 5


def test_where_others_keep_it_half_of_the_time_stays_ours(processor: Processor) -> None:
    processor.away_ns = 3_000 * US
    work(processor, 30_000 * US)
    assert 9 <= processor.given <= 11
