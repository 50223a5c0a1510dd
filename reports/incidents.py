"""The incidents of a system: opened, joined, grouped and closed by what its scheduled runs find."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from fixtures.measure.due import AHEAD, TRIED_AGAIN
from reports.history.kept import HOLDS_FOR, Kept, milliseconds
from reports.history.store import History
from reports.lifecycle import (
    FLAPPING,
    RESPONSE,
    UNVERIFIED_FOR,
    Confirmed,
    Rules,
    confirmed,
    gravity,
    grouped_with,
    over,
)
from reports.requirement import Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from reports.history.incidents import Incident
    from reports.history.questions import Series

# So many results are looked back at, and more where a result speaks for longer.
_LOOKED_BACK = 600
_TRIED_AGAIN = TRIED_AGAIN // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Seen:
    """Whose incidents they are, and who looks.

    Attributes:
        system: its name.
        environment: which deployment of it.
        vantage: from where it is seen.
    """

    system: str
    environment: str
    vantage: str


@dataclass(frozen=True)
class Change:
    """What became of an incident in this run.

    Attributes:
        kind: "opened"; "joined": one that had recovered goes on; "recovered"; "grouped": another one leads it now.
        incident: as it is after that.
        why: why it is over, where it did not simply pass; empty otherwise.
    """

    kind: Literal["opened", "joined", "recovered", "grouped"]
    incident: "Incident"
    why: str = ""


class Incidents:
    """The incidents of one system in the history.

    Args:
        history: which has the results already.
        seen: whose, and by whom.
        rules: what the system declares of them.
    """

    def __init__(self, history: History, seen: Seen, rules: Rules) -> None:
        self._history = history
        self._seen = seen
        self._rules = rules

    def follow(self, results: Sequence[Kept], now: datetime) -> Sequence[Change]:
        """Do what the results of a scheduled run come to, all of it or nothing, and say what was done.

        So it does with those of earlier ones that were put on record and not followed.

        Args:
            results: of this system, on record already; only of requirements that people are alerted to.
            now: the time.

        Raises:
            Unverified: when the history cannot be read or written, in which case nothing was done.
        """
        from reports.history import incidents

        if not results:
            return ()
        with self._history.writing() as opened:
            incidents.hold_still(opened, self._seen.system)
            return list(_Following(opened, self._seen, self._rules, now).changes(results))


class _Following:
    """One transaction in which incidents are followed."""

    def __init__(self, opened: "Connection", seen: Seen, rules: Rules, now: datetime) -> None:
        from reports.history import incidents

        self._opened = opened
        self._seen = seen
        self._rules = rules
        self._now = now
        known = incidents.open_of(opened, seen.system, seen.environment)
        self._open = {(each.requirement, each.target): each for each in known}

    def changes(self, results: Sequence[Kept]) -> Iterator[Change]:
        ours = {(each.requirement, each.target) for each in results}
        left = [each for each in self._left() if (each.requirement, each.target) not in ours]
        # Recovered first: what passes again is nobody's cause any more.
        judged = [(each, self._newest_first(each)) for each in (*results, *left) if self._matters(each)]
        for result, row in judged:
            yield from self._recovered(result, row)
        new = [self._described(row[0], found) for _, row in judged if (found := self._to_open(row)) is not None]
        # The gravest first, so that what comes of it is opened as its own.
        for each in sorted(new, key=gravity):
            yield from self._opened_or_joined(each)

    def _left(self) -> Sequence[Kept]:
        """What other scheduled runs found that perhaps nobody followed: they were killed, or the history was away.

        What is due once a month would else be silent for one. What speaks for nothing any more is left out: it may be
        verified no longer.
        """
        from reports.history.questions import newest_scheduled

        seen, now = self._seen, milliseconds(self._now)
        soon = milliseconds(self._now + AHEAD)
        found = newest_scheduled(self._opened, seen.system, seen.environment, seen.vantage, until=soon)
        return [each for each in found if now - each.at <= HOLDS_FOR * each.every]

    def _matters(self, result: Kept) -> bool:
        """Whether a result can change anything: of a lost one it may not even be known what it was of."""
        known = (result.requirement, result.target) in self._open
        return result.severity in RESPONSE and (known or result.outcome in (Outcome.BREACHED, Outcome.UNVERIFIED))

    def _newest_first(self, result: Kept) -> Sequence[Kept]:
        """The results of its series, back to the last one that settles what came before it."""
        from reports.history.questions import Series

        seen = self._seen
        series = Series(seen.system, seen.environment, result.requirement, result.target, seen.vantage)
        found = self._last(series, 2)
        known = self._open.get((result.requirement, result.target))
        goes_on = known is not None and bool(found) and not over(known.kind, found[0])
        settled = not {each.outcome for each in found} <= {Outcome.BREACHED, Outcome.UNVERIFIED}
        if goes_on or settled or len(found) == 1:
            return found
        # What is due once a month is tried again every hour while it is unverified, for longer than three months.
        return self._last(series, max(_LOOKED_BACK, 2 * UNVERIFIED_FOR * (result.every // _TRIED_AGAIN)))

    def _last(self, series: "Series", count: int) -> Sequence[Kept]:
        """The newest results of a series but for those of the future: their clock was ahead, and was set back since."""
        from reports.history.questions import last

        soon, asked = milliseconds(self._now + AHEAD), count
        while True:
            found = last(self._opened, series, count=asked)
            seen = [each for each in found if each.at <= soon]
            if len(seen) >= count or len(found) < asked:
                return seen[:count]
            asked *= 4

    def _recovered(self, result: Kept, row: Sequence[Kept]) -> Iterator[Change]:
        from reports.history import incidents

        known = self._open.get((result.requirement, result.target))
        if known is None or not row or not over(known.kind, row[0]) or not self._may_end(known, row[0]):
            return
        why = "" if row[0].outcome is Outcome.PASSED else WHY_OVER[row[0].outcome]
        ended = incidents.recover(self._opened, known, at=row[0].at, why=why or None)
        del self._open[result.requirement, result.target]
        yield Change("recovered", ended, why)

    def _may_end(self, known: "Incident", newest: Kept) -> bool:
        """Whether this result is of whoever saw it: others may look from elsewhere.

        Of a vantage point that looks no more nothing will come: then another one's word counts.
        """
        from reports.history.questions import Series, last

        if known.vantage == self._seen.vantage:
            return True
        theirs = Series(known.system, known.environment, known.requirement, known.target, known.vantage)
        since = newest.at - UNVERIFIED_FOR * newest.every
        return not last(self._opened, theirs, count=1, since=since)

    def _to_open(self, row: Sequence[Kept]) -> Confirmed | None:
        return None if not row or (row[0].requirement, row[0].target) in self._open else confirmed(row, self._rules)

    def _opened_or_joined(self, new: "Incident") -> Iterator[Change]:
        from reports.history import incidents

        before = incidents.last_recovered(self._opened, new)
        if before is not None and before.resolved is None and new.began - (before.recovered or 0) <= FLAPPING:
            joined = incidents.join(self._opened, before, at=milliseconds(self._now), again=new)
            self._open[new.requirement, new.target] = joined
            yield Change("joined", joined)
            return
        group = grouped_with(new, self._groups())
        added = incidents.add(self._opened, new)
        leader = min((*group, added), key=gravity)
        yield Change("opened", self._led(added, leader))
        for each in group:
            moved = self._led(each, leader)
            if moved.leader != each.leader:
                yield Change("grouped", moved)

    def _described(self, newest: Kept, found: Confirmed) -> "Incident":
        from reports.history.incidents import Incident

        opened = milliseconds(self._now)
        return Incident(
            system=self._seen.system,
            environment=self._seen.environment,
            requirement=newest.requirement,
            target=newest.target,
            kind=found.kind,
            severity=newest.severity,
            title=newest.title,
            vantage=self._seen.vantage,
            began=found.began,
            opened=opened,
            deadline=opened + RESPONSE[newest.severity],
            measurements=found.measurements,
        )

    def _groups(self) -> Sequence[Sequence["Incident"]]:
        """The open incidents as they are grouped."""
        groups: dict[int, list[Incident]] = defaultdict(list)
        for each in self._open.values():
            groups[each.leader or each.number].append(each)
        return list(groups.values())

    def _led(self, each: "Incident", leader: "Incident") -> "Incident":
        """An incident with its leader's number on record; the leader itself has none.

        Whoever has acknowledged the leader is at work on what comes of it, too.
        """
        from reports.history import incidents

        under = None if each.number == leader.number else leader.number
        at = milliseconds(self._now)
        led = each if each.leader == under else incidents.group(self._opened, each, at=at, under=under)
        if led.leader is not None and led.owner is None and leader.owner is not None:
            said = f"grouped under {leader.number}"
            led = incidents.acknowledge(self._opened, led, at=at, by=leader.owner, said=said)
        self._open[each.requirement, each.target] = led
        return led


# Told in the system's language.
WHY_OVER = {
    Outcome.WAIVED: "waived",
    Outcome.NOT_APPLICABLE: "declared not applicable",
    Outcome.BREACHED: "verified again: breached",
}
