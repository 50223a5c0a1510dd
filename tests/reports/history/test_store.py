"""The store: all of a run or nothing, each result once, and whatever keeps it from being read is unverified."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from reports.history import tables
from reports.history.address import Address, address_in, vantage_point
from reports.history.kept import Kept, moment
from reports.history.store import History
from reports.requirement import Outcome, Unverified
from tests.reports.history.past import MINUTE, T, put, result, run


def last(history: History, **asked: object) -> list[Kept]:
    where = {"environment": "production", "vantage": "here", "count": 10}
    return list(history.last("shop", "HEALTH-1", "web", **{**where, **asked}))  # type: ignore[arg-type]  # any of them


def test_the_newest_come_first_and_come_back_whole(history: History) -> None:
    told = [result(T + number * MINUTE, Outcome.BREACHED, observed=number / 7) for number in range(3)]
    put(history, *told)
    put(history, result(T + 9 * MINUTE, target="api"), result(T + 9 * MINUTE, requirement="HEALTH-2"))
    put(history, result(T + 9 * MINUTE), vantage="there")
    assert last(history) == told[::-1]
    assert last(history, count=1) == told[2:]
    assert last(history, since=moment(T + MINUTE)) == told[:0:-1]
    assert last(history, since=moment(T + MINUTE) + timedelta(milliseconds=1)) == told[2:]
    assert [each.at for each in last(history, vantage="there")] == [T + 9 * MINUTE]
    assert last(history, environment="staging") == []


def test_outcomes_are_chosen(history: History) -> None:
    put(history, *(result(T + number, outcome) for number, outcome in enumerate(Outcome)))
    assert [each.outcome for each in last(history)] == list(Outcome)[::-1]
    chosen = last(history, outcomes=[Outcome.BREACHED, Outcome.WAIVED])
    assert {each.outcome for each in chosen} == {Outcome.BREACHED, Outcome.WAIVED}


def test_what_passes_often_keeps_its_figure(history: History) -> None:
    put(history, result())
    (kept,) = last(history)
    assert (kept.observed, kept.bound, kept.what, kept.unit) == (0.25, 2.0, "time", "s")
    assert (kept.measurements, kept.vantage, len(kept.run)) == ((), "here", 32)


def test_a_figure_of_something_else_is_none_of_the_series(history: History) -> None:
    put(history, result())
    put(history, result(T + 1, Outcome.BREACHED, what="status", unit="", observed=500.0, bound=200.0))
    assert [(each.what, each.observed) for each in last(history)] == [("time", None), ("time", 0.25)]
    put(history, result(T + 2, what="status", unit="", observed=200.0, bound=200.0))
    assert last(history, count=1)[0].what == "status"


def test_a_series_is_told_as_the_last_run_tells_it(history: History) -> None:
    put(history, result())
    put(history, result(T + 1, every=5 * MINUTE, severity="P2", title="It answers."))
    put(history, result(T + 2, Outcome.UNVERIFIED, every=0, severity="", title="test_it", what="", unit=""))
    (kept,) = last(history, count=1)
    assert (kept.every, kept.severity, kept.title, kept.what) == (5 * MINUTE, "P2", "It answers.", "time")


def test_the_same_twice_is_on_record_once(history: History) -> None:
    of, results = run(), [result(T + number, Outcome.BREACHED, target=f"t{number}") for number in range(5)]
    history.record(of, results[:3])
    history.record(of, results)
    with history.reading() as opened:
        assert [len(opened.execute(select(each)).all()) for each in (tables.run, tables.series)] == [1, 5]
        assert [len(opened.execute(select(each)).all()) for each in (tables.result, tables.detail)] == [5, 5]


def test_a_run_on_several_systems_has_a_part_of_each(history: History) -> None:
    history.record(run(systems=["shop", "mira"]), [result(), result(system="mira")])
    with history.reading() as opened:
        parts = opened.execute(select(tables.run.c.system, tables.run.c.exit_code)).all()
    assert sorted(tuple(part) for part in parts) == [("mira", 0), ("shop", 0)]


def test_a_run_without_results_is_on_record(history: History) -> None:
    history.record(run(), [])
    with history.reading() as opened:
        assert len(opened.execute(select(tables.run)).all()) == 1


def test_a_text_that_is_none_for_a_database_is_spelt_out(history: History) -> None:
    put(history, result(T, Outcome.BREACHED, message="a\0b \udcff ñ"))
    assert last(history)[0].message == "a\\x00b \\udcff ñ"


def test_figures_that_are_no_numbers_do_not_keep_a_run_out(history: History) -> None:
    put(history, result(T, observed=float("inf")), result(T + 1, observed=float("nan")))
    assert last(history)[1].observed == float("inf")


def test_an_error_within_leaves_nothing(history: History) -> None:
    put(history, result())

    def spoilt() -> None:
        with history.writing() as opened:
            opened.execute(tables.result.delete())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spoilt()
    assert len(last(history)) == 1


def test_an_error_of_the_body_is_not_the_stores(history: History) -> None:
    with pytest.raises(BrokenPipeError), history.reading():
        raise BrokenPipeError


def test_what_is_read_is_of_one_moment(history: History, address: Address) -> None:
    put(history, result())
    with history.reading() as opened:
        assert len(opened.execute(select(tables.result)).all()) == 1
        put(History(address), result(T + 1))
        assert len(opened.execute(select(tables.result)).all()) == 1


def test_it_cannot_be_changed_while_it_is_read(address: Address) -> None:
    if address.file is None:
        with pytest.raises(Unverified, match="ReadOnlySqlTransaction"), History(address).reading() as opened:
            opened.execute(tables.result.delete())


def test_a_file_that_is_no_database_is_unverified(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"SQLite it is not; my password is s3cret" * 100)
    with pytest.raises(Unverified, match=r"NotADatabase|DatabaseError") as caught:
        last(History(Address(f"sqlite:///{tmp_path / 'history.db'}", tmp_path / "spool")))
    assert "s3cret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_unverified(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unverified, match=r"NotADirectoryError|FileExistsError"):
        last(History(Address(f"sqlite:///{tmp_path / 'file' / 'history.db'}", tmp_path / "spool")))


def test_a_server_that_is_not_there_is_unverified_without_its_password(refused: str, tmp_path: Path) -> None:
    place = refused.removeprefix("http://")
    address = Address(f"postgresql+psycopg://role:s3cret@{place}/kept", tmp_path)
    with pytest.raises(Unverified, match="reading the history in postgresql://") as caught:
        last(History(address))
    assert place in str(caught.value)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(Unverified, match="writing the history"):
        put(History(address), result(message="Juan"))


def test_a_wrong_password_and_values_stay_out_of_errors(history: History, address: Address) -> None:
    with pytest.raises(Unverified) as caught:
        put(history, result(target=None, message="12.345.678-9"))
    assert "12.345.678-9" not in str(caught.value)
    assert "IntegrityError" in str(caught.value) or "NotNullViolation" in str(caught.value)
    if address.file is None:
        wrong = Address(address.url.replace("s3cret-super", "guess"), address.spool)
        with pytest.raises(Unverified) as caught:
            last(History(wrong))
        assert "guess" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("mysql://x", "sqlite://", "sqlite:///", "postgresql://role:s3cret@h/x", "history.db"),
        *("sqlite:///:memory:", "sqlite:////var/lib/history.db?timeout=5"),
    ],
)
def test_an_address_of_another_kind_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(Unverified, match="neither a SQLite file nor a PostgreSQL") as caught:
        address_in({"CONSTANCIA_HISTORY": url})
    assert "s3cret" not in str(caught.value)


def test_a_port_that_is_no_number_is_unverified(tmp_path: Path) -> None:
    with pytest.raises(Unverified, match="ValueError"):
        last(History(Address("postgresql+psycopg://role:s3cret@h:port/kept", tmp_path)))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("role@h:5433/x", "h:5433/x"),
        ("h/x?user=role&password=s3cret", "h/x"),
        ("role:s3c?ret@h/x", ""),
        ("h/x?password=s3c@ret", ""),
    ],
)
def test_no_password_is_shown_wherever_it_stands(url: str, shown: str) -> None:
    assert address_in({"CONSTANCIA_HISTORY": f"postgresql+psycopg://{url}"}).shown == f"postgresql://{shown}"


def test_where_it_is_and_from_where_is_looked() -> None:
    by_default = address_in({})
    assert by_default.shown.endswith("history/constancia.db")
    assert by_default.spool.name == "spool"
    named = address_in({"CONSTANCIA_HISTORY": "postgresql+psycopg://r:p@h/x", "CONSTANCIA_SPOOL": "/s"})
    assert (named.shown, named.spool) == ("postgresql://h/x", Path("/s"))
    assert vantage_point({"CONSTANCIA_VANTAGE": "ovalle"}) == "ovalle"
    assert vantage_point({})
