"""What scheduled runs keep for each other: which checks there are, and which of them one of them is about."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.history.dialects import insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

Key = tuple[str, str]


@dataclass(frozen=True)
class Place:
    """Whose checks: of one deployment of a system, as seen from one vantage point.

    Attributes:
        system: its name.
        environment: which deployment of it.
        vantage: from where.
    """

    system: str
    environment: str
    vantage: str


def keep(opened: "Connection", at: Place, selection: str, *, digest: str, document: str) -> None:
    """Keep what a selection of checks came to be, in place of what was kept of it."""
    from reports.history.tables import plan

    values = {**vars(at), "selection": selection, "digest": digest, "document": document}
    changed = {"digest": digest, "document": document}
    opened.execute(
        insert(opened, plan).values(values).on_conflict_do_update(index_elements=plan.primary_key, set_=changed)
    )


def forget(opened: "Connection", at: Place, selection: str) -> None:
    """Keep it no longer: the next run collects anew."""
    from sqlalchemy import delete

    from reports.history.tables import plan

    same = (getattr(plan.c, name) == value for name, value in vars(at).items())
    opened.execute(delete(plan).where(*same, plan.c.selection == selection))


def take(
    opened: "Connection", at: Place, wanted: Mapping[Key, int], *, run: str, now: int, credible: int
) -> Collection[Key]:
    """Claim checks for a run: those that nobody holds a claim to that has not lapsed.

    Args:
        opened: where to.
        at: whose checks.
        wanted: by requirement and target, until when each claim shall hold (ms).
        run: whose claims they will be.
        now: in ms.
        credible: until when a claim may hold (ms): one that says it holds longer was made by a wrong clock.

    Returns:
        The checks that are this run's now.
    """
    from sqlalchemy import or_

    from reports.history.tables import claim

    if not wanted:
        return ()
    # In one order, lest two runs that claim the same wait for each other.
    rows = [
        {**vars(at), "requirement": requirement, "target": target, "run": run, "until": until}
        for (requirement, target), until in sorted(wanted.items())
    ]
    adding = insert(opened, claim).values(rows)
    taking = adding.on_conflict_do_update(
        index_elements=claim.primary_key,
        set_={"run": adding.excluded.run, "until": adding.excluded.until},
        where=or_(claim.c.until <= now, claim.c.until > credible),
    )
    taken = opened.execute(taking.returning(claim.c.requirement, claim.c.target))
    return {(row.requirement, row.target) for row in taken}


def give_back(
    opened: "Connection", runs: Sequence[str], *, at: Place | None = None, keys: Collection[Key] = ()
) -> None:
    """Give back all that these runs have claimed; of one place these checks alone, where they are named."""
    from sqlalchemy import delete, tuple_

    from reports.history.tables import claim

    giving = delete(claim).where(claim.c.run.in_(runs))
    if at is not None:
        giving = giving.where(*(getattr(claim.c, name) == value for name, value in vars(at).items()))
        giving = giving.where(tuple_(claim.c.requirement, claim.c.target).in_(sorted(keys)))
    opened.execute(giving)
