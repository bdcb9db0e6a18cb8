"""The verbs of snapshotter: pure functions of snapshots that group, class, align and compare.

Import from the modules: each command pays only for what it uses.
"""
