"""Whether the structure of a restored database is sound: constraints, indexes, sequences, extensions.

A dump brings constraints that were never validated as they are, sequences at the values that they had, and an index of
a partitioned table whose parts are not complete. None of that is an error of the restore.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fixtures.measure.dump import Contents
from fixtures.measure.dump_statements import qualified, quoted
from reports.requirement import Value
from restore.questions import answers, legible
from restore.sandbox import Sandbox, identifier

Named = Callable[[str, str], str]  # schema and name of a relation, as it is called in a message
LOOKING = 3600.0  # seconds that one look may take: at the catalogue, at the rows of a table
OF_USERS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'"
# Keys of partitions are those of the whole table. Before 18 every constraint is enforced, and has no column to say so.
COUNTED_CONSTRAINTS = f"""
SELECT json_build_array(count(*), count(*) FILTER (WHERE c.contype = 'f' AND c.convalidated))
FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
WHERE c.contype <> 't' AND c.conparentid = 0 AND {OF_USERS};
"""  # noqa: S608 -- a text of ours
NOT_VALIDATED = f"""
SELECT json_build_array(n.nspname, coalesce(r.relname, t.typname), c.conname,
    coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true))
FROM pg_constraint c
LEFT JOIN pg_class r ON r.oid = c.conrelid
LEFT JOIN pg_type t ON t.oid = c.contypid
JOIN pg_namespace n ON n.oid = coalesce(r.relnamespace, t.typnamespace)
WHERE NOT c.convalidated AND c.conparentid = 0 AND {OF_USERS}
ORDER BY n.nspname, coalesce(r.relname, t.typname), c.conname;
"""  # noqa: S608 -- a text of ours
# With the operators that the keys themselves compare by; a key over periods (PostgreSQL 18) is more than a comparison.
UNCHECKED_KEYS = f"""
SELECT json_build_array(c.conname, n.nspname, f.relname, f.relkind, pn.nspname, p.relname, p.relkind, c.confmatchtype,
    (SELECT json_agg(json_build_array(fa.attname, pa.attname, opn.nspname, op.oprname, cn.nspname, col.collname)
                     ORDER BY each.position)
     FROM unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS each (key, referred, operator, position)
     JOIN pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = each.key
     JOIN pg_attribute pa ON pa.attrelid = p.oid AND pa.attnum = each.referred
     JOIN pg_operator op ON op.oid = each.operator
     JOIN pg_namespace opn ON opn.oid = op.oprnamespace
     LEFT JOIN pg_collation col ON col.oid = pa.attcollation AND pa.attcollation <> fa.attcollation
     LEFT JOIN pg_namespace cn ON cn.oid = col.collnamespace))
