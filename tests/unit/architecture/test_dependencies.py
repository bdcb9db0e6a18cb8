"""What is declared is used, so that no installation carries what nothing imports."""

from __future__ import annotations

import re
import tomllib

from tests.support.imports import PACKAGE, imported

PROJECT = PACKAGE.parent / "pyproject.toml"


def test_every_dependency_is_imported_by_some_module() -> None:
    declared = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    names = {
        re.split(r"[^\w.-]", line)[0].replace("-", "_")
        for line in declared["project"]["dependencies"]
    }
    assert names
    used = {name.partition(".")[0] for path in PACKAGE.rglob("*.py") for name in imported(path)}
    assert names - used == set()
