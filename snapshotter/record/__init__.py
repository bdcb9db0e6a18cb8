"""Taking snapshots of a process again and again, in time."""
