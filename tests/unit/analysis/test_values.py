from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from snapshotter.analysis.changes import Change, ValueChange
from snapshotter.analysis.labels import members
from snapshotter.analysis.seen import Seen
from snapshotter.analysis.values import MAX_CHANGES, Comparison
from snapshotter.model import Item, Kind, Status, Value
from tests.support.samples import Ref, Values

if TYPE_CHECKING:
    import pytest


def seen(value: object, *, identity: int | None = None, shown: int = 8) -> Seen:
    values = Values()
    node = values.add(value, identity=identity, shown=shown)
    return Seen(tuple(values.nodes), node)


def compare_values(
    before: Seen, after: Seen, *, across_views: bool = False
) -> tuple[tuple[ValueChange, ...], int]:
    comparison = Comparison(before.values, after.values, across_views=across_views)
    return comparison.differences(before.node, after.node)


def changes(before: Seen, after: Seen) -> list[tuple[str, str]]:
    return [(each.path, each.change.value) for each in compare_values(before, after)[0]]


def test_equal_values_have_no_difference() -> None:
    for value in (1, "a", None, [1, 2], {"a": [1]}, {1: 2}, {1, 2}, (1,)):
        assert changes(seen(value), seen(value)) == []


def test_a_scalar_changes_by_value_and_type() -> None:
    assert changes(seen(1), seen(2)) == [("", "changed")]
    assert changes(seen(1), seen(1.0)) == [("", "changed")]
    assert changes(seen("1"), seen(1)) == [("", "changed")]
    assert changes(seen(float("nan")), seen(float("nan"))) == []


def test_members_are_told_by_their_path() -> None:
    old, new = {"a": 1, "b": {"c": [1, 2]}, "gone": 0}, {"a": 1, "b": {"c": [1, 3]}, "new": 0}
    found = changes(seen(old), seen(new))
    assert found == [("['new']", "added"), ("['gone']", "removed"), ("['b']['c'][1]", "changed")]


def test_a_longer_list_is_one_difference_with_its_length() -> None:
    found, more = compare_values(seen(list(range(100))), seen(list(range(150))))
    assert [(each.path, each.length_delta) for each in found] == [("", 50)]
    assert more == 0


def test_a_key_beyond_the_captured_head_is_not_called_removed() -> None:
    old = seen({f"k{n}": n for n in range(20)})
    new = seen({f"k{n}": n for n in range(5, 25)})
    assert changes(old, new) == []


def test_set_members_are_compared_without_order() -> None:
    assert changes(seen({1, 2, 3}), seen({3, 2, 4})) == [("{4}", "added"), ("{1}", "removed")]


def test_an_equal_container_that_is_another_object_is_rebound() -> None:
    assert changes(seen([1], identity=1), seen([1], identity=2)) == [("", "rebound")]
    assert changes(seen([1], identity=1), seen([2], identity=2)) == [("[0]", "changed")]
    assert changes(seen("a", identity=1), seen("a", identity=2)) == []
    assert changes(seen([1], identity=1), seen([1])) == []


def test_redacted_values_tell_only_type_and_length() -> None:
    def secret(length: int) -> Seen:
        return seen(Value(Kind.STR, "str", Status.REDACTED, length))

    assert changes(secret(8), secret(8)) == []
    assert changes(secret(8), secret(9)) == [("", "changed")]


def test_attributes_are_told_from_keys() -> None:
    old, new = Values(), Values()
    before = old.object("app.Order", state="open")
    after = new.object("app.Order", state="paid")
    assert changes(Seen(tuple(old.nodes), before), Seen(tuple(new.nodes), after)) == [
        (".state", "changed")
    ]


def test_another_type_is_one_difference_without_members() -> None:
    old, new = Values(), Values()
    before, after = old.object("app.Order", state="open"), new.object("app.Refund", state="x")
    found, _ = compare_values(Seen(tuple(old.nodes), before), Seen(tuple(new.nodes), after))
    assert [(each.path, each.change, each.length_delta) for each in found] == [
        ("", Change.CHANGED, None)
    ]


