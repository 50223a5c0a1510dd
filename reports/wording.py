"""What people are told, in their system's language: English is the source, each other language a gettext file."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from zoneinfo import ZoneInfo

from fixtures.measure.units import shown
from reports.requirement import Measurement, Value

LANGUAGES = Path(__file__).with_name("languages")
SOURCE = "en"
MINUTE = timedelta(minutes=1)
# What is longer than this is a list, which no form is meant for: to look for them would take minutes.
MOST_FORMED = 1000
_PLACE = re.compile(r"\{(\w+)\}")
# What systems, libraries and the record of incidents say, in their own words or by their form.
SAID_BY_OTHERS = (
    'connection to server at "{host}", port {port} failed: {said}',
    "{said} (SQLSTATE {state})",
    "connection timeout expired",
    "server closed the connection unexpectedly",
    "the database system is starting up",
    "the database system is shutting down",
    "sorry, too many clients already",
    "Connection refused",
    "Connection reset by peer",
    "Error {number} connecting to {address}. Connection refused.",
    "No route to host",
    "Network is unreachable",
    "Name or service not known",
    "Temporary failure in name resolution",
    "No space left on device",
    "certificate has expired",
    "grouped under {number}",
    "self-signed certificate",
    "unable to get local issuer certificate",
)


class Wording:
    """Texts in one language.

    Args:
        language: "en", or one that has a file in languages/.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = {} if language == SOURCE else _texts(LANGUAGES / f"{language}.po")

    def __call__(self, text: str, **values: object) -> str:
        """A text of ours, its places {such} filled in; in English where it has no translation."""
        translated = self._texts.get(text, text)
        return translated.format(**values) if values else translated

    def said(self, text: str) -> str:
        """What a check said ("connection refused", "status 503"), word for word or by its form; else as it is."""
        if text in self._texts:
            return self._texts[text]
        if len(text) > MOST_FORMED:
            return text
        for form, template in _forms(self.language):
            if (found := form.fullmatch(text)) is not None:
                return template.format(**{name: self.said(value) for name, value in found.groupdict().items()})
        return text

    def value(self, value: Value, unit: str = "") -> str:
        """A value as people read it: "340 ms", "2 days 3 h", "1.2 GB", "yes"."""
        if isinstance(value, bool):
            return self("yes") if value else self("no")
        if isinstance(value, str):
            return f"{self.said(value)} {unit}".strip()
        return self._in_units(shown(value, unit))

    def duration(self, time: timedelta) -> str:
        """How long, as people tell it, to the minute unless it is shorter than one: "7 min", "2 days 3 h"."""
        told = time if time < MINUTE else round(time / MINUTE) * MINUTE
        return self.value(told.total_seconds(), "s")

    def observed(self, measurement: Measurement) -> str:
        """What was observed, with its unit; in full where rounding would hide what it breaches."""
        if isinstance(measurement.observed, bool | str):
            return self.value(measurement.observed, measurement.unit)
        return self._in_units(measurement.observed_text)

    def limit(self, measurement: Measurement) -> str:
        """The limit with its comparison ("at most 25 h"); empty for a noted fact."""
        if not measurement.comparison:
            return ""
        return f"{self(measurement.comparison)} {self.value(measurement.limit, measurement.unit)}"

    def moment(self, at: datetime, zone: ZoneInfo) -> str:
        """A day and a time of it, in a time zone."""
        return at.astimezone(zone).strftime(self("%Y-%m-%d %H:%M"))

    def listed(self, texts: Sequence[str]) -> str:
        """Several as one: "a, b and c"."""
        *before, last = texts
        return f"{', '.join(before)} {self('and')} {last}" if before else last

    def _in_units(self, text: str) -> str:
        """A number with its unit: the decimal sign and the unit's name are the language's."""
        if self.language == SOURCE:
            return text
        from babel.numbers import get_decimal_symbol

        text = re.sub(r"(?<=\d)\.(?=\d)", get_decimal_symbol(self.language), text)
        return re.sub(r"\b[a-z]+\b", lambda word: self(word[0]), text)


@lru_cache
def _texts(file: Path) -> Mapping[str, str]:
    from babel.messages.pofile import read_po

    with file.open("rb") as opened:
        return {str(each.id): str(each.string) for each in read_po(opened) if each.id and each.string}


@lru_cache
def _forms(language: str) -> "tuple[tuple[re.Pattern[str], str], ...]":
    """The texts that have places, as what matches one of them filled in; the longest first, which says most."""
    if language == SOURCE:
        return ()
    found = ((text, each) for text, each in _texts(LANGUAGES / f"{language}.po").items() if _PLACE.search(text))
    in_order = sorted(found, key=lambda pair: len(_PLACE.sub("", pair[0])), reverse=True)
    return tuple((_form(text), each) for text, each in in_order)


def _form(text: str) -> "re.Pattern[str]":
    texts, names = _PLACE.split(text)[::2], _PLACE.split(text)[1::2]
    between = (f"(?P<{name}>.+)" for name in names)
    parts = (part for pair in zip_longest(map(re.escape, texts), between, fillvalue="") for part in pair)
    return re.compile("".join(parts), re.DOTALL)
