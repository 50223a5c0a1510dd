"""Alerts without a history: what is remembered of them, and what becomes of them where nothing can be."""

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from reports.alerts_unkept import FILE, UnkeptAlerts
from reports.history.address import Address
from reports.history.kept import Kept, milliseconds
from reports.history.store import History
from reports.requirement import Outcome
from tests.reports.alerts_at_work import BEGAN, MINUTE, REFUSED, TITLES, AtWork, Noted

BREACHED = Kept(
    system="mira",
    requirement="DATABASE-1",
    target="main",
    severity="P1",
    title=TITLES["DATABASE-1"],
    every=300_000,
    at=milliseconds(BEGAN),
    outcome=Outcome.BREACHED,
    measurements=(REFUSED,),
)


@pytest.fixture
def work(tmp_path: Path) -> Iterator[AtWork]:
    with closing(History(Address(f"sqlite:///{tmp_path / 'history.db'}", tmp_path / "spool"))) as opened:
        yield AtWork(opened, tmp_path)


@contextmanager
def full_disk() -> Iterator[None]:
    """As long as it lasts no file of this process takes a byte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_no_reason_for_silence(work: AtWork, tmp_path: Path) -> None:
    noted = Noted()
    work.route(noted=[noted])
    unkept = UnkeptAlerts(work.alerts(), work.watched(), tmp_path)
    for _ in range(2):
        with full_disk():
            deliveries = unkept.tell([BREACHED], BEGAN)
        assert [each.accepted for each in deliveries] == [True]
    assert len(noted.received) == 2, "twice is better than not at all"
    assert unkept.tell([BREACHED], BEGAN)
    assert not unkept.tell([BREACHED], BEGAN + MINUTE), "what was written down is remembered"


def test_what_nobody_can_read_was_nothing(work: AtWork, tmp_path: Path) -> None:
    noted = Noted()
    work.route(noted=[noted])
    (tmp_path / FILE).write_bytes(b"\xff\x00{")
    unkept = UnkeptAlerts(work.alerts(), work.watched(), tmp_path)
    assert unkept.tell([BREACHED], BEGAN)
    assert not unkept.tell([BREACHED], BEGAN + MINUTE)


def test_what_a_clock_that_was_ahead_told_is_told_again(work: AtWork, tmp_path: Path) -> None:
    noted = Noted()
    work.route(noted=[noted])
    unkept = UnkeptAlerts(work.alerts(), work.watched(), tmp_path)
    assert unkept.tell([BREACHED], BEGAN + 24 * 60 * MINUTE)
    assert unkept.tell([BREACHED], BEGAN)
    assert not unkept.tell([BREACHED], BEGAN + MINUTE)