def test_cycles_end() -> None:
    ring = Seen((Value(Kind.LIST, "list", length=1, items=(Item(0),), identity=1),), 0)
    assert changes(ring, ring) == []


def test_shared_values_do_not_explode() -> None:
    values = Values()
    node = values.add(0)
    for _ in range(60):
        node = values.object("app.Node", left=Ref(node), right=Ref(node))
    both = Seen(tuple(values.nodes), node)
    assert changes(both, both) == []


def test_a_value_far_along_one_path_and_near_on_another_is_compared() -> None:
    def chain(number: int) -> Seen:
        values = Values()
        last = node = values.object("app.Node", value=Ref(values.object("app.Box", number=number)))
        for _ in range(5):
            node = values.object("app.Node", following=Ref(node))
        root = values.object("app.Ring", first=Ref(node), last=Ref(last))
        return Seen(tuple(values.nodes), root)

    assert changes(chain(1), chain(1)) == []
    assert changes(chain(1), chain(2)) == [(".last.value.number", "changed")]


def test_a_number_that_the_interpreter_shares_is_told_wherever_it_stands() -> None:
    def twice(number: int) -> Seen:
        whole = Value(Kind.LIST, "list", length=2, items=(Item(1), Item(1)))
        return Seen((whole, Value(Kind.INT, "int", value=number, identity=number)), 0)

    assert changes(twice(1), twice(2)) == [("[0]", "changed"), ("[1]", "changed")]


def test_what_many_values_share_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def counted(seen: Seen, longest_name: int) -> object:
        looked_at.append(seen.node)
        return members(seen, longest_name)

    monkeypatch.setattr("snapshotter.analysis.values.members", counted)

    def owners(number: int) -> tuple[tuple[Value, ...], list[int]]:
        values = Values()
        shared = values.add([[[number]], [[0]], [[0]]])
        own = [values.object("app.Worker", pool=Ref(shared)) for _ in range(100)]
        return tuple(values.nodes), own

    (old, olds), (new, news) = owners(1), owners(2)
    comparison = Comparison(old, new)
    for pair in zip(olds, news, strict=True):
        ((change,), more) = comparison.differences(*pair)
        assert (change.path, more) == (".pool[0][0][0]", 0)
    assert len(looked_at) == 2 * (100 + 7)


def test_differences_are_bounded_and_counted() -> None:
    old = seen({f"k{n}": 0 for n in range(30)}, shown=30)
    new = seen({f"k{n}": 1 for n in range(30)}, shown=30)
    found, more = compare_values(old, new)
    assert (len(found), more) == (MAX_CHANGES, 30 - MAX_CHANGES)


def test_growth_is_told_beside_more_differences_than_are_shown() -> None:
    def busy(step: int) -> Seen:
        counts = {f"n{at}": step for at in range(20)}
        return seen({**counts, "rows": [0] * step}, shown=30)

    found, more = compare_values(busy(1), busy(2))
    assert (len(found), more) == (MAX_CHANGES, 21 - MAX_CHANGES)
    assert (found[-1].path, found[-1].length_delta) == ("['rows']", 1)


def test_a_type_that_one_side_does_not_know_is_no_difference() -> None:
    table = (Value(Kind.NONE, "NoneType"), Value(Kind.NONE, ""), Value(Kind.INT, "", value=3))
    assert changes(Seen(table, 0), Seen(table, 1)) == []
    assert changes(seen(3), Seen(table, 2)) == []
    assert changes(seen(4), Seen(table, 2)) == [("", "changed")]


def test_what_one_side_had_no_time_for_is_no_difference() -> None:
    known = seen({"a": 1, "b": [2]})
    nodes = [*known.values, Value(Kind.UNKNOWN, "", Status.TRUNCATED)]
    items = tuple(replace(item, node=len(known.values)) for item in known.value.items)
    nodes[known.node] = replace(known.value, items=items)
    cut = Seen(tuple(nodes), known.node)
    assert changes(known, cut) == []
    assert changes(cut, known) == []


