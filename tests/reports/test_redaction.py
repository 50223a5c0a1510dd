"""No secret is said in any spelling, and what is no secret is left alone."""

import base64
import json
import math
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reports.redaction import HIDDEN, Redactor

HARD_TO_SPELL = "Zx9\"q\\ü'/+ %a"
# Brackets could join with the placeholder's own into what looks like the secret; surrogates have no UTF-8.
SECRETS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=4, max_size=40)
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded in lower case": lambda secret: "".join(
        f"%{byte:02x}" if quote(bytes([byte]), safe="").startswith("%") else chr(byte) for byte in secret.encode()
    ),
    "in a form": quote_plus,
    "in JSON": lambda secret: json.dumps(secret)[1:-1],
    "in JSON in UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "printed by Python": lambda secret: repr(secret)[1:-1],
    "printed by Python in ASCII": lambda secret: ascii(secret)[1:-1],
    "printed by Python as bytes": lambda secret: repr(secret.encode())[2:-1],
    "in Base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in Base64 for addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(secret=SECRETS)
def test_no_spelling_of_a_secret_survives(spelling: str, secret: str) -> None:
    spelled = SPELLINGS[spelling](secret)
    assume(spelled not in HIDDEN)
    said = Redactor([secret], {})(f"before <{spelled}> after")
    assert spelled not in said
    assert HIDDEN in said


@given(secret=SECRETS, user=st.text("abcdefgh", max_size=8))
def test_basic_authorization_shows_no_secret(secret: str, user: str) -> None:
    """What stays of it are the letters that hold bits of a neighbour, one at each end."""
    header = base64.b64encode(f"{user}:{secret}@".encode()).decode()
    begin = len(f"{user}:")
    own = header[math.ceil(begin * 8 / 6) : math.floor((begin + len(secret.encode())) * 8 / 6)]
    assume(own not in HIDDEN)
    assert own not in Redactor([secret], {})(f"Authorization: Basic {header}")


def test_a_secret_within_texts_of_any_kind_of_quotes_is_cut() -> None:
    for said in (
        repr(HARD_TO_SPELL),
        repr(f'"{HARD_TO_SPELL}"'),
        repr({"password": HARD_TO_SPELL}),
        f"{HARD_TO_SPELL!r:>40}",
        json.dumps([HARD_TO_SPELL]),
    ):
        assert "Zx9" not in Redactor([HARD_TO_SPELL], {})(said), said


def test_each_line_of_a_secret_of_several_lines_is_cut() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
    said = Redactor([key], {})("".join(f"E       {line}\n" for line in key.splitlines()))
    assert "MIIE" not in said
    assert "kiG9" not in said


def test_the_longer_of_two_secrets_goes_as_a_whole() -> None:
    assert Redactor(["swordfish", "swordfish-and-more"], {})("x swordfish-and-more y") == f"x {HIDDEN} y"


@pytest.mark.parametrize("secret", ["", "abc"])
def test_values_too_short_to_protect_anything_are_left(secret: str) -> None:
    assert Redactor([secret], {"API_TOKEN": secret})("abc of it") == "abc of it"


def test_four_characters_are_enough_to_be_cut() -> None:
    assert Redactor(["abcd"], {})("abcd of it") == f"{HIDDEN} of it"


@pytest.mark.parametrize(
    "name",
    [
        *("MIRA_PASSWORD", "PGPASSWORD", "DB_PASS", "MYSQL_PWD", "GPG_PASSPHRASE", "AWS_SECRET_ACCESS_KEY", "api_key"),
        *("CI_JOB_TOKEN", "SIGNING_KEY", "SENTRY_DSN", "HTTP_AUTH", "SSH_PRIVATE", "GOOGLE_CREDENTIALS"),
    ],
)
def test_variables_named_like_secrets_are_secrets(name: str) -> None:
    assert Redactor([], {name: "Quilpue77"})("it said Quilpue77") == f"it said {HIDDEN}"


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "GIT_AUTHOR_NAME", "HOME", "KEYBOARD", "BYPASS_CACHE"])
def test_other_variables_are_not(name: str) -> None:
    assert Redactor([], {name: "Quilpue77"})("it said Quilpue77") == "it said Quilpue77"


