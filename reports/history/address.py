"""Where the history is: known without loading what reads it, because a run with nothing due loads nothing."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reports.requirement import Unverified

VARIABLE = "CONSTANCIA_HISTORY"
SPOOL_VARIABLE = "CONSTANCIA_SPOOL"
VANTAGE_VARIABLE = "CONSTANCIA_VANTAGE"
_HOUSE = Path(__file__).parents[2]
_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql+psycopg://"


@dataclass(frozen=True)
class Address:
    """A store, and where what it could not take yet is spooled.

    Attributes:
        url: as SQLAlchemy takes it; it may hold a password.
        spool: the folder of the spool.
    """

    url: str
    spool: Path

    @property
    def file(self) -> Path | None:
        """The file of a SQLite store; None of a PostgreSQL one."""
        return Path(self.url.removeprefix(_SQLITE)) if self.url.startswith(_SQLITE) else None

    @property
    def shown(self) -> str:
        """The address without an account or a password, which may stand among its settings, too."""
        if self.file is not None:
            return str(self.file)
        address, _, settings = self.url.removeprefix(_POSTGRESQL).partition("?")
        # Where an account follows the question mark, that belongs to its password.
        return f"postgresql://{'' if '@' in settings else address.rpartition('@')[2]}"


def address_in(variables: Mapping[str, str] = os.environ) -> Address:
    """Where the environment says that the history is; by default a SQLite file in history/ of this house.

    Raises:
        Unverified: when it names neither a SQLite file nor a PostgreSQL.
    """
    url = variables.get(VARIABLE) or f"{_SQLITE}{_HOUSE / 'history' / 'constancia.db'}"
    # What follows a "?" only SQLAlchemy would read, and what is in memory is gone with the run.
    unfit = url.startswith(_SQLITE) and ("?" in url or url.removeprefix(_SQLITE) in ("", ":memory:"))
    if unfit or not url.startswith((_SQLITE, _POSTGRESQL)):
        raise Unverified(
            f"reading the variable {VARIABLE}",
            came_back="neither a SQLite file nor a PostgreSQL",
            remedy=f'Write "{_SQLITE}/var/lib/constancia/history.db" or "{_POSTGRESQL}role:password@host/name"',
        )
    beside = Path(url.removeprefix(_SQLITE)).parent if url.startswith(_SQLITE) else _HOUSE / "history"
    return Address(url, Path(variables.get(SPOOL_VARIABLE) or beside / "spool"))


def vantage_point(variables: Mapping[str, str] = os.environ) -> str:
    """From where this run looks: what the environment says, or this machine's name."""
    return variables.get(VANTAGE_VARIABLE) or socket.gethostname()
