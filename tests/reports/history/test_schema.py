"""The schema is made by its migrations, is what the tables say, and a newer one is left alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from reports.history import schema
from reports.history.address import Address
from reports.history.store import History
from reports.history.tables import metadata
from reports.requirement import Unverified
from tests.reports.history.past import put, result


def test_the_migrations_make_what_the_tables_say(history: History) -> None:
    with history.reading() as opened:
        context = MigrationContext.configure(opened, opts={"version_table": schema.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_it_is_made_once_by_many_at_once(address: Address) -> None:
    def write(number: int) -> None:
        own = History(address)
        put(own, result(number))
        own.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with History(address).reading() as opened:
        assert opened.execute(text("SELECT count(*) FROM result")).scalar() == 8


def test_what_a_newer_suite_made_is_left_alone(history: History, address: Address) -> None:
    put(history, result())
    with history.writing() as opened:
        opened.execute(text("UPDATE constancia_version SET version_num = '9999'"))
    own = History(address)
    with pytest.raises(Unverified, match=r"a newer suite wrote it \(revision 9999, this one knows \d{4}\)"):
        own.last("shop", "HEALTH-1", "web", environment="production", vantage="here")
    with pytest.raises(Unverified, match="Update this suite"):
        put(own, result(5))
