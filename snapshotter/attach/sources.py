"""The modules of the probe as text: what is built and sent to the target."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["probe_sources"]

_FOLDER = Path(__file__).parents[1] / "probe"


@cache
def probe_sources() -> Mapping[str, str]:
    """Return the source of each module of the probe by its name, ``__init__`` left out."""
    return {
        path.stem: path.read_text(encoding="utf-8")
        for path in sorted(_FOLDER.glob("*.py"))
        if path.name != "__init__.py"
    }
