"""Values as variables of a module that exists for the length of a ``with`` block."""

from __future__ import annotations

import contextlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["module_of"]

_NAME = "snap_test_values"


@contextlib.contextmanager
def module_of(values: Mapping[str, Any]) -> Iterator[list[list[str]]]:
    """Give the module and name of each variable, as a request asks for them."""
    module = ModuleType(_NAME)
    vars(module).update(values)
    sys.modules[_NAME] = module
    try:
        yield [[_NAME, name] for name in values]
    finally:
        del sys.modules[_NAME]
