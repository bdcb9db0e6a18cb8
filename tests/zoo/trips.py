"""Trip wires: every method of a case reports when it runs.

A module of the zoo has a list ``CASES`` that ``@case("label")`` fills with functions; each returns
the object (or the objects) to be captured. Wires are armed when all objects exist.
"""

import itertools

__all__ = ["KEPT", "Trips", "case", "cases_of", "evil", "evil_methods", "trip", "trips"]

KEPT = []
"""What must outlive the function that made a case."""


class Trips:
    """What has run since the wires were armed."""

    def __init__(self):
        self.armed = False
        self.seen = []
        self.replacements = []
        """(namespace, name, genuine, replaced) of what is replaced while the wires are armed."""

    def arm(self):
        self.seen.clear()
        for namespace, name, _, replaced in self.replacements:
            namespace[name] = replaced
        self.armed = True

    def disarm(self):
        self.armed = False
        for namespace, name, genuine, _ in self.replacements:
            namespace[name] = genuine


trips = Trips()


def trip(what):
    """Report that code of a case runs."""
    if trips.armed and trips.seen.__len__() < 50:  # len may be replaced
        trips.seen.append(what)


def case(cases, label):
    """Add a function that makes an object to a list of cases."""

    def add(make):
        cases.append((label, make))
        return make

    return add


def cases_of(module):
    """The cases of a module of the zoo."""
    return list(module.CASES)


NAMES = """__repr__ __str__ __bytes__ __format__ __hash__ __bool__ __getattr__ __dir__ __len__
__length_hint__ __iter__ __next__ __reversed__ __contains__ __getitem__ __missing__ __call__
__index__ __int__ __float__ __complex__ __round__ __trunc__ __floor__ __ceil__ __abs__ __neg__
__pos__ __invert__ __add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __mod__ __rmod__ __rshift__
__lshift__ __and__ __or__ __xor__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __enter__ __exit__
__await__ __aiter__ __anext__ __reduce__ __reduce_ex__ __getstate__ __copy__ __deepcopy__
__sizeof__ __instancecheck__ __subclasscheck__ __fspath__ __buffer__ __array__ __array_interface__
__array_struct__ __array_ufunc__ __array_function__ __dataframe__ __arrow_array__ __html__ __rich__
__rich_repr__ __rich_console__ __sentry_repr__ __pretty__ __json__ _repr_html_ _repr_pretty_
_repr_mimebundle_ __pydantic_serializer__ __getnewargs__ __getnewargs_ex__ __get__ keys values
items get copy pop popitem sort index count encode decode lower upper strip split join startswith
bit_length to_bytes as_integer_ratio hex is_integer isoformat utcoffset tzname dst strftime
__class_getitem__ _asdict _make _replace as_tuple""".split()
_ANSWERS = {
    "__hash__": 1,
    "__repr__": "evil",
    "__str__": "evil",
    "__format__": "evil",
    "__bool__": True,
    "__len__": 1 << 40,
    "__length_hint__": 1 << 40,
    "__eq__": NotImplemented,
    "__lt__": NotImplemented,
    "__instancecheck__": True,
    "__subclasscheck__": True,
    "__reduce__": "evil",
    "__reduce_ex__": "evil",
    "__next__": 1,
}
_ENDLESS = ("__iter__", "keys", "items", "values")


def evil_methods(prefix, base=object, skip=()):
    """Every special method and many names that tools call, each of which trips."""

    def make(name):
        def method(self, *args, **words):
            trip(f"{prefix}.{name}")
            genuine = getattr(base, name, None)
            if genuine is not None and genuine is not getattr(object, name, None):
                try:
                    return genuine(self, *args, **words)
                except TypeError:
                    pass
            if name == "__dir__":
                return ["a", "b"]
            if name in _ENDLESS:
                return itertools.repeat(("k", "v"))
            if name in _ANSWERS:
                return _ANSWERS[name]
            raise AttributeError(name)

        return method

    def getattribute(self, name):
        trip(f"{prefix}.__getattribute__({name})")
        return base.__getattribute__(self, name)

    methods = {name: make(name) for name in NAMES if name not in skip}
    if "__getattribute__" not in skip:
        methods["__getattribute__"] = getattribute
    return methods


def evil(base, name=None, skip=()):
    """A subclass of a builtin type whose every method trips."""
    name = name or "Evil" + base.__name__
    methods = evil_methods(name, base, skip)
    methods["__module__"] = "zoo"
    return type(name, (base,), methods)


class EvilKey(str):
    """Equal hash to that of the plain str; its comparison trips. Stored as a key."""

    __slots__ = ()

    def __hash__(self):
        trip("EvilKey.__hash__")
        return str.__hash__(self)

    def __eq__(self, other):
        trip("EvilKey.__eq__")
        return str.__eq__(self, other)


__all__ += ["EvilKey"]
