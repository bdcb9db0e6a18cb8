"""The oath of the probe, line by line, on the merged code in fresh interpreters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack
import pytest

from tests.support.probe_host import Host, deadline_in, host
from tests.unit.probe.probing import NONCE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live


@pytest.fixture
def target(target_python: str) -> Iterator[Host]:
    with host(target_python) as one:
        one.run("gc.disable()")
        yield one
        assert one.stderr() == ""


def _unpack(reply: bytes) -> dict[str, object]:
    made = msgpack.unpackb(reply, raw=False, strict_map_key=False)
    assert isinstance(made, dict)
    return made


CARRIERS = ["main", "thread"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_it_brings_no_module_and_opens_only_what_is_ours(target: Host, carrier: str) -> None:
    target.run("""
        opened = []
        watching = False
        def hook(event, args):
            if watching and event in ("open", "import", "exec", "compile"):
                opened.append((event, str(args[0])))
        sys.addaudithook(hook)
    """)
    target.ask(carrier=carrier, locals="all")
    target.run("""
        modules = set(sys.modules)
        watching = True
        host.start()
        watching = False
    """)
    target.await_reply()
    assert target.get("set(sys.modules) == modules") is True
    ours = {str(target.folder / name) for name in ("request", "reply")}
    assert {place for event, place in target.get("opened") if event == "open"} <= ours
    assert [event for event, _ in target.get("opened") if event == "compile"] == []


LOCKS = {
    "threads": "threading._active_limbo_lock",
    "imports": "import_lock",
    "logging": "handler.lock",
    "all of logging": "logging._lock",
    "queue": "jobs.mutex",
    "stderr": "buffer_lock",
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_it_takes_no_lock(target: Host, carrier: str) -> None:
    target.run("""
        import _imp, contextlib, logging, queue, threading
        @contextlib.contextmanager
        def importing():
            _imp.acquire_lock()
            try: yield
            finally: _imp.release_lock()
        import_lock, buffer_lock = importing(), threading.Lock()
        handler, jobs = logging.StreamHandler(), queue.Queue()
        stop, held = threading.Event(), []
        def hold(locks):
            with contextlib.ExitStack() as stack:
                for lock in locks: stack.enter_context(lock)
                held.append(1)
                stop.wait()
        others = [handler.lock, logging._lock, jobs.mutex, buffer_lock]
        holder = threading.Thread(target=hold, args=(others,), daemon=True)
        holder.start()
        while not held: time.sleep(0.001)
    """)
    target.ask(carrier=carrier, locals="all")
    target.run("""
        with threading._active_limbo_lock, import_lock:
            host.start()
            answered = host.wait()
        stop.set(); holder.join()
    """)
    assert target.get("answered") is True
    assert "threads" in _unpack(target.reply())


@pytest.mark.parametrize("carrier", CARRIERS)
def test_it_never_raises_and_never_prints(target: Host, carrier: str) -> None:
    target.run("""
        raised = []
        sys.unraisablehook = raised.append
        sys.excepthook = lambda *a: raised.append(a)
        import threading
        threading.excepthook = raised.append
        class Evil:
            def __init__(self): view = memoryview(b"x"); view.release(); self.x = view
            def __getattribute__(self, name): raise BaseException(name)
        evil = [Evil(), {1: Evil()}]
    """)
    for changes in (
        {"locals": "all"},
        {"variables": [["__main__", "evil", "0", "x", "y"]]},
        {"nodes": 3, "locals": "all"},
        {"frames": 1, "threads": 1},
        {"slice_ns": 1, "locals": "all"},
        {"items": 0, "attributes": 0, "text": 0, "depth": 0, "locals": "all"},
    ):
        reply = target.dump(carrier=carrier, **changes)
        assert "failed" not in _unpack(reply), _unpack(reply)
    assert target.get("raised") == []
    assert target.stderr() == ""


_COUNT = """
def count():
    gc.collect()
    return {
        "objects": len(gc.get_objects()),
        "interned": sys.getunicodeinternedsize(),
        "fds": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "modules": len(sys.modules),
        "types": len(type.__subclasses__(object)),
        "garbage": len(gc.garbage),
        "host": sys.getrefcount(host.code),
        "kept": [sys.getrefcount(thing) for thing in keep],
    }
