from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from benchmarks.gaplog import GapLog, channel_words
from benchmarks.stats import Gap, bootstrap_pairs, gaps_within, longest_ns, percentile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_percentile_is_one_of_the_values() -> None:
    values = list(range(1, 101))

    assert percentile(values, 0.95) == 95
    assert percentile(values, 0.5) == 50
    assert percentile(values, 1.0) == 100
    assert percentile([7], 0.0) == 7


def test_a_percentile_does_not_depend_on_order() -> None:
    assert percentile([3, 1, 2], 0.5) == 2


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_gaps_within_a_window_keep_their_full_length() -> None:
    before, into, inside, beyond = Gap(0, 10), Gap(90, 110), Gap(120, 130), Gap(200, 210)

    found = gaps_within([before, into, inside, beyond], 100, 200)

    assert found == [into, inside]
    assert longest_ns(found) == 20


def test_a_window_without_gaps_has_a_longest_of_zero() -> None:
    assert longest_ns(gaps_within([Gap(0, 10)], 10, 20)) == 0


def test_the_interval_of_equal_pairs_is_a_point() -> None:
    interval = bootstrap_pairs([(2.0, 3.0)] * 10)

    assert (interval.estimate, interval.low, interval.high) == (1.5, 1.5, 1.5)


def test_the_interval_holds_the_estimate_and_is_the_same_again() -> None:
    pairs = [(10.0, 10.0 + step / 10) for step in range(-10, 20)]

    interval = bootstrap_pairs(pairs)

    assert interval.low < interval.estimate < interval.high
    assert interval == bootstrap_pairs(pairs)


def test_the_interval_of_a_chosen_figure_uses_it() -> None:
    interval = bootstrap_pairs([(1.0, 4.0), (1.0, 4.0)], lambda pairs: pairs[0][1] - pairs[0][0])

    assert interval.estimate == 3.0


def test_the_log_gives_back_what_a_target_wrote(tmp_path: Path) -> None:
    with GapLog(tmp_path / "log", create=True) as ours, GapLog(tmp_path / "log") as targets:
        words = channel_words(targets.words, 1)
        words[1], words[2], words[3], words[4] = 100, 160, 200, 270
        words[0] = 2

        assert ours.read(0) == []
        assert ours.read(1) == [Gap(100, 160), Gap(200, 270)]


def test_a_ring_that_went_round_gives_the_newest(tmp_path: Path) -> None:
    with GapLog(tmp_path / "log", create=True) as log:
        words = channel_words(log.words, 0)
        slots = (len(words) - 1) // 2
        for number in range(slots + 10):
            place = 1 + 2 * (number % slots)
            words[place], words[place + 1] = number, number + 1
        words[0] = slots + 10

        gaps = log.read(0)

    assert gaps[-1] == Gap(slots + 9, slots + 10)
    assert all(later.start_ns == gap.end_ns for gap, later in pairwise(gaps))
