"""The store of the history: SQLite in WAL mode, or one PostgreSQL for several runners."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fixtures.measure.sql_errors import connecting_words
from reports.history.address import Address, address_in
from reports.history.kept import Kept, Run, milliseconds
from reports.requirement import Outcome, Unverified

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# How long a writer waits for another one, and how long any statement may take, in seconds.
PATIENCE = 30
CONNECTED_WITHIN = 5
_WRITES = "constancia_writes"


class History:
    """The history, opened when it is first asked for.

    Whatever keeps it from being read or written is raised as `Unverified`: who reads it cannot tell, and who writes it
    keeps what it has in the spool.

    Args:
        address: where it is; what the environment says by default.
    """

    def __init__(self, address: Address | None = None) -> None:
        self.address = address or address_in()
        self._opened: Engine | None = None

    @contextmanager
    def reading(self) -> "Iterator[Connection]":
        """A connection that sees the history as it is at one moment.

        Raises:
            Unverified: when it cannot be reached or read.
        """
        with self._connected(f"reading the history in {self.address.shown}", writes=False) as opened:
            yield opened

    @contextmanager
    def writing(self) -> "Iterator[Connection]":
        """A connection whose changes are made together, when the context ends without an error, or not at all.

        Raises:
            Unverified: when it cannot be reached or written, in which case nothing was.
        """
        with self._connected(f"writing the history in {self.address.shown}", writes=True) as opened:
            yield opened

    def close(self) -> None:
        """Give back what is open; the next use opens it again."""
        if self._opened is not None:
            self._opened.dispose()
        self._opened = None

    def record(self, run: Run, results: Sequence[Kept]) -> None:
        """Put a run and results of it on record, all of them or none; what is there already stays as it is.

        Raises:
            Unverified: as `writing`.
        """
        from reports.history import writing

        with self.writing() as opened:
            writing.record(opened, run, results)

    def last(  # noqa: PLR0913 -- a series is named by so many things
        self,
        system: str,
        requirement: str,
        target: str,
        *,
        environment: str,
        vantage: str,
        count: int = 1,
        since: datetime | None = None,
        until: datetime | None = None,
        outcomes: Sequence[Outcome] = (),
    ) -> Sequence[Kept]:
        """The newest results of a series, the newest first.

        Args:
            system: its name.
            requirement: the id.
            target: without the system's name.
            environment: which deployment of the system.
            vantage: from where.
            count: how many at most.
            since: none that is older.
            until: none that is newer, as there may be where a clock was set back.
            outcomes: these alone; all where none is named.

        Raises:
            Unverified: as `reading`.
        """
        from reports.history import questions

        with self.reading() as opened:
            return questions.last(
                opened,
                questions.Series(system, environment, requirement, target, vantage),
                count=count,
                since=None if since is None else milliseconds(since),
                until=None if until is None else milliseconds(until),
                outcomes=outcomes,
            )

    @contextmanager
    def _connected(self, what: str, *, writes: bool) -> "Iterator[Connection]":
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        try:
            engine = self._engine()
        except (SQLAlchemyError, OSError, ValueError) as error:  # ValueError: an address with a port that is no number
            raise self._unusable(what, error) from None
        options: dict[str, Any] = {_WRITES: writes}
        if not writes and self.address.file is None:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with engine.connect().execution_options(**options) as opened, opened.begin():
                yield opened
        except DBAPIError as error:
            raise self._unusable(what, error) from None

    def _engine(self) -> "Engine":
        """The engine, the schema brought up to date first."""
        if self._opened is None:
            from reports.history.schema import brought_up_to_date

            engine = _made(self.address)
            brought_up_to_date(engine, self.address)
            self._opened = engine
        return self._opened

    def _unusable(self, what: str, error: Exception) -> Unverified:
        # Never the error's own text: SQLAlchemy puts statements and their values into it.
        cause = getattr(error, "orig", None) or error
        state = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
        if self.address.file is None:
            state = state or connecting_words(cause)
        came_back = f"{type(cause).__name__}{f' ({state})' if state else ''}"
        place = "its file and folder" if self.address.file else "that PostgreSQL, and let this role create tables there"
        return Unverified(what, came_back=came_back, remedy=f"Let the account of this run read and write {place}")


def _made(address: Address) -> "Engine":
    from sqlalchemy import NullPool, create_engine, event

    if address.file is not None:
        address.file.parent.mkdir(parents=True, exist_ok=True)
        arguments: dict[str, Any] = {"timeout": PATIENCE, "isolation_level": None}
        # One that stays open, because the last one that is closed writes all of the log into the file.
        engine = create_engine(address.url, connect_args=arguments)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    limits = f"-c statement_timeout={PATIENCE * 1000} -c lock_timeout={PATIENCE * 1000}"
    arguments = {
        "connect_timeout": CONNECTED_WITHIN,
        "tcp_user_timeout": PATIENCE * 1000,
        "application_name": "constancia",
        "options": limits,
    }
    return create_engine(address.url, poolclass=NullPool, connect_args=arguments)


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 -- of whatever driver
    connection.execute("PRAGMA journal_mode = WAL")
    # What is on record must survive a power cut: the spool forgets it then.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # A run touches a page for each of its series: room for many, and for the log of some runs, in pages and in kB.
    connection.execute("PRAGMA wal_autocheckpoint = 10000")
    connection.execute("PRAGMA cache_size = -32768")


def _begin_sqlite(connection: "Connection") -> None:
    # A transaction that reads first and writes later would be refused when another one wrote meanwhile.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
