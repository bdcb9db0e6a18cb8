"""What a plain dump does not need is not imported for it."""

import subprocess
import sys

NEEDED = (
    "snapshotter.cli.app, snapshotter.cli.dump, snapshotter.store.writer, snapshotter.render.dump"
)
NOT_NEEDED = {
    "orjson",
    "secrets",
    "snapshotter.analysis.diff",
    "snapshotter.export",
    "snapshotter.record.fleet",
    "snapshotter.render.diff",
    "snapshotter.render.live",
    "snapshotter.render.recording",
    "snapshotter.store.reader",
    "statistics",
    "tomllib",
}


def test_a_dump_imports_only_what_it_uses() -> None:
    code = f"import sys, {NEEDED}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert NOT_NEEDED & set(done.stdout.split()) == set()
