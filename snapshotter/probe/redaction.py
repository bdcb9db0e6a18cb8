"""Which names are those of secrets: pure rules that run in the target, before packing.

The lists cover those of Sentry's EventScrubber and Datadog's dynamic instrumentation, except
``clientid``, ``publickey`` and ``transactionid``, which are no secrets.
"""

from __future__ import annotations

__all__ = [
    "LONGEST_KNOWN",
    "MOST_KNOWN",
    "follows_secret_name",
    "gives_password",
    "holds_what_is_named",
    "is_announced",
    "is_announced_element",
    "is_worth_knowing",
    "may_name_a_secret",
    "name_is_secret",
    "password_option",
]


# Compared with the whole name, lower case, separators dropped.
_EXACT_NAMES = {
    *"""
    2fa aiohttpsession appkey applicationkey auth authentication ccnumber certificatepin cipher
    connectsid cookie cookies cvc cvv databaseurl dburl dsn encryptionkey encryptionkeyid
    geolocation gpgkey httpcookie ipaddress jti jwt kubeconfig licensekey masterkey mnemonic
    mysqlpwd nonce oauth otp passhash pass passwd pemfile pgpkey phpsessid pin pincode pkcs8 pw
    pwd recaptchakey remoteaddr routinghumber routingnumber salt securityanswer securitycode
    securityquestion session sessionid sessionkey setcookie signaturekey signingkey sshkey ssn
    symfony totp usersession voterid xforwardedfor xrealip secretkeybase seedphrase socialsecurity
    socialsecuritynumber iban pan cardno cardnum hmackey aeskey rsakey deploykey sharedkey
    fernetkey accountkey storagekey webhookurl slackwebhook basicauth proxyauth authheader
    apisignature authkey httpauth userpass userpwd unlockcode backupcodes recoverycode recoverycodes
    authcode mfacode codeverifier tlskey sslkey clientkeydata sid pkey passin passout
    """.split()
}
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
    "privkey",
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
_NAME_WORDS = {
    *"""secret secrets token jwt cookie cookies pwd passwd otp totp cvv cvc ssn signature
    credentials creds oauth2 pass authtoken apikey dsn psk""".split()
}
# ... unless such a word says that it is only counted, cut or described ...
_HARMLESS_WORDS = {
    *"""number index idx bucket per rate budget ids position positions offset age start end stream
    prompt completion input output next prev last first eos bos pad unk special mask vocab
    embedding embeddings embed parser lexer cls inspect jar dir test""".split()
}
# ... and these say so even of a password.
_MEASURING_WORDS = {
    *"""count counts num max min limit limits total usage used type types kind len length size
    class lifetime ttl expiry expires expired method function fn enabled required policy
    validator validators manager path check checks""".split()
}
_ALLOWED_NAMES = {
    *"""tokens tokenizer tokenizers tokenize tokenized passwordvalidators cookiejar cookiepolicy
    secretary bypass compass""".split()
}
# Programs whose option for a password is no word: ``mysql -pSECRET``, ``sshpass -p SECRET``.
_PASSWORD_OPTIONS = {
    **{}.fromkeys("mysql mysqldump mysqladmin mysqlimport mysqlsh".split(), "-p"),
    **{}.fromkeys("mariadb mariadb-dump mariadb-admin sshpass 7z".split(), "-p"),
    **{}.fromkeys("mongo mongosh mongodump mongorestore mongoexport".split(), "-p"),
    **{}.fromkeys("ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami".split(), "-w"),
    **{}.fromkeys("sqlcmd bcp zip unzip".split(), "-P"),
    **{}.fromkeys("http https xh".split(), "-a"),
    "login": "-p",  # of docker, podman, helm registry, az, oc
    "redis-cli": "-a",
    "plink": "-pw",
    "pscp": "-pw",
}
# ``{"name": "DB_PASSWORD", "value": …}``: members that name another one, and those that are named.
_NAMING = {"name", "key", "field", "header", "variable", "var", "env", "param", "parameter", "id"}
_NAMED = {"value", "val", "codedvalue", "default", "content", "data"}
# Of a hidden text so many bytes are remembered, of so many texts at the most.
LONGEST_KNOWN, MOST_KNOWN = 24, 200
_SHORTEST_KNOWN, _SHORTEST_WORD = 6, 16
_SEPARATORS = {}.fromkeys(b"_-. $@:/[]\"'")


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
    if squashed in _ALLOWED_NAMES or squashed in _EXACT_NAMES:
        return squashed in _EXACT_NAMES
    words = _words(name[:200])
    measured = harmless = False
    for word in words:
        measured = measured or word in _MEASURING_WORDS
        harmless = harmless or word in _HARMLESS_WORDS
    if measured:
        return False
    for part in _NAME_PARTS:
        if part in squashed:
            return True
    found = squashed.endswith(("token", "secret", "pwd", "cookie"))
    for word in words:
        found = found or word in _NAME_WORDS or word.rstrip("0123456789") in _NAME_WORDS
    return found and not harmless


def follows_secret_name(text: str) -> bool:
    """Whether an element that follows this one in a sequence is the value of a secret name.

    ``["--password", "x"]``, ``("Authorization", "x")``: the rule for pairs and argument lists.
    """
    return len(text) <= 64 and " " not in text and name_is_secret(text.strip("-:= "))


def password_option(text: str) -> str:
    """The option by which this program is given a password; "" if it is none of those."""
    return _PASSWORD_OPTIONS.get(text.rpartition("/")[2], "")


def gives_password(text: str, option: str) -> bool:
    """Whether an argument is this option with the password in it."""
    return option != "" and text.startswith(option) and len(text) > len(option)


def is_announced(word: str, before: str, option: str) -> bool:
    """Whether a word of a command is the password that the words before it announce.

    ``option`` is the first ``password_option`` of the words before.
    """
    if gives_password(word, option):
        return True
    if before[:1] != "-" or word[:1] == "-":
        return False
    return before == option or _is_login(before, word) or follows_secret_name(before)


def is_announced_element(text: str, before: str, option: str) -> bool:
    """The same of an element of a sequence, where a name needs no dash to announce one."""
    return is_announced(text, before, option) or (before != "" and follows_secret_name(before))


def _is_login(option: str, text: str) -> bool:
    """Whether this is ``name:password`` after an option of curl; two numbers are user and group."""
    if ":" not in text or option not in ("-u", "--user", "--proxy-user"):
        return False
    return not text.replace(":", "").isdigit()


def may_name_a_secret(name: str) -> bool:
    """Whether the text of a member of this name may say that another member is secret."""
    return len(name) < 16 and name.lower().replace("_", "") in _NAMING


def holds_what_is_named(name: str) -> bool:
    """Whether a member of this name holds the secret that another one names."""
    return name.lower().replace("_", "") in _NAMED


def is_worth_knowing(head: bytes) -> bool:
    """Whether the head of a hidden text is hidden elsewhere: plain words would hide too much."""
    plain = head.isalpha() or head.isdigit() or head[:1] in (b"/", b"<", b"-")
    return len(head) >= (_SHORTEST_WORD if plain else _SHORTEST_KNOWN)
