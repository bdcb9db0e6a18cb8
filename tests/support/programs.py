"""Draws programs for tests/targets/telling.py: calls of many kinds with locals of many types.

In the tables ``$v`` is any value, ``$k`` a key, ``$s`` a scalar, ``$t`` a text, ``$i`` an int,
``$n`` a small number; ``$body`` are assignments, ``$some`` is one of their names and ``$inner``
the function to be called.
"""

from __future__ import annotations

import random
import re
from itertools import count
from typing import Final

__all__ = ["draw_program"]

_PLACE: Final = re.compile(r"\$([a-z]+)")
_DEPTH: Final = 3

_SCALARS: Final = r"""
None
True
False
...
NotImplemented
$t
$t
$t
$i
$i
$i
b""
bytes(range($n))
bytearray(b"a\0b" * $n)
float("nan")
float("-inf")
-0.0
5e-324
0.1
complex($n, -0.0)
complex("nan-infj")
decimal.Decimal("1.50")
decimal.Decimal("-0E-10")
decimal.Decimal("7" * ($n + 1))
decimal.Decimal("Infinity")
Color.RED
Number.ONE | Number.TWO
Number(64)
datetime.date(2020, 2, 29)
datetime.timedelta(-1, 5, $n)
datetime.datetime(1, 1, 1, 0, 0, 0, $n)
datetime.time(23, 59, 59, tzinfo=datetime.UTC)
""".strip().splitlines()

_VALUES: Final = """
[$v]
[$v, $v, $s, $s, $s, $s, $s, $s, $s]
list(range($n))
having(List([$v]), note=$v)
holding_itself([$v])
($v, $s)
having(Tuple([$v]), note=$s)
Point($v, $s)
tuple.__new__(Point, (1, 2, $v))
{$k: $v, $k: $v}
{$t: $v, $t: $s, $t: $s, $k: $s}
dict(a=$v, password=$t)
without({n: n for n in range(20)}, $n % 21)
without({str(n): n for n in range(20)}, $n % 21)
holding_itself({$k: $v})
vars(Plain($v))
dict(vars(having(Plain(), more=$v)))
having(Dict({$k: $v}), note=$v)
collections.OrderedDict({$k: $v})
collections.defaultdict(list, {$k: $v})
collections.Counter($t)
collections.ChainMap({$t: $v})
types.MappingProxyType({$k: $v})
{$k: $v}.items()
{$k, $k, $k}
frozenset([$k, $k])
without(set(range(100)), $n % 101)
having(Set([$k]), note=$v)
collections.deque([$v, $s], maxlen=$n)
without(collections.deque(range(200)), $n)
holding_itself(collections.deque())
Plain($v, $s)
touched(Plain($v, $s))
having(Plain(), z=$v, a=$s, y=$s)
having(lacking(Plain(), "a"), y=$v, a=$s)
lacking(Plain(), "a", "b")
having(Plain(), __dict__={"other": $v})
having(Plain(), __dict__=Dict(other=$v))
having(Plain($v), __class__=Wide)
Wide($n)
Silent()
Slots($v)
MoreSlots($v)
having(MoreSlots(), s=$v)
Record($v, $s)
having(Int($i), note=$v)
having(Str($t), note=$v)
types.SimpleNamespace(q=$v, p=$s)
Color.PAIR
raised(Error($v), KeyError($s))
having(Error($s), code=$v, __notes__=["note"])
ExceptionGroup("several", [ValueError($s)])
generate($n)
started(generate($n))
(n for n in [1])
range($i)
slice($v, $s)
len
[].append
Plain($v).method
functools.partial(print, $v)
lambda q=$v: q
types
Plain
int
list[int]
re.compile("a+b")
memoryview(bytes($n))
threading.Lock()
threading.RLock()
types.CellType()
types.CellType($v)
pathlib.PurePosixPath("a/b")
sys.flags
object()
itertools.count($n)
""".strip().splitlines()

_KEYS: Final = """
None
True
0.5
$i
$t
$t
$t
($i, $t)
b"token"
Color.RED
Str($t)
frozenset([$i])
int
""".strip().splitlines()

_LETTERS: Final = (
    "abc def",
    "é\xff\x80",
    "雪Ωя",
    "🐍\U0010ffffa",
    "a\ud800\udc00",
    "\0\x1b[31m\x7f",
    "\u202ea\u2066",
)
_SIZES: Final = (0, 1, 5, 8, 9, 16, 17, 30, 31, 64, 65, 79, 81, 119, 120, 121, 150)
_BITS: Final = (1, 29, 30, 31, 59, 60, 61, 62, 63, 64, 65, 90, 120, 3000)

