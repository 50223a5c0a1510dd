"""The one place where secrets are cut out of everything that is said or written."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "[redacted]"
# Shorter values would cut into ordinary words; a password this short protects nothing.
SHORTEST = 4
_SECRET_NAME = re.compile(r"PASSW|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE|CREDENTIAL|DSN|AUTH", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s/:@]*:)(?P<password>[^\s/@]+)(?=@)", re.IGNORECASE)


class Redactor:
    """Cuts known secrets, in the spellings in which they travel, and the password of any URL out of a text.

    Args:
        secrets: the declared secrets of the systems; of one that is a URL, its password counts too.
        environment: variables whose name says that they hold a secret count as well, and so do passwords in URLs.
    """

    def __init__(self, secrets: Iterable[str], environment: Mapping[str, str]) -> None:
        found = set(secrets) | {value for name, value in environment.items() if _SECRET_NAME.search(name)}
        for value in (*found, *environment.values()):
            found.update(_passwords_in(value))
        spellings = {spelling for value in found if len(value) >= SHORTEST for spelling in _spellings(value)}
        # The longest first: a secret that holds another one must go as a whole.
        longest_first = sorted(spellings, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        return _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text)


def _passwords_in(value: str) -> set[str]:
    match = _URL_PASSWORD.match(value)
    if match is None:
        return set()
    try:
        password = urlsplit(value).password
    except ValueError:
        password = None
    return {text for text in (password, password and unquote(password)) if text} | {match["password"]}


def _spellings(value: str) -> set[str]:
    """As it stands, percent-encoded, in JSON, in Base64, and as Python prints it."""
    encoded = base64.b64encode(value.encode()).decode()
    return {
        value,
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        encoded,
        encoded.rstrip("="),
    }
