"""The verdict: whatever a check run raises gets one outcome and one message, and nothing of what was raised remains."""

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fixtures.measure.due import Planned
from reports.ledger import LedgerKeeper, Result
from reports.redaction import Redactor
from reports.requirement import Outcome
from reports.verdict import Breached, Judge, NotVerified

LAST_DAY = date(2026, 12, 31)
Judged = Callable[..., list[Result]]


@dataclass
class Step:
    """Of a runbook."""

    next: str = "Restart it"
    link: str | None = "https://h/book"


@dataclass
class Waiver:
    """Until the end of the year."""

    until: date = LAST_DAY
    reason: str = "rebuild"
    approved_by: str = "DBA"


@dataclass
class Shop:
    """A system with whatever a test gives it."""

    step: Step | None = None
    waiver: Waiver | None = None
    asked: tuple[str, str] | None = None
    declares_why_not: bool = True
    schedule: Mapping[str, timedelta] = field(default_factory=dict)
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("America/Santiago"))

    def not_applicable(self, _: str, /) -> str | None:
        """A reason, where one is declared."""
        return "has none" if self.declares_why_not else None

    def next_step(self, _: str, /) -> Step | None:
        """The step given."""
        return self.step

    def waiver_for(self, requirement_id: str, target: str, /) -> Waiver | None:
        """The waiver given."""
        self.asked = (requirement_id, target)
        return self.waiver

    def planned(self, requirement_id: str, target: str, every: timedelta, /) -> Planned:
        """As its requirement says, or as often as was given for a target."""
        return Planned(requirement_id, target, self.schedule.get(target, every), every)


@dataclass
class World:
    """What the judge is told of the world."""

    shop: Shop
    now: datetime = datetime(2026, 11, 21, tzinfo=UTC)
    silence: str | None = None
    raised: list[BaseException] = field(default_factory=list)
    diagnosed: list[str] = field(default_factory=list)
    fault: Exception | None = None

    def diagnose(self, item: pytest.Item) -> dict[str, str]:
        """Remembers what it was asked about."""
        self.diagnosed.append(item.name)
        if self.fault is not None:
            raise self.fault
        return {"diagnostics": "host app\n  load 9.1"}


@pytest.fixture
def world() -> World:
    """No runbook, no waiver, a canary that answers."""
    return World(Shop())


@pytest.fixture
def judged(pytester: pytest.Pytester, world: World) -> Judged:
    """Runs checks with these bodies in one session, and gives their results."""

    class Watch:
        def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
            if call.excinfo is not None:
                world.raised.append(call.excinfo.value)

    def run(*bodies: str, setup: str = "pass", teardown: str = "pass") -> list[Result]:
        head = f"""
            import pytest
            from reports.requirement import Breach, NotApplicable, Unreachable, Unverified, requirement

            @pytest.fixture
            def noun():
                {setup}
                yield
                {teardown}
            """
        checks = [
            f"""
            @requirement("HEALTH-1", severity="P1", every="2 min")
            @pytest.mark.parametrize("target", ["shop/web/list"])
            def test_{number:02}(target, noun, evidence):
                '''It is there.

                Source: ours.
                '''
                {body}
            """
            for number, body in enumerate(bodies)
        ]
        pytester.makepyfile("".join(map(textwrap.dedent, (head, *checks))))
        judge = Judge(
            {"shop": world.shop},
            redact=Redactor(["Quilpue77"], {}),
            now=lambda: world.now,
            blindness=lambda _: world.silence,
            diagnose=world.diagnose,
        )
        keeper = LedgerKeeper()
        options = ("-p", "no:allure_pytest", "-p", "no:cacheprovider", "-q")
        ended = pytester.inline_run(*options, plugins=[judge, keeper, Watch()])
        results = keeper.ledger.results()
        outcomes = {each.outcome for each in results.values()}
        assert ended.ret == (1 if Outcome.BREACHED in outcomes else 6 if Outcome.UNVERIFIED in outcomes else 0)
        return [results[test_id] for test_id in sorted(results)]

    return run


HEAD = "HEALTH-1 (P1) shop/web/list\n  It is there.\n"


def test_what_raises_nothing_passes_with_its_evidence(judged: Judged) -> None:
    (result,) = judged("evidence.at_most('lag', 1, limit=2)")
    assert (result.outcome, result.title, result.target, result.message) == (
        *(Outcome.PASSED, "It is there.", "shop/web/list"),
        "",
    )
    assert [each.what for each in result.measurements] == ["lag"]


