"""Classes with declarations: names, fields, enums, times, wide and deep ones."""

import dataclasses
import datetime
import enum
import fractions
import pathlib
import types
import uuid
import zoneinfo

from zoo.trips import EvilKey, case, evil, trip

CASES = []


@case(CASES, "class names are hostile texts")
def _():
    text = evil(str, "EvilName")

    class Thing:
        pass

    Thing.__qualname__ = text("Q")
    Thing.__name__ = text("N")
    Thing.__module__ = text("M")
    return Thing()


@case(CASES, "module of a class is a hostile object")
def _():
    class Thing:
        pass

    Thing.__module__ = evil(object, "EvilModule")()
    return Thing()


@case(CASES, "repr that never returns")
def _():
    class Thing:
        def __repr__(self):
            trip("__repr__")
            while True:
                pass

        __str__ = __format__ = __repr__

    return Thing()


@case(CASES, "repr that raises KeyboardInterrupt")
def _():
    class Thing:
        def __repr__(self):
            trip("__repr__")
            raise KeyboardInterrupt

    return Thing()


@case(CASES, "class hierarchy two hundred deep")
def _():
    cls = evil(object, "Root")
    for number in range(200):
        cls = type(f"C{number}", (cls,), {})
    return cls()


@case(CASES, "class with ten thousand attributes")
def _():
    return type("Wide", (), {f"a{n}": n for n in range(10_000)})()


@case(CASES, "instance with ten thousand attributes")
def _():
    class Wide:
        pass

    wide = Wide()
    wide.__dict__.update({f"a{n}": n for n in range(10_000)})
    return wide


@case(CASES, "data class with a field that is not shown")
def _():
    @dataclasses.dataclass
    class Login:
        user: str
        shape: str = dataclasses.field(repr=False)

        def __repr__(self):
            trip("__repr__")

    return Login("bob", "zoosecretBB3")


@case(CASES, "frozen data class with slots")
def _():
    @dataclasses.dataclass(slots=True, frozen=True)
    class Point:
        a: int

        def __getstate__(self):
            trip("__getstate__")

    return Point(1)


@case(CASES, "table of fields is hostile")
def _():
    class Field:
        __slots__ = ()

        @property
        def repr(self):
            trip("Field.repr")
            return False

    class Thing:
        __dataclass_fields__ = {EvilKey("a"): Field(), "b": evil(object)()}  # noqa: RUF012
        __attrs_attrs__ = evil(tuple)((Field(), 5))
        __pydantic_fields__ = evil(dict)(b=Field())

        def __init__(self):
            self.a, self.b = 1, 2

    return Thing()


@case(CASES, "enum whose methods trip")
def _():
    class Colour(enum.Enum):
        RED = 1

        def __repr__(self):
            trip("__repr__")
            return "red"

        __str__ = __format__ = __repr__

        def __hash__(self):
            trip("__hash__")
            return 1

        @property
        def name(self):
            trip("name")

        @property
        def value(self):
            trip("value")

    class Flag(enum.IntFlag):
        X = 1
        Y = 2

        def __repr__(self):
            trip("Flag.__repr__")
            return "flag"

    return [Colour.RED, Flag.X | Flag.Y, Colour, Flag]


@case(CASES, "times with a zone that trips")
def _():
    class Zone(datetime.tzinfo):
        def utcoffset(self, when):
            trip("utcoffset")
            return datetime.timedelta(0)

        def tzname(self, when):
            trip("tzname")
            return "X"

        def dst(self, when):
            trip("dst")
            return datetime.timedelta(0)

    return [
        datetime.datetime(2026, 1, 1, tzinfo=Zone()),
        datetime.time(1, tzinfo=Zone()),
        datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    ]


@case(CASES, "subclasses of times, all methods")
def _():
    skip = ("__reduce__", "__reduce_ex__", "utcoffset", "__add__", "__radd__")
    return [
        evil(datetime.datetime, skip=skip)(2026, 1, 1),
        evil(datetime.date, skip=skip)(2026, 1, 1),
        evil(datetime.time, skip=skip)(1),
        evil(datetime.timedelta)(1),
    ]


@case(CASES, "fraction of huge ints")
def _():
    return fractions.Fraction((1 << 3_000_000) + 1, 3)


@case(CASES, "subclass of UUID")
def _():
    return evil(uuid.UUID, skip=("__setattr__", "__init__", "__getattribute__"))(int=5)


@case(CASES, "subclass of path")
def _():
    skip = ("__getattribute__", "__init__", "__fspath__")
    return [evil(pathlib.PurePosixPath, skip=skip)("/etc/passwd"), pathlib.Path("/a/b")]


@case(CASES, "generic alias over a hostile class")
def _():
    class Thing:
        def __class_getitem__(cls, item):
            trip("__class_getitem__")
            return cls

    return [list[Thing], Thing | None, types.GenericAlias(Thing, (int,))]


@case(CASES, "super, method wrapper, bound methods")
def _():
    cls = evil(object)
    thing = cls()
    return [
        types.MethodType(lambda self: trip("method"), thing),
        types.MethodType(thing, thing),
        list.append.__get__(evil(list)([1])),
        object.__repr__.__get__(thing),
        super(cls, thing),
    ]


@case(CASES, "static, class method and property objects")
def _():
    return [staticmethod(trip), classmethod(trip), property(trip)]


@case(CASES, "function with hostile name, doc, defaults and attributes")
def _():
    def function(a=evil(object)()):  # noqa: B008
        trip("function")

    function.__qualname__ = evil(str)("q")
    function.__name__ = evil(str)("n")
    function.__doc__ = evil(object)()
    function.attribute = evil(object)()
    return function
