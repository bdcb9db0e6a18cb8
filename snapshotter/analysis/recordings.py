"""The comparison of two recordings: their last snapshots, and where their threads spent time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.analysis.diff import diff, signature_shares
from snapshotter.analysis.dwell import dwell
from snapshotter.analysis.idle import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from snapshotter.analysis.changes import Diff, SignatureShare
    from snapshotter.analysis.idle import IdlePattern
    from snapshotter.model import Recording

__all__ = ["RecordingDiff", "diff_recordings"]


@dataclass(frozen=True, slots=True)
class RecordingDiff:
    """Two recordings compared, old first; ``shares`` count the stacks of all their snapshots."""

    baseline: Recording
    current: Recording
    last: Diff
    shares: tuple[SignatureShare, ...]


def diff_recordings(
    baseline: Recording, current: Recording, *, catalogue: Iterable[IdlePattern] = CATALOGUE
) -> RecordingDiff:
    """Compare two recordings; raises ValueError with a sentence when one has no snapshot."""
    for name, recording in (("baseline", baseline), ("current", current)):
        if not recording.snapshots:
            raise ValueError(f"The {name} recording has no snapshot to compare.")
    last = diff(
        baseline.snapshots[-1],
        current.snapshots[-1],
        dwells=dwell(current.snapshots),
        catalogue=catalogue,
    )
    shares = signature_shares(baseline.snapshots, current.snapshots)
    return RecordingDiff(baseline, current, last, shares)
