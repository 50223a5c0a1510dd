"""A system whose incidents are told: its routes, a history, and what came of each minute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from fixtures.channels import ChannelDeclared
from fixtures.roster import Roster, RosterDeclared
from fixtures.routes import Route, RouteDeclared, routes
from reports.alerts import Alerts, Delivery, Watched
from reports.history import incidents as stored
from reports.history.incidents import Incident
from reports.history.kept import milliseconds
from reports.history.store import History
from reports.lifecycle import RESPONSE
from reports.postmortem import About
from reports.redaction import Redactor
from reports.requirement import Measurement

SANTIAGO = ZoneInfo("America/Santiago")
# 03:12 at night in Santiago, of a Saturday.
BEGAN = datetime(2026, 11, 21, 6, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TITLES = {
    "DATABASE-1": "The database accepts a connection and answers a first statement in time.",
    "HEALTH-1": "The health endpoint answers with the expected status in time.",
    "HEALTH-4": "A real transaction of a signed-in client works: it signs in and reads a declared resource.",
    "LATENCY-1": "The mean response time of the endpoint, body included, is within its SLO.",
    "LOGS-1": "No log, compressed or not, is older than promised and one clean-up period.",
}
REFUSED = Measurement("connection", "Connection refused", "", "must be", "accepted", holds=False, subject="main")
ROSTER = """
[[person]]
name = "Rodrigo Tapia"
roles = ["DBA"]
reach = ["tel:+56 9 5555 0102", "mailto:rodrigo.tapia@example.org"]
available = "Mon-Fri 08:00-18:00"

[[person]]
name = "Fernanda Olivares"
roles = ["DBA", "Operaciones"]
reach = ["tel:+56 9 5555 0103"]
available = "Sat-Sun 00:00-24:00"

[[person]]
name = "Sin Horas"
roles = ["DBA"]
"""
STEPS = {"DATABASE-1": "Alertar al DBA de inmediato; systemctl status postgresql"}


@dataclass
class Noted:
    """A channel that notes what it is given, and accepts it or not."""

    name: str = "noted"
    seconds: float = 5
    answer: str = "accepted"
    received: list[tuple[str, str]] = field(default_factory=list)

    def send(self, title: str, text: str) -> str:
        """Note a message, and answer."""
        self.received.append((title, text))
        return self.answer


@dataclass
class AtWork:
    """What tells of the incidents of a system.

    Attributes:
        history: of its incidents.
        folder: for the roster.
        language: of the system.
        silent: whether maintenance is declared at a moment.
        redact: cuts secrets out.
    """

    history: History
    folder: Path
    language: str = "es"
    silent: Callable[[datetime], bool] = lambda _: False
    redact: Redactor = field(default_factory=lambda: Redactor((), {}))
    routes: list[Route] = field(default_factory=list)

    def route(self, *urls: str, noted: Sequence[Noted] = (), **declared: object) -> Route:
        """A route to addresses as Apprise writes them, or to channels that note what they are given."""
        names = tuple(f"channel-{number}" for number, _ in enumerate(urls or ("json://127.0.0.1",)))
        entry = RouteDeclared.model_validate({"name": f"route-{len(self.routes)}", "channels": names, **declared})
        channels = [
            ChannelDeclared.model_validate({"name": name, "url": SecretStr(url), "tests": "x", "timeout": "5s"})
            for name, url in zip(names, urls or ("json://127.0.0.1",), strict=True)
        ]
        roster = self.folder / "roster.toml"
        roster.write_text(ROSTER, encoding="utf-8")
        (made,) = routes([entry], channels, roster=Roster(RosterDeclared(file=str(roster))), timezone=SANTIAGO)
        if noted:
            made.channels = list(noted)  # type: ignore[arg-type]  # of the same form
        self.routes.append(made)
        return made

    def watched(self) -> Watched:
        """The system."""
        about = About("MIRA, Hospital de Ovalle", SANTIAGO, self.language, STEPS.get)
        return Watched("mira", "production", about, self.routes, self.silent)

    def alerts(self) -> Alerts:
        """What tells, in a run of its own."""
        return Alerts(self.history, self.watched(), run=uuid4().hex, redact=self.redact)

    def tell(self, minutes: float) -> Sequence[Delivery]:
        """What a run tells so many minutes after the beginning."""
        return self.alerts().tell(BEGAN + minutes * MINUTE)

    def opened(self, minutes: float, requirement: str = "DATABASE-1", severity: str = "P1", **more: Any) -> Incident:  # noqa: ANN401 -- each field has its type
        """An incident that began and was confirmed so many minutes after the beginning."""
        at = milliseconds(BEGAN + minutes * MINUTE)
        new = Incident(
            system="mira",
            environment="production",
            requirement=requirement,
            target="main",
            kind="breached",
            severity=severity,
            title=TITLES[requirement],
            vantage="one",
            began=at,
            opened=at,
            deadline=at + RESPONSE[severity],
            measurements=(REFUSED,),
        )
        with self.history.writing() as opened:
            return stored.add(opened, replace(new, **more))

    def change(self, what: Callable[..., Incident], of: Incident, minutes: float, **more: Any) -> Incident:  # noqa: ANN401 -- as above
        """Something becomes of an incident, as `reports.history.incidents` writes it down."""
        with self.history.writing() as opened:
            return what(opened, of, at=milliseconds(BEGAN + minutes * MINUTE), **more)
