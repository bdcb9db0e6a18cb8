"""Which texts are, or hold, secrets: pure rules that run in the target, before packing."""

from __future__ import annotations

from .redaction import is_announced, name_is_secret, password_option

__all__ = ["is_card_number", "name_in_text_is_secret", "text_is_secret"]

_TEXT_MARKS = (
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxs-",
    "xoxr-",
    "xapp-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "whsec_",
    "sk-",
    "AIza",
    "ya29.",
    "npm_",
    "pypi-",
    "dop_v1_",
    "hvs.",
    "hvb.",
    "SG.",
    "shpat_",
    "sq0csp-",
    "lin_api_",
    "hf_",
    "EAACEdEose0cBA",
    "AGE-SECRET-KEY-",
    "PuTTY-User-Key-File-",
    "eyJ",
    "xoxe",
    "glrt-",
    "gldt-",
    "dckr_pat_",
    "rk_test_",
    "shpss_",
    "shpca_",
    "amzn.mws.",
    "Atza|",
    "figd_",
    "NRAK-",
    "PMAK-",
    "sbp_",
    "ntn_",
    "tskey-",
    "doo_v1_",
    "dor_v1_",
    "rubygems_",
    "hooks.slack.com/services/",
    "/api/webhooks/",
    "key-",
    "dapi",
    "SK",
    "pat-",
    "sl.",
    "1//0",
)
_TEXT_SCHEMES = ("bearer ", "basic ", "digest ", "token ", "negotiate ", "aws4-hmac-sha256 ")
# Parts of the names that values are assigned to; the whole name is then judged by the name rules.
_ROOTS = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "auth",
    "cookie",
    "credential",
    "sess",
    "signature",
    "jwt",
    "csrf",
    "xsrf",
    "otp",
    "cvv",
    "cvc",
    "ssn",
    "pin",
    "sig",
    "sid",
    "bearer",
    "card",
    "iban",
    "nonce",
    "salt",
    "dsn",
)
_NAMES_IN_TEXT = {"sig", "sid", "pass", "connect.sid"}
_NO_VALUES = {"none", "null", "true", "false", "undefined", "nil"}
_NAME_SIGNS = "_-"
_SHORTEST_SECRET = 16
_SHORTEST_BLOB = 32
_LONGEST_NAME_IN_TEXT = 60
_CARD_SIZES = (16, 15, 14, 13, 19)
_CARD_PREFIXES = {
    13: ("4",),
    14: ("30", "36", "38"),
    15: ("34", "37"),
    16: """4 51 52 53 54 55 22 23 24 25 26 27 35 60 62 64 65""".split(),
    19: ("4", "62"),
}
_TO_ZERO = {}.fromkeys(b"123456789", "0")
_SHORTEST_CARD = "0" * 13


def text_is_secret(text: str) -> bool:
    """Whether a text (an exact str, already cut) is or holds a secret."""
    if len(text) < 6:
        return False
    return (
        "-----BEGIN" in text
        or _has_mark(text)
        or _has_url_credentials(text)
        or _has_assignment(text)
        or _has_password_option(text)
        or _has_blob(text)
        or _has_card_number(text)
    )


def _has_mark(text: str) -> bool:
    for mark in _TEXT_MARKS:
        at = text.find(mark)
        while at >= 0:
            # not inside a word ("task-…"), and long enough to be more than the mark
            inside = mark[0] != "/" and text[at - 1 : at].isalnum()
            if not inside and _has_body(text, at, mark):
                return True
            at = text.find(mark, at + 1)
    return text[:20].lower().startswith(_TEXT_SCHEMES) and len(text) >= _SHORTEST_SECRET


def _has_body(text: str, at: int, mark: str) -> bool:
    """Whether what begins here is long enough; short marks are also words: digits are asked for."""
    word = text[at : at + 80].split(None, 1)[0]
    if len(word) < _SHORTEST_SECRET:
        return False
    if len(mark) > 4 or mark in ("eyJ", "ghp_", "AKIA", "ASIA", "AIza"):
        return True
    body = word[len(mark) :]
    digits = 0
    for c in body:
        if c.isdigit():
            digits += 1
    return digits >= 2 and body[:8].replace("-", "").replace("_", "").isalnum()


def _has_url_credentials(text: str) -> bool:
    """``scheme://user:password@host`` or ``scheme://a-long-token@host``, anywhere."""
    at = text.find("://")
    while at >= 0:
        end = text.find("@", at)
        if end < 0:
            return False
        between = text[at + 3 : end]
        if " " not in between:
            user, colon, _ = between.partition(":")
            if "/" not in user and (colon or len(user) >= _SHORTEST_SECRET):
                return True
        at = text.find("://", at + 3)
    return False


