"""The direction of imports is the architecture: each package may take only from those below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.imports import PACKAGE, imported

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = {
    "model": set(),
    "analysis": {"model"},
    "probe": set(),
    # of the probe only the pure rules that both views share
    "outside": {"model", "errors", "probe.redaction", "probe.texts", "probe.globs"},
    "store": {"model", "errors"},
    "attach": {"model", "errors", "outside", "store.wire", "probe"},
    "record": {"model", "errors", "outside", "store", "attach", "analysis"},
    "render": {"model", "analysis", "errors"},
    "export": {"model", "analysis", "errors"},
    "cli": {"model", "errors", "analysis", "attach", "record", "store", "render", "export"},
}
HOMES = {
    "psutil": {"attach"},
    "msgpack": {"store"},
    "rich": {"render", "cli"},
    "orjson": {"export"},
    "click": {"cli"},
}
ROOT = {"snapshotter", "errors"}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_layers_below_it(path: Path) -> None:
    layer = path.relative_to(PACKAGE).parts[0]
    allowed = {layer, *ALLOWED[layer]}

    wrong = [
        name
        for name in imported(path)
        if name.startswith("snapshotter.")
        and name != "snapshotter.__version__"
        and not any(
            name == f"snapshotter.{good}" or name.startswith(f"snapshotter.{good}.")
            for good in allowed
        )
    ]

    assert not wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_library_is_used_in_its_home_only(path: Path) -> None:
    layer = path.relative_to(PACKAGE).parts[0]

    strangers = [
        name
        for name in imported(path)
        if name.split(".")[0] in HOMES and layer not in HOMES[name.split(".")[0]]
    ]

    assert not strangers


def test_every_package_has_its_row() -> None:
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}

    assert packages <= set(ALLOWED)