@pytest.mark.parametrize("value", ["true", "False", "none"])
def test_switches_are_no_secrets(value: str) -> None:
    assert Redactor([], {"AUTH_ENABLED": value})(f"must be {value}") == f"must be {value}"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://rol:Quilpue77@db/x", "Quilpue77"),
        ("postgresql://rol:Quil%40pue%2F77@db/x", "Quil@pue/77"),
        ("postgresql://rol:Quil%40pue%2F77@db/x", "Quil%40pue%2f77"),
        ("postgresql://rol:Quil@pue@db/x", "Quil@pue"),
        ("redis://:Quilpue77@h/0", "AUTH Quilpue77"),
        ("host=db user=rol password=Quilpue77 dbname=x", "Quilpue77"),
        ("host=db password='Quil pue 77'", "Quil pue 77"),
        ("https://h/path?password=Quil%20pue", "Quil pue"),
    ],
)
def test_the_password_within_a_declared_address_is_a_secret(address: str, said: str) -> None:
    for redact in (Redactor([address], {}), Redactor([], {"DATABASE_URL": address})):
        assert "Quil" not in redact(f"refused: {said}.")
        assert "Quil" not in redact(f"refused: {address}.")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("at https://u:p4ss@h/x.", f"at https://u:{HIDDEN}@h/x."),
        ("redis://:p4ss@h", f"redis://:{HIDDEN}@h"),
        ("a://u:p@ss@h", f"a://u:{HIDDEN}@h"),
        ("postgresql+psycopg://u:x@h then b://v:y@h", f"postgresql+psycopg://u:{HIDDEN}@h then b://v:{HIDDEN}@h"),
        ("host=db password=p4ss port=1", f"host=db password={HIDDEN} port=1"),
        ("http://h:80/a@b", "http://h:80/a@b"),
        ("mail a:b@c and http://h/x", "mail a:b@c and http://h/x"),
        ("https://user@h/", "https://user@h/"),
    ],
)
def test_passwords_of_addresses_nobody_declared_are_cut_too(text: str, redacted: str) -> None:
    assert Redactor([], {})(text) == redacted


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_without_secrets_is_left_alone(text: str) -> None:
    assume("://" not in text)
    assert Redactor(["Quilpue77-Quilpue77"], {})(text) == text


def test_bytes_that_are_no_text_in_a_variable_are_no_obstacle() -> None:
    assert HIDDEN in Redactor([], {"API_TOKEN": "Quil\udcff77"})("said Quil\udcff77")


@pytest.mark.parametrize("text", ["a" * 300_000, "a://" * 70_000, "x://:" + "a" * 300_000, "password=" * 30_000])
def test_a_long_text_takes_no_time(text: str) -> None:
    begun = time.perf_counter()
    Redactor(["Quilpue77", "postgresql://rol:Quilpue78@db/x"], {})(text)
    assert time.perf_counter() - begun < 2


def test_a_line_holds_nothing_that_moves_a_cursor() -> None:
    redact = Redactor(["s3cr3t"], {})
    assert redact.line("público, ñandú") == "público, ñandú"
    assert redact.line("t\x1b[2J\nPASSED s3cr3t\u202e") == r"t\x1b[2J\nPASSED [redacted]\u202e"


def test_parts_of_a_badly_escaped_password_are_secrets_too() -> None:
    redact = Redactor([" postgresql://u:Atfirst@Atsecond/Slashthird#Hashfourth@127.0.0.1/x"], {"DB_CLAVE": "Nublado77"})
    for part in ("Atfirst", "Atsecond", "Slashthird", "Hashfourth", "Nublado77"):
        assert part not in redact(f"failed to resolve host '{part}@127'")