def test_result_is_due_as_often_as_the_system_schedules_it(judged: Judged, world: World) -> None:
    assert [each.every for each in judged("pass")] == [120]
    world.shop.schedule = {"web/list": timedelta(minutes=10)}
    assert [each.every for each in judged("pass")] == [600]


def test_evidence_that_falls_short_is_a_breach_with_all_of_it(judged: Judged, world: World) -> None:
    world.shop.step = Step()
    (result,) = judged("evidence.at_most('lag', 3, limit=2, subject='q'); evidence.equal('a', 1, expected=2)")
    assert result.outcome is Outcome.BREACHED
    assert result.message == (
        f"BREACHED {HEAD}"
        "  lag, q\n    observed   3\n    limit      at most 2\n"
        "  a\n    observed   1\n    limit      exactly 2\n"
        "  next step\n    Restart it\n    https://h/book"
    )
    assert len(result.measurements) == 2


def test_a_breach_that_a_noun_raises_keeps_the_evidence_before_it(judged: Judged) -> None:
    (result,) = judged("evidence.note('before', 1); raise Breach('status', observed='500', limit='200', subject='u')")
    assert result.outcome is Outcome.BREACHED
    assert [(each.what, each.holds) for each in result.measurements] == [("before", True), ("status", False)]
    assert "  status, u\n    observed   500\n    limit      must be 200" in result.message


def test_only_a_breach_is_diagnosed(judged: Judged, world: World) -> None:
    judged("pass", "raise Breach('a', observed='b', limit='c')", "raise Unverified('a', came_back='b', remedy='c')")
    assert [each.partition("[")[0] for each in world.diagnosed] == ["test_01"]


def test_a_breach_stays_one_where_gathering_diagnostics_fails(judged: Judged, world: World) -> None:
    world.fault = OSError("out of memory, password=s3cret-super")
    (found,) = judged("raise Breach('status', observed='503', limit='200')")
    assert found.outcome is Outcome.BREACHED
    assert "s3cret" not in found.message


def test_unverified_says_what_to_do(judged: Judged) -> None:
    (result,) = judged("raise Unverified('signing in', came_back='401', remedy='Renew it')")
    assert result.outcome is Outcome.UNVERIFIED
    assert result.message == f"UNVERIFIED {HEAD}  tried        signing in\n  came back    401\n  do           Renew it"


def test_anything_unforeseen_is_ours_and_says_where_it_arose(judged: Judged) -> None:
    unforeseen = {
        "{}['of ours']": "KeyError: '...' (",
        "int('x')": "in test_01)",
        "raise SystemExit(0)": "SystemExit: 0",
        "raise GeneratorExit": "GeneratorExit",
        "pytest.skip('later')": "it was skipped (later)",
        "pytest.xfail('known')": "it was skipped (known)",
        "pytest.fail('by hand')": "by hand",
        "evidence.note('when', object())": "TypeError: when: a object cannot be kept on record",
        "exec('1/0')": "ZeroDivisionError",
        "raise RuntimeError": "RuntimeError: ",
    }
    results = judged(*unforeseen)
    assert {each.outcome for each in results} == {Outcome.UNVERIFIED}
    missing = [said for said, each in zip(unforeseen.values(), results, strict=True) if said not in each.message]
    assert missing == []


@pytest.mark.parametrize("where", ["setup", "teardown"])
def test_what_a_noun_raises_while_made_or_given_back_counts(judged: Judged, where: str) -> None:
    (result,) = judged("pass", **{where: "raise OSError('no such device')"})
    assert result.outcome is Outcome.UNVERIFIED
    assert "OSError: no such device" in result.message


def test_giving_back_neither_covers_up_a_breach_nor_hides_behind_unverified(judged: Judged) -> None:
    results = judged(
        "pass", "raise Unverified('a', came_back='b', remedy='c')", "assert 1 == 2", teardown="assert False"
    )
    assert {each.outcome for each in results} == {Outcome.BREACHED}
    assert judged("assert False", teardown="raise OSError")[0].outcome is Outcome.BREACHED


def test_not_applicable_has_its_reason(judged: Judged) -> None:
    (result,) = judged("pass", setup="raise NotApplicable('has none')")
    assert (result.outcome, result.measurements[0].observed) == (Outcome.NOT_APPLICABLE, "has none")


