"""Snapshots and results as rich renderables; nothing here prints.

Import from the modules: each command pays only for what it draws.
"""
