"""The parts of a dump that are databases, and how their tables are called where there are several."""

from collections.abc import Mapping, Sequence

from fixtures.archive import Archive
from fixtures.measure.dump import Contents


def databases(archive: Archive) -> Sequence[Contents]:
    """The parts that are databases; of a dump of one database that one."""
    return [each for each in archive.dumps if each.database and not each.makes_databases] or archive.dumps[:1]


def shown(archive: Archive, part: Contents, table: str) -> str:
    """A table's name, after that of its database where there are several."""
    return f"{part.database}/{table}" if len(databases(archive)) > 1 else table


def dumped_rows(archive: Archive) -> Mapping[str, int]:
    """Rows in the dump of every table, by its name as `shown`."""
    return {shown(archive, part, table): rows for part in databases(archive) for table, rows in part.rows.items()}
