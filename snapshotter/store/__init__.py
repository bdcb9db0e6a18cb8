"""Dumps and recordings on disk: the file format, safe writing, strict reading, retention."""
