"""``python -m snapshotter`` is ``snap``."""

from snapshotter.cli import program

if __name__ == "__main__":
    program()