_CALLS: Final = """
def $f(*args, **names):
    $body
    return $inner($some, k=$some)
---
def $f(a=1, /, b=$v, *args, c=$v, **names):
    $body
    $inner(1, 2, 3, d=$some)
---
def $f(*args, **names):
    $body
    shared = $some
    def nested(x=$some):
        nonlocal shared
        own, shared = [shared], $v
        $inner()
        return never, args
    nested()
    never = 1
---
def $f(*args, **names):
    $body
    (lambda q, w=$some: $inner(q))($some)
---
def $f(*args, **names):
    $body
    x = "outer"
    [$inner(x, y) for x in [$some] for y in (1,)]
---
def $f(*args, **names):
    $body
    list($inner(x) for x in [$some])
---
def $f(*args, **names):
    def generator(z):
        $body
        yield 1
        $inner()
        yield 2
    def delegating():
        yield from generator(2)
    list(delegating())
---
def $f(*args, **names):
    async def coroutine(z):
        $body
        $inner()
    async def awaiting():
        await coroutine(1)
    awaiting().send(None)
---
def $f(*args, **names):
    async def generator():
        $body
        $inner()
        yield 5
    async def iterating():
        return [x async for x in generator()]
    iterating().send(None)
---
def $f(*args, **names):
    $body
    class Body:
        attribute = $some
        value = $inner()
---
def $f(*args, **names):
    $body
    class Body:
        attribute = $some
        values = [$inner(x) for x in [1]]
---
def $f(*args, **names):
    exec("one = [1]; $inner(one)", globals(), {None: 2})
---
def $f(*args, **names):
    try:
        $body
        raise Error($some)
    except Error as error:
        $inner(error)
---
def $f(*args, **names):
    $body
    with managed($some) as entered, contextlib.suppress(KeyError):
        $inner()
---
def $f(*args, **names):
    $body
    for i, (p, *q) in enumerate([(1, 2, 3)]):
        $inner(w := q)
---
def $f(*args, **names):
    $body
    [2, 1].sort(key=lambda one: $inner(one))
---
def $f[T](*args: T, **names):
    $body
    def use() -> T:
        return T, args
    $inner(
        $some,
    )
---
def $f(*args, **names):
    $body
    unbound = 1
    del unbound
    sys._getframe().f_locals["written"] = $some
    $inner()
""".strip().split("\n---\n")


class _Draw:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._numbers = count()

    def program(self, threads: int) -> str:
        starts, parts = [], []
        for _ in range(threads):
            inner = "park"
            for _ in range(self._random.randrange(1, 5)):
                name = f"call_{next(self._numbers)}"
                parts.append(self._call(name, inner))
                inner = name
            starts.append(inner)
        return "\n".join([*parts, f"STARTS += [{', '.join(starts)}]\n"])

    def _call(self, name: str, inner: str) -> str:
        names = [f"v{next(self._numbers)}" for _ in range(self._random.randrange(1, 8))]
        body = [f"{one} = {self._value(_DEPTH)}" for one in names]
        lines = []
        for line in self._random.choice(_CALLS).splitlines():
            indent = line[: len(line) - len(line.lstrip())]
            parts = body if line.strip() == "$body" else [line.strip()]
            lines += [indent + part for part in parts]
        fixed = {"f": name, "inner": inner}
        known = names if any(body[0] in line for line in lines) else ["None"]

        def filled(match: re.Match[str]) -> str:
            what = match[1]
            if what == "some":
                return self._random.choice(known)
            return fixed.get(what) or self._value(1)

        return _PLACE.sub(filled, "\n".join(lines))

    def _value(self, depth: int) -> str:
        table = _VALUES if depth and self._random.random() < 0.7 else _SCALARS
        return self._filled(self._random.choice(table), depth - 1)

    def _filled(self, template: str, depth: int) -> str:
        def filled(match: re.Match[str]) -> str:
            match match[1]:
                case "v":
                    return self._value(max(0, depth))
                case "k":
                    return self._filled(self._random.choice(_KEYS), 0)
                case "s":
                    return self._value(0)
                case "t":
                    return ascii(self._text())
                case "i":
                    return str(self._integer())
                case _:
                    return str(self._random.choice(_SIZES))

        return _PLACE.sub(filled, template)

    def _text(self) -> str:
        letters = self._random.choice(_LETTERS)
        return "".join(self._random.choices(letters, k=self._random.choice(_SIZES)))

    def _integer(self) -> int:
        near = (1 << self._random.choice(_BITS)) + self._random.choice((-1, 0, 1))
        return near * self._random.choice((-1, 1))


def draw_program(seed: int, *, threads: int = 8) -> str:
    """Return the source of a program; the same seed gives the same one."""
    return _Draw(seed).program(threads)
