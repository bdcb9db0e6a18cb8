"""Subclasses of builtin types, and containers of hostile things."""

import collections
import functools
import types

from zoo.trips import KEPT, EvilKey, case, evil, trip

CASES = []
_SUBCLASSES = [
    ("int", int, 5),
    ("huge int", int, 1 << 200),
    ("float", float, 1.5),
    ("complex", complex, 1j),
    ("str", str, "abc"),
    ("bytes", bytes, b"abc"),
    ("bytearray", bytearray, b"abc"),
    ("list", list, [1, 2]),
    ("tuple", tuple, (1, 2)),
    ("dict", dict, {"a": 1}),
    ("set", set, {1, 2}),
    ("frozenset", frozenset, {1, 2}),
    ("deque", collections.deque, [1, 2]),
    ("OrderedDict", collections.OrderedDict, {"a": 1}),
    ("Counter", collections.Counter, {"a": 1}),
    ("UserDict", collections.UserDict, {"a": 1}),
    ("UserList", collections.UserList, [1]),
    ("UserString", collections.UserString, "a"),
    ("ChainMap", collections.ChainMap, {"a": 1}),
    ("SimpleNamespace", types.SimpleNamespace, {"a": 1}),
    ("partial", functools.partial, print),
    ("module", types.ModuleType, "m"),
    ("exception", ValueError, "bad"),
    ("memo", property, None),
]


def _make(base, value):
    cls = evil(base, skip=("__hash__",) if base.__hash__ is None else ())
    return cls(value)


for _label, _base, _value in _SUBCLASSES:
    CASES.append((f"subclass of {_label}, all methods", functools.partial(_make, _base, _value)))


@case(CASES, "object, all methods")
def _():
    return evil(object)()


@case(CASES, "defaultdict whose factory trips")
def _():
    def factory():
        trip("default_factory")

    return collections.defaultdict(factory, a=1)


@case(CASES, "dict with keys that compare")
def _():
    class Key:
        def __hash__(self):
            trip("Key.__hash__")
            return 1

        def __eq__(self, other):
            trip("Key.__eq__")
            return self is other

        def __repr__(self):
            trip("Key.__repr__")
            return "key"

    return {Key(): 1, Key(): 2, "z": 3}


@case(CASES, "set with members that compare")
def _():
    class Member:
        def __hash__(self):
            trip("Member.__hash__")
            return 1

        def __eq__(self, other):
            trip("Member.__eq__")
            return self is other

    return {Member(), Member()}


@case(CASES, "dict with hostile str keys of equal hash")
def _():
    return {EvilKey("password"): 1, EvilKey("name"): 2, EvilKey("value"): 3}


@case(CASES, "dict keyed by classes with a hostile metaclass")
def _():
    class Meta(type):
        def __hash__(cls):
            trip("Meta.__hash__")
            return hash(str)

        def __eq__(cls, other):
            trip("Meta.__eq__")
            return True

    class Key(metaclass=Meta):
        pass

    return {Key: 1, int: 2}


@case(CASES, "int with very many digits")
def _():
    return (1 << 2_000_000) - 1


@case(CASES, "negative huge int in a list")
def _():
    return [-(1 << 5_000_000)]


@case(CASES, "64 MB of text")
def _():
    return "x" * (64 << 20)


@case(CASES, "16 MB of escapes")
def _():
    return "\x00" * (16 << 20)


@case(CASES, "lone surrogates")
def _():
    return {"\ud800k": "a\udfffb\ud800"}


@case(CASES, "terminal escapes and markup in names and texts")
def _():
    class Thing:
        pass

    thing = Thing()
    thing.__dict__["\x1b[2J[red]x[/]\u202e"] = "\x1b]0;pwn\x07[link=file:///etc]x[/link]\u202etxt"
    return thing


@case(CASES, "list that holds itself")
def _():
    cycle = []
    cycle.append(cycle)
    return cycle


@case(CASES, "dict and object that hold each other")
def _():
    class Thing:
        pass

    thing = Thing()
    thing.table = {"thing": thing}
    return thing


@case(CASES, "dict nested very deep")
def _():
    nested = {}
    for _ in range(100_000):
        nested = {"k": nested}
    return nested


@case(CASES, "tuple nested very deep around a hostile object")
def _():
    nested = (evil(object)(),)
    for _ in range(100_000):
        nested = (nested,)
    return nested


@case(CASES, "dict of a million")
def _():
    return dict.fromkeys(range(1_000_000))


@case(CASES, "list of five million")
def _():
    return [None] * 5_000_000


@case(CASES, "sparse set")
def _():
    sparse = set(range(1_000_000))
    for number in range(999_999):
        sparse.discard(number)
    return sparse


@case(CASES, "sparse dict")
def _():
    sparse = dict.fromkeys(range(1_000_000))
    for number in range(999_999):
        del sparse[number]
    return sparse


@case(CASES, "mapping proxy over a hostile mapping")
def _():
    return types.MappingProxyType(evil(dict)(a=1))


@case(CASES, "views of a hostile dict")
def _():
    table = evil(dict)(a=1)
    return [dict.keys(table), dict.values(table), dict.items(table)]


@case(CASES, "iterators over hostile containers")
def _():
    return [iter([evil(object)()]), reversed([1]), enumerate([1]), zip([1]), map(trip, [1])]


@case(CASES, "slice and range with hostile bounds")
def _():
    return [slice(evil(object)(), evil(object)()), range(10**30)]


@case(CASES, "list whose slices trip, in a tuple")
def _():
    return (evil(list)([evil(str)("x")]), evil(tuple)((1,)))


@case(CASES, "named tuple, all methods")
def _():
    point = collections.namedtuple("Point", "x password")
    return evil(point, "EvilPoint", skip=("__new__",))(1, "zoosecretAA1")


@case(CASES, "tuple subclass with hostile _fields")
def _():
    class Fields(tuple):
        _fields = (EvilKey("x"), evil(str)("y"))

    return Fields((1, 2))


@case(CASES, "header pairs of hostile str")
def _():
    return [(EvilKey("Authorization"), "zoosecretAA2"), (evil(str)("cookie"), "zoosecretAA3")]


@case(CASES, "dict with a hostile str as name of a name")
def _():
    return {"name": EvilKey("password"), "value": "zoosecretAA4"}


@case(CASES, "frozen dict or mapping of hostile keys")
def _():
    make = __builtins__.get("frozendict", dict)
    return make({EvilKey("a"): evil(object)()})


@case(CASES, "object kept alive only by the case")
def _():
    class Mortal:
        def __repr__(self):
            trip("Mortal.__repr__")

        def __del__(self):
            trip("Mortal.__del__")

    mortal = Mortal()
    KEPT.append(mortal)
    return [mortal]


@case(CASES, "secrets of every shape")
def _():
    class SecretStr:
        def __init__(self, text):
            self._v = text

        def __repr__(self):
            trip("SecretStr.__repr__")
            return "***"

    return {
        "headers": {"Authorization": "Bearer zoosecretAA5", "X-Api-Key": "zoosecretAA6"},
        "db": "postgres://bob:zoosecretAA7@h/db",
        "t": "eyJhbGciOiJIUzI1NiJ9.zoosecretAA8",
        "k": SecretStr("zoosecretAA9"),
    }
