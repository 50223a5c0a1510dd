"""The one place where secrets are cut out of everything that is said or written."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "[redacted]"
# Shorter values would cut into ordinary words; a password this short protects nothing.
SHORTEST = 4
# What a variable such as AUTH_ENABLED is set to.
SWITCHES = ("true", "false", "none", "null")
_SECRET_NAME = re.compile(
    r"PASSW|PASSPHRASE|PASS$|_PWD?$|CLAVE|CONTRASE|SECRET|TOKEN|_PAT$|JWT|COOKIE|API_?KEY|ACCESS_?KEY|_KEY$|PRIVATE"
    r"|CREDENTIAL|_CREDS?$|DSN|WEBHOOK|AUTH(?!OR)",
    re.IGNORECASE,
)
# Its quantifiers are bounded or stop at what follows, so that a long text takes time in proportion.
_URL_PASSWORD = re.compile(
    r"(?P<before>[a-z][a-z0-9+.-]{0,30}://[^\s/:@]*:)(?P<password>[^\s/\"']+)(?=@)", re.IGNORECASE
)
_BADLY_ESCAPED = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^\s/:@]*:(?P<password>\S+)@", re.IGNORECASE)
_DELIMITERS = re.compile(r"[/@#?:]")
_NAMED_PASSWORD = re.compile(
    r"(?P<before>\b(?:password|passwd|pwd)\s?=\s?)(?P<password>'[^']*'|[^\s&'\"]+)", re.IGNORECASE
)
_ESCAPE = re.compile(r"%[0-9A-F]{2}")
_URL_SAFE = str.maketrans("+/", "-_")


class Redactor:
    """Cuts known secrets, in the spellings in which they travel, and the password of any URL out of a text.

    Args:
        secrets: the declared secrets of the systems; of one that is an address, its password counts too.
        environment: variables whose name says that they hold a secret count as well, and so do passwords in URLs.
    """

    def __init__(self, secrets: Iterable[str], environment: Mapping[str, str]) -> None:
        named = {value for name, value in environment.items() if _SECRET_NAME.search(name)}
        found = set(secrets) | {value for value in named if value.lower() not in SWITCHES}
        for value in (*found, *environment.values()):
            found |= _passwords_in(value)
        spellings = {spelling for value in found if len(value) >= SHORTEST for spelling in _spellings(value)}
        # The longest first: a secret that holds another one must go as a whole.
        longest_first = sorted(spellings, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        # Looking for one character first is much faster, and most texts hold neither.
        for sign, pattern in (("@", _URL_PASSWORD), ("=", _NAMED_PASSWORD)):
            if sign in text:
                text = pattern.sub(rf"\g<before>{HIDDEN}", text)
        return text

    def line(self, text: str) -> str:
        r"""The text without secrets, on one line: what is no printable character is spelt out, as "\n" and "\x1b".

        A dump's table name or a server's answer may hold what moves a terminal's cursor and draws a line of its own.
        """
        clean = self(text)
        if clean.isprintable():
            return clean
        return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in clean)


def _passwords_in(value: str) -> set[str]:
    """The passwords in an address, or in a connection string such as "password=...", as written and as meant."""
    found = {match["password"].strip("'") for match in _NAMED_PASSWORD.finditer(value)}
    match = _BADLY_ESCAPED.search(value)
    if match is not None:
        # Of a password that should have been escaped, libraries tell the parts that they take for a host or a port.
        found |= {match["password"], *_DELIMITERS.split(match["password"])}
        with suppress(ValueError):  # an address that urlsplit refuses
            found.add(urlsplit(value).password or "")
    return found | {unquote(each) for each in found}


def _spellings(value: str) -> set[str]:
    """As it stands, percent-encoded, in JSON, as Python prints it, and in Base64; of several lines, each line too."""
    plain = value.encode(errors="surrogateescape")  # the environment's own bytes, whatever they are
    percent = {quote(plain, safe=""), quote_plus(plain), quote(plain, safe="!$&'()*+,;=~")}
    return {
        value,
        *(line for line in value.splitlines() if len(line) >= SHORTEST),
        *percent,
        *(_ESCAPE.sub(lambda escape: escape[0].lower(), each) for each in percent),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(f"\"'{value}")[4:-1],  # within a text that holds both kinds of quotes
        ascii(value)[1:-1],
        repr(plain)[2:-1],
        *_in_base64(plain),
    }


def _in_base64(value: bytes) -> set[str]:
    """What of its Base64 does not depend on what stands before and after it, as in "user:password"."""
    found = {base64.b64encode(value).decode()}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value).decode()
        own = encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
        if len(own) >= SHORTEST:
            found.add(own)
    return found | {each.translate(_URL_SAFE) for each in found}
