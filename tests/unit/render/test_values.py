from __future__ import annotations

import pytest
from rich.cells import cell_len

from snapshotter.analysis.seen import Seen
from snapshotter.model import Item, Kind, Status, Value
from snapshotter.render.values import MAX_TREE_LINES, describe, value_lines
from tests.support.samples import Ref, Values


def shown(value: object, width: int = 100) -> str:
    values = Values()
    node = values.add(value)
    return describe(Seen(tuple(values.nodes), node), width=width).plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"), (True, "True"), (42, "42"), (1.5, "1.5"), ("it's", '"it\'s"'),
        (b"ab", "b'ab'"), ([], "[]"), ({}, "{}"), (set(), "set()"), ((), "()"),
        ([1, "a"], "[1, 'a']"), ({"a": 1, 2: 3}, "{'a': 1, 2: 3}"),
        (list(range(9)), "list of 9: [0, 1, 2, 3, 4, 5, 6, 7, …]"),
        (Value(Kind.STR, "str", Status.REDACTED, 24), "‹redacted: str of 24 characters›"),
        (Value(Kind.OBJECT, "db.Cursor", Status.UNREADABLE), "‹unreadable: db.Cursor›"),
        (Value(Kind.DICT, "dict", Status.TRUNCATED, 9000), "‹not captured: dict of 9,000›"),
        (Value(Kind.STR, "str", Status.TRUNCATED, 4096, "abc"), "str of 4,096 characters: 'abc'…"),
        (Value(Kind.STR, "str", length=12), "‹str of 12 characters›"),
        (Value(Kind.INT, "int", length=40_000), "‹int of 40,000 bits›"),
        (Value(Kind.INT, "int", Status.TRUNCATED, 91, 1 << 61),
         "‹int of 91 bits, beginning with 0x2000000000000000›"),
        (Value(Kind.UNKNOWN, ""), "‹not captured›"),
        (Value(Kind.UNKNOWN, "", Status.REDACTED), "‹redacted›"),
        (Value(Kind.UNKNOWN, "db.Key", Status.REDACTED), "‹redacted: db.Key›"),
        (Value(Kind.UNKNOWN, "", Status.UNREADABLE), "‹unreadable›"),
        (Value(Kind.ARRAY, "numpy.ndarray", length=1000, value="float64 10x100"),
         "<numpy.ndarray of 1,000 float64 10x100>"),
        (Value(Kind.LOCK, "_thread.lock", value="<locked lock>"), "<locked lock>"),
        (Value(Kind.CODE, "coroutine", value="fetch at feed.py:17"),
         "<coroutine fetch at feed.py:17>"),
        (Value(Kind.DICT, "collections.OrderedDict", length=0),
         "collections.OrderedDict of 0: {}"),
    ],
)  # fmt: skip
def test_describe_tells_kind_length_and_head(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_redacted_key_is_told_like_a_redacted_value() -> None:
    secret = Value(Kind.UNKNOWN, "", Status.REDACTED)
    items = (Item(1, key=1), Item(1, name="token"))
    table = (Value(Kind.DICT, "dict", length=2, items=items), secret)
    assert describe(Seen(table, 0)).plain == "{‹redacted›: ‹redacted›, 'token': ‹redacted›}"
    tree = [each.plain for each in value_lines("d", Seen(table, 0))]
    assert tree[1:] == ["  [‹redacted›] = ‹redacted›", "  ['token'] = ‹redacted›"]


def test_attributes_that_were_left_out_are_told() -> None:
    cut = Value(
        Kind.OBJECT, "shop.Cart", Status.TRUNCATED, items=(Item(1, name="a", attribute=True),)
    )
    seen = Seen((cut, Value(Kind.INT, "int", value=1)), 0)
    assert describe(seen).plain == "<shop.Cart a=1 …>"
    tree = [each.plain for each in value_lines("cart", seen)]
    assert tree == ["cart = <shop.Cart>", "  .a = 1", "  … more, not captured"]


def test_describe_shows_attributes() -> None:
    values = Values()
    node = values.object("orders.db.Pool", size=20, name="main")
    text = describe(Seen(tuple(values.nodes), node)).plain
    assert text == "<orders.db.Pool size=20 name='main'>"


@pytest.mark.parametrize("width", [1, 5, 20, 37])
def test_describe_keeps_to_its_width_and_says_that_it_cut(width: int) -> None:
    text = shown(list(range(9)), width)
    assert cell_len(text) <= width
    assert text.endswith("…")


def test_describe_cuts_wide_characters_by_cells() -> None:
    assert cell_len(shown("日本語" * 20, 21)) <= 21


def test_describe_ends_at_cycles() -> None:
    ring = (Value(Kind.LIST, "list", length=1, items=(Item(0),)),)
    assert describe(Seen(ring, 0)).plain == "[‹cycle: list of 1›]"


def test_reasons_for_a_hidden_value_have_different_styles() -> None:
    styles = set()
    for status in (Status.REDACTED, Status.TRUNCATED, Status.UNREADABLE):
        text = describe(Seen((Value(Kind.OBJECT, "x.Y", status),), 0))
        styles.add(str(text.spans[0].style))
    assert len(styles) == 3


def test_captured_text_cannot_look_like_a_reason() -> None:
    assert shown("‹redacted: str›") == "'‹redacted: str›'"


def test_the_tree_shows_every_member_once_per_line() -> None:
    values = Values()
    node = values.object("Order", lines=[{"sku": 1}], total=2)
    lines = [line.plain for line in value_lines("order", Seen(tuple(values.nodes), node))]
    assert lines == [
        "order = <Order>", "  .lines = list of 1", "    [0] = dict of 1", "      ['sku'] = 1",
        "  .total = 2",
    ]  # fmt: skip


def test_the_tree_is_bounded() -> None:
    values = Values()
    node = values.add(0)
    for _ in range(40):
        node = values.object("Node", left=Ref(node), right=Ref(node))
    lines = list(value_lines("root", Seen(tuple(values.nodes), node)))
    assert len(lines) == MAX_TREE_LINES + 1
