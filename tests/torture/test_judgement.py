"""The tools that damaged dumps are judged with: the damage itself, what a dump really restores to, what is wrong."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from reports.requirement import Outcome
from tests.torture import originals
from tests.torture.conftest import SAMPLE, Workshop
from tests.torture.mutations import DAMAGES, MOST_FLIPS, mutated
from tests.torture.trial import SECONDS, Recorded, Verdict, wrong
from tests.torture.truth import NOTHING, Likeness

TEXT = b"".join(b"line %d of a text\n" % number for number in range(300))
BINARY = bytes(range(256)) * 20
# Each is changed in the plain dump; what is to be seen of it.
CHANGES = {
    "a letter of a row": (b"control 7\n", b"control 8\n"),
    "a row in another table": (b"\n1\t2011\tcontrol 1\n", b"\n"),
    "a sequence": (b"'public.folios', 1205", b"'public.folios', 1206"),
    "whether it was called": (b"1205, true", b"1205, false"),
    "a large object": (b"lowrite(0, '\\x756e61", b"lowrite(0, '\\x756e62"),
    "an owner": (b"ALTER TABLE public.bitacora OWNER TO mira_user", b'ALTER TABLE public.bitacora OWNER TO "Lectura"'),
    "a right": (b"GRANT SELECT ON TABLE public.casos TO", b"GRANT UPDATE ON TABLE public.casos TO"),
    "a comment": (b"IS 'kg'", b"IS 'g'"),
    "a view": (b"'abierto'::public.estado)", b"'cerrado'::public.estado)"),
    "a function": (b"SELECT x * 2", b"SELECT x * 3"),
    "an index": (b"(alta DESC)", b"(alta)"),
}


def draws() -> list[Random]:
    return [Random(seed) for seed in range(200)]  # noqa: S311 -- is to be drawn again


def content(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.iterdir()} if path.is_dir() else {"": path.read_bytes()}


@pytest.mark.parametrize("whole", [TEXT, BINARY])
def test_each_damage_is_what_it_is_called(whole: bytes) -> None:
    for draw in draws():
        cut, flipped, dropped, swapped, doubled, appended = (DAMAGES[name](whole, draw) for name in DAMAGES)
        assert whole.startswith(cut)
        assert len(flipped) == len(whole)
        assert sum(one != other for one, other in zip(flipped, whole, strict=True)) <= MOST_FLIPS
        assert len(dropped) < len(whole) < len(doubled)
        assert Counter(swapped) == Counter(whole)
        assert appended == 2 * whole
        begin = next(
            (at for at, (one, other) in enumerate(zip(dropped, whole, strict=False)) if one != other), len(dropped)
        )
        assert whole.endswith(dropped[begin:])


def test_damage_of_a_small_file_is_possible() -> None:
    for small in (b"", b"a"):
        for name, draw in zip(DAMAGES, draws(), strict=False):
            assert len(DAMAGES[name](small, draw)) <= 2, name


@pytest.mark.parametrize("name", ["plain.sql", "directory-gzip"])
def test_damage_is_drawn_by_the_seed_and_never_none(workshop: Workshop, tmp_path: Path, name: str) -> None:
    original = workshop.originals[name]
    whole, kinds = content(original), set()
    for first, again in zip(draws()[:30], draws(), strict=False):
        copy, what = mutated(original, tmp_path, first)
        damaged = content(copy)
        assert (copy, what) == mutated(original, tmp_path, again)
        assert damaged == content(copy)
        assert damaged != whole
        kinds.add(what)
    assert content(original) == whole
    assert len(kinds) > 4


def test_same_programs_write_the_same_dumps_again(workshop: Workshop, tmp_path: Path) -> None:
    for again in originals.make(tmp_path):
        assert content(again) == content(workshop.originals[again.name]), again.name


@pytest.mark.parametrize("name", list(originals.KINDS)[SAMPLE])
def test_every_dump_restores_to_the_same(workshop: Workshop, name: str) -> None:
    assert workshop.truth.of(workshop.originals[name]) == workshop.whole


def test_truth_sees_every_change_and_no_order_of_rows(workshop: Workshop, tmp_path: Path) -> None:
    whole, changed = workshop.originals["plain.sql"].read_bytes(), tmp_path / "changed.sql"
    for what, (before, after) in CHANGES.items():
        assert whole.count(before) >= 1, what
        changed.write_bytes(whole.replace(before, after, 1))
        like = Likeness.BUT_ROLES if what in ("an owner", "a right") else Likeness.OTHER
        assert workshop.truth.of(changed).like(workshop.whole) is like, what
    first, second = b"\n1\t2011\tcontrol 1\n", b"2\t2012\tcontrol 2\n"
    assert first + second in whole
    changed.write_bytes(whole.replace(first + second, b"\n" + second + first[1:], 1))
    assert workshop.truth.of(changed) == workshop.whole


def test_truth_of_what_cannot_be_unpacked(workshop: Workshop, tmp_path: Path) -> None:
    for name in ("plain.sql.gz", "plain.sql.zst", "plain.sql.lz4", "plain.sql.xz", "plain.sql.bz2", "backup.nbdata"):
        cut = tmp_path / name
        cut.write_bytes(workshop.originals[name].read_bytes()[:-100])
        assert workshop.truth.of(cut) == NOTHING


A_LETTER, ROLES = "a changed letter in it cannot be known", "owners, rights, default rights only, which ..."


@pytest.mark.parametrize(
    ("unproven", "recorded", "like", "fault"),
    [
        ("", Recorded.NOTHING, Likeness.SAME, ""),
        (A_LETTER, Recorded.NOTHING, Likeness.OTHER, ""),
        ("", Recorded.NOTHING, Likeness.OTHER, "it passed for whole, and restores to something else"),
        ("", Recorded.NOTHING, Likeness.BUT_ROLES, "it passed for whole, and restores to the same but for owners"),
        ("", Recorded.DIGEST, Likeness.SAME, "it passed although its digest was on record"),
        (A_LETTER, Recorded.DIGEST, Likeness.OTHER, "it passed although its digest was on record"),
        ("", Recorded.FIGURES, Likeness.SAME, ""),
        (ROLES, Recorded.FIGURES, Likeness.BUT_ROLES, ""),
        (ROLES, Recorded.FIGURES, Likeness.OTHER, "it passed although its figures were on record"),
        (A_LETTER, Recorded.FIGURES, Likeness.BUT_ROLES, "it passed although its figures were on record"),
        ("", Recorded.FIGURES, Likeness.OTHER, "it passed although its figures were on record"),
    ],
)
def test_what_is_wrong_about_a_pass(unproven: str, recorded: Recorded, like: Likeness, fault: str) -> None:
    told = wrong(Verdict(Outcome.PASSED, "", "", unproven, SECONDS), recorded, like)
    assert told.startswith(fault)
    assert bool(told) is bool(fault)


@pytest.mark.parametrize("outcome", [Outcome.BREACHED, Outcome.UNVERIFIED])
def test_what_does_not_pass_is_right_unless_it_takes_too_long(outcome: Outcome) -> None:
    for recorded in Recorded:
        assert not wrong(Verdict(outcome, "", "", "", SECONDS), recorded, Likeness.OTHER)
        assert wrong(Verdict(outcome, "", "", "", SECONDS + 1), recorded, Likeness.OTHER).startswith("it took 121 s")
