"""What the modules of the package import."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

__all__ = ["PACKAGE", "imported"]

PACKAGE = Path(__file__).parents[2] / "snapshotter"


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Absolute names of all modules that a file of the package imports, those for typing too."""
    names: list[str] = []
    package = ["snapshotter", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names.append(module)
            if module == "snapshotter":
                names += [f"snapshotter.{alias.name}" for alias in node.names]
    return tuple(names)
