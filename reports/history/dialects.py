"""What SQLite and PostgreSQL can both do, and SQLAlchemy spells for each of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def insert(opened: "Connection", table: "Table") -> Any:  # noqa: ANN401 -- each dialect has a type of its own
    """An INSERT that can be told what to do where a row is there already."""
    from sqlalchemy.dialects import postgresql, sqlite

    return (sqlite if opened.dialect.name == "sqlite" else postgresql).insert(table)
