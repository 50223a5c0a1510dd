"""Which backup a drill takes, and that it is held once and put on record."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fixtures.backups import BackupSet
from fixtures.backups_declared import BackupsDeclared
from fixtures.clock import Clock
from fixtures.drills import Drill, RestoreDeclared
from reports.requirement import Breach, Unverified
from restore.earlier import DrillRecord
from restore.holding import Asked, Holder
from tests.restore.dumps import Dumps

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAYS = 4
MakeDrill = Callable[..., Drill]


@pytest.fixture
def drill(dumps: Dumps, tmp_path: Path) -> MakeDrill:
    """A drill over some days' backups; what is declared otherwise is said by name."""
    store = tmp_path / "backups"
    store.mkdir()

    def make(*, days: int = DAYS, later: timedelta = timedelta(0), **changed: object) -> Drill:
        for day in range(days):
            at = NOW - timedelta(days=day, hours=1)
            path = store / f"shop-{at:%Y-%m-%d}.dump"
            path.write_bytes(dumps["custom.dump"].read_bytes())
            os.utime(path, (at.timestamp(),) * 2)
        given = {"name": "daily", "store": str(store), "pattern": "shop-%Y-%m-%d.dump", "every": "24h"}
        zone = ZoneInfo("UTC")
        backups = BackupSet(BackupsDeclared.model_validate(given), clock=Clock(NOW), timezone=zone)
        declared = {"backups": "daily", "server": "embedded", "counts": {"User": {"min": 1}}, **changed}
        return Drill(RestoreDeclared.model_validate(declared), backups, clock=Clock(NOW + later))

    return make


def test_the_newest_is_taken_and_held_once(drill: MakeDrill) -> None:
    phases: list[str] = []
    made, hold = drill(), Holder((), Asked(watch=phases.append))
    report = hold(made)
    assert hold(made) is report
    assert phases.count("restore") == 1
    assert report.file == "shop-2026-11-26.dump"
    assert report.phases[0].name == "fetch the backup"
    assert report.seconds >= sum(each.seconds for each in report.phases if each.name in ("restore", "fetch the backup"))
    facts = {what: observed for what, observed, _ in report.facts()}
    assert facts["chosen"] == "the newest of 4"
    assert facts["age when the drill began"] == pytest.approx(3600, abs=60)


def test_one_that_is_named_is_taken(drill: MakeDrill) -> None:
    report = Holder((), Asked(backup="shop-2026-11-24.dump"))(drill())
    assert report.file == "shop-2026-11-24.dump"
    assert report.chosen is not None
    assert not report.chosen.newest
    with pytest.raises(Unverified, match=r"no finished backup of daily is called so"):
        Holder((), Asked(backup="shop-2026-11-01.dump"))(drill())


def test_a_sample_is_any_that_is_kept(drill: MakeDrill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore.holding.SystemRandom.choice", lambda _, files: files[1])
    report = Holder((), Asked())(drill(pick="random"))
    assert report.file == "shop-2026-11-24.dump"
    assert report.chosen is not None
    assert (report.chosen.how, report.chosen.newest) == ("at random among 4", False)


def test_without_a_backup_there_is_nothing_to_hold(drill: MakeDrill) -> None:
    report = Holder((), Asked())(drill(days=0))
    assert report.file == "no backup"
    assert not report.disposal.gone
    with pytest.raises(Breach, match="the folder is empty"):
        report.harmful()


def test_the_judge_is_proven_first_where_that_is_asked(drill: MakeDrill) -> None:
    report = Holder((), Asked(judge=True))(drill())
    assert [each.partition(" ")[0] for each in report.proven] == ["cut", "flipped", "emptied"]
    assert Holder((), Asked())(drill()).proven == ()


def test_each_drill_is_put_on_record_and_compared_with_the_last_good_one(drill: MakeDrill, tmp_path: Path) -> None:
    path = tmp_path / "drills.jsonl"
    counted = {"User": {"min": 1, "drop": 0.1}}
    first = Holder((), Asked())(drill(record=str(path), counts=counted, responsible="Operaciones"))
    assert first.last_good() is None
    second = Holder((), Asked())(drill(record=str(path), counts={"User": {"min": 501}}, later=timedelta(hours=1)))
    third = Holder((), Asked())(drill(record=str(path), counts=counted, later=timedelta(hours=2)))
    good, bad, _ = DrillRecord(path, "daily").all()
    assert (good.good, good.rows, good.responsible) == (True, {"User": 500}, "Operaciones")
    assert not bad.good
    assert [each.good for each in second.earlier] == [True]
    assert third.last_good() == good
    assert [what for what, _ in third.time_facts(tuned=True)] == ["median of the last 1 like it"]


def test_what_fails_unforeseen_fails_the_same_way_again(drill: MakeDrill, monkeypatch: pytest.MonkeyPatch) -> None:
    made, hold = drill(), Holder((), Asked())

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("restore.drill.run", broken)
    with pytest.raises(RuntimeError, match="unforeseen"):
        hold(made)
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="unforeseen"):
        hold(made)


def test_a_record_that_cannot_be_written_hides_no_verdict(drill: MakeDrill, tmp_path: Path) -> None:
    report = Holder((), Asked())(drill(record=str(tmp_path / "nowhere" / "drills.jsonl")))
    assert report.harmful() == []
    with pytest.raises(Unverified, match="putting the drill on record"):
        report.require_recorded()


def test_a_record_that_cannot_be_read_keeps_nobody_from_a_drill(drill: MakeDrill, tmp_path: Path) -> None:
    (tmp_path / "drills.jsonl").write_text("a cut li")
    report = Holder((), Asked())(drill(record=str(tmp_path / "drills.jsonl")))
    assert report.harmful() == []
    for ask in (report.require_recorded, report.last_good):
        with pytest.raises(Unverified, match="a line in it is not as a drill writes it"):
            ask()


def test_the_record_tells_when_it_was_really_held(drill: MakeDrill, tmp_path: Path) -> None:
    path = tmp_path / "drills.jsonl"
    Holder((), Asked())(drill(record=str(path), later=timedelta(days=9000)))
    (held,) = DrillRecord(path, "daily").all()
    assert abs(held.at - datetime.now(UTC)) < timedelta(minutes=5)


def test_an_older_one_is_restored_by_its_name_although_the_newest_is_broken(drill: MakeDrill) -> None:
    made = drill()
    newest = Path(made.backups.store.shown) / "shop-2026-11-26.dump"
    newest.unlink()
    newest.symlink_to("nowhere")
    with pytest.raises(Breach):
        made.backups.again().newest()
    assert Holder((), Asked(backup="shop-2026-11-24.dump"))(made).harmful() == []
