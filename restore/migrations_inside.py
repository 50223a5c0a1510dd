"""Whether the migrations that a backup holds are those that the live database had when it was taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fixtures.measure.dump import Contents
from fixtures.measure.dump_statements import qualified
from fixtures.migration_record import Migrations, record_of
from reports.requirement import Breach, Unverified
from restore.questions import answers, legible
from restore.sandbox import Sandbox, identifier

LOOKING = 60.0  # seconds that reading a tool's table may take


@dataclass(frozen=True)
class MigrationsInside:
    """What was found.

    Attributes:
        table: the tool's, which was read on both sides; empty where the live database did not tell.
        inside: how many rows it has in the backup.
        live: how many in the live database now.
        findings: where the two differ for certain, in words.
        untold: why more cannot be told; None where everything could.
    """

    table: str
    inside: int
    live: int
    findings: Sequence[str]
    untold: Unverified | None


def migrations_inside(
    sandbox: Sandbox, part: Contents, migrations: Migrations, *, earliest: datetime, latest: datetime
) -> MigrationsInside:
    """Compare the record of migrations in a restored database with the live one's, as of the backup.

    What was applied to the live database before the backup must be inside, with the same checksum; what was applied
    after it, or what the live database does not know, must not. Prisma and Django keep the times. Alembic and NocoBase
    keep none: there both are equal, or where the live database has more nothing says since when, and it is untold.

    Args:
        sandbox: where the database is.
        part: of the dump, that it was restored from.
        migrations: of the live database.
        earliest: when the backup may have been taken: its time, less what that may be wrong by.
        latest: its time, and how long the dump may have taken; in between a migration may be inside or not.

    Raises:
        Unverified: when the throwaway server is gone.
    """
    try:
        live = migrations.recorded()
    except Unverified as fault:
        return MigrationsInside("", 0, 0, (), fault)
    except Breach as fault:  # the backup is what is judged here, and of that it says nothing
        came_back = f"{fault.measurements[0].observed_text} from the live database"
        return MigrationsInside("", 0, 0, (), _untold(came_back, "See what DATABASE-1 says of it, and hold it again"))
    table = qualified(live.table.schema, live.table.name)
    query = migrations.record_query.format(table=identifier(live.table.schema, live.table.name))
    (answer,) = answers(sandbox, part, [f"SET TimeZone = 'UTC';\n{query};"], seconds=LOOKING)
    if answer.fault:
        return MigrationsInside(table, 0, len(live.records), (f"{table} inside: {answer.fault}",), None)
    inside = [record_of([each and legible(each) for each in row]) for row in answer.rows]
    try:
        found = migrations.differences(inside, live.records, earliest=earliest, latest=latest)
    except Unverified as fault:  # the files that tell what is before what
        return MigrationsInside(table, len(inside), len(live.records), (), fault)
    remedy = "Hold a drill on the first backup that is made after a deployment"
    untold = _untold("; ".join(found.untold), remedy) if found.untold else None
    return MigrationsInside(table, len(inside), len(live.records), found.found, untold)


def _untold(came_back: str, remedy: str) -> Unverified:
    return Unverified(
        "comparing the migrations inside the backup with the live database's", came_back=came_back, remedy=remedy
    )
