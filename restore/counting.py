"""The rows of every table that was restored, counted exactly."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fixtures.measure.dump import Contents
from fixtures.measure.dump_statements import qualified
from restore.questions import legible
from restore.sandbox import NoAnswerError, Sandbox, identifier

COUNTING = 3600.0  # seconds that counting all tables may take
TABLES = """
SELECT pg_catalog.json_build_array(n.nspname, c.relname, c.relkind, rn.nspname, rc.relname,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.objid = c.oid AND d.deptype = 'e'), pg_catalog.pg_relation_size(c.oid))
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class rc ON c.relispartition AND rc.oid = pg_catalog.pg_partition_root(c.oid)
LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND n.nspname !~ '^pg_(toast|temp_)' ORDER BY n.nspname, c.relname;
"""


@dataclass(frozen=True)
class Restored:
    """What the restored databases hold.

    Attributes:
        rows: rows of each table by its name, spelt as `dump_statements.qualified` does, and after its database where
            there are several; of a partitioned table in all.
        within: for a partition, the partitioned table that it is a part of.
        of_extensions: tables that an extension brought.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    within: Mapping[str, str] = field(default_factory=dict)
    of_extensions: frozenset[str] = frozenset()


def count(sandbox: Sandbox) -> tuple[Restored, tuple[str, ...]]:
    """Count every table of every restored database, as a role that no policy hides a row from.

    Returns:
        What was counted, and what could not be.
    """
    rows: dict[str, int] = {}
    within: dict[str, str] = {}
    of_extensions: set[str] = set()
    faults: list[str] = []
    for part in sandbox.filled:
        try:
            tables = sandbox.ask(part, TABLES)
            rows.update(_counted(sandbox, part, tables))
        except NoAnswerError as fault:
            faults.append(f"counting: {fault}")
            continue
        for schema, table, _, root_schema, root, brought, _ in tables:
            name = _shown(sandbox, part, schema, table)
            if root is not None:
                within[name] = _shown(sandbox, part, root_schema, root)
            if brought:
                of_extensions.add(name)
    return Restored(rows, within, frozenset(of_extensions)), tuple(faults)


def _counted(sandbox: Sandbox, part: Contents, tables: Sequence[Sequence[Any]]) -> Mapping[str, int]:
    # Of a table with children only its own rows, as it is dumped; a partitioned one has none of its own.
    queries = [
        f"SELECT pg_catalog.json_build_array({number}, pg_catalog.count(*)) "  # noqa: S608 -- names are quoted
        f"FROM {'' if kind == 'p' else 'ONLY '}{identifier(schema, table)};"
        for number, (schema, table, kind, *_) in enumerate(tables)
    ]
    names = [_shown(sandbox, part, schema, table) for schema, table, *_ in tables]
    shares = _shares([size for *_, size in tables], os.cpu_count() or 1)
    with ThreadPoolExecutor(len(shares) or 1) as threads:
        answers = threads.map(
            lambda share: sandbox.ask(part, "\n".join(queries[each] for each in share), seconds=COUNTING), shares
        )
        return {names[number]: rows for answer in answers for number, rows in answer}


def _shares(sizes: Sequence[int], workers: int) -> list[list[int]]:
    """The tables by their numbers, in as many shares of about one size as there are workers."""
    shares: list[list[int]] = [[] for _ in range(workers)]
    bytes_of = [0] * workers
    for number in sorted(range(len(sizes)), key=lambda each: sizes[each], reverse=True):
        least = bytes_of.index(min(bytes_of))
        shares[least].append(number)
        bytes_of[least] += sizes[number]
    return [each for each in shares if each]


def _shown(sandbox: Sandbox, part: Contents, schema: str, table: str) -> str:
    """A table's name, the bytes of it that are no text spelt out as in the dump's (see `dump_statements.decoded`)."""
    return sandbox.shown(part, legible(qualified(schema, table)))
