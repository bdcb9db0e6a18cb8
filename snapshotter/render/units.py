"""Numbers in words: sizes, durations, rates and instants, always with their unit."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = [
    "clock",
    "cores",
    "count",
    "duration",
    "instant",
    "plural",
    "rate",
    "signed",
    "signed_size",
    "size",
]

_NS_PER_S = 1_000_000_000
_NEARLY_A_SECOND_NS = 995_000_000
_MIN_S = 60
_HOUR_S = 3_600
_DAY_S = 86_400
_SECONDS_UP_TO_S = 120
_SIZES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB"))
_RATE_PERIODS = ((1, "s"), (_MIN_S, "min"), (_HOUR_S, "h"))


def count(number: int) -> str:
    """Return "1,950"."""
    return f"{number:,}"


def signed(number: int) -> str:
    """Return "+750", "-3" or "0"."""
    return f"{number:+,}" if number else "0"


def plural(number: int, noun: str, nouns: str = "") -> str:
    """Return "1 thread" or "20 threads"."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def size(size_bytes: float) -> str:
    """Return "182.0 MB"; units are decimal, as on the command line."""
    for factor, unit in _SIZES:
        if abs(size_bytes) >= factor:
            return f"{size_bytes / factor:,.1f} {unit}"
    return f"{size_bytes:,.0f} B"


def signed_size(size_bytes: float) -> str:
    """Return "+1.3 MB"."""
    return f"+{size(size_bytes)}" if size_bytes > 0 else size(size_bytes)


def duration(time_ns: int) -> str:
    """Return "850 ns", "3.1 ms", "90 s", "4 min 30 s", "2 h 5 min" or "3 d 4 h"."""
    if time_ns < 0:
        return f"-{duration(-time_ns)}"
    if time_ns < _NEARLY_A_SECOND_NS:
        return _below_a_second(time_ns)
    seconds = time_ns / _NS_PER_S
    if seconds < _SECONDS_UP_TO_S:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < _HOUR_S:
        return _two(whole, _MIN_S, "min", "s")
    if whole < _DAY_S:
        return _two(whole // _MIN_S, _MIN_S, "h", "min")
    return _two(whole // _HOUR_S, _DAY_S // _HOUR_S, "d", "h")


def _below_a_second(time_ns: int) -> str:
    if time_ns < 1_000:  # noqa: PLR2004 - a unit's border
        return f"{time_ns} ns"
    if time_ns < 1_000_000:  # noqa: PLR2004 - a unit's border
        return f"{time_ns / 1_000:.0f} µs"
    shown = f"{time_ns / 1_000_000:.1f}" if time_ns < 99_950_000 else f"{time_ns // 1_000_000}"  # noqa: PLR2004
    return f"{shown} ms"


def _two(amount: int, per: int, large: str, small: str) -> str:
    head, rest = divmod(amount, per)
    return f"{head} {large} {rest} {small}" if rest else f"{head} {large}"


def rate(per_s: float | None, *, in_bytes: bool = False) -> str:
    """Return "+25.0/s", "+20.0/min" or "+41.7 KB/s": the shortest period with a number above 1.

    A rate that is zero or not known is "".
    """
    if per_s is None:
        return ""
    if not per_s:
        return ""
    period, name = next(
        ((length, name) for length, name in _RATE_PERIODS if abs(per_s) * length >= 1),
        _RATE_PERIODS[-1],
    )
    amount = per_s * period
    return f"{signed_size(amount) if in_bytes else f'{amount:+,.1f}'}/{name}"


def cores(share: float) -> str:
    """Return "98 % of a core", "0.3 % of a core" or "2.4 cores"."""
    if share > 1.05:  # noqa: PLR2004 - a thread measured over a whole interval can show a bit more
        return f"{share:.1f} cores"
    percent = share * 100
    if 0 < percent < 0.1:  # noqa: PLR2004 - what one decimal can show
        return "less than 0.1 % of a core"
    return f"{percent:.1f} % of a core".replace(".0 %", " %")


def instant(unix_ns: int) -> str:
    """Return "2026-11-20 09:15:00.003 UTC"."""
    moment, milliseconds = _moment(unix_ns)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds:03d} UTC"


def clock(unix_ns: int) -> str:
    """Return "09:15:00", in UTC."""
    return f"{_moment(unix_ns)[0]:%H:%M:%S}"


def _moment(unix_ns: int) -> tuple[datetime, int]:
    seconds, rest_ns = divmod(unix_ns, _NS_PER_S)
    try:
        return datetime.fromtimestamp(seconds, UTC), rest_ns // 1_000_000
    except OverflowError, ValueError, OSError:  # a file may hold any number
        return datetime(1970, 1, 1, tzinfo=UTC), 0
