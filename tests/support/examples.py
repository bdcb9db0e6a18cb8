"""How many examples property tests try: all, or the share that a profile of hypothesis asks for."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

__all__ = ["examples"]

_ALL = 100
"""What hypothesis itself takes as the number of examples, and so the whole of the share."""


def examples(count: int, **options: Any) -> settings:  # noqa: ANN401 - as settings
    """Settings without a deadline for a test that tries ``count`` examples in the full run."""
    share = count * settings.default.max_examples // _ALL
    return settings(max_examples=max(share, 1), deadline=None, **options)
