"""Frames, threads, tasks that run in hostile surroundings while they are looked at."""

import asyncio
import functools
import threading

from zoo.trips import KEPT, EvilKey, case, evil, trip

CASES = []
_sleep = threading.Event().wait  # stands still


def _park(name, function):
    """Start a thread that runs a function given an event to set and one to wait for."""
    arrived, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=function, args=(arrived, stop), name=name, daemon=True)
    thread.start()
    assert arrived.wait(20)
    KEPT.append((thread, stop))
    return thread


def _stand(arrived, stop):
    arrived.set()
    stop.wait()


@case(CASES, "class body in a mapping of its metaclass")
def _():
    mapping = evil(dict, skip=("__setitem__", "__getitem__", "__missing__"))

    class Meta(type):
        @classmethod
        def __prepare__(cls, name, bases):
            return mapping()

    def run(arrived, stop):
        names = {"Meta": Meta, "arrived": arrived, "stop": stop}
        exec("class Body(metaclass=Meta):\n inside = 1\n arrived.set()\n stop.wait()\n", names)

    return _park("class-body", run)


@case(CASES, "class body in an object that is no dict")
def _():
    class Mapping:
        def __init__(self):
            self.names = {}

        def __getitem__(self, name):
            if name not in self.names:
                trip(f"Mapping[{name}]")
            return self.names[name]

        def __setitem__(self, name, value):
            self.names[name] = value

        def items(self):
            trip("items")
            return self.names.items()

        keys = __iter__ = __len__ = items

    class Meta(type):
        @classmethod
        def __prepare__(cls, name, bases):
            return Mapping()

    def run(arrived, stop):
        names = {"Meta": Meta, "arrived": arrived, "stop": stop}
        exec("class Body(metaclass=Meta):\n inside = 1\n arrived.set()\n stop.wait()\n", names)

    return _park("class-body-2", run)


@case(CASES, "exec with a subclass of dict as globals")
def _():
    def run(arrived, stop):
        names = evil(dict)()
        dict.update(names, arrived=arrived, stop=stop, __builtins__={})
        exec("arrived.set()\nstop.wait()\n", names)

    return _park("odd-globals", run)


@case(CASES, "exec with a mapping as locals")
def _():
    def run(arrived, stop):
        exec(
            "inside = 1\narrived.set()\nstop.wait()\n",
            {"arrived": arrived, "stop": stop},
            evil(dict, skip=("__setitem__", "__getitem__", "__missing__"))(),
        )

    return _park("odd-locals", run)


@case(CASES, "module names that are hostile")
def _():
    def run(arrived, stop):
        names = {EvilKey("__name__"): evil(object)(), EvilKey("password"): "zoosecretEE1"}
        names |= {"arrived": arrived, "stop": stop}
        exec("arrived.set()\nstop.wait()\n", names)

    return _park("odd-names", run)


@case(CASES, "frame whose code has hostile names")
def _():
    text = evil(str)
    code = _stand.__code__.replace(
        co_filename=text("odd.py"), co_name=text("odd"), co_qualname=text("odd.code")
    )
    return _park("odd-code", type(_stand)(code, {}))


@case(CASES, "frame that calls itself the probe")
def _():
    code = _stand.__code__.replace(co_filename=evil(str)("<snapshotter probe>"))
    return _park("odd-probe", type(_stand)(code, {}))


@case(CASES, "frame whose code has a constant that hashes")
def _():
    class Constant:
        def __hash__(self):
            trip("Constant.__hash__")
            return 1

        def __eq__(self, other):
            trip("Constant.__eq__")
            return True

    code = _stand.__code__.replace(co_consts=(*_stand.__code__.co_consts, Constant()))
    return _park("odd-constant", type(_stand)(code, {}))


@case(CASES, "frame that calls itself an event loop")
def _():
    def run(arrived, stop, self=evil(object)()):  # noqa: B008
        arrived.set()
        stop.wait()

    code = run.__code__.replace(co_qualname="BaseEventLoop.run_forever")
    return _park("odd-loop", type(run)(code, {}, None, run.__defaults__))


@case(CASES, "class body that calls itself an event loop")
def _():
    class Meta(type):
        @classmethod
        def __prepare__(cls, name, bases):
            return evil(dict, skip=("__setitem__", "__getitem__", "__missing__"))()

    def run(arrived, stop):
        source = "class Body(metaclass=Meta):\n arrived.set()\n stop.wait()\n"
        code = compile(source, "odd", "exec")
        consts = [
            const.replace(co_qualname="BaseEventLoop.run_forever")
            if isinstance(const, type(code))
            else const
            for const in code.co_consts
        ]
        exec(
            code.replace(co_consts=tuple(consts)), {"Meta": Meta, "arrived": arrived, "stop": stop}
        )

    return _park("odd-loop-2", run)


