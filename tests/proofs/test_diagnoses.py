"""Every noun that has a diagnosis tells in time how it is, whether the lab is well or not."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from fixtures.clock import Clock
from fixtures.diagnostics import LONGEST, Diagnostics
from fixtures.lab.host import DISK
from fixtures.lab.lab import Lab
from fixtures.nouns import NOUNS, Targets
from fixtures.system import load

SYSTEMS = Path(__file__).parents[2] / "systems"
# A family that nothing else explains.
ALONE = "DEPS"
WELL: Mapping[str, tuple[str, ...]] = {
    "health": ("DNS   127.0.0.1: 127.0.0.1 (", "TCP   127.0.0.1 port ", "connected ("),
    "transaction": ("TCP   ",),
    "endpoint": ("TCP   ",),
    "certificate": ("TCP   ", "TLS   for localhost: TLSv1.3, "),
    "database": ("PostgreSQL 16", "connections: ", "at most 40", "sessions ", "size: ", " its largest tables"),
    "statements": ("the slowest statements by ",),
    "redis_cache": ("Redis ", "memory: ", "clients: ", "on disk: ", "slow commands"),
    "upstream": ("postgresql 16", "it took "),
    "migrations": ("",),
    "host": ("load: ", "memory: ", f"{DISK}: ", "% used", "most by memory: "),
    "room": ("% used",),
    "services": ("service nocobase: runs, ", "service postgresql: runs, "),
    "queue": ("facturas: ", "2 failed", "  failed: 2 x … respondió 503 al folio …"),
    "backups": (" finished backups in ", "free where they lie: "),
    "error_log": ("errors logged within an hour, by kind:",),
    "traffic": (" answers in ", "200: "),
    "job": ("at most ", " ago"),
    "log_folder": (" logs, ", "the oldest:"),
}


def asked(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """What each noun of both systems tells, each asked by itself, all at once; by fixture and name."""
    for name, value in lab.environment.items():
        monkeypatch.setenv(name, value)
    found = {}
    with ThreadPoolExecutor(64) as threads:
        for system in ("mira", "comercial-electrica"):
            targets = Targets(load(SYSTEMS / f"{system}.toml"), clock=Clock())
            for fixture in NOUNS:
                for name in getattr(targets, fixture):
                    key = f"{system}: {fixture} {name}"
                    found[key] = threads.submit(_timed, Diagnostics(targets), fixture, name)
        results = {key: future.result() for key, future in found.items()}
    assert not {key: took for key, (_, took) in results.items() if took > LONGEST + 1}
    return {key: text for key, (text, _) in results.items() if text}


def _timed(diagnostics: Diagnostics, fixture: str, name: str) -> tuple[str, float]:
    begun = time.monotonic()
    (text,) = diagnostics.about(ALONE, fixture, name).values() or ("",)
    return text.partition("\n")[2], time.monotonic() - begun


def test_every_noun_tells_how_it_is(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(lab, monkeypatch)
    assert set(WELL) <= {key.split()[1] for key in found}
    for key, text in found.items():
        assert "not known" not in text, key
        assert all(part in text for part in WELL.get(key.split()[1], ())), (key, text)


@contextmanager
def _all(*faults: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with ExitStack() as stack:
        for fault in faults:
            stack.enter_context(fault())
        yield


@pytest.mark.parametrize(
    ("fault", "database", "redis"),
    [
        ("stopped", "Connection refused", "Connection refused"),
        ("hanging", "connection timeout expired", "Timeout reading from socket"),
        ("refused", "password authentication failed", "invalid username-password pair"),
    ],
)
def test_every_noun_tells_what_is_wrong_with_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, fault: str, database: str, redis: str
) -> None:
    faults = {
        "stopped": (lab.nocobase.refusing, lab.comercial.refusing, lab.database.stopped, lab.cache.stopped),
        "hanging": (lab.nocobase.hanging, lab.comercial.hanging, lab.database.hanging, lab.cache.hanging),
        "refused": (lab.nocobase.password_rotated, lab.database.password_rotated, lab.cache.password_rotated),
    }
    with _all(*faults[fault]):
        found = asked(lab, monkeypatch)
    for key in ("mira: database main", "comercial-electrica: database main"):
        assert found[key].startswith("  not known: ")
        assert database in found[key]
    assert redis in found["comercial-electrica: redis_cache redis"]
    assert found["comercial-electrica: queue jobs"].startswith("  not known: ")
    connected = fault != "stopped"
    for key in ("mira: health nocobase", "comercial-electrica: health api"):
        assert ("connected (" in found[key]) is connected
    # With the way to it, where nothing answers.
    for key in ("mira: database main", "comercial-electrica: redis_cache redis"):
        assert ("TCP   127.0.0.1 port " in found[key]) is (fault != "refused")
    known = {value for value in lab.environment.values() if "://" in value}
    assert not [key for key, text in found.items() if any(each in text for each in known if "@" in each)]
    assert os.environ["MIRA_PASSWORD"] not in "".join(found.values())
