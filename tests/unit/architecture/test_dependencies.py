"""What is declared is used, so that no installation carries what nothing imports."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def _imported() -> set[str]:
    names: set[str] = set()
    for path in (REPOSITORY / "snapshotter").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.partition(".")[0])
    return names


def test_every_dependency_is_imported_by_some_module() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    names = {
        re.split(r"[^\w.-]", line)[0].replace("-", "_")
        for line in declared["project"]["dependencies"]
    }
    assert names
    assert names - _imported() == set()
