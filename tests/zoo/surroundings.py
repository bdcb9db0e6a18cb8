"""An interpreter that the application has altered: builtins, modules, hooks, handlers."""

import _signal
import builtins
import functools
import gc
import sys
import threading
import time
import types

from zoo.trips import KEPT, EvilKey, case, evil, trip, trips

CASES = []
_BUILTINS = """abs all any ascii bin bool bytearray bytes callable chr classmethod compile complex
delattr dict dir divmod enumerate eval filter float format frozenset getattr globals hasattr
hash hex id input int isinstance issubclass iter len list locals map max memoryview min next object
oct open ord pow print property range repr reversed round set setattr slice sorted staticmethod str
sum super tuple type vars zip""".split()


def _replace(owner, name):
    """Put a function in the place of a builtin or of a function of a module."""
    genuine = getattr(owner, name)

    def replaced(*args, **words):
        trip(f"{owner.__name__}.{name}")
        return genuine(*args, **words)

    KEPT.append(genuine)
    trips.replacements.append((vars(owner), name, genuine, replaced))
    return replaced


for _name in _BUILTINS:
    CASES.append((f"replaced builtin {_name}", functools.partial(_replace, builtins, _name)))
for _name in ("sleep", "time", "monotonic", "perf_counter_ns", "monotonic_ns", "thread_time_ns"):
    CASES.append((f"replaced time.{_name}", functools.partial(_replace, time, _name)))
for _name in ("_getframe", "getswitchinterval", "getrecursionlimit"):
    CASES.append((f"replaced sys.{_name}", functools.partial(_replace, sys, _name)))
for _name in ("get_stats", "get_count", "get_referents", "isenabled", "get_objects"):
    CASES.append((f"replaced gc.{_name}", functools.partial(_replace, gc, _name)))


@case(CASES, "hostile key of sys.modules")
def _():
    for name in ("threading", "gc", "_asyncio", "numpy", "enum"):
        sys.modules[EvilKey(name)] = evil(object)()
    sys.modules["_decimal"] = evil(object)()
    sys.modules["numpy"] = evil(types.ModuleType)("numpy")
    return sys.modules


@case(CASES, "hostile names in modules")
def _():
    module = sys.modules["enum"]
    module.__dict__[EvilKey("Enum")] = evil(object)()
    threading.__dict__[EvilKey("other")] = evil(object)()
    return module


@case(CASES, "hostile collector callbacks")
def _():
    class Callback:
        def __call__(self, phase, info):
            pass  # the collector itself may call it

        def __repr__(self):
            trip("Callback.__repr__")

        def __getattr__(self, name):
            trip(f"Callback.{name}")

    gc.callbacks.append(Callback())
    gc.callbacks.append(functools.partial(trip))
    gc.callbacks[-1] = Callback().__call__
    gc.garbage.append(evil(object)())
    return [*gc.callbacks, gc.garbage]


@case(CASES, "hostile signal handlers")
def _():
    _signal.signal(_signal.SIGUSR1, evil(object)())
    _signal.signal(_signal.SIGUSR2, functools.partial(trip, evil(object)()))
    _signal.signal(_signal.SIGALRM, types.MethodType(trip, evil(object)()))
    return [_signal.getsignal(_signal.SIGUSR1)]


@case(CASES, "sys.version is hostile")
def _():
    sys.version = evil(str)("odd")
    sys.platform = evil(str)("odd")
    return sys.version


@case(CASES, "hooks of the interpreter")
def _():
    def hook(*args):
        trip("hook")

    sys.excepthook = sys.unraisablehook = sys.displayhook = hook
    threading.excepthook = hook
    sys.set_asyncgen_hooks(firstiter=hook, finalizer=hook)
    sys.set_coroutine_origin_tracking_depth(5)
    return hook


@case(CASES, "streams of the application")
def _():
    class Stream:
        def write(self, text):
            trip(f"write({text!r})")

        def flush(self):
            trip("flush")

    sys.stdout = sys.stderr = Stream()
    return sys.stdout


@case(CASES, "warnings as errors")
def _():
    import warnings

    warnings.simplefilter("error")
    return warnings.filters