def test_what_one_side_could_not_read_differs_by_its_type_only() -> None:
    known = seen([1])
    for unread in (
        Value(Kind.OBJECT, "list", Status.UNREADABLE),
        Value(Kind.OBJECT, "", Status.UNREADABLE),
        Value(Kind.UNKNOWN, "list", Status.TRUNCATED),
    ):
        assert changes(known, seen(unread)) == []
        assert changes(seen(unread), known) == []
    other = Value(Kind.OBJECT, "app.Order", Status.UNREADABLE)
    assert changes(known, seen(other)) == [("", "changed")]


def test_a_secret_that_one_side_shows_is_no_difference() -> None:
    hidden = seen(Value(Kind.UNKNOWN, "app.Secret", Status.REDACTED))
    shown = seen(Value(Kind.OBJECT, "app.Secret"))
    assert changes(hidden, shown) == changes(shown, hidden) == []
    nameless = seen(Value(Kind.ENUM, "app.Key"))
    named = seen(Value(Kind.ENUM, "app.Key", value="PASSWORD"))
    assert changes(nameless, named) == changes(named, nameless) == []


def test_of_texts_that_were_cut_the_common_part_is_compared() -> None:
    def head(shown: str | bytes | None) -> Seen:
        kind = Kind.BYTES if isinstance(shown, bytes) else Kind.STR
        return seen(Value(kind, kind.value, Status.TRUNCATED, 500, shown))

    for short, long, other in (("ab", "abc", "bbc"), (b"ab", b"abc", b"bbc")):
        assert changes(head(short), head(long)) == changes(head(long), head(short)) == []
        assert changes(head(short), head(other)) == [("", "changed")]
    assert changes(head(None), head("ab")) == []
    noon, later = "2026-01-01T12:00:00", "2026-01-01T12:00:00.500000"
    old, new = (
        seen(Value(Kind.TIME, "datetime.datetime", Status.TRUNCATED, value=each))
        for each in (noon, later)
    )
    assert changes(old, new) == [("", "changed")]


def test_a_key_that_there_was_no_time_for_may_be_any_key() -> None:
    def without(whole: Seen, key: object) -> Seen:
        cut = Value(Kind.UNKNOWN, "", Status.TRUNCATED)
        nodes = tuple(cut if each.value == key else each for each in whole.values)
        return Seen(nodes, whole.node)

    for value in ({1: "a", 2: "b"}, {1, 2}):
        whole = seen(value)
        assert changes(whole, without(whole, 2)) == []
        assert changes(without(whole, 2), whole) == []
    known = changes(seen({1: "a", (2,): "b"}), seen({3: "a", (2,): "b"}))
    assert known == [("[3]", "added"), ("[1]", "removed")]


def test_members_below_tuples_and_enums_are_found_again() -> None:
    assert changes(seen({(1, "a"): 1}), seen({(1, "a"): 2})) == [("[(1, 'a')]", "changed")]
    assert changes(seen({(1,)}), seen({(2,)})) == [("{(2,)}", "added"), ("{(1,)}", "removed")]
    assert changes(seen({((1, 2), 3): 0}), seen({((1, 2), 3): 0})) == []

    def by_colour(number: int) -> Seen:
        own = Item(3, "_value_", attribute=True)
        red = Value(Kind.ENUM, "app.Colour", value="RED", items=(own,))
        whole = Value(Kind.DICT, "dict", length=1, items=(Item(1, key=2),))
        one = Value(Kind.INT, "int", value=1)
        return Seen((whole, Value(Kind.INT, "int", value=number), red, one), 0)

    assert changes(by_colour(1), by_colour(2)) == [("['RED']", "changed")]


def test_a_key_that_is_hidden_may_be_any_key() -> None:
    def holding(*keys: Value) -> Seen:
        items = tuple(Item(1 + at) for at in range(len(keys)))
        return Seen((Value(Kind.SET, "set", length=len(keys), items=items), *keys), 0)

    shown = Value(Kind.STR, "str", length=3, value="abc")
    other = Value(Kind.SET, "frozenset", Status.TRUNCATED, 3)
    for hidden in (
        Value(Kind.STR, "str", Status.REDACTED, 3),
        Value(Kind.STR, "str", Status.TRUNCATED, 3, "ab"),
        Value(Kind.OBJECT, "str", Status.UNREADABLE),
    ):
        assert changes(holding(hidden), holding(shown)) == []
        assert changes(holding(shown), holding(hidden)) == []
    assert changes(holding(other), holding(other, shown))[1:] == [("{'abc'}", "added")]


