# ruff: noqa: SIM905 - long tables of names stay readable as one split string
"""Places where programs keep secrets: each with a secret of its own, that no rule for texts knows.

A case is a label, the name of a variable and a function that hides a secret in its value.
"""

from __future__ import annotations

import argparse
import array
import collections
import dataclasses
import enum
import http.cookies
import json
import types
import typing
import urllib.parse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Hide = Callable[[str], Any]

__all__ = ["CASES", "Case", "secret_of"]


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One place."""

    label: str
    name: str
    hide: Hide


def secret_of(number: int) -> str:
    """A secret that nothing but its place gives away, and that stands nowhere else."""
    return f"zqx{number:04d}wv"


NAMES = """password passwd passphrase db_password userPassword password2 test_password
password_input last_password secret SECRET_KEY client_secret clientSecret app_secret api_key apiKey
X_API_KEY stripe_secret_key AWS_SECRET_ACCESS_KEY aws_session_token access_token refresh_token
id_token csrf_token private_key privateKey ssh_key session_id sessionid cookie set_cookie
authorization auth_token bearer jwt credit_card credit_card_number card_number cvv ssn iban otp
totp_secret pin pincode passcode connection_string dsn database_url credentials creds oauth2
encryption_key signing_key master_key mnemonic kubeconfig basic_auth fernet_key salt nonce
MYSQL_PWD webhook_secret pwd1 token2 secret2 SENTRY_DSN wifi_psk privkey mfa_code auth_code
tls_key client-key-data code_verifier""".split()
HEADERS = """Authorization Proxy-Authorization Cookie Set-Cookie X-Api-Key X-Auth-Token
X-CSRF-Token X-Amz-Security-Token Sec-Session-Token""".split()


class _Text(str):  # a text of a class of its own, as multidict and django have them
    __slots__ = ()


class _Bytes(bytes):
    __slots__ = ()


@dataclasses.dataclass
class _Login:
    user: str
    password: str


@dataclasses.dataclass(slots=True)
class _SlotLogin:
    user: str
    api_key: str


@dataclasses.dataclass
class _Quiet:
    user: str
    shape: str = dataclasses.field(repr=False)


@dataclasses.dataclass(slots=True)
class _QuietSlots:
    user: str
    shape: str = dataclasses.field(repr=False)


class _Point(typing.NamedTuple):
    x: int
    passwd: str


_Old = collections.namedtuple("_Old", "name secret_key")  # noqa: PYI024 - the old form is meant


class _Setting(typing.NamedTuple):
    name: str
    value: str


class SecretStr:
    """By this name pydantic and others have it."""

    def __init__(self, text: str) -> None:
        self._v = text


class _Bag:
    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)


class _Slots:
    __slots__ = ("auth_token", "user")

    def __init__(self, token: str) -> None:
        self.auth_token = token
        self.user = "bob"


def _enum(secret: str) -> object:
    return enum.Enum("Keys", {"API_PASSWORD": secret}).API_PASSWORD  # type: ignore[attr-defined]


def _raised(secret: str) -> Exception:
    return ValueError(f"cannot log in with password={secret}")


def _cookie(secret: str) -> http.cookies.SimpleCookie:
    return http.cookies.SimpleCookie({"sessionid": secret})


_STRUCTURES: dict[str, Hide] = {
    "dict in dict": lambda s: {"db": {"password": s}},
    "dict in list": lambda s: [{"user": "bob", "token": s}],
    "list in dict under the name": lambda s: {"passwords": [s, s]},
    "dict under the name": lambda s: {"credentials": {"a": s}},
    "three deep": lambda s: {"a": {"b": {"api_key": s}}},
    "key of a class of its own": lambda s: {_Text("password"): s},
    "tuple as a key": lambda s: {("db", "password"): s, 1: 2},
    "named tuple as a key": lambda s: {_Old("api_key", 1): s},
    "bytes key": lambda s: {b"authorization": s.encode()},
    "bytes key of a class of its own": lambda s: {_Bytes(b"cookie"): s},
    "name and value": lambda s: {"name": "DB_PASSWORD", "value": s},
    "key and value": lambda s: [{"key": "apiKey", "value": s}],
    "name and value as a tuple": lambda s: _Setting("SECRET_KEY", s),
    "header and content": lambda s: {"header": "Authorization", "content": s},
    "attribute": lambda s: _Bag(user="bob", password=s),
    "private attribute": lambda s: _Bag(_password=s),
    "mangled attribute": lambda s: _Bag(_Client__token=s),
    "name and value as attributes": lambda s: _Bag(name="sessionid", value=s),
    "slot": _Slots,
    "namespace": lambda s: types.SimpleNamespace(secret=s),
    "parsed options": lambda s: argparse.Namespace(user="bob", password=s),
    "dataclass": lambda s: _Login("bob", s),
    "dataclass with slots": lambda s: _SlotLogin("bob", s),
    "dataclass field that is not shown": lambda s: _Quiet("bob", s),
    "dataclass slot that is not shown": lambda s: _QuietSlots("bob", s),
    "named tuple": lambda s: _Point(1, s),
    "old named tuple": lambda s: _Old("bob", s),
    "class that says so": SecretStr,
    "class that says so, deeper": lambda s: [{"k": SecretStr(s)}],
    "ordered dict": lambda s: collections.OrderedDict(token=s),
    "default dict": lambda s: collections.defaultdict(str, token=s),
    "user dict": lambda s: collections.UserDict(token=s),
    "chain map": lambda s: collections.ChainMap({"token": s}),
    "mapping proxy in a list": lambda s: [types.MappingProxyType({"token": s})],
    "frozen dict or dict": lambda s: getattr(__builtins__, "frozendict", dict)(token=s),
    "bytes value": lambda s: {"token": s.encode()},
    "bytearray value": lambda s: {"token": bytearray(s.encode())},
    "array value": lambda s: {"token": array.array("B", s.encode())},
    "memoryview value": lambda s: {"token": memoryview(s.encode())},
    "enum": _enum,
    "simple cookie": _cookie,
    "option and value": lambda s: ["prog", "--password", s],
    "option and value as bytes": lambda s: [b"prog", b"--password", s.encode()],
    "option with value": lambda s: ["prog", f"--password={s}"],
    "option with value, quoted": lambda s: f"prog --api-key '{s}'",
    "user of curl": lambda s: ["curl", "-u", f"bob:{s}", "https://api"],
    "password of mysql": lambda s: ["/usr/bin/mysql", "-u", "bob", f"-p{s}", "orders"],
    "password of sshpass": lambda s: ("sshpass", "-p", s, "ssh", "host"),
    "password of redis, as bytes": lambda s: [b"redis-cli", b"-a", s.encode()],
    "password of mysql in a command": lambda s: f"exec mysqldump --hex-blob -p{s} orders",
    "password of a directory in a command": lambda s: f"ldapsearch -x -w {s} -b dc=org",
    "option and value in a command": lambda s: f"prog --verbose --api-key {s} run",
    "user of curl in a command": lambda s: f"curl -s -u bob:{s} https://api",
    "environment text": lambda s: [f"DB_PASSWORD={s}", "HOME=/"],
    "deque": lambda s: collections.deque(["--token", s]),
    "json": lambda s: json.dumps({"user": "bob", "password": s}),
    "json as bytes": lambda s: json.dumps({"user": "bob", "password": s}).encode(),
    "json in json": lambda s: json.dumps({"body": json.dumps({"password": s})}),
    "json with blanks": lambda s: '{ "password" : "' + s + '" }',
    "json in utf-16": lambda s: json.dumps({"password": s}).encode("utf-16"),
    "json far into a text": lambda s: "x" * 100 + json.dumps({"password": s}),
    "repr of a dict": lambda s: repr({"user": "bob", "password": s}),
    "repr of a dataclass": lambda s: f"Login(user='bob', password='{s}')",
    "form": lambda s: urllib.parse.urlencode({"user": "bob", "password": s}),
    "form in a form": lambda s: urllib.parse.urlencode({"next": f"/?token={s}"}),
    "query": lambda s: f"https://api.example.com/v1/orders?limit=5&access_token={s}",
    "signed url": lambda s: f"https://acme.blob.core.windows.net/c/x?se=2026&sig={s}",
    "url": lambda s: f"postgres://bob:{s}@db.example.com/orders",
    "url of redis": lambda s: f"redis://:{s}@cache:6379/0",
    "url of a broker": lambda s: f"amqps://bob:{s}@mq/%2F",
    "url in a text": lambda s: f"cannot reach mysql+pymysql://bob:{s}@db/orders in 5 s",
    "url as bytes": lambda s: f"ftp://bob:{s}@host/".encode(),
    "connection string": lambda s: f"Server=db;Database=o;User Id=sa;Password={s};",
    "storage string": lambda s: f"DefaultEndpointsProtocol=https;AccountKey={s};",
    "postgres keywords": lambda s: f"host=db user=bob password={s} dbname=orders",
    "identified by": lambda s: f"CREATE USER bob IDENTIFIED BY '{s}'",
    "with password": lambda s: f"ALTER ROLE bob WITH PASSWORD '{s}'",
    "update": lambda s: f"UPDATE users SET password_hash = '{s}' WHERE id = 1",  # noqa: S608
    "insert": lambda s: f"INSERT INTO users (name, password) VALUES ('bob', '{s}')",  # noqa: S608
    "where": lambda s: f"SELECT * FROM sessions WHERE session_id = '{s}'",  # noqa: S608
    "header text": lambda s: f"GET / HTTP/1.1\r\nAuthorization: Basic {s}\r\n",
    "header bytes": lambda s: f"Cookie: a=1; b={s}\r\n".encode(),
    "cookie text": lambda s: f"csrftoken={s}; Path=/",
    "bearer": lambda s: f"Bearer {s}{s}",
    "basic": lambda s: f"Basic {s}{s}",
    "xml": lambda s: f"<login><user>bob</user><password>{s}</password></login>",
    "yaml": lambda s: f"db:\n  user: bob\n  password: {s}\n",
    "ini": lambda s: f"[db]\nuser = bob\npassword = {s}\n",
    "toml": lambda s: f'[db]\napi_key = "{s}"\n',
    "ruby": lambda s: f'{{"password" => "{s}"}}',
    "pem": lambda s: f"-----BEGIN PRIVATE KEY-----\nMIIE{s}\n-----END PRIVATE KEY-----",
    "pem as bytes": lambda s: f"-----BEGIN RSA PRIVATE KEY-----\n{s}".encode(),
    "pem in a dict": lambda s: {"tls": f"-----BEGIN EC PRIVATE KEY-----\n{s}"},
    "jwt": lambda s: f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.{s}",
    "jwt in a text": lambda s: f"rejected eyJhbGciOiJIUzI1NiJ9.{s}.{s} of bob",
    "aws key": lambda s: f"AKIA{s.upper()}ABCD",
    "github": lambda s: f"ghp_{s}{s}{s}{s}",
    "gitlab": lambda s: f"glpat-{s}{s}{s}",
    "slack": lambda s: f"xoxb-1234567890-{s}",
    "slack webhook": lambda s: f"https://hooks.slack.com/services/T000/B000/{s}",
    "discord webhook": lambda s: f"https://discord.com/api/webhooks/123456789012345678/{s}",
    "putty": lambda s: f"PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 1\n{s}",
    "stripe": lambda s: f"sk_live_{s}{s}{s}",
    "model provider": lambda s: f"sk-proj-{s}{s}",
    "google": lambda s: f"AIza{s}{s}{s}{s}",
    "google oauth": lambda s: f"ya29.{s}{s}{s}",
    "npm": lambda s: f"npm_{s}{s}{s}{s}",
    "pypi": lambda s: f"pypi-AgEIcHlwaS5vcmc{s}",
    "vault": lambda s: f"hvs.{s}{s}{s}",
    "sendgrid": lambda s: f"SG.{s}.{s}",
    "age": lambda s: f"AGE-SECRET-KEY-1{s}",
    "digital ocean": lambda s: f"dop_v1_{s}{s}{s}",
    "hugging face": lambda s: f"hf_{s}{s}{s}{s}",
    "random base64": lambda s: f"{s}Kd8JfQ2mZp7LxT4nVb9RcY1s",
    "random base64 in a text": lambda s: f"with key {s}Kd8JfQ2mZp7LxT4nVb9RcY1s set",
    "key of a dict": lambda s: {f"Bearer {s}{s}": "bob"},
    "exception": _raised,
    "exception arguments": lambda s: KeyError({"password": s}),
    "cause of an exception": lambda s: _with_cause(_raised(s)),
    "bound method of a secretive object": lambda s: _Bag(token=s).__init__,
    "slice of a list under the name": lambda s: {"tokens_by_user": 3, "secret_tokens": [s]},
    "the same object under an innocent name": lambda s: {"a": s, "password": s},
    "the same object, seen earlier": lambda s: [s, {"password": s}],
    "known from elsewhere, in a command": lambda s: [{"password": s}, f"mysql -u bob -p{s} orders"],
    "known from elsewhere, in a key": lambda s: [{"password": s}, {f"by {s}": 1}],
    "known from elsewhere, as bytes": lambda s: [{"password": s}, s.encode()],
    "known from elsewhere, in parameters": lambda s: [{"password": s}, ("SELECT %s", (s,))],
}


def _with_cause(cause: Exception) -> Exception:
    error = RuntimeError("failed")
    error.__cause__ = cause
    return error


_BY_NAME: dict[str, Callable[[str, str], Any]] = {
    "value of": lambda _name, secret: secret,
    "key": lambda name, secret: {name: secret, "user": "bob"},
}
_BY_HEADER: dict[str, Callable[[str, str], Any]] = {
    "dict": lambda name, secret: {name: secret},
    "lower-case dict": lambda name, secret: {name.lower(): secret},
    "pair": lambda name, secret: [("Host", "a"), (name, secret)],
    "pair of bytes": lambda name, secret: [[name.lower().encode(), secret.encode()]],
    "environ": lambda name, secret: {"HTTP_" + name.upper().replace("-", "_"): secret},
}


def _cases() -> list[Case]:
    cases = [Case(label, "thing", hide) for label, hide in _STRUCTURES.items()]
    for name in NAMES:
        for label, make in _BY_NAME.items():
            variable = name if label == "value of" else "thing"
            cases.append(Case(f"{label} {name}", variable, _bound(make, name)))
    for name in HEADERS:
        cases.extend(
            Case(f"{label} {name}", "thing", _bound(make, name))
            for label, make in _BY_HEADER.items()
        )
    return cases


def _bound(make: Callable[[str, str], Any], name: str) -> Hide:
    return lambda secret: make(name, secret)


CASES = _cases()
CARDS = {
    "number": 4111111111111111,
    "text": "4111111111111111",
    "with blanks": "5500 0000 0000 0004",
    "with hyphens": "3782-822463-10005",
    "in a text": "card 6011111111111117 was declined",
    "in a list": [1, "5555555555554444"],
    "as a key": {"4012888888881881": 1},
}
"""Numbers of payment cards that processors publish for tests."""
