"""Reads another process from outside, through /proc only: no code of ours runs there."""
