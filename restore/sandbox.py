"""What a drill finds in a throwaway server: the roles and databases that it makes there, and what it asks of them."""

import itertools
import json
import re
from collections.abc import Sequence
from typing import Any

from fixtures.archive import Archive
from fixtures.measure.dump import Contents
from fixtures.measure.restore_messages import Complaint, Harm, complaints
from reports.requirement import Unverified
from restore.parts import databases, shown
from restore.server import ADMINISTRATOR, Finished, ThrowawayServer

RESTORER = "constancia_restorer"
READER = "constancia_reader"  # asks where the sandbox holds no superuser: what a dump slips in gains nothing by it
DATABASE = "drill"  # where a dump goes that does not say how its database is called
ALWAYS_THERE = ("postgres", "template1")
EMBEDDED_EXTENSIONS = ("plpgsql", "vector")  # whose code we know to come with the wheel
EVENT_TRIGGERS = 17  # since then one can run as a session begins, and a superuser can do without them
ANALYZING = 600.0  # seconds that learning about all tables may take
SOON = 60.0  # seconds that a small statement may take
# What PostgreSQL takes as a database's encoding; a dump in any other is converted to UTF8.
ENCODINGS = re.compile(
    r"UTF8|SQL_ASCII|LATIN\d+|WIN\d+|KOI8[RU]|ISO_8859_[5-8]|EUC_(JP|CN|KR|TW|JIS_2004)|MULE_INTERNAL", re.ASCII
)
# Letters beyond ASCII are letters to CHECK constraints and indexes only where the locale says so.
MAKE_DATABASE = """
SELECT pg_catalog.format('CREATE DATABASE %I OWNER {restorer} TEMPLATE template0 ENCODING {encoding}'
    ' LC_COLLATE ''C'' LC_CTYPE %L', {name}, CASE WHEN '{encoding}' = 'UTF8' AND EXISTS (SELECT FROM
    pg_catalog.pg_collation WHERE collname = 'C.utf8') THEN 'C.UTF-8' ELSE 'C' END) \\gexec
"""
OFFERED = "SELECT name FROM pg_catalog.pg_available_extensions;"


# What is the sandbox's own fault in the middle of a question, and what the server says at our own time limit.
OURS = (Harm.ROOM, Harm.GONE)
TIMEOUT = "due to statement timeout"


class NoAnswerError(Exception):
    """The restored database does not answer a question of ours; the message says what it said, without values."""


