"""The driver, run as CPython runs it: a script in a fresh namespace."""

from __future__ import annotations

import contextvars
import gc
import marshal
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach.driver import Code, build_code
from tests.unit.probe.probing import NONCE, make_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONGEST_TEXT = 4_000
"""What the interpreter compiles on the target's main thread."""


class Spooled:
    """A spool in a folder, and a way to run its driver."""

    def __init__(self, folder: Path, *, pid: int) -> None:
        self.folder = folder
        version = sys.version_info[:2]
        self.code: Code = build_code(str(folder), version=version, pid=pid, inner_pid=pid)
        (folder / "probe").write_bytes(self.code.probe)
        self.reply = folder / "reply"

    def ask(self, **changes: object) -> None:
        self.reply.write_bytes(b"")
        request = make_request(pid=os.getpid(), reply=str(self.reply), **changes)
        (self.folder / "request").write_bytes(marshal.dumps(request, 4))

    def run(self) -> dict[str, object]:
        space: dict[str, object] = {}
        exec(compile(self.code.driver, "<string>", "exec"), space, space)  # noqa: S102
        return space

    def answer(self) -> bytes:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            data = self.reply.read_bytes()
            if data.endswith(NONCE):
                return data
            time.sleep(0.001)
        raise AssertionError("there is no answer")


@pytest.fixture
def spooled(tmp_path: Path) -> Spooled:
    return Spooled(tmp_path, pid=os.getpid())


class ToldError(Exception):
    """What the application's handler raises."""


@pytest.fixture
def told() -> Iterator[list[int]]:
    """Numbers of the signals that the handler of SIGUSR1 was called for; it raises."""
    calls: list[int] = []

    def tell(number: int, _: object) -> None:
        calls.append(number)
        raise ToldError

    before = signal.signal(signal.SIGUSR1, tell)
    yield calls
    signal.signal(signal.SIGUSR1, before)


def test_the_text_is_short_and_the_same_each_time(tmp_path: Path, spooled: Spooled) -> None:
    assert len(spooled.code.driver) < LONGEST_TEXT
    assert Spooled(tmp_path, pid=os.getpid()).code == spooled.code


@pytest.mark.parametrize(("carrier", "how"), [("main", "main"), ("thread", "thread")])
def test_it_answers(spooled: Spooled, carrier: str, how: str) -> None:
    spooled.ask(carrier=carrier)
    spooled.run()
    assert b"\xa7carrier" + bytes([0xA0 + len(how)]) + how.encode() in spooled.answer()


def test_another_process_runs_nothing(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path, pid=os.getpid() + 1)
    spooled.ask()
    spooled.run()
    assert spooled.reply.read_bytes() == b""


@pytest.mark.parametrize("missing", ["probe", "request"])
def test_a_removed_spool_is_no_error(spooled: Spooled, missing: str) -> None:
    spooled.ask()
    (spooled.folder / missing).unlink()
    spooled.run()


def test_no_cycle_is_left(spooled: Spooled) -> None:
    spooled.ask(carrier="main")
    spooled.run()
    gc.collect()
    spooled.ask(carrier="main")
    gc.disable()
    try:
        spooled.run()
        assert gc.collect() == 0
    finally:
        gc.enable()


def once_in(spooled: Spooled, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Have this signal come while the driver unmarshals its first part."""
    real: Callable[[bytes], object] = marshal.loads
    sent = []

    def loads(data: bytes) -> object:
        if not sent:
            sent.append(number)
            signal.raise_signal(number)
        return real(data)

    spooled.ask(carrier="main")
    monkeypatch.setattr(marshal, "loads", loads)


def test_a_signal_is_sent_again_to_the_main_thread(
    spooled: Spooled, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert threading.current_thread() is threading.main_thread()
    once_in(spooled, monkeypatch, signal.SIGUSR1)
    spooled.run()
    with pytest.raises(ToldError):
        time.sleep(20)
    assert told == [signal.SIGUSR1] * 2
    assert b"a signal came, and was handed on" in spooled.answer()


def test_a_signal_in_the_moment_of_blocking_leaves_none_blocked(
    spooled: Spooled, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``pthread_sigmask`` runs the handlers of signals that came just before."""
    real: Callable[[int, object], object] = vars(sys.modules["_signal"])["pthread_sigmask"]
    before = real(signal.SIG_BLOCK, ())
    raised: list[int] = []

    def pthread_sigmask(how: int, mask: object) -> object:
        result = real(how, mask)
        if mask and not raised:
            raised.append(how)
            raise ToldError
        return result

    monkeypatch.setattr("_signal.pthread_sigmask", pthread_sigmask)
    spooled.ask(carrier="main")
    spooled.run()
    assert raised == [signal.SIG_BLOCK]
    assert real(signal.SIG_BLOCK, ()) == before
    assert not told


def test_a_keyboard_interrupt_is_sent_again(
    spooled: Spooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_in(spooled, monkeypatch, signal.SIGINT)
    spooled.run()
    with pytest.raises(KeyboardInterrupt):
        time.sleep(20)


def test_without_a_thread_to_be_had_a_signal_is_tripped_again(
    spooled: Spooled, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = contextvars.copy_context()
    # a function of C that raises RuntimeError, as the real one then does
    monkeypatch.setattr("_thread.start_new_thread", entered.run)
    once_in(spooled, monkeypatch, signal.SIGUSR1)
    with pytest.raises(ToldError):
        entered.run(spooled.run)
    assert told == [signal.SIGUSR1] * 2


def test_an_exception_of_another_kind_is_told_to_the_controller(
    spooled: Spooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(data: bytes, real: Callable[[bytes], object] = marshal.loads) -> object:
        if data[:1] == b"\xfb":  # the request: a dict
            raise MemoryError
        return real(data)

    spooled.ask(carrier="main")
    monkeypatch.setattr(marshal, "loads", loads)
    spooled.run()