def test_attributes_that_were_left_out_deep_in_another_value_are_no_change() -> None:
    def member(kind: Kind, *, deep: bool) -> Seen:
        items = () if deep else (Item(1, "_value_", attribute=True),)
        own = Value(kind, "app.Colour", value="RED" if kind is Kind.ENUM else None, items=items)
        return Seen((own, Value(Kind.INT, "int", value=1)), 0)

    for kind in (Kind.ENUM, Kind.EXCEPTION):
        near, far = member(kind, deep=False), member(kind, deep=True)
        assert changes(near, far) == changes(far, near) == []
    near, far = member(Kind.OBJECT, deep=False), member(Kind.OBJECT, deep=True)
    assert changes(far, near) == [("._value_", "added")]


def test_attributes_of_a_dict_that_one_view_lacks_are_no_change() -> None:
    def rows(*items: Item) -> Seen:
        return Seen(
            (Value(Kind.DICT, "app.Rows", length=0, items=items), Value(Kind.INT, "int")), 0
        )

    bare = rows(Item(1, "a", attribute=True))
    more = rows(Item(1, "a", attribute=True), Item(1, "b", attribute=True))
    assert changes(bare, more) == [(".b", "added")]
    assert compare_values(bare, more, across_views=True) == ((), 0)


def test_a_tuple_that_was_not_read_whole_may_be_any_key() -> None:
    def keyed(*parts: Value) -> Seen:
        items = tuple(Item(at) for at in range(2, 2 + len(parts)))
        key = Value(Kind.TUPLE, "tuple", length=len(parts), items=items)
        whole = Value(Kind.SET, "set", length=1, items=(Item(1),))
        return Seen((whole, key, *parts), 0)

    one, two = Value(Kind.INT, "int", value=1), Value(Kind.INT, "int", value=2)
    unread = Value(Kind.UNKNOWN, "", Status.TRUNCATED)
    assert changes(keyed(one, unread), keyed(one, two)) == []
    assert changes(keyed(one, two), keyed(one, unread)) == []
    inside_itself = Value(Kind.TUPLE, "tuple", length=1, items=(Item(1),))
    ring = Seen((Value(Kind.SET, "set", length=1, items=(Item(1),)), inside_itself), 0)
    assert changes(ring, ring) == []


def test_a_key_that_is_no_number_stays_the_same_key() -> None:
    assert changes(seen({float("nan")}), seen({float("nan")})) == []
    assert changes(seen({float("nan"): 1}), seen({float("nan"): 1})) == []
    assert changes(seen({(float("nan"),)}), seen({(float("nan"),)})) == []


def test_names_that_were_cut_to_the_same_text_are_not_taken_for_each_other() -> None:
    def rows(*numbers: int) -> Seen:
        items = tuple(Item(1 + at, "x" * 120) for at in range(len(numbers)))
        shown = (Value(Kind.INT, "int", value=number) for number in numbers)
        return Seen((Value(Kind.DICT, "dict", length=len(items), items=items), *shown), 0)

    assert changes(rows(1, 2), rows(2, 1)) == []
    assert changes(rows(1, 2), rows(1)) == [("", "changed")]
    assert changes(rows(1), rows(2)) == [(f"['{'x' * 120}']", "changed")]


def test_numbers_tell_by_how_much_they_changed() -> None:
    def delta(before: object, after: object) -> float | None:
        ((change,), _) = compare_values(seen(before), seen(after))
        return change.number_delta

    assert delta(3, 8) == 5
    assert delta(2.5, 2.0) == -0.5
    assert delta(2**70, 2**70 + 1) == 1
    assert delta(1.0, float("nan")) is None
    for before, after in ((False, True), (1, 1.5), ("1", "2"), ([1], [1, 2]), (None, 1)):
        assert delta(before, after) is None
