# ruff: noqa: SIM905 - long tables of names stay readable as one split string
"""Name and text rules, against lists of other tools and against what is innocent."""

from __future__ import annotations

import sysconfig
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest

from snapshotter.probe.redaction import (
    follows_secret_name,
    is_announced,
    is_announced_element,
    name_is_secret,
)
from snapshotter.probe.texts import is_card_number, text_is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

# EventScrubber.DEFAULT_DENYLIST and DEFAULT_PII_DENYLIST of sentry-sdk 2.75
SENTRY = """password passwd secret api_key apikey auth credentials mysql_pwd privatekey private_key
token session csrftoken sessionid x_csrftoken x_forwarded_for set_cookie cookie authorization
proxy-authorization x_api_key aiohttp_session connect.sid csrf_token csrf _csrf _csrf_token
PHPSESSID _session symfony user_session _xsrf XSRF-TOKEN x_real_ip ip_address remote_addr""".split()
# REDACTED_IDENTIFIERS of ddtrace 4.16
DATADOG = """2fa accesstoken aiohttpsession apikey apisecret apisignature appkey applicationkey auth
authorization authtoken ccnumber certificatepin cipher clientid clientsecret connectionstring
connectsid cookie credentials creditcard csrf csrftoken cvv databaseurl dburl encryptionkey
encryptionkeyid geolocation gpgkey ipaddress jti jwt licensekey masterkey mysqlpwd nonce oauth
oauthtoken otp passhash passwd password passwordb pemfile pgpkey phpsessid pin pincode pkcs8
privatekey publickey pwd recaptchakey refreshtoken routingnumber salt secret secretkey secrettoken
securityanswer securitycode securityquestion serviceaccountcredentials session sessionid sessionkey
setcookie signature signaturekey sshkey ssn symfony token transactionid twiliotoken usersession
voterid xapikey xauthtoken xcsrftoken xforwardedfor xrealip xsrf xsrftoken""".split()
NO_SECRETS = {"clientid", "publickey", "transactionid"}

SECRET_NAMES = """password PASSWORD passwd db_password userPassword password2 old_password
test_password input_password last_password next_password password_input password_field passwd_hash
DATABASE_URL api_key apiKey APIKey X-API-Key x-api-key STRIPE_SECRET_KEY stripe_test_secret_key
AWS_SECRET_ACCESS_KEY aws_session_token access_token accessToken refreshToken id_token idToken
csrfmiddlewaretoken csrf_token client_secret clientSecret private_key privateKey ssh_private_key
session_id sessionid SESSION_COOKIE cookie cookies set-cookie Set-Cookie HTTP_COOKIE authorization
Authorization proxy_authorization auth_token bearer_token jwt id_jwt credit_card creditCardNumber
card_number cardNumber cvv ssn social_security_number iban otp totp_secret pin_code pincode
passphrase key_passphrase passcode secret SECRET_KEY secret_key_base django_secret app_secret
webhook_secret connection_string connectionString dsn credentials creds db_creds oauth2
encryption_key encryptionKey signing_key master_key hmac_key mnemonic seed_phrase recovery_codes
user_pwd MYSQL_PWD pgpassword REDIS_PASSWORD smtp_pass __password _password self._password
kubeconfig basic_auth proxy_auth fernet_key sid pkey""".split()

INNOCENT_NAMES = """author authors authority authenticated monkey keyboard keyword keywords key
keys primary_key foreign_key cache_key sort_key key_func compass spinner spin pinned max_tokens
tokenizer tokens num_tokens total_tokens token_count tokens_used token_type token_limit bypass
passes passed passenger passing password_validators min_password_length password_policy
cookie_jar cookie_policy session_count session_ttl session_class secretary sessions
signature_count assignment design signal count order_id user_id username email host port timeout
retries queue worker payload body headers path url response request connection engine cursor
account account_id card cards discard pan_x panel span expander basin opinion typing shipping
mapping pinning bearings forecast sidecar crossing salty hashed hash_value digest checksum
publickey public_key clientid client_id transaction_id authentic accessor accesses exit_code
cipher_suite_count nonces_seen keyed tokenize detokenize passthrough compassion""".split()


@pytest.mark.parametrize("name", SENTRY)
def test_every_name_of_sentry_is_secret(name: str) -> None:
    assert name_is_secret(name)


def test_every_name_of_datadog_but_three_is_secret() -> None:
    assert {name for name in DATADOG if not name_is_secret(name)} == NO_SECRETS


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secret_name_is_known(name: str) -> None:
    assert name_is_secret(name)


def test_innocent_names_of_applications_stay_visible() -> None:
    assert [name for name in INNOCENT_NAMES if name_is_secret(name)] == []


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes_in(constant)


def _stdlib_names() -> set[str]:
    """Names of parameters, variables and attributes in the standard library's own modules.

    They come from byte code, which is there already: to parse the sources takes seconds.
    """
    names: set[str] = set()
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.glob("*.py")) + sorted(root.glob("[a-z]*/*.py"))[:250]:
        if "site-packages" in path.parts:
            continue
        try:
            module = SourceFileLoader(path.stem, str(path)).get_code(path.stem)
        except OSError, SyntaxError, ValueError:
            continue
        for code in _codes_in(module):
            names.update(code.co_varnames, code.co_cellvars, code.co_names)
    return names


