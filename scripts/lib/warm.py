"""Import all of snapshotter and build the probe, so that their byte code is there from the start.

Run by scripts/setup with byte code switched on: where it is switched off (as in many container
images) each start of ``snap`` would compile three hundred modules again.
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import suppress

import snapshotter
from snapshotter.attach.driver import build_code
from snapshotter.errors import UnsupportedPythonError
from snapshotter.outside.offsets import LAYOUTS


def main() -> None:
    """Import every module, each of which leaves its byte code behind, then build the probe."""
    for module in pkgutil.walk_packages(snapshotter.__path__, "snapshotter."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for version in LAYOUTS:
        with suppress(UnsupportedPythonError):  # an interpreter of it is not on this machine
            build_code("/warm", version=version, pid=0, inner_pid=0)


if __name__ == "__main__":
    main()
