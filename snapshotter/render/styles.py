"""Styles: colour says whose code it is and how grave a word is, and never says it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.analysis.movement import Movement
from snapshotter.model import Origin, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BAD",
    "EMPHASIS",
    "GOOD",
    "HEADING",
    "MOVEMENT",
    "MOVEMENT_WORDS",
    "MOVEMENT_WORDS_MANY",
    "ORIGIN",
    "ORIGIN_WORDS",
    "QUIET",
    "STATUS",
    "WARN",
]

HEADING = "bold underline"
EMPHASIS = "bold"
QUIET = "dim"
GOOD = "green"
WARN = "yellow"
BAD = "bold red"

ORIGIN: Mapping[Origin, str] = {
    Origin.APP: "bold green",
    Origin.LIBRARY: "cyan",
    Origin.STDLIB: "dim",
}
ORIGIN_WORDS: Mapping[Origin, str] = {
    Origin.APP: "app",
    Origin.LIBRARY: "lib",
    Origin.STDLIB: "std",
}
STATUS: Mapping[Status, str] = {
    Status.OK: "",
    Status.REDACTED: "magenta",
    Status.TRUNCATED: "yellow",
    Status.UNREADABLE: "red",
}
MOVEMENT: Mapping[Movement, str] = {
    Movement.FROZEN: BAD,
    Movement.SPINNING: BAD,
    Movement.POLLING: WARN,
    Movement.REPEATING: "",
    Movement.MOVED: GOOD,
    Movement.UNKNOWN: QUIET,
}
MOVEMENT_WORDS: Mapping[Movement, str] = {
    Movement.FROZEN: "the kernel did not run it once",
    Movement.SPINNING: "it computes all the time",
    Movement.POLLING: "it wakes, looks and sleeps again",
    Movement.REPEATING: "it worked in between, so this is no evidence of a hang",
    Movement.MOVED: "it stands elsewhere",
    Movement.UNKNOWN: "no counters tell whether it ran",
}
MOVEMENT_WORDS_MANY: Mapping[Movement, str] = {
    Movement.FROZEN: "the kernel did not run them once",
    Movement.SPINNING: "they compute all the time",
    Movement.POLLING: "they wake, look and sleep again",
    Movement.REPEATING: "they worked in between, so this is no evidence of a hang",
    Movement.MOVED: "they stand elsewhere",
    Movement.UNKNOWN: "no counters tell whether they ran",
}
