"""The tables of the history.

Times are milliseconds since 1970 (UTC), so that arithmetic on them is exact. The schema is made and changed by the
migrations beside this file; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)
# SQLite counts up by itself only what it calls INTEGER.
_Id = BigInteger().with_variant(Integer, "sqlite")

# What results are of: a requirement on a target, as seen from one vantage point.
series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("system", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("requirement", Text, nullable=False),
    # Without the system's name: "nocobase", "nocobase/case-list".
    Column("target", Text, nullable=False),
    Column("vantage", Text, nullable=False),
    # Of the last run: severity, title, how often it is due (ms), whether people are alerted to it, and what its
    # observed values are.
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("every", BigInteger, nullable=False),
    Column("paged", Boolean, nullable=False),
    Column("what", Text, nullable=False),
    Column("unit", Text, nullable=False),
    # Until when its hours are rolled up, in ms; at first the hour of its first result.
    Column("rolled", BigInteger, nullable=False),
    UniqueConstraint("system", "environment", "requirement", "target", "vantage"),
)

# One run's part on one system.
run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("vantage", Text, nullable=False),
    Column("began", BigInteger, nullable=False),
    # Both empty when the run was killed, or is still going on.
    Column("ended", BigInteger),
    Column("exit_code", Integer),
    Column("suite", Text, nullable=False),
    Column("system_file", Text, nullable=False),
    Column("gate", Text, nullable=False),
    Column("scheduled", Boolean, nullable=False),
    UniqueConstraint("uuid", "system"),
)

result = Table(
    "result",
    metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("outcome", SmallInteger, nullable=False),
    # The figure that speaks for the result, in the series' unit, and its limit; empty where it has none.
    Column("observed", Float),
    Column("bound", Float),
    sqlite_with_rowid=False,
)

# All that a result says, where that is kept: of everything that did not pass, and of what is seldom due.
detail = Table(
    "detail",
    metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("message", Text, nullable=False),
    # JSON: a list of measurements, each as its fields.
    Column("measurements", Text, nullable=False),
)

# Roll-ups: what an hour of a series came to. Derived from `result`, and made anew when results come in late.
hour = Table(
    "hour",
    metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    # Hours since 1970.
    Column("hour", Integer, primary_key=True, autoincrement=False),
    # Of its 3 600 000 ms; what is neither was not known.
    Column("up", Integer, nullable=False),
    Column("down", Integer, nullable=False),
    Column("results", Integer, nullable=False),
    Column("figures", Integer, nullable=False),
    Column("figure_sum", Float),
    Column("figure_least", Float),
    Column("figure_most", Float),
    # Its results are gone: it cannot be made anew.
    Column("pruned", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# Hours that results came into when they were rolled up already; the next run makes them anew.
late = Table(
    "late",
    metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Marks: until when raw results were pruned ("pruned"), in ms.
mark = Table(
    "mark",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

# What the checks of a system came to be when they were last collected, for `--due` to decide without collecting.
plan = Table(
    "plan",
    metadata,
    Column("system", Text, primary_key=True),
    Column("environment", Text, primary_key=True),
    Column("vantage", Text, primary_key=True),
    # What was asked to be collected: "checks", "restore", or a part of them.
    Column("selection", Text, primary_key=True),
    # Of all that it depends on: system file, checks, suite.
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
)

# What a scheduled run is about to do, so that one beside it leaves that out.
claim = Table(
    "claim",
    metadata,
    Column("system", Text, primary_key=True),
    Column("environment", Text, primary_key=True),
    Column("vantage", Text, primary_key=True),
    Column("requirement", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("run", Text, nullable=False),
    # When it lapses, should its run never end.
    Column("until", BigInteger, nullable=False),
)

incident = Table(
    "incident",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("system", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("requirement", Text, nullable=False),
    Column("target", Text, nullable=False),
    # "breached", or "unverified" for longer than allowed.
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("vantage", Text, nullable=False),
    # The first of the results that it was confirmed by, and when it was confirmed.
    Column("began", BigInteger, nullable=False),
    Column("opened", BigInteger, nullable=False),
    # Until when somebody has to have acknowledged it.
    Column("deadline", BigInteger, nullable=False),
    # JSON: the measurements that did not hold, each as its fields.
    Column("measurements", Text, nullable=False),
    Column("acknowledged", BigInteger),
    Column("owner", Text),
    Column("recovered", BigInteger),
    Column("resolved", BigInteger),
    Column("cause", Text),
    # The incident that it is grouped under; empty where it stands alone or leads.
    Column("leader", _Id, ForeignKey("incident.id")),
)
Index(
    "uq_incident_open",
    incident.c.system,
    incident.c.environment,
    incident.c.requirement,
    incident.c.target,
    unique=True,
    sqlite_where=text("recovered IS NULL"),
    postgresql_where=text("recovered IS NULL"),
)

# What became of an incident, in order: its timeline.
event = Table(
    "event",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("incident", _Id, ForeignKey("incident.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("by", Text),
    Column("note", Text),
)

# Every attempt to tell somebody, delivered or not.
message = Table(
    "message",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("system", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("channel", Text, nullable=False),
    # "opened", "reminder", "recovered".
    Column("kind", Text, nullable=False),
    # "accepted", or what came back instead.
    Column("outcome", Text, nullable=False),
    Column("subject", Text, nullable=False),
)
message_incident = Table(
    "message_incident",
    metadata,
    Column("message", _Id, ForeignKey("message.id"), primary_key=True, autoincrement=False),
    Column("incident", _Id, ForeignKey("incident.id"), primary_key=True, autoincrement=False, index=True),
)

# What a route owes of an incident, and whether it told it: nothing is told twice by runs beside each other, and what a
# killed run was about to tell the next one tells.
notice = Table(
    "notice",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("incident", _Id, ForeignKey("incident.id"), nullable=False, index=True),
    Column("route", Text, nullable=False),
    # "opened", "joined", "recovered", "reminder".
    Column("kind", Text, nullable=False),
    # When what is told of happened; of a reminder, when the route last told of the incident.
    Column("occasion", BigInteger, nullable=False),
    # The run that is telling it, and when that claim lapses, should the run never end.
    Column("run", Text),
    Column("until", BigInteger),
    # When a channel accepted it, and in which message; empty before.
    Column("told", BigInteger),
    Column("message", _Id, ForeignKey("message.id")),
    UniqueConstraint("incident", "route", "kind", "occasion"),
)
