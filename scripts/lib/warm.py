"""Import all of snapshotter and build the probe, so that their byte code is there from the start.

Run by scripts/setup with byte code switched on: where it is switched off (as in many container
images) each start of ``snap`` would compile three hundred modules again.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import snapshotter
from snapshotter.attach.driver import build_code


def main() -> None:
    """Import every module, each of which leaves its byte code behind, then build the probe."""
    for module in pkgutil.walk_packages(snapshotter.__path__, "snapshotter."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    build_code("/warm", version=sys.version_info[:2], pid=0, inner_pid=0)


if __name__ == "__main__":
    main()