def test_at_most_one_in_a_hundred_names_of_the_standard_library_is_hidden() -> None:
    names = _stdlib_names()
    assert len(names) > 10_000
    hidden = sorted(name for name in names if name_is_secret(name))
    share = len(hidden) / len(names)
    assert share <= 0.01, (share, hidden)


SECRET_TEXTS = [
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "task-1 then sk-live4242424242424242x",
    "Bearer abcdefghijklmnop",
    "postgres://bob:pw@db/orders",
    "https://0123456789abcdef0123@sentry.example.com/4",
    '{"password": "x"}',
    '{\\"password\\": \\"x\\"}',
    "user=bob&password=x&next=/",
    "next=%2F&password%3Dx",
    "Server=db;User Id=sa;Password=x;",
    "CREATE USER bob IDENTIFIED BY 'x'",
    "ALTER ROLE bob WITH PASSWORD 'x'",
    "UPDATE users SET password_hash = '$2b$12$abc' WHERE id = 1",
    "INSERT INTO users (name, password) VALUES ('bob', 'x')",
    "<wsse:Password>x</wsse:Password>",
    "Set-Cookie: sid=0123456789",
    "session=abcdef; path=/",
    "https://acme.blob.core.windows.net/c?sv=2022&sig=abcdef",
    "curl -H 'X-Api-Key: x' https://api",
    "curl -u bob:x https://api",
    "prog --password x",
    "sh -c 'mysql -px -u bob'",
    "docker login -u bob -p x registry",
    "http -a bob:x example.org",
    "openssl enc -aes-256-cbc -pass pass:x",
    "4111 1111 1111 1111",
    "card 4111-1111-1111-1111 was declined",
    "paid with 378282246310005 today",
    "https://hooks.slack.com/services/T000/B000/XXXXXXXX",
    "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyMTI=",
]
INNOCENT_TEXTS = [
    "",
    "hello",
    "/usr/lib/python3.14/site-packages/django/contrib/auth/tokens.py",
    "https://example.com/a:b@c",
    "see http://a.example/x and write to bob@example.com",
    "SELECT id, password FROM users WHERE name = %s",
    "UPDATE users SET password = %s WHERE id = %s",
    "INSERT INTO users (name, password) VALUES (%s, %s)",
    "password=None",
    "the token",
    "docker run -u 1000:1000 -it python",
    "usage: prog [--token TOKEN] [--password PASSWORD]",
    "prog --max-tokens 100",
    "prog --password --verbose",
    "mysql -p -u bob",
    "max_tokens=100",
    "TestHTTP2ConnectionPoolingWithTLS",
    "ThreadPoolExecutor-0_12",
    "d41d8cd98f00b204e9800998ecf8427e",
    "550e8400-e29b-41d4-a716-446655440000",
    "1795166100003000000",
    "2026-11-20T09:15:00.003Z",
    "monkey: banana, author: bob, key: value",
    "a task-force-one-two-three-four-five",
    "spinning=1",
    "order 4121 was shipped on 2026-11-20 in 3 parcels",
]


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_secret_text_is_known(text: str) -> None:
    assert text_is_secret(text)


@pytest.mark.parametrize("text", INNOCENT_TEXTS)
def test_an_innocent_text_stays_visible(text: str) -> None:
    assert not text_is_secret(text)


def test_what_follows_an_option_is_secret() -> None:
    assert follows_secret_name("--password")
    assert follows_secret_name("Authorization:")
    assert not follows_secret_name("--port")
    assert not follows_secret_name("the password of bob")


@pytest.mark.parametrize(
    ("word", "before", "option"),
    [("x", "--password", ""), ("x", "-p", "-p"), ("-px", "", "-p"), ("bob:x", "-u", "")],
)
def test_a_word_is_announced_by_those_before_it(word: str, before: str, option: str) -> None:
    assert is_announced(word, before, option)
    assert is_announced_element(word, before, option)


@pytest.mark.parametrize(
    ("word", "before", "option"),
    [("x", "-p", ""), ("-px", "", ""), ("-u", "-p", "-p"), ("1000:1000", "-u", ""), ("x", "", "")],
)
def test_a_word_that_nothing_announces_is_none(word: str, before: str, option: str) -> None:
    assert not is_announced(word, before, option)
    assert not is_announced_element(word, before, option)


def test_a_name_without_a_dash_announces_only_in_a_sequence() -> None:
    assert is_announced_element("x", "Authorization", "")
    assert is_announced_element("--verbose", "--password", "")
    assert not is_announced("x", "Authorization", "")
    assert not is_announced("--verbose", "--password", "")


def test_card_numbers_are_checked_by_prefix_and_checksum() -> None:
    assert is_card_number("4111111111111111")
    assert not is_card_number("4111111111111112")
    assert not is_card_number("1795166100003000000")
    assert not is_card_number("")
