"""Classes that lie about themselves: metaclasses, descriptors, slots, attributes."""

import abc
import functools

from zoo.trips import EvilKey, case, evil, evil_methods, trip

CASES = []


@case(CASES, "__class__ lies")
def _():
    class Liar:
        __class__ = property(lambda self: (trip("__class__"), dict)[1])

        def items(self):
            trip("items")

        def __iter__(self):
            trip("__iter__")

        def __len__(self):
            trip("__len__")

    return Liar()


@case(CASES, "metaclass with __getattribute__")
def _():
    class Meta(type):
        def __getattribute__(cls, name):
            trip(f"Meta.__getattribute__({name})")
            return type.__getattribute__(cls, name)

    class Thing(metaclass=Meta):
        pass

    return Thing()


@case(CASES, "metaclass with properties for all that is read")
def _():
    def lie(name, value):
        return property(lambda cls: (trip(f"Meta.{name}"), value)[1])

    names = {
        name: lie(name, value)
        for name, value in (
            ("__name__", "lie"),
            ("__module__", "lie"),
            ("__mro__", (int, object)),
            ("__dict__", {}),
            ("__bases__", ()),
            ("__flags__", 0),
            ("__dictoffset__", 0),
        )
    }
    meta = type("Meta", (type,), {**names, "__slots__": ()})
    return meta("Thing", (), {"x": 1})()


@case(CASES, "metaclass with __eq__ and __hash__")
def _():
    class Meta(type):
        def __eq__(cls, other):
            trip("Meta.__eq__")
            return True

        def __hash__(cls):
            trip("Meta.__hash__")
            return hash(int)

    class Thing(metaclass=Meta):
        pass

    return [Thing(), Thing]


@case(CASES, "metaclass whose mro hides bases")
def _():
    class Meta(type):
        def mro(cls):
            return (cls, object) if cls.__dict__.get("hides") else type.mro(cls)

    class Base(metaclass=Meta):
        def __repr__(self):
            trip("Base.__repr__")

    class Thing(Base):
        hides = 1

    thing = Thing()
    thing.x = 1
    return thing


@case(CASES, "class with a hostile metaclass, as a value")
def _():
    skip = ("__call__", "__prepare__", "__getattribute__", "__hash__", "__eq__")
    meta = type("Meta", (type,), evil_methods("Meta", type, skip))
    return meta("Thing", (), {})


@case(CASES, "metaclass with __instancecheck__ and __subclasscheck__ and __call__")
def _():
    class Meta(type):
        def __instancecheck__(cls, other):
            trip("Meta.__instancecheck__")
            return True

        def __subclasscheck__(cls, other):
            trip("Meta.__subclasscheck__")
            return True

        def __subclasses__(cls):
            trip("Meta.__subclasses__")
            return []

    return [Meta("Thing", (), {})(), Meta("Dict", (dict,), {})(a=1)]


@case(CASES, "abstract base whose __subclasshook__ trips")
def _():
    class Base(abc.ABC):
        @classmethod
        def __subclasshook__(cls, other):
            trip("__subclasshook__")
            return True

    return Base()


@case(CASES, "class dict with hostile keys")
def _():
    names = {EvilKey("__dict__"): 1, EvilKey("__module__"): 2, EvilKey("_name"): 3}
    cls = type("Thing", (), names)
    thing = cls()
    thing.x = 1
    return [thing, cls]


@case(CASES, "__static_attributes__ is hostile")
def _():
    class Thing:
        def __init__(self):
            self.a = 1
            self.b = 2

    class Other(Thing):
        __static_attributes__ = (EvilKey("a"), evil(str)("b"), 5)

    class Third(Thing):
        __static_attributes__ = evil(tuple)(("a",))

    return [Other(), Third()]


@case(CASES, "__static_attributes__ names a property")
def _():
    class Thing:
        __static_attributes__ = ("tripping", "a", "__class__")

        def __init__(self):
            self.a = 1
            self.b = 2

        @property
        def tripping(self):
            trip("property named by __static_attributes__")

    return Thing()


@case(CASES, "__static_attributes__ names a descriptor of a base class")
def _():
    class Descriptor:
        def __get__(self, instance, owner):
            trip("Descriptor.__get__")

    class Base:
        late = Descriptor()

    class Thing(Base):
        def __init__(self):
            self.a = [1]

        def never(self):
            self.late = 1

    return Thing()


@case(CASES, "__getattr__ answers what is missing")
def _():
    class Thing:
        def __init__(self):
            self.a, self.c = 1, 2

        def never(self):
            self.b = 1

        def __getattr__(self, name):
            trip(f"__getattr__({name})")
            return 1

    return [Thing(), Thing()]


@case(CASES, "__getattribute__ answers everything")
def _():
    class Thing:
        def __init__(self):
            object.__setattr__(self, "x", 1)

        def __getattribute__(self, name):
            trip(f"__getattribute__({name})")
            return 1

    return Thing()


@case(CASES, "__dict__ is a property")
def _():
    class Thing:
        @property
        def __dict__(self):
            trip("__dict__ property")
            return {"fake": 1}

    return Thing()


@case(CASES, "__dict__ of a base is hidden by a property")
def _():
    class Base:
        def __init__(self):
            self.x = 1

    class Thing(Base):
        @property
        def __dict__(self):
            trip("__dict__ property")
            return {"fake": 1}

    return Thing()


@case(CASES, "instance dict of a hostile class")
def _():
    class Thing:
        pass

    thing = Thing()
    thing.__dict__ = evil(dict)(a=1, password="zoosecretBB1")
    return thing


@case(CASES, "instance dict with hostile names")
def _():
    class Thing:
        def __init__(self):
            self.x = 1

    thing = Thing()
    thing.__dict__[EvilKey("x")] = 2
    thing.__dict__[EvilKey("password")] = "zoosecretBB2"
    other = Thing()
    del other.x
    other.__dict__[EvilKey("x")] = 3
    return [thing, other]


@case(CASES, "slots hidden by a property")
def _():
    class Base:
        __slots__ = ("x", "y")

    class Thing(Base):
        __slots__ = ()

        @property
        def x(self):
            trip("x property")

    thing = Thing()
    Base.x.__set__(thing, 5)
    return thing


@case(CASES, "slots without values, __slots__ tampered with")
def _():
    class Thing:
        __slots__ = ("x", "y")

    Thing.__slots__ = evil(list, "EvilSlots")(["x"])
    return Thing()


@case(CASES, "member descriptor of another class")
def _():
    class Other:
        __slots__ = ("x",)

    class Thing:
        stolen = Other.__dict__["x"]

    return Thing()


@case(CASES, "data descriptor that trips")
def _():
    class Descriptor:
        def __get__(self, instance, owner=None):
            trip("Descriptor.__get__")

        def __set__(self, instance, value):
            trip("Descriptor.__set__")

        def __set_name__(self, owner, name):
            trip("Descriptor.__set_name__")

    class Thing:
        x = Descriptor()
        __name__ = Descriptor()

        def __init__(self):
            self.y = 1

    return Thing()


@case(CASES, "cached property that was not asked yet")
def _():
    class Thing:
        def __init__(self):
            self.a = 1

        @functools.cached_property
        def value(self):
            trip("cached_property")

    return Thing()
