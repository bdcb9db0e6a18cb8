"""Which names and texts are secrets: pure rules that run in the target, before packing.

The lists cover those of Sentry's EventScrubber and Datadog's dynamic instrumentation, except
``clientid``, ``publickey`` and ``transactionid``, which are no secrets.
"""

from __future__ import annotations

__all__ = ["follows_secret_name", "name_is_secret", "text_is_secret"]

# Compared with the whole name, lower case, separators dropped.
_EXACT_NAMES = frozenset(
    """
    2fa aiohttpsession appkey applicationkey auth authentication ccnumber certificatepin cipher
    connectsid cookie cookies cvc cvv databaseurl dburl dsn encryptionkey encryptionkeyid
    geolocation gpgkey httpcookie ipaddress jti jwt kubeconfig licensekey masterkey mnemonic
    mysqlpwd nonce oauth otp passhash pass passwd pemfile pgpkey phpsessid pin pincode pkcs8 pw
    pwd recaptchakey remoteaddr routinghumber routingnumber salt securityanswer securitycode
    securityquestion session sessionid sessionkey setcookie signaturekey signingkey sshkey ssn
    symfony totp usersession voterid xforwardedfor xrealip secretkeybase seedphrase socialsecurity
    socialsecuritynumber iban pan cardno cardnum hmackey aeskey rsakey deploykey sharedkey
    fernetkey accountkey storagekey webhookurl slackwebhook basicauth proxyauth authheader
    authkey httpauth userpass userpwd unlockcode backupcodes recoverycode recoverycodes
    """.split()
)
# Unmistakable wherever they stand in the name, lower case, separators dropped.
_NAME_PARTS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "apikey",
    "apisecret",
    "accesskey",
    "privatekey",
    "secretkey",
    "clientsecret",
    "credential",
    "authorization",
    "sessionid",
    "sessiontoken",
    "csrf",
    "xsrf",
    "bearer",
    "creditcard",
    "cardnumber",
    "connectionstring",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "secrettoken",
    "sshkey",
    "encryptionkey",
    "setcookie",
    "userpwd",
    "dbpwd",
    "dbpass",
)
# A secret where they stand as a word of the name ...
_NAME_WORDS = frozenset(
    """secret secrets token jwt cookie cookies pwd passwd otp totp cvv cvc ssn signature
    credentials creds oauth2 pass authtoken apikey""".split()
)
# ... unless such a word says that it is only counted, cut or described.
_HARMLESS_WORDS = frozenset(
    """count counts num number max min limit limits total usage used type types kind index idx
    bucket per rate len length size budget class ids position positions offset lifetime ttl
    expiry expires expired age start end stream prompt completion input output next prev last
    first eos bos pad unk special mask vocab embedding embeddings embed parser lexer method
    function fn cls enabled required policy validator validators manager jar path dir test
    inspect check checks""".split()
)
_ALLOWED_NAMES = frozenset(
    """tokens tokenizer tokenizers tokenize tokenized passwordvalidators cookiejar cookiepolicy
    secretary bypass compass""".split()
)
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
    "eyJ",
)
_TEXT_SCHEMES = ("bearer ", "basic ", "digest ", "token ", "negotiate ", "aws4-hmac-sha256 ")
_ASSIGNED = (
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "private_key",
    "authorization",
    "cookie",
    "credential",
    "sessionid",
    "session_id",
    "signature",
    "identified by",
    "accountkey",
    "sharedaccesskey",
    "jwt",
)
_SEPARATORS = {ord(c): None for c in "_-. $@:/[]\"'"}
_SHORTEST_SECRET = 16
_SHORTEST_BLOB = 32
_AWS_SECRET_LENGTH = 40
_CARD_DIGITS = range(13, 20)


def _words(name: str) -> list[str]:
    """Split ``apiKey_v2`` into ``["api", "key", "v2"]``; exact strings only."""
    words: list[str] = []
    start = 0
    for i in range(1, len(name)):
        if name[i].isupper() and name[i - 1].islower():
            words.append(name[start:i])
            start = i
    words.append(name[start:])
    return "_".join(words).lower().replace("-", "_").replace(".", "_").replace(" ", "_").split("_")


