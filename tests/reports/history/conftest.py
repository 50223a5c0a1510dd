"""A history of each kind: a SQLite file, and a real PostgreSQL with a database of its own for each test."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.history.address import Address
from reports.history.store import History

if TYPE_CHECKING:
    from fixtures.embedded import EmbeddedServer

_NUMBERS = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    """Where an empty history is to be."""
    if request.param == "sqlite":
        yield Address(f"sqlite:///{tmp_path / 'history.db'}", tmp_path / "spool")
        return
    server: EmbeddedServer = request.getfixturevalue("postgresql")
    execute: Callable[..., None] = request.getfixturevalue("execute")
    name = f"history_{next(_NUMBERS)}"
    execute(f"CREATE DATABASE {name}")
    yield Address(f"postgresql+psycopg://postgres:s3cret-super@127.0.0.1:{server.port}/{name}", tmp_path / "spool")
    execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def history(address: Address) -> Iterator[History]:
    """An empty history."""
    opened = History(address)
    yield opened
    opened.close()
