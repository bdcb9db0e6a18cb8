"""No planted secret reaches the bytes of a reply."""

from __future__ import annotations

import base64
import threading

import msgpack
import pytest

from tests.secrets.corpus import CARDS, CASES, Case, secret_of
from tests.unit.probe.probing import NONCE, raw_reply, see
from tests.unit.probe.variables import module_of


def _forms(secret: str) -> list[bytes]:
    plain = secret.encode()
    return [plain, plain.upper(), secret.encode("utf-16-le"), base64.b64encode(plain)[:10]]


def _reply(case: Case, secret: str, level: str) -> bytes:
    with module_of({case.name: case.hide(secret)}) as variables:
        return raw_reply(variables=variables, values=level, depth=6)


def test_the_corpus_is_large_and_its_labels_are_unique() -> None:
    assert len(CASES) >= 250
    assert len({case.label for case in CASES}) == len(CASES)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.label for case in CASES])
def test_a_secret_is_not_in_the_reply(number: int) -> None:
    secret = secret_of(number)
    reply = _reply(CASES[number], secret, "scrubbed")
    assert reply.endswith(NONCE)
    assert [form for form in _forms(secret) if form in reply] == []


def test_secrets_of_all_cases_stay_hidden_in_one_reply() -> None:
    values = {f"case_{n}": CASES[n].hide(secret_of(n)) for n in range(len(CASES))}
    values |= {
        CASES[n].name: values.pop(f"case_{n}")
        for n in range(len(CASES))
        if CASES[n].name != "thing"
    }
    with module_of(values) as variables:
        reply = raw_reply(variables=variables, depth=6)
    leaked = [n for n in range(len(CASES)) if secret_of(n).encode() in reply]
    assert [CASES[n].label for n in leaked] == []


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.label for case in CASES])
def test_at_the_level_of_shapes_there_is_no_text_of_values(number: int) -> None:
    secret = secret_of(number)
    assert secret.encode() not in _reply(CASES[number], secret, "shapes")


def test_at_the_level_of_shapes_innocent_texts_are_left_out_too() -> None:
    values = {
        "a": "innocent words",
        "b": [b"innocent words", bytearray(b"innocent words")],
        "c": {"innocent words": 1, ("innocent words",): 2},
        "d": ValueError("innocent words"),
    }
    with module_of(values) as variables:
        reply = raw_reply(variables=variables, values="shapes", depth=6)
    assert b"innocent words" not in reply


def test_at_the_level_full_everything_is_there() -> None:
    shown = see({"password": "hunter2", "card": 4111111111111111}, values="full")
    assert shown["password"].value.value == "hunter2"
    assert shown["card"].value.value == 4111111111111111


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_number_is_not_in_the_reply(card: object) -> None:
    with module_of({"thing": card}) as variables:
        reply = raw_reply(variables=variables, depth=6)
    assert msgpack.unpackb(reply, raw=False, strict_map_key=False)["nodes"]
    for digits in (b"4111111111111111", b"5500 0000", b"3782-8224", b"601111", b"55555", b"40128"):
        assert digits not in reply
    assert (4111111111111111).to_bytes(8, "big") not in reply


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("passwords.bob", type("X", (), {"bob": "zqx9999wv"})),
        ("box._v", type("SecretStr", (), {"__slots__": ("_v",)})),
    ],
)
def test_a_variable_on_a_secret_path_is_hidden(path: str, value: type) -> None:
    thing = value()
    if path == "box._v":
        thing._v = "zqx9999wv"
    name, _, rest = path.partition(".")
    with module_of({name: value if name == "passwords" else thing}) as variables:
        module = variables[0][0]
        reply = raw_reply(variables=[[module, name, rest]])
    assert b"zqx9999wv" not in reply
    assert b"nothing readable" not in reply


def test_names_of_threads_are_scrubbed() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="pool of pg://bob:zqx9998wv@db/x", daemon=True)
    thread.start()
    try:
        assert b"zqx9998wv" not in raw_reply()
    finally:
        stop.set()
        thread.join()
