"""The nouns of snapshotter: frozen records of what a dump saw, without any behaviour of their own."""

from snapshotter.model.gc import GcState, Generation
from snapshotter.model.process import Identity, ProcessInfo
from snapshotter.model.recording import Missed, MissedReason, Recording, SkippedFile
from snapshotter.model.snapshot import (
    Capture,
    Counters,
    Frame,
    Interpreter,
    Local,
    MainState,
    Origin,
    OutsideStack,
    Pause,
    SignalHandler,
    Snapshot,
    Task,
    TaskState,
    Thread,
    Tick,
    ValueLevel,
    Variable,
    View,
)
from snapshotter.model.values import Item, Kind, Status, Value

__all__ = [
    "Capture",
    "Counters",
    "Frame",
    "GcState",
    "Generation",
    "Identity",
    "Interpreter",
    "Item",
    "Kind",
    "Local",
    "MainState",
    "Missed",
    "MissedReason",
    "Origin",
    "OutsideStack",
    "Pause",
    "ProcessInfo",
    "Recording",
    "SignalHandler",
    "SkippedFile",
    "Snapshot",
    "Status",
    "Task",
    "TaskState",
    "Thread",
    "Tick",
    "Value",
    "ValueLevel",
    "Variable",
    "View",
]