def _has_assignment(text: str) -> bool:
    """``password=…``, ``"token": "…"``, ``PASSWORD '…'``, ``<secret>…``, a column of INSERT."""
    lower = text.lower()
    if "identified by" in lower:
        return True
    values = lower.find("values") if "insert" in lower or "replace" in lower else -1
    gives_columns = values >= 0 and "'" in lower[values:]
    for root in _ROOTS:
        at = lower.find(root)
        while at >= 0:
            start, end = _name_around(lower, at, at + len(root))
            name = text[start:end]
            given = (gives_columns and end < values) or _is_given_a_value(lower, end)
            if given and name_in_text_is_secret(name):
                return True
            at = lower.find(root, end)
    return False


def name_in_text_is_secret(name: str) -> bool:
    """Whether what is assigned to this name within a text is a secret."""
    return name.lower() in _NAMES_IN_TEXT or name_is_secret(name)


def _name_around(lower: str, start: int, end: int) -> tuple[int, int]:
    first = start
    while start > 0 and first - start < _LONGEST_NAME_IN_TEXT:
        if not (lower[start - 1].isalnum() or lower[start - 1] in _NAME_SIGNS):
            break
        start -= 1
    size = len(lower)
    while end < size and end - first < _LONGEST_NAME_IN_TEXT:
        if not (lower[end].isalnum() or lower[end] in _NAME_SIGNS):
            break
        end += 1
    return start, end


def _is_given_a_value(lower: str, end: int) -> bool:
    """Whether what follows a name gives it a value."""
    rest = lower[end : end + 24]
    bare = rest.lstrip(" \t\n\"'`\\])")
    if bare.startswith(("=", ":", "%3d", "%3a")):
        value = bare[3:] if bare[0] == "%" else bare
        value = value.lstrip("=:> \t\n\"'`\\([{")
        word = value.partition(" ")[0].partition(",")[0].rstrip("\"'})];")
        return word not in ("", "?", "%s") and word not in _NO_VALUES and word[:2] != "**"
    if rest[:1] == ">":
        return rest[1:2] not in ("", "<", " ", "\n")
    quoted = rest.lstrip(" ")
    return quoted != rest and quoted[:1] in ("'", '"') and len(quoted) > 1


def _has_password_option(text: str) -> bool:
    """``mysql -pSECRET``, ``curl -u bob:SECRET``, ``--password SECRET``, anywhere in a command."""
    option = before = ""
    for quoted in text.split() if " -" in text or text[:1] == "-" else ():
        word = quoted.strip("'\"")
        if is_announced(word, before, option):
            return True
        option = option or password_option(word)
        before = word
    return False


def _has_blob(text: str) -> bool:
    if len(text) < _SHORTEST_BLOB:
        return False
    for word in text.split():
        if len(word) >= _SHORTEST_BLOB and _is_blob(word):
            return True
    return False


def _is_blob(text: str) -> bool:
    """A long run of mixed-case letters and digits: keys look so, words and hex digests do not."""
    plain = text.rstrip("=")
    if not plain[:1].isalnum():
        return False
    padded = plain != text or "+" in plain
    plain = plain.replace("_", "").replace("-", "").replace("+", "")
    if padded or len(text) in (40, 44, 64, 88):  # base64 of keys of the usual sizes
        plain = plain.replace("/", "")
    if not plain.isalnum() or not plain.isascii():
        return False
    if plain.lower() == plain or plain.upper() == plain:
        return False
    digits = switches = 0
    before = plain[0]
    for c in plain:
        if c.isdigit():
            digits += 1
        if (c.isdigit() != before.isdigit()) or (c.isupper() and before.islower()):
            switches += 1
        before = c
    if "/" in text or "+" in text:
        return digits >= 1
    return digits >= 2 and (digits >= 6 or switches * 4 >= len(plain))


def _has_card_number(text: str) -> bool:
    """A payment card number, also with blanks or hyphens, anywhere in a text."""
    squeezed = text.replace(" ", "").replace("-", "").translate(_TO_ZERO)
    if _SHORTEST_CARD not in squeezed:
        return False
    before = ""
    for at in range(len(text)):
        if text[at] in "3456 2" and not before.isdigit() and _card_at(text, at):
            return True
        before = text[at]
    return False


def _card_at(text: str, at: int) -> bool:
    digits = ""
    before = ""
    while at < len(text) and len(digits) < 20:
        c = text[at]
        if c.isdigit() and c.isascii():
            digits += c
        elif c not in " -" or before in (" ", "-", ""):
            break
        elif len(digits) in _CARD_SIZES and is_card_number(digits):
            return True
        before = c
        at += 1
    return is_card_number(digits)


def is_card_number(plain: str) -> bool:
    """Digits of a card by size, prefix and the Luhn checksum (ISO/IEC 7812-1)."""
    prefixes = _CARD_PREFIXES.get(len(plain))
    if prefixes is None or not plain.startswith(tuple(prefixes)):
        return False
    total = 0
    for place in range(len(plain)):
        digit = ord(plain[-1 - place]) - 48
        if place % 2:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
    return total % 10 == 0
