import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_the_reference_is_what_the_parser_says() -> None:
    done = subprocess.run(
        [REPOSITORY / "scripts/generate-docs", "--check"],
        env={**os.environ, "SNAP_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
