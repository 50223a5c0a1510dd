"""What goes into the history comes out of it as it was."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from reports.history.kept import Kept, Run, figure_of, milliseconds, moment
from reports.requirement import Measurement, Outcome
from tests.reports.history.past import MINUTE, result, run


@pytest.mark.parametrize("at", [0, 1, 999, 1_795_651_200_001, 4_102_444_800_999])
def test_a_time_survives(at: int) -> None:
    assert milliseconds(moment(at)) == at


def test_a_time_is_cut_to_whole_milliseconds_in_utc() -> None:
    assert milliseconds(datetime(1970, 1, 1, 1, 0, 0, 1_999, tzinfo=timezone(timedelta(hours=1)))) == 1
    assert moment(1500) == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)


def test_a_run_and_a_result_travel_as_json() -> None:
    of = run(systems=["shop", "mira"])
    assert Run.from_document(json.loads(json.dumps(of.as_document()))) == of
    for outcome in Outcome:
        each = result(outcome=outcome, measurements=(Measurement("ñ", None), Measurement("on", observed=True)))
        assert Kept.from_document(json.loads(json.dumps(each.as_document()))) == each


@pytest.mark.parametrize(
    ("outcome", "every", "detailed"),
    [
        (Outcome.PASSED, 60 * MINUTE - 1, False),
        (Outcome.PASSED, 60 * MINUTE, True),
        (Outcome.BREACHED, MINUTE, True),
        (Outcome.UNVERIFIED, MINUTE, True),
    ],
)
def test_what_passes_often_keeps_its_figure_alone(outcome: Outcome, every: int, detailed: bool) -> None:  # noqa: FBT001 -- a parameter
    assert result(outcome=outcome, every=every).detailed is detailed


def test_the_figure_is_the_first_number_held_to_a_limit_that_has_a_unit() -> None:
    noted, status = (
        Measurement("age", 3.0, "s"),
        Measurement("status", 200, comparison="exactly", limit=200, holds=True),
    )
    flag = Measurement("open", observed=True, comparison="exactly", limit=True, holds=True)
    time = Measurement("time", 0.2, "s", comparison="at most", limit=2.0, holds=True)
    assert figure_of([noted, flag, status, time]) == time
    assert figure_of([noted, flag, status]) == status
    assert figure_of([noted, flag]) is None
