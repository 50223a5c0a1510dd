"""The schema of the history: made, and brought up to date, by the migrations beside this file."""

from pathlib import Path
from typing import TYPE_CHECKING

from reports.history.address import Address
from reports.requirement import Unverified

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

MIGRATIONS = Path(__file__).with_name("migrations")
VERSION_TABLE = "constancia_version"
# Of all suites, for PostgreSQL's advisory locks: one of them changes the schema, the others wait.
_LOCK = 6_019_447_202


def newest() -> str:
    """The revision that this suite works with: its migrations are called by their number."""
    return max(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


def brought_up_to_date(engine: "Engine", address: Address) -> None:
    """Make the schema, or apply what migrations it lacks; next to nothing where it lacks none.

    Raises:
        Unverified: when it was made by a newer suite.
    """
    with engine.connect() as opened, opened.begin():
        found = _revision(opened)
    if found == newest():
        return
    if found is not None and found > newest():
        raise Unverified(
            f"opening the history in {address.shown}",
            came_back=f"a newer suite wrote it (revision {found}, this one knows {newest()})",
            remedy="Update this suite, or give it a history of its own",
        )
    _migrate(engine)


def _migrate(engine: "Engine") -> None:
    """Apply what is missing, in one transaction, while nobody else does."""
    from alembic import command

    with engine.connect().execution_options(constancia_writes=True) as opened, opened.begin():
        if opened.dialect.name == "postgresql":
            opened.exec_driver_sql(f"SELECT pg_catalog.pg_advisory_xact_lock({_LOCK})")
        if _revision(opened) != newest():  # while we waited for the lock, somebody may have
            command.upgrade(_configured(opened), "head")


def _configured(opened: "Connection") -> "Config":
    from alembic.config import Config

    configured = Config()
    configured.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configured.attributes["connection"] = opened
    return configured


def _revision(opened: "Connection") -> str | None:
    """The revision of the schema; None where there is none yet."""
    from sqlalchemy import inspect, text

    if not inspect(opened).has_table(VERSION_TABLE):
        return None
    return opened.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 -- a name of ours