@case(CASES, "frame with a thousand locals")
def _():
    names = "\n".join(f" v{n} = {n}" for n in range(1000))
    space = {}
    exec(f"def run(arrived, stop):\n{names}\n arrived.set()\n stop.wait()\n", space)
    return _park("many-locals", space["run"])


@case(CASES, "stack that is very deep")
def _():
    def run(arrived, stop, level=800):
        if level:
            run(arrived, stop, level - 1)
        else:
            arrived.set()
            stop.wait()

    return _park("deep", run)


@case(CASES, "thread whose name is a property")
def _():
    class Thread(threading.Thread):
        @property
        def _name(self):
            trip("_name")
            return "n"

        @_name.setter
        def _name(self, value):
            self.__dict__["kept"] = value

        @property
        def _daemonic(self):
            trip("_daemonic")
            return True

        @_daemonic.setter
        def _daemonic(self, value):
            pass

    return _start(Thread)


def _start(cls):
    stop = threading.Event()
    thread = cls(target=stop.wait, daemon=True)
    thread.start()
    KEPT.append(stop)
    return thread


@case(CASES, "thread with __getattribute__")
def _():
    class Thread(threading.Thread):
        def __getattribute__(self, name):
            trip(f"Thread.{name}")
            return threading.Thread.__getattribute__(self, name)

    return _start(Thread)


@case(CASES, "thread whose name has a hostile key")
def _():
    thread = _start(threading.Thread)
    thread.__dict__[EvilKey("other")] = 1
    name = thread.__dict__.pop("_name")
    thread.__dict__[EvilKey("_name")] = name
    return thread


@case(CASES, "thread whose name is a hostile text")
def _():
    thread = _start(threading.Thread)
    thread._name = evil(str)("odd")
    thread._daemonic = evil(object)()
    return thread


@case(CASES, "thread with slots")
def _():
    class Thread(threading.Thread):
        __slots__ = ("extra",)

    thread = _start(Thread)
    thread.extra = {EvilKey("_name"): 1}
    return thread


@case(CASES, "registry of threads with hostile entries")
def _():
    threading._active[EvilKey("main")] = evil(object)()
    threading._active[-5] = evil(object)()
    return threading._active


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self, main):
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(main,), daemon=True)
        self.thread.start()
        assert self.ready.wait(20)

    def _run(self, main):
        asyncio.run(main(self.ready))


@case(CASES, "tasks that await hostile futures")
def _():
    class Future(asyncio.Future):
        def __repr__(self):
            trip("Future.__repr__")
            return "future"

        @property
        def _state(self):
            trip("Future._state")

    class Awaitable:
        def __init__(self, loop):
            self.future = loop.create_future()

        def __await__(self):
            return self.future.__await__()

        def __repr__(self):
            trip("Awaitable.__repr__")

    async def wait_for(thing):
        password = "zoosecretEE2"
        await thing
        return password

    async def main(ready):
        loop = asyncio.get_running_loop()
        futures = [Future(loop=loop), Awaitable(loop), asyncio.Event().wait()]
        tasks = [loop.create_task(wait_for(future)) for future in futures]
        tasks[0].set_name(evil(str)("odd"))
        tasks[1].set_name("pg://bob:zoosecretEE3@db/x")
        await asyncio.sleep(0.01)
        ready.set()
        await asyncio.gather(*tasks)

    return _Loop(main)


@functools.cache
def _task_class():
    class Task(asyncio.Task):
        def __hash__(self):
            trip("Task.__hash__")
            return object.__hash__(self)

        def __eq__(self, other):
            trip("Task.__eq__")
            return self is other

        def __repr__(self):
            trip("Task.__repr__")
            return "task"

        def get_name(self):
            trip("Task.get_name")
            return "task"

        def get_coro(self):
            trip("Task.get_coro")

        def done(self):
            trip("Task.done")
            return super().done()

    return Task


@case(CASES, "tasks of a class that hashes")
def _():
    async def main(ready):
        loop = asyncio.get_running_loop()
        task = _task_class()(asyncio.Event().wait(), loop=loop)
        await asyncio.sleep(0.01)
        ready.set()
        await task

    return _Loop(main)


@case(CASES, "tasks that are none of asyncio's")
def _():
    class Task:
        def __init__(self, loop):
            self._loop = loop

        def done(self):
            trip("done")
            return False

        def get_loop(self):
            trip("get_loop")
            return self._loop

    async def main(ready):
        loop = asyncio.get_running_loop()
        task = Task(loop)
        KEPT.append(task)
        asyncio.tasks._register_task(task)
        ready.set()
        await asyncio.Event().wait()

    return _Loop(main)
