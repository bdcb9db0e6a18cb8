from __future__ import annotations

import pytest

from snapshotter.render import units

S = 1_000_000_000


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        (0, "0 ns"), (850, "850 ns"), (1_500, "2 µs"), (3_100_000, "3.1 ms"),
        (250_000_000, "250 ms"), (S, "1 s"),
        (999_100_000, "1 s"), (1_500_000_000, "1.5 s"), (90 * S, "90 s"),
        (120 * S, "2 min"), (270 * S, "4 min 30 s"), (7_500 * S, "2 h 5 min"), (7_200 * S, "2 h"),
        (273_600 * S, "3 d 4 h"), (-90 * S, "-90 s"),
    ],
)  # fmt: skip
def test_duration(time_ns: int, shown: str) -> None:
    assert units.duration(time_ns) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 KB"), (182_000_000, "182.0 MB"), (-2_000, "-2.0 KB"),
     (3 * 10**12, "3.0 TB")],
)  # fmt: skip
def test_size(size_bytes: int, shown: str) -> None:
    assert units.size(size_bytes) == shown


@pytest.mark.parametrize(
    ("per_s", "shown"),
    [(25.0, "+25.0/s"), (1 / 3, "+20.0/min"), (-0.01, "-36.0/h"), (0.0, ""), (None, ""),
     (0.0001, "+0.4/h")],
)  # fmt: skip
def test_rate_takes_the_period_that_shows_a_number(per_s: float | None, shown: str) -> None:
    assert units.rate(per_s) == shown


def test_rate_of_bytes() -> None:
    assert units.rate(41_666.7, in_bytes=True) == "+41.7 KB/s"
    assert units.rate(-2_000_000, in_bytes=True) == "-2.0 MB/s"


def test_cores() -> None:
    assert units.cores(0.983) == "98.3 % of a core"
    assert units.cores(2.44) == "2.4 cores"
    assert units.cores(0.0001) == "less than 0.1 % of a core"


def test_instants_are_utc_and_survive_any_number() -> None:
    assert units.instant(1_795_166_100_003_000_000) == "2026-11-20 09:15:00.003 UTC"
    assert units.clock(1_795_166_100_003_000_000) == "09:15:00"
    assert units.instant(10**40)
    assert units.instant(-(10**40))


def test_counts() -> None:
    assert units.signed(1_950) == "+1,950"
    assert units.signed(0) == "0"
    assert units.plural(1, "thread") == "1 thread"
    assert units.plural(2, "process", "processes") == "2 processes"
