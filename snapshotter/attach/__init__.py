"""The operating system: finding a target, checking it, sharing files with it, sending requests."""