def name_is_secret(name: str) -> bool:
    """Whether a local, key or attribute of this name is never to be written."""
    squashed = name.lower().translate(_SEPARATORS)
    if squashed in _ALLOWED_NAMES:
        return False
    if squashed in _EXACT_NAMES:
        return True
    words = _words(name[:200])
    for word in words:
        if word in _HARMLESS_WORDS:
            return False
    for part in _NAME_PARTS:
        if part in squashed:
            return True
    for word in words:
        if word in _NAME_WORDS:
            return True
    return squashed.endswith(("token", "secret", "pwd", "cookie"))


def follows_secret_name(text: str) -> bool:
    """Whether an element that follows this one in a sequence is the value of a secret name.

    ``["--password", "x"]``, ``("Authorization", "x")``: the rule for pairs and argument lists.
    """
    return len(text) <= 64 and " " not in text and name_is_secret(text.strip("-:= "))


def text_is_secret(text: str) -> bool:
    """Whether a text (an exact str, already cut) is or holds a secret."""
    if len(text) < 6:
        return False
    return (
        "-----BEGIN" in text
        or _has_mark(text)
        or _has_url_credentials(text)
        or _has_assignment(text.lower())
        or _is_blob(text)
        or _has_card_number(text)
    )


def _has_mark(text: str) -> bool:
    for mark in _TEXT_MARKS:
        at = text.find(mark)
        # not inside a word ("task-…"), and long enough to be more than the mark
        if at >= 0 and len(text) - at >= _SHORTEST_SECRET and not text[at - 1 : at].isalnum():
            end = at
            while end < len(text) and not text[end].isspace():
                end += 1
            if end - at >= _SHORTEST_SECRET:
                return True
    return text[:20].lower().startswith(_TEXT_SCHEMES) and len(text) >= _SHORTEST_SECRET


def _has_url_credentials(text: str) -> bool:
    """``scheme://user:password@host``, anywhere."""
    at = text.find("://")
    while at >= 0:
        end = text.find("@", at)
        if end < 0:
            return False
        colon = text.find(":", at + 3, end)
        if colon > 0 and text.find("/", at + 3, colon) < 0 and text.find(" ", at, end) < 0:
            return True
        at = text.find("://", at + 3)
    return False


def _has_assignment(lower: str) -> bool:
    """``password=…``, ``"token": "…"``, ``IDENTIFIED BY '…'``, in lower-case text."""
    for word in _ASSIGNED:
        at = lower.find(word)
        while at >= 0:
            rest = lower[at + len(word) : at + len(word) + 8].lstrip("\"'])s ")
            if rest[:1] in ("=", ":") and len(rest.lstrip("=: \"'([{>b")) > 0:
                return True
            if word == "identified by" and rest:
                return True
            at = lower.find(word, at + len(word))
    return False


def _is_blob(text: str) -> bool:
    """A long run of mixed-case letters and digits: keys look so, words and hex digests do not."""
    size = len(text)
    if size < _SHORTEST_BLOB:
        return False
    plain = text.replace("_", "").replace("-", "")
    if size == _AWS_SECRET_LENGTH:
        plain = plain.replace("/", "").replace("+", "")
    plain = plain.rstrip("=")
    if not plain.isalnum() or not plain.isascii():
        return False
    digits = 0
    for c in plain:
        if c.isdigit():
            digits += 1
    return digits >= 2 and plain.lower() != plain and plain.upper() != plain


def _has_card_number(text: str) -> bool:
    """A payment card number by the Luhn checksum (ISO/IEC 7812-1)."""
    plain = text.replace(" ", "").replace("-", "")
    if len(plain) not in _CARD_DIGITS or not plain.isascii() or not plain.isdigit():
        return False
    if plain[0] not in "3456":
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