class Sandbox:
    """The roles and databases of a drill in a server that is running.

    Args:
        server: it.
        archive: the backup that will be restored into it.

    Attributes:
        roles: the dump's that `prepare` made, because a dump names roles and does not bring them.
        offered: the extensions that the server has.
    """

    def __init__(self, server: ThrowawayServer, archive: Archive) -> None:
        self.server = server
        self.roles: tuple[str, ...] = ()
        self.offered: frozenset[str] = frozenset()
        self._archive = archive
        self._numbers = itertools.count()  # of scripts, since several are asked at once

    @property
    def filled(self) -> Sequence[Contents]:
        """The parts of the dump that are databases (see `parts.databases`)."""
        return databases(self._archive)

    def home(self, part: Contents) -> str:
        """The database that a part of the dump is restored in."""
        if part not in self.filled:
            return ALWAYS_THERE[0]
        return part.database or DATABASE

    def shown(self, part: Contents, table: str) -> str:
        """How a table of a part is called (see `parts.shown`)."""
        return shown(self._archive, part, table)

    def prepare(self) -> None:
        """Make the restoring role, the roles that the dump names, and the databases.

        Which rights the dump's roles had besides those on its tables it does not say: they get all that the sandbox
        allows, because lacking one is no fault of the backup.

        Raises:
            Unverified: when the server does not let us.
        """
        named = {role for each in self._archive.dumps for role in each.roles}
        ours = (ADMINISTRATOR, RESTORER, READER)
        self.roles = tuple(sorted(each for each in named if not each.startswith("pg_") and each not in ours))
        homes = {self.home(each): each for each in self.filled}
        script = [
            *self._made_roles(),
            *(_made_database(name, each) for name, each in homes.items() if name not in ALWAYS_THERE),
            OFFERED,
        ]
        for name, each in homes.items():
            script += [_connecting(name), "GRANT ALL ON SCHEMA public TO PUBLIC;", *self._made_extensions(each)]
        told = self.sql("\n".join(script), database=ALWAYS_THERE[0])
        if told.err or told.code:
            raise Unverified(
                "preparing the throwaway database",
                came_back=_why(told),
                remedy=f"See whether {self.server.description} is a PostgreSQL that works",
            )
        self.offered = frozenset(told.out.splitlines())

    def sql(
        self,
        statements: str,
        *,
        database: str,
        user: str = ADMINISTRATOR,
        encoding: str = "UTF8",
        seconds: float = SOON,
    ) -> Finished:
        """Run statements of ours, unaligned, without headers.

        A dump can set parameters of its database for everybody: what an operator in our queries means, and who we are,
        is therefore said as the session begins, which goes before such a setting.
        """
        text = statements.encode(errors="surrogateescape")
        script = self.server.put(f"statements-{next(self._numbers)}.sql", iter([text]), len(text))
        ours = "-c search_path=pg_catalog -c role=none -c row_security=on -c default_transaction_read_only=off"
        ours += " -c client_min_messages=warning"  # a notice of the dump's is none of ours
        if self.server.holds_superuser and self.server.major >= EVENT_TRIGGERS:
            ours += " -c event_triggers=off"
        entry = f"{self.entry(database, user)} client_encoding={encoding} options='{ours}'"
        return self.server.run("psql", "-X", "-A", "-t", "-q", "-d", entry, "-f", script, seconds=seconds)

    def entry(self, database: str, user: str) -> str:
        """How a client program gets into a database of ours, and nowhere else, whatever a dump calls it.

        A name alone is not to be handed to a program: one with "=" in it is taken for a whole address.
        """
        return f"host={self.server.socket_dir} user={user} dbname={_of_conninfo(database)}"

    def ask(self, part: Contents, queries: str, *, seconds: float = SOON) -> list[Any]:
        """Ask the restored database of a part, as a role that no policy hides a row from.

        Args:
            part: of the dump.
            queries: SQL statements with a semicolon each; every row of their answers is one JSON text.
            seconds: that all of them may take.

        Returns:
            What the rows hold.

        Raises:
            NoAnswerError: when one of them fails.
            Unverified: when the server is gone, or has no room or memory left, or they take longer.
        """
        # Names in a database without an encoding are bytes: taken for UTF8, the server would refuse them.
        encoding = "SQL_ASCII" if part.encoding == "SQL_ASCII" else "UTF8"
        # A trigger of the dump's on signing in may have changed it since the session's options were read.
        told = self.sql(
            f"SET search_path = pg_catalog;\n{queries}",
            database=self.home(part),
            user=self.reader,
            encoding=encoding,
            seconds=seconds,
        )
        found = complaints(told.err, superuser=True)
        if told.timed_out or told.cut or any(each.harm in OURS or TIMEOUT in each.text for each in found):
            raise Unverified(
                f"looking into the restored database {self.home(part)}",
                came_back=_why(told, seconds),
                remedy="Hold the drill again when the machine is less busy, with more memory and room",
            )
        if found:
            raise NoAnswerError("; ".join(each.text for each in found))
        # Whole lines; JSON has every line feed of a name escaped, and no other character ends a line.
        return [json.loads(line) for line in told.out.split("\n")[:-1]]

    def analyze(self, part: Contents) -> None:
        """Let the server know its tables, as it would in production: a declared query may join several of them."""
        # What cannot be analysed is queried without.
        self.sql("ANALYZE;", database=self.home(part), user=RESTORER, seconds=ANALYZING)

    @property
    def reader(self) -> str:
        """The role that asks."""
        return ADMINISTRATOR if self.server.holds_superuser else READER

    def _made_roles(self) -> list[str]:
        logins = [(RESTORER, "LOGIN"), *((identifier(each), "NOLOGIN") for each in self.roles)]
        if self.server.holds_superuser:
            return [f"CREATE ROLE {name} SUPERUSER {login};" for name, login in logins]
        made = [f"CREATE ROLE {name} NOSUPERUSER BYPASSRLS {login};" for name, login in logins]
        made += [f"CREATE ROLE {READER} NOSUPERUSER BYPASSRLS LOGIN;", f"GRANT pg_read_all_data TO {READER};"]
        # It can hand things over only to roles that it is a member of, and make only extensions that trust it.
        made += [f"GRANT {identifier(each)} TO {RESTORER};" for each in self.roles]
        return made + [f"GRANT pg_read_all_data, pg_write_all_data TO {identifier(each)};" for each in self.roles]

    def _made_extensions(self, part: Contents) -> list[str]:
        if self.server.holds_superuser:
            return []
        return [
            f"CREATE EXTENSION IF NOT EXISTS {identifier(name)} SCHEMA public;"
            for name, schema in part.extensions.items()
            if schema == "public" and name in EMBEDDED_EXTENSIONS
        ]


def _why(finished: Finished, seconds: float = SOON) -> str:
    if finished.timed_out:
        return f"given up after {seconds:.0f} s"
    if finished.cut:
        return "a longer answer than can be taken"
    told = [each.text for each in complaints(finished.err, superuser=True)]
    return "; ".join(told)[:300] or f"psql ended with code {finished.code} and without a word"


def faults(finished: Finished, seconds: float) -> tuple[Complaint, ...]:
    """What went wrong in statements of ours.

    Args:
        finished: how psql ended.
        seconds: that they were given.
    """
    found = complaints(finished.err, superuser=True)
    if finished.timed_out or finished.cut or (finished.code and not found):
        found = (*found, Complaint(Harm.HARMFUL, _why(finished, seconds), 1))
    return found


def identifier(*names: str) -> str:
    """A name in SQL with every identifier quoted, so that no keyword is in the way."""
    return ".".join('"' + each.replace('"', '""') + '"' for each in names)


def literal(text: str) -> str:
    """A text in SQL, whatever it holds."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _of_conninfo(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _connecting(database: str) -> str:
    """The command of psql that goes on in another database, whatever it is called."""
    told = f"dbname={_of_conninfo(database)}".replace("\\", "\\\\").replace("'", "''")
    return f"\\connect -reuse-previous=on '{told}'"


def _made_database(name: str, part: Contents) -> str:
    encoding = part.encoding if ENCODINGS.fullmatch(part.encoding) else "UTF8"
    return MAKE_DATABASE.format(restorer=RESTORER, encoding=encoding, name=literal(name))
