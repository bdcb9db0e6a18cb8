"""Durations and sizes as people write them: ``250ms 30s 5m 2h 7d`` and ``64KB 1.5GB``."""

from __future__ import annotations

import re

from snapshotter.errors import UsageError

__all__ = ["format_duration", "format_size", "parse_duration_ns", "parse_size_bytes"]

_NS_PER_UNIT = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_LONGEST_NS = 36_500 * _NS_PER_UNIT["d"]
"""A century: timers and files count nanoseconds in 64 bits, which three times that would fill."""
_BYTES_PER_UNIT = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
_AMOUNT = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([A-Za-zµ]*)", re.ASCII)
_PART = re.compile(r"\d+(?:\.\d+)?[A-Za-zµ]+")


def parse_duration_ns(text: str) -> int:
    """Return a duration such as ``250ms``, ``30s``, ``1.5h`` or ``1h30m`` in nanoseconds.

    Raises UsageError for anything else: a number without a unit, a negative one, zero,
    more than a century.
    """
    parts = _PART.findall(text.strip())
    if not parts or "".join(parts) != text.strip():
        parts = [text.strip()]
    total_ns = sum(_amount(part, _NS_PER_UNIT, text, "30s") for part in parts)
    if total_ns <= 0:
        raise UsageError(f"{text!r} is no time at all; give a duration such as 30s.")
    if total_ns > _LONGEST_NS:
        raise UsageError(f"{text!r} is too long; the longest is {format_duration(_LONGEST_NS)}.")
    return total_ns


def parse_size_bytes(text: str) -> int:
    """Return a size such as ``64KB``, ``512MiB`` or ``1.5GB`` in bytes.

    Raises UsageError for anything else.
    """
    size = _amount(text.strip(), _BYTES_PER_UNIT, text, "512MB")
    if size <= 0:
        raise UsageError(f"{text!r} is no size at all; give one such as 512MB.")
    return size


def format_duration(duration_ns: int) -> str:
    """Return a duration as it would be typed: ``250ms``, ``30s``, ``1h30m``."""
    if duration_ns % _NS_PER_UNIT["s"]:
        unit = next(u for u in ("ms", "us", "ns") if duration_ns % _NS_PER_UNIT[u] == 0)
        return f"{duration_ns // _NS_PER_UNIT[unit]}{unit}"
    parts = []
    rest_ns = duration_ns
    for unit in ("d", "h", "m", "s"):
        amount, rest_ns = divmod(rest_ns, _NS_PER_UNIT[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def format_size(size_bytes: int) -> str:
    """Return a size as it would be typed: ``512MB``, ``1.5GB``."""
    for unit in ("TB", "GB", "MB", "KB"):
        if size_bytes >= _BYTES_PER_UNIT[unit]:
            return f"{round(size_bytes / _BYTES_PER_UNIT[unit], 1):g}{unit}"
    return f"{size_bytes}B"


def _amount(text: str, units: dict[str, int], whole: str, example: str) -> int:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise UsageError(f"{whole!r} is not understood; write it as {example}.")
    number, unit = match.groups()
    spellings = {each.lower(): factor for each, factor in units.items()}
    factor = spellings.get("us" if unit == "µs" else unit.lower())
    if factor is None:
        problem = "has no unit" if not unit else f"has the unknown unit {unit!r}"
        raise UsageError(f"{whole!r} {problem}; units are {' '.join(units)}, as in {example}.")
    whole_part, _, decimals = number.partition(".")
    return (int(whole_part + decimals) * factor) // int(10 ** len(decimals))