FROM pg_constraint c
JOIN pg_class f ON f.oid = c.conrelid JOIN pg_namespace n ON n.oid = f.relnamespace
JOIN pg_class p ON p.oid = c.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE c.contype = 'f' AND NOT c.convalidated AND c.conparentid = 0 AND {OF_USERS}
AND NOT coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false)
ORDER BY n.nspname, f.relname, c.conname;
"""  # noqa: S608 -- a text of ours
COUNTED_INDEXES = f"""
SELECT json_build_array(count(*))
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace WHERE {OF_USERS};
"""  # noqa: S608 -- a text of ours
INVALID_INDEXES = f"""
SELECT json_build_array(n.nspname, t.relname, i.relname, i.relkind = 'I')
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE NOT (x.indisvalid AND x.indisready AND x.indislive) AND {OF_USERS}
ORDER BY n.nspname, i.relname;
"""  # noqa: S608 -- a text of ours
COUNTED_SEQUENCES = f"""
SELECT json_build_array(count(*))
FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid JOIN pg_namespace n ON n.oid = s.relnamespace WHERE {OF_USERS};
"""  # noqa: S608 -- a text of ours
# A sequence feeds the column that it is the identity of, and every column whose default asks it. One that a column owns
# and does not ask feeds it no longer. Partitions ask as the whole table does.
FEEDS = f"""
WITH feeds AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number, true AS plainly
    FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
    UNION
    SELECT d.refobjid, f.adrelid, f.adnum, pg_get_expr(f.adbin, f.adrelid) ~
        '^[(]?nextval[(]''([^'']|'''')*''::regclass[)]([)]::(smallint|integer|bigint|numeric))?$'
    FROM pg_depend d JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass
)
SELECT json_build_array(sn.nspname, s.relname, n.nspname, t.relname, a.attname,
    plainly AND NOT q.seqcycle AND coalesce(nullif(k.typbasetype, 0), k.oid)
        IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'numeric'::regtype),
    q.seqincrement, q.seqmin, q.seqmax)
FROM feeds
JOIN pg_sequence q ON q.seqrelid = feeds.sequence
JOIN pg_class s ON s.oid = q.seqrelid JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_class t ON t.oid = feeds.relation AND t.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = feeds.number JOIN pg_type k ON k.oid = a.atttypid
WHERE {OF_USERS} AND NOT (t.relispartition AND EXISTS (
    SELECT FROM feeds whole JOIN pg_attribute w ON w.attrelid = whole.relation AND w.attnum = whole.number
    WHERE whole.relation = pg_partition_root(t.oid) AND whole.sequence = feeds.sequence AND w.attname = a.attname))
ORDER BY sn.nspname, s.relname, n.nspname, t.relname, a.attname;
"""  # noqa: S608 -- a text of ours
EXTENSIONS = "SELECT json_build_array(extname) FROM pg_extension;"
LOCALE = "SELECT json_build_array(datcollate, datctype) FROM pg_database WHERE datname = current_database();"
# What a dump says of a collation's version it was sorted by; without a word the one here is taken.
COLLATIONS = f"""
SELECT json_build_array(n.nspname, c.collname)
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE c.collversion IS NOT NULL AND c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid) AND {OF_USERS}
ORDER BY n.nspname, c.collname;
"""  # noqa: S608 -- a text of ours


CATALOGUE = {
    "constraints": COUNTED_CONSTRAINTS,
    "constraints that are not validated": NOT_VALIDATED,
    "foreign keys that are not validated": UNCHECKED_KEYS,
    "indexes": COUNTED_INDEXES,
    "invalid indexes": INVALID_INDEXES,
    "sequences": COUNTED_SEQUENCES,
    "columns that sequences feed": FEEDS,
    "extensions": EXTENSIONS,
    "locale": LOCALE,
    "collations": COLLATIONS,
}


class _Key(NamedTuple):
    """A foreign key, as UNCHECKED_KEYS tells of it."""

    name: str
    schema: str
    relation: str
    kind: str
    referred_schema: str
    referred: str
    referred_kind: str
    match: str
    columns: Sequence[Sequence[str]]


class _Feed(NamedTuple):
    """A sequence and a column that it feeds, as FEEDS tells of them."""

    sequence_schema: str
    sequence: str
    schema: str
    relation: str
    column: str
    comparable: bool
    increment: int
    least: int
    most: int


@dataclass(frozen=True)
class Structure:
    """What was found of one restored database's structure; findings in words, none where all is sound.

    Attributes:
        not_validated: constraints that nobody knows whether the rows meet.
        orphans: foreign keys among those, with the number of rows that refer to rows that are not there.
        invalid_indexes: indexes that PostgreSQL does not use, because they are not complete.
        sequences_behind: sequences whose next values rows have already, with by how much.
        missing_extensions: extensions of the dump that are not there.
        differing_collations: collations of another version than the dump says that its rows were sorted by.
        unanswered: what could not be looked at because the database failed as it was asked.
        constraints: how many there are; of partitioned tables those of the whole.
        validated_keys: how many foreign keys among them the restore itself checked, row by row, as it made them.
        indexes: how many there are.
        sequences: how many there are.
        compared: by how many columns a sequence was compared with the rows that it feeds.
        not_compared: columns that take values from a sequence in a way that cannot be compared: no whole numbers, an
            expression around it, a sequence that begins anew.
        locale: what texts are sorted by, and which letters there are, in the sandbox.
    """

    not_validated: tuple[str, ...]
    orphans: tuple[str, ...]
    invalid_indexes: tuple[str, ...]
    sequences_behind: tuple[str, ...]
    missing_extensions: tuple[str, ...]
    differing_collations: tuple[str, ...]
    unanswered: tuple[str, ...]
    constraints: int
    validated_keys: int
    indexes: int
    sequences: int
    compared: int
    not_compared: tuple[str, ...]
    locale: str

    def findings(self) -> list[str]:
        """Everything that is not sound, the gravest first."""
        return [
            *self.orphans,
            *self.sequences_behind,
            *self.not_validated,
            *self.invalid_indexes,
            *self.missing_extensions,
            *self.differing_collations,
            *self.unanswered,
        ]

    def facts(self) -> Iterator[tuple[str, Value, str]]:
        """What was looked at, and what was not, each with its unit."""
        yield "constraints looked at", self.constraints, ""
        yield "foreign keys that the restore itself checked, row by row", self.validated_keys, ""
        yield "indexes looked at", self.indexes, ""
        yield "sequences", self.sequences, ""
        yield "columns compared with their sequences", self.compared, ""
        yield "columns that cannot be compared with their sequences", ", ".join(self.not_compared) or "none", ""
        yield "sorted in the drill by", f"{self.locale}; the source's own sort order was not tested", ""


def structure_of(sandbox: Sandbox, part: Contents, extensions_expected: Iterable[str]) -> Structure:
    """Look at the structure of a database that was restored, whatever the role that asks may do.

    Validated foreign keys are not looked at again: pg_dump makes them after the rows, and PostgreSQL checks every row
    as they are made. The largest value of a column that a sequence feeds comes from its index where it has one.

    Args:
        sandbox: where it is.
        part: of the dump, that it was restored from.
        extensions_expected: names of the extensions that must be there.

    Raises:
        Unverified: when the server is gone.
    """
    asked = answers(sandbox, part, list(CATALOGUE.values()), seconds=LOOKING)
    faults = [f"{what}: {each.fault}" for what, each in zip(CATALOGUE, asked, strict=True) if each.fault]
    told = {what: each.rows for what, each in zip(CATALOGUE, asked, strict=True)}

    def named(schema: str, relation: str) -> str:
        return legible(sandbox.shown(part, qualified(schema, relation)))

    keys = [_Key(*each) for each in told["foreign keys that are not validated"]]
    feeds = [_Feed(*each) for each in told["columns that sequences feed"]]
    orphans, of_keys = _orphans(sandbox, part, keys, named)
    behind, of_feeds = _behind(sandbox, part, [each for each in feeds if each.comparable], named)
    there = {extension for (extension,) in told["extensions"]}
    constraints, validated_keys = next(iter(told["constraints"]), (0, 0))
    return Structure(
        not_validated=tuple(
            f"constraint {legible(quoted(name))} of {named(schema, relation)} is "
            + ("not validated" if enforced else "not enforced")
            for schema, relation, name, enforced in told["constraints that are not validated"]
        ),
        orphans=orphans,
        invalid_indexes=tuple(
            f"index {legible(quoted(name))} of {named(schema, relation)} is not valid"
            + (": a partition lacks it" if of_partitions else "")
            for schema, relation, name, of_partitions in told["invalid indexes"]
        ),
        sequences_behind=behind,
        missing_extensions=()
        if any(each.startswith("extensions: ") for each in faults)
        else tuple(f"extension {each} is not there" for each in sorted(set(extensions_expected) - there)),
        differing_collations=tuple(
            f"collation {named(*each)} is of another version here than the dump says" for each in told["collations"]
        ),
        unanswered=(*faults, *of_keys, *of_feeds),
        constraints=constraints,
        validated_keys=validated_keys,
        indexes=sum(count for (count,) in told["indexes"]),
        sequences=sum(count for (count,) in told["sequences"]),
        compared=sum(1 for each in feeds if each.comparable) - len(of_feeds),
        not_compared=tuple(_column(each, named) for each in feeds if not each.comparable),
        locale=", ".join(f"{order} (letters of {letters})" for order, letters in told["locale"]) or "what is not known",
    )


def _orphans(
    sandbox: Sandbox, part: Contents, keys: Sequence[_Key], named: Named
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys with rows that refer to rows that are not there; and what could not be looked at."""
    found, faults = [], []
    asked = answers(sandbox, part, [_of_orphans(each) for each in keys], seconds=LOOKING)
    for key, answer in zip(keys, asked, strict=True):
        called = f"foreign key {legible(quoted(key.name))} of {named(key.schema, key.relation)}"
        if answer.fault:
            faults.append(f"{called}: {answer.fault}")
        for (rows,) in answer.rows:
            if rows:
                what = "1 row refers to one that is" if rows == 1 else f"{rows} rows refer to ones that are"
                found.append(f"{called}: {what} not in {named(key.referred_schema, key.referred)}")
    return tuple(found), tuple(faults)


def _of_orphans(key: _Key) -> str:
    """How many rows break a foreign key, as PostgreSQL itself tells it as it makes one."""
    pairs = []
    for column, other, operator_schema, operator, collation_schema, collation in key.columns:
        collated = f" COLLATE {identifier(collation_schema, collation)}" if collation else ""
        compared = f"OPERATOR({identifier(operator_schema)}.{operator})"
        pairs.append(f"p.{identifier(other)} {compared} f.{identifier(column)}{collated}")
    # MATCH FULL: a row with some of its columns NULL refers to nothing that could be there.
    either = " OR " if key.match == "f" else " AND "
    given = either.join(f"f.{identifier(column)} IS NOT NULL" for column, *_ in key.columns)
    referring = f"{_own_rows(key.kind)}{identifier(key.schema, key.relation)} f"
    referred = f"{_own_rows(key.referred_kind)}{identifier(key.referred_schema, key.referred)} p"
    missing = f"NOT EXISTS (SELECT FROM {referred} WHERE {' AND '.join(pairs)})"
    return f"SELECT json_build_array(count(*)) FROM {referring} WHERE ({given}) AND {missing};"  # noqa: S608 -- names are quoted


def _own_rows(kind: str) -> str:
    """A foreign key is about a table's own rows, not about those of tables that inherit from it."""
    return "" if kind == "p" else "ONLY "


def _behind(
    sandbox: Sandbox, part: Contents, feeds: Sequence[_Feed], named: Named
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sequences that are behind the rows that they feed; and what could not be looked at."""
    found, faults = [], []
    asked = answers(sandbox, part, [_of_values(each) for each in feeds], seconds=LOOKING)
    for feed, answer in zip(feeds, asked, strict=True):
        called = f"sequence {named(feed.sequence_schema, feed.sequence)}"
        if answer.fault:
            faults.append(f"{called}: {answer.fault}")
        for last, is_called, furthest in answer.rows:
            following = last + feed.increment if is_called else last
            if furthest is not None and (furthest - following) * feed.increment >= 0:
                found.append(f"{called} is behind {_column(feed, named)} by {abs(furthest - following) + 1}")
    return tuple(found), tuple(faults)


def _of_values(feed: _Feed) -> str:
    """Where a sequence stands, and the furthest of the values that rows have of those that it can give."""
    column = f"t.{identifier(feed.column)}"
    furthest = f"{'max' if feed.increment > 0 else 'min'}({column})"
    rows = f"{identifier(feed.schema, feed.relation)} t WHERE {column} BETWEEN {feed.least} AND {feed.most}"
    value = f"(SELECT trunc({furthest}::numeric)::bigint FROM {rows})"  # noqa: S608 -- names are quoted
    sequence = identifier(feed.sequence_schema, feed.sequence)
    return f"SELECT json_build_array(s.last_value, s.is_called, {value}) FROM {sequence} s;"  # noqa: S608 -- as above


def _column(feed: _Feed, named: Named) -> str:
    return f"{named(feed.schema, feed.relation)}.{legible(quoted(feed.column))}"