"""


@pytest.mark.parametrize("carrier", CARRIERS)
def test_it_leaves_nothing_behind(target: Host, carrier: str) -> None:
    target.run(_COUNT)
    target.run("""
        class Thing:
            def __init__(self): self.one = 1; self.two = [self.one]
        keep = [Thing(), [1], {"a": Thing()}, Thing, "a text", 1 << 80]
    """)
    wanted = [["__main__", "keep"]]
    target.ask(carrier=carrier, locals="all", variables=wanted, depth=4)
    target.run("""
        def dumps(n):
            for _ in range(n): assert host.dump()
        dumps(10); before = count(); before = count(); dumps(200)
        unreachable = gc.collect()
        after = count()
    """)
    assert target.get("unreachable") == 0
    assert target.get("after") == target.get("before")


def test_replaced_builtins_leave_nothing_behind(target: Host) -> None:
    target.run(_COUNT)
    target.run("""
        keep = []
        def patched(run):
            import builtins
            names = dict(vars(builtins))
            for name in ("len", "max", "id", "type", "zip"): names[name] = None
            space = {"__builtins__": names}
            type(lambda: 0)(host.code, space)()
            space["enter"](host.request, space)
        def dumps(n):
            for _ in range(n):
                open(host.reply, "wb").close()
                patched(host)
    """)
    target.ask(carrier="main", locals="all")
    target.run("""
        dumps(10); before = count(); before = count(); dumps(50)
        unreachable = gc.collect(); after = count()
    """)
    assert "threads" in _unpack(target.reply())
    assert target.get("unreachable") == 0
    assert target.get("after") == target.get("before")


def test_a_failing_run_leaves_nothing_behind(target: Host) -> None:
    target.run(_COUNT)
    target.ask(start_by_ns=0)
    target.run("""
        keep = []
        host.start(); before = count(); before = count()
        for _ in range(50): host.start()
        unreachable = gc.collect(); after = count()
    """)
    assert target.get("unreachable") == 0
    assert target.get("after") == target.get("before")
    (target.folder / "request").unlink()
    target.run("""
        failed = []
        for _ in range(20):
            try: host.start()
            except OSError: failed.append(1)
        unreachable = gc.collect()
    """)
    assert target.get("len(failed)") == 20
    assert target.get("unreachable") == 0


CLOCKS = {
    "freezegun": "import freezegun; freezegun.freeze_time('2026-11-20').start()",
    "time_machine": "import time_machine; time_machine.travel(0, tick=False).start()",
    "patched": "time.perf_counter_ns = time.monotonic_ns = time.sleep = tripped.append",
}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_frozen_clock_does_not_stop_it(target: Host, clock: str, carrier: str) -> None:
    target.run("tripped = []; real_sleep = time.sleep; table = [[n] for n in range(100_000)]")
    target.run(CLOCKS[clock])
    target.ask(carrier=carrier, locals="all", slice_ns=1_000_000)
    target.run("host.start()")
    reply = _unpack(target.await_reply())
    assert "failed" not in reply
    assert target.get("tripped") == []


@pytest.mark.parametrize(
    "changes",
    [{"pid": 1}, {"start_by_ns": 0}],
    ids=["another pid", "too late"],
)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_it_runs_only_for_whom_it_was_meant(
    target: Host, changes: dict[str, int], carrier: str
) -> None:
    target.ask(carrier=carrier, **changes)
    target.run("space = host.start(); time.sleep(0.05)")
    assert target.reply() == b""
    assert target.get("list(space)") == ["__builtins__"]


def test_a_forked_child_runs_nothing(target: Host) -> None:
    target.ask()
    target.run("""
        import os
        pid = os.fork()
        if not pid:
            host.start()
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
    """)
    assert target.get("status") == 0
    assert target.reply() == b""


def test_an_answered_request_is_not_answered_again(target: Host) -> None:
    target.dump()
    (target.folder / "reply").write_bytes(b"answered")
    target.run("host.start()")
    assert target.reply() == b"answered"


def test_without_a_way_to_frames_it_says_so(target: Host) -> None:
    target.run("frames, sys._current_frames = sys._current_frames, lambda: {}")
    target.ask()
    target.run("host.start(); sys._current_frames = frames")
    reply = _unpack(target.reply())
    assert "replaced" in str(reply["missing"])
    assert reply["threads"] == []
    assert reply["gc"]


def test_a_second_carrier_leaves(target: Host) -> None:
    target.ask()
    target.run("""
        import threading
        source = "def work(request):\\n while not stop: sleep(0.001)\\n"
        stop = []
        names = {"stop": stop, "sleep": time.sleep}
        exec(compile(source, "<snapshotter probe>", "exec"), names)
        other = threading.Thread(target=names["work"], args=({"nonce": b"another"},), daemon=True)
        other.start()
        host.start()
    """)
    assert "at work" in str(_unpack(target.await_reply())["failed"])
    target.run("stop.append(1); other.join()")
    assert "failed" not in _unpack(target.dump())


def test_a_carrier_ends_at_its_deadline(target: Host) -> None:
    target.run("""
        import threading
        stop = threading.Event()
        for _ in range(60): threading.Thread(target=stop.wait, daemon=True).start()
    """)
    target.ask(carrier="thread", locals="all", slice_ns=100_000, deadline_ns=deadline_in(0.0))
    target.run("host.start()")
    reply = _unpack(target.await_reply())
    assert "not reached" in str(reply["missing"])
    target.run("stop.set()")


def test_a_slice_is_at_most_half_of_the_switch_interval(target: Host) -> None:
    target.run("""
        import threading
        stop = threading.Event()
        for _ in range(200): threading.Thread(target=stop.wait, daemon=True).start()
        sys.setswitchinterval(0.0004)
    """)
    reply = _unpack(target.dump(carrier="thread", locals="all", slice_ns=50_000_000))
    slices = reply["slices"]
    assert isinstance(slices, int)
    assert slices > 5
    target.run("sys.setswitchinterval(0.005); stop.set()")


def test_attributes_are_read_without_a_dict_on_every_version(target: Host) -> None:
    target.run("""
        class Thing:
            def __init__(self): self.one = 1; self.two = [2]
        class Base:
            __slots__ = ("slot",)
        class Other(Base):
            late = 5
            def __init__(self): self.slot = 1; self.late = 2
        import types
        things = [Thing(), Other(), types.SimpleNamespace(three=3)]
    """)
    reply = target.dump(variables=[["__main__", "things"]], depth=4)
    nodes = _unpack(reply)["nodes"]
    assert isinstance(nodes, list)
    names = [[row[7][0], *row[7][2:3]] for row in nodes if row[7]]
    assert names == [["one", "two"], ["slot", "late"], ["three"]]
    # one reference to the class and one to each value: no dict was made
    assert target.get("len(gc.get_referents(things[0]))") == 3


def test_the_reply_ends_with_the_nonce(target: Host) -> None:
    assert target.dump().endswith(NONCE)
