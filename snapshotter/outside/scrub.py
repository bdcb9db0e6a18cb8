"""What of the values read from outside is hidden: the rules of the probe, applied by the reader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from snapshotter.model.snapshot import ValueLevel
from snapshotter.probe.redaction import (
    MOST_KNOWN,
    follows_secret_name,
    is_announced_element,
    is_worth_knowing,
    may_name_a_secret,
    name_is_secret,
    password_option,
)
from snapshotter.probe.texts import is_card_number, text_is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Scrubber"]

_MOST_TEXTS: Final = 10_000
"""Threads that do the same hold the same texts."""
_SMALLEST_CARD: Final = 10**12


class Scrubber:
    """Decides at one level; remembers hidden texts to hide them wherever else they turn up."""

    __slots__ = ("_known", "_names", "_pattern", "_texts", "hides", "shapes")

    def __init__(self, level: ValueLevel) -> None:
        """Hide nothing at ``full``, secrets at ``scrubbed``, and all texts at ``shapes``."""
        self.hides = level is not ValueLevel.FULL
        self.shapes = level is ValueLevel.SHAPES
        self._names: dict[str, bool] = {}
        self._texts: dict[str, bool] = {}
        self._known: dict[bytes, None] = {}
        self._pattern: re.Pattern[bytes] | None = None

    def is_secret(self, name: str) -> bool:
        """Whether values of this name are hidden."""
        if not self.hides:
            return False
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = name_is_secret(name)
        return found

    def hides_text(self, text: str) -> bool:
        """Whether a text, already cut, is hidden."""
        if not self.hides:
            return False
        found = self._texts.get(text)
        if found is None:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            found = self._texts[text] = text_is_secret(text)
        return found

    def hides_number(self, number: int) -> bool:
        """Whether an int is the number of a payment card."""
        return self.hides and number > _SMALLEST_CARD and is_card_number(str(number))

    def follows(self, text: str) -> bool:
        """Whether what follows this text in a sequence is hidden."""
        return self.hides and text != "" and follows_secret_name(text)

    def hidden_elements(self, texts: Iterable[str]) -> Iterator[bool]:
        """Tell of each element of a sequence whether what stands before it hides it.

        ``texts`` are their short texts, "" of what is none.
        """
        option = before = ""
        for text in texts:
            yield self.hides and is_announced_element(text, before, option)
            option = option or password_option(text)
            before = text

    def names_a_secret(self, members: Iterable[tuple[str, str]]) -> bool:
        """``{"name": "DB_PASSWORD", "value": …}``: whether one member calls another secret.

        ``members`` are names with the short text of each value, "" where it is no short text.
        """
        return any(may_name_a_secret(name) and self.follows(text) for name, text in members)

    def learn(self, head: bytes) -> None:
        """Remember the head of a hidden text."""
        if not self.hides or len(self._known) >= MOST_KNOWN:
            return
        if is_worth_knowing(head):
            self._known[head] = None
            self._pattern = None

    def is_known(self, texts: Iterable[str | bytes]) -> bool:
        """Whether a remembered text stands in one of these."""
        if not self._known:
            return False
        if self._pattern is None:
            self._pattern = re.compile(b"|".join(re.escape(known) for known in self._known))
        for text in texts:
            data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
            if self._pattern.search(data):
                return True
        return False