def test_only_the_system_file_says_what_is_not_applicable(judged: Judged, world: World) -> None:
    world.shop.declares_why_not = False
    (result,) = judged("raise NotApplicable('has none')")
    assert result.outcome is Outcome.UNVERIFIED


UNREACHABLE = "raise Unreachable('request', observed='refused', limit='answered', subject='http://h')"


@pytest.mark.parametrize(
    ("silence", "outcome"), [(None, Outcome.BREACHED), ("no route to host", Outcome.UNVERIFIED)], ids=["sees", "blind"]
)
def test_what_cannot_be_reached_is_a_breach_unless_we_are_blind(
    judged: Judged, world: World, silence: str | None, outcome: Outcome
) -> None:
    world.silence = silence
    (result,) = judged(UNREACHABLE)
    assert result.outcome is outcome
    assert ("refused; but the canary does not answer either (no route to host)" in result.message) is bool(silence)


def test_a_breach_that_was_seen_is_one_even_when_blind(judged: Judged, world: World) -> None:
    world.silence = "no route to host"
    (result,) = judged("raise Breach('status', observed='500', limit='200')")
    assert result.outcome is Outcome.BREACHED


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (datetime(2027, 1, 1, 2, 59, 59, tzinfo=UTC), Outcome.WAIVED),
        (datetime(2027, 1, 1, 3, 0, 0, tzinfo=UTC), Outcome.BREACHED),
    ],
    ids=["last second of the last day in Chile", "a second later"],
)
def test_a_waiver_holds_to_the_end_of_its_last_day(
    judged: Judged, world: World, now: datetime, outcome: Outcome
) -> None:
    world.shop.waiver, world.now = Waiver(), now
    (result,) = judged("assert False")
    assert result.outcome is outcome
    assert result.message.startswith(f"{outcome.upper()} {HEAD}")
    state = "waived until" if outcome is Outcome.WAIVED else "no longer waived: the waiver ended on"
    assert result.message.endswith(f"  {state} 2026-12-31, by DBA: rebuild")
    assert world.shop.asked == ("HEALTH-1", "web/list")


def test_a_waiver_covers_no_unverified(judged: Judged, world: World) -> None:
    world.shop.waiver = Waiver()
    (result,) = judged("raise Unverified('a', came_back='b', remedy='c')")
    assert result.outcome is Outcome.UNVERIFIED


def test_the_gravest_of_a_group_counts(judged: Judged) -> None:
    groups = {
        "[OSError(), Breach('a', observed='b', limit='c')]": Outcome.BREACHED,
        "[ExceptionGroup('x', [Breach('a', observed='b', limit='c')]), OSError()]": Outcome.BREACHED,
        "[Unverified('a', came_back='b', remedy='c'), OSError()]": Outcome.UNVERIFIED,
        "[OSError(), ValueError()]": Outcome.UNVERIFIED,
    }
    results = judged(*(f"raise ExceptionGroup('several', {group})" for group in groups))
    assert [each.outcome for each in results] == list(groups.values())


def test_nothing_of_a_secret_remains(judged: Judged, world: World) -> None:
    results = judged(
        "raise RuntimeError('Quilpue77')",
        "raise Unverified('Quilpue77', came_back='Quilpue77', remedy='Quilpue77')",
        "raise Breach('Quilpue77', observed='Quilpue77', limit='Quilpue77', subject='Quilpue77')",
        "evidence.equal('a', 'Quilpue77', expected='b')",
        "evidence.note('a', 'Quilpue77')",
        "assert 'Quilpue77' == 'a'",
        "raise NotApplicable('Quilpue77')",
    )
    for result in results:
        assert "Quilpue77" not in result.as_text()
        assert "[redacted]" in result.as_text()
    assert len(world.raised) == 6
    for raised in world.raised:
        assert isinstance(raised, Breached | NotVerified | pytest.skip.Exception)
        assert "Quilpue77" not in str(raised)
        assert raised.__suppress_context__


def test_what_a_dump_or_server_says_draws_no_line_of_its_own(judged: Judged) -> None:
    (result,) = judged(r"evidence.at_most('rows', 2, limit=1, subject='t\x1b[2J\nBACKUP-2 passed')")
    assert result.outcome is Outcome.BREACHED
    assert "\x1b" not in result.message
    assert r"t\x1b[2J\nBACKUP-2 passed" in result.message
    assert result.measurements[0].subject == r"t\x1b[2J\nBACKUP-2 passed"
