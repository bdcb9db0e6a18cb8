"""Writes nonsense over what an interpreter keeps of itself, in a target that runs no Python."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CORRUPTIONS", "NOWHERE", "corrupt"]

NOWHERE = 0x0000_7EAD_BEEF_0000
HUGE = (1 << 62) - 1


@dataclass(slots=True)
class Patient:
    """The structures of one target, by the names of CPython's own table."""

    memory: Memory
    runtime: Runtime

    def at(self, name: str) -> int:
        return self.runtime.offsets.table[name]

    def put(self, address: int, value: int) -> None:
        self.memory.write(address, struct.pack("<Q", value))

    @property
    def interpreter(self) -> int:
        return self.runtime.main_interpreter().address

    @property
    def threads(self) -> list[int]:
        return [thread.address for thread in self.runtime.threads(self.runtime.main_interpreter())]

    def frames(self, thread: int) -> list[int]:
        frame = self.memory.u64(thread + self.at("thread_state.current_frame"))
        found = []
        while frame:
            found.append(frame)
            frame = self.memory.u64(frame + self.at("interpreter_frame.previous"))
        return found

    def codes(self, thread: int) -> list[int]:
        at = self.at("interpreter_frame.executable")
        return [self.memory.u64(frame + at) & ~3 for frame in self.frames(thread)]

    def localsplus(self, frame: int) -> list[int]:
        start = frame + self.at("interpreter_frame.localsplus")
        return [self.memory.u64(start + 8 * n) & ~3 for n in range(5)]


def circular_frames(patient: Patient) -> None:
    at = patient.at("interpreter_frame.previous")
    for thread in patient.threads:
        frames = patient.frames(thread)
        patient.put(frames[-1] + at, frames[0])


def circular_threads(patient: Patient) -> None:
    threads = patient.threads
    patient.put(threads[-1] + patient.at("thread_state.next"), threads[0])
    patient.put(threads[0] + patient.at("thread_state.prev"), threads[-1])


def circular_interpreters(patient: Patient) -> None:
    patient.put(patient.interpreter + patient.at("interpreter_state.next"), patient.interpreter)


def frames_nowhere(patient: Patient) -> None:
    for thread in patient.threads:
        patient.put(thread + patient.at("thread_state.current_frame"), NOWHERE)


def chunks_nowhere(patient: Patient) -> None:
    for thread in patient.threads:
        patient.put(thread + patient.at("thread_state.datastack_chunk"), NOWHERE)


def huge_code(patient: Patient) -> None:
    for thread in patient.threads:
        for code in patient.codes(thread)[:3]:
            for name in ("filename", "qualname"):
                text = patient.memory.u64(code + patient.at(f"code_object.{name}"))
                patient.put(text + patient.at("unicode_object.length"), HUGE)
            table = patient.memory.u64(code + patient.at("code_object.linetable"))
            patient.put(table + patient.at("bytes_object.ob_size"), HUGE)


def huge_values(patient: Patient) -> None:
    """Whatever a local is, its first fields are as large as they can be."""
    for thread in patient.threads:
        for frame in patient.frames(thread)[1:3]:
            for value in patient.localsplus(frame):
                if value > 1 << 20:
                    patient.put(value + 16, HUGE)
                    patient.put(value + 24, patient.interpreter)


def values_of_no_type(patient: Patient) -> None:
    for thread in patient.threads:
        for frame in patient.frames(thread)[1:4]:
            for value in patient.localsplus(frame):
                if value > 1 << 20:
                    patient.put(value + patient.at("pyobject.ob_type"), value)


def holder_nowhere(patient: Patient) -> None:
    patient.put(patient.interpreter + patient.at("interpreter_state.ceval_gil"), NOWHERE)


def main_that_claims_to_run(patient: Patient) -> None:
    """A request is sent, and never starts."""
    interpreter = patient.runtime.main_interpreter()
    offsets = patient.runtime.offsets
    patient.put(interpreter.gil + offsets.gil_holder(), interpreter.threads_main)
    patient.memory.write(interpreter.gil + offsets.gil_locked(), struct.pack("<i", 1))


def no_modules(patient: Patient) -> None:
    for name in ("imports_modules", "sysdict", "builtins"):
        patient.put(patient.interpreter + patient.at(f"interpreter_state.{name}"), NOWHERE)


def offsets_of_nothing(patient: Patient) -> None:
    size = 8 * (len(patient.runtime.offsets.table) - 2)
    patient.memory.write(patient.runtime.address + 24, b"\xff" * size)


def offsets_at_random(patient: Patient) -> None:
    chosen = random.Random(7)  # noqa: S311 - repeatable
    for number in range(len(patient.runtime.offsets.table) - 2):
        if chosen.random() < 0.3:
            patient.put(patient.runtime.address + 24 + 8 * number, 8 * chosen.randrange(40))


def structures_at_random(patient: Patient) -> None:
    chosen = random.Random(11)  # noqa: S311 - repeatable
    sizes = {patient.interpreter: 4000}
    for thread in patient.threads:
        sizes |= dict.fromkeys(patient.frames(thread), 80) | {thread: 300}
        sizes |= dict.fromkeys(patient.codes(thread), 150)
    for address, size in sizes.items():
        for _ in range(size // 24):
            patient.memory.write(address + chosen.randrange(size), chosen.randbytes(2))


CORRUPTIONS: dict[str, Callable[[Patient], None]] = {
    function.__name__: function
    for function in (
        circular_frames,
        circular_threads,
        circular_interpreters,
        frames_nowhere,
        chunks_nowhere,
        huge_code,
        huge_values,
        values_of_no_type,
        holder_nowhere,
        main_that_claims_to_run,
        no_modules,
        offsets_of_nothing,
        offsets_at_random,
        structures_at_random,
    )
}


def corrupt(pid: int, how: str) -> None:
    """Do one of them to a target; its interpreter must not run again."""
    with Memory(pid, writable=True) as memory:
        CORRUPTIONS[how](Patient(memory, Runtime.attach(pid, memory)))
