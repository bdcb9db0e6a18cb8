import pytest

from snapshotter.cli.units import (
    format_duration,
    format_size,
    parse_duration_ns,
    parse_size_bytes,
)
from snapshotter.errors import UsageError

MS = 1_000_000
S = 1_000 * MS


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("250ms", 250 * MS),
        ("30s", 30 * S),
        ("5m", 300 * S),
        ("2h", 7200 * S),
        ("7d", 604_800 * S),
        ("1.5h", 5400 * S),
        ("0.1s", 100 * MS),
        ("1h30m", 5400 * S),
        ("1m 30s", None),
        (" 30s ", 30 * S),
        ("30 s", 30 * S),
        ("100us", 100_000),
        ("100µs", 100_000),
        ("30S", 30 * S),
    ],
)
def test_durations_are_what_people_write(text: str, expected_ns: int | None) -> None:
    if expected_ns is None:
        with pytest.raises(UsageError):
            parse_duration_ns(text)
    else:
        assert parse_duration_ns(text) == expected_ns


@pytest.mark.parametrize(
    "text",
    ["", "30", "s", "-30s", "30x", "0s", "0.0ms", "1e3s", "inf", "٣s", "30s5", "9" * 13 + "s"],
)
def test_other_durations_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration_ns(text)
    assert repr(text) in caught.value.message
    assert caught.value.message.endswith(".")


def test_no_duration_is_longer_than_a_timer_can_count() -> None:
    assert parse_duration_ns("36500d") < 2**62
    for text in ("36501d", "99999999d", "36500d1s"):
        with pytest.raises(UsageError, match=f"'{text}' is too long; the longest is 36500d"):
            parse_duration_ns(text)


def test_a_number_without_a_unit_is_told_so() -> None:
    with pytest.raises(UsageError, match="'30' has no unit; units are ns us ms s m h d, as in 30s"):
        parse_duration_ns("30")


@pytest.mark.parametrize(
    ("text", "expected_bytes"),
    [
        ("64KB", 64_000),
        ("64KiB", 65_536),
        ("1.5GB", 1_500_000_000),
        ("512MB", 512_000_000),
        ("512mb", 512_000_000),
        ("2TiB", 2 << 40),
        ("100B", 100),
    ],
)
def test_sizes_are_what_people_write(text: str, expected_bytes: int) -> None:
    assert parse_size_bytes(text) == expected_bytes


@pytest.mark.parametrize("text", ["", "64", "KB", "-1KB", "64K", "0MB", "64 XB"])
def test_other_sizes_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size_bytes(text)


@pytest.mark.parametrize("text", ["250ms", "30s", "5m", "1h30m", "7d", "100us", "1ns"])
def test_a_duration_is_printed_as_it_is_typed(text: str) -> None:
    assert format_duration(parse_duration_ns(text)) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0B"), (999, "999B"), (23_456, "23.5KB"), (512_000_000, "512MB"), (2 * 10**12, "2TB")],
)
def test_a_size_is_printed_short(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text
