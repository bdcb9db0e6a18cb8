"""No planted secret is in what is read from outside, of the corpus that the probe is held to."""

from __future__ import annotations

import base64
import os
import threading
from typing import TYPE_CHECKING

import pytest

from snapshotter.model import Status, ValueLevel
from snapshotter.model.limits import Limits
from tests.secrets.corpus import CARDS, CASES, secret_of
from tests.support.details import Details, details_of, see_own
from tests.unit.probe.probing import see_locals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.outside.details import OutsideDetails

DEEP = Limits(depth=6)


@pytest.fixture(scope="module")
def own() -> Iterator[Details]:
    with details_of(os.getpid()) as details:
        yield details


def _leaks(found: OutsideDetails, secret: str) -> list[str]:
    plain = secret.encode()
    forms = [plain, plain.upper(), secret.encode("utf-16-le"), base64.b64encode(plain)[:10]]
    shown = [
        text.encode() if isinstance(text, str) else text
        for value in found.values
        for text in (value.value, *(item.name for item in value.items))
        if isinstance(text, str | bytes)
    ]
    shown += [name.encode() for name, _ in found.names.values() if name]
    return [repr(text) for text in shown if any(form in text for form in forms)]


@pytest.mark.parametrize("level", [ValueLevel.SCRUBBED, ValueLevel.SHAPES])
@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.label for case in CASES])
def test_a_secret_is_not_shown(own: Details, number: int, level: ValueLevel) -> None:
    secret = secret_of(number)
    case = CASES[number]
    found = see_own(own, {case.name: case.hide(secret)}, limits=DEEP, level=level, names=False)
    assert found.variables[0].problem is None
    assert _leaks(found, secret) == []


def test_a_text_that_begins_as_a_secret_does_is_told_as_from_inside(own: Details) -> None:
    values = {"password": "пароль" * 4, "thing": "пароль" * 3 + " и так далее"}
    found = see_own(own, values)
    assert [one.status for one in found.values] == [Status.REDACTED, Status.OK]
    inside = see_locals(values)
    assert inside["thing"].value.status is Status.OK


def test_secrets_of_all_cases_stay_hidden_together(own: Details) -> None:
    values = {f"case_{n}": CASES[n].hide(secret_of(n)) for n in range(len(CASES))}
    values |= {
        case.name: values.pop(f"case_{n}") for n, case in enumerate(CASES) if case.name != "thing"
    }
    found = see_own(own, values, limits=DEEP)
    leaked = [CASES[n].label for n in range(len(CASES)) if _leaks(found, secret_of(n))]
    assert leaked == []


def test_at_the_level_of_shapes_no_text_is_shown(own: Details) -> None:
    values = {
        "a": "innocent words",
        "b": [b"innocent words", bytearray(b"innocent words")],
        "c": {"innocent words": 1, ("innocent words",): 2},
        "d": ValueError("innocent words"),
    }
    found = see_own(own, values, limits=DEEP, level=ValueLevel.SHAPES)
    assert _leaks(found, "innocent words") == []


def test_at_the_level_full_everything_is_there(own: Details) -> None:
    found = see_own(own, {"password": "hunter2", "card": 4111111111111111}, level=ValueLevel.FULL)
    assert [value.value for value in found.values] == ["hunter2", 4111111111111111]


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_number_is_not_shown(own: Details, card: object) -> None:
    found = see_own(own, {"thing": card}, limits=DEEP)
    for digits in ("4111111111111111", "5500 0000", "3782-8224", "601111", "55555", "40128"):
        assert _leaks(found, digits) == []
    assert all(value.value != 4111111111111111 for value in found.values)


@pytest.mark.parametrize("path", ["passwords.bob", "box._v"])
def test_a_variable_on_a_secret_path_is_hidden(own: Details, path: str) -> None:
    holder = type("Holder", (), {"bob": "zqx9999wv"})
    secret = type("SecretStr", (), {"__slots__": ("_v",)})()
    secret._v = "zqx9999wv"
    name, _, rest = path.partition(".")
    values = {name: holder if name == "passwords" else secret}
    found = see_own(own, values, variables=(("snap_test_values", name, rest),))
    assert _leaks(found, "zqx9999wv") == []
    assert found.variables[0].problem is None


def test_names_of_threads_are_scrubbed(own: Details) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="pool of pg://bob:zqx9998wv@db/x", daemon=True)
    thread.start()
    try:
        found = see_own(own, {})
    finally:
        stop.set()
        thread.join()
    assert thread.ident in found.names
    assert _leaks(found, "zqx9998wv") == []
