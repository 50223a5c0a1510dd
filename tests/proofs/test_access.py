"""ACCESS-1 and ACCESS-2 can fail."""

import hashlib

import pytest

from fixtures.lab.lab import Lab
from fixtures.lab.people import INTRUDER
from tests.proofs.affected import CHECKED, MIRA_SIGNED_IN
from tests.proofs.conftest import Suite


@pytest.mark.proves("ACCESS-1")
@pytest.mark.proves("ACCESS-2")
def test_stranger_is_an_administrator(suite: Suite, lab: Lab) -> None:
    with lab.people.intruder() as account:
        run = suite.run("mira")
    run.expect(red={"ACCESS-1 nocobase", "ACCESS-2 nocobase"})
    assert account not in run.output
    assert hashlib.sha256(account.encode()).hexdigest()[:12] in run.said("ACCESS-1 nocobase")


@pytest.mark.proves("ACCESS-1")
def test_approved_for_no_privileges(suite: Suite, lab: Lab) -> None:
    with lab.roster.saying('"postgres"]\nprivileged = true', '"postgres"]\nprivileged = false'):
        run = suite.run("mira")
    run.expect(red={"ACCESS-1 nocobase"})
    assert "rodrigo" not in run.said("ACCESS-1 nocobase")


@pytest.mark.proves("ACCESS-1")
def test_nobody_is_an_administrator(suite: Suite, lab: Lab) -> None:
    with lab.people.roles_emptied():
        run = suite.run("mira")
    run.expect(grey={"ACCESS-1 nocobase"})


@pytest.mark.proves("ACCESS-1")
@pytest.mark.proves("ACCESS-2")
def test_there_is_no_roster(suite: Suite) -> None:
    run = suite.run("mira", variables={"MIRA_ROSTER": str(suite.folder / "nobody.toml")})
    # Who signs, confirms and is on call is not known either.
    reading_it = ("ACCESS-", "UPKEEP-1", "UPKEEP-2", "ALERT-1")
    run.expect(grey={name for name in CHECKED["mira"] if name.startswith(reading_it)})


@pytest.mark.proves("ACCESS-1")
def test_our_role_may_not_read_the_users(suite: Suite, lab: Lab) -> None:
    with lab.people.users_unreadable():
        run = suite.run("mira")
    run.expect(grey={"ACCESS-1 nocobase", "ACCESS-2 nocobase"})


@pytest.mark.proves("ACCESS-2")
def test_one_has_gone_quiet_and_an_approved_one_left(suite: Suite, lab: Lab) -> None:
    with lab.people.gone_quiet(91):
        run = suite.run("mira")
        run.expect(red={"ACCESS-2 nocobase"})
        assert "91 days ago" in run.said("ACCESS-2 nocobase")
        with lab.roster.saying('"usuario9@hospital.invalid", ', ""):
            run = suite.run("mira", limits={'dormant = "90 days"': 'dormant = "92 days"'})
        run.expect(red={"ACCESS-2 nocobase"})
    observed = run.observed("ACCESS-2 nocobase")
    assert observed["dormant accounts"] == "none"
    assert observed["accounts of nobody on the roster"].startswith("1: u... (")
    assert INTRUDER not in run.output


# NocoBase's API beside the queries: `by-api` with a field of the team's own for the last sign-in, `plain` as it comes.
BY_API = """
[[access]]
name = "by-api"
users = { api = "nocobase", last_sign_in = "ultimo_ingreso" }

[[access]]
name = "plain"
users = { api = "nocobase" }
"""
ASKED_BY_API = {"ACCESS-1 by-api", "ACCESS-2 by-api", "ACCESS-1 plain", "ACCESS-2 plain"}


@pytest.mark.proves("ACCESS-1")
@pytest.mark.proves("ACCESS-2")
def test_nocobase_lists_its_users(suite: Suite, lab: Lab) -> None:
    with lab.people.sign_ins_kept():
        run = suite.run("mira", also=BY_API)
        # Who is dormant, NocoBase itself does not know.
        run.expect(grey={"ACCESS-2 plain"})
        assert "last_sign_in" in run.said("ACCESS-2 plain")
        both = [run.observed(f"ACCESS-{number} {name}") for number in (1, 2) for name in ("nocobase", "by-api")]
        assert both[0] == both[1]
        assert both[2] == both[3]
        with lab.people.intruder() as account:
            run = suite.run("mira", also=BY_API)
    run.expect(red={f"ACCESS-{number} {name}" for number in (1, 2) for name in ("nocobase", "by-api", "plain")})
    assert account not in run.output


@pytest.mark.proves("ACCESS-2")
def test_nocobase_lists_one_that_has_gone_quiet(suite: Suite, lab: Lab) -> None:
    with lab.people.gone_quiet(91), lab.people.sign_ins_kept():
        run = suite.run("mira", also=BY_API)
    run.expect(red={"ACCESS-2 nocobase", "ACCESS-2 by-api"}, grey={"ACCESS-2 plain"})
    assert "91 days ago" in run.said("ACCESS-2 by-api")


@pytest.mark.proves("ACCESS-1")
@pytest.mark.proves("ACCESS-2")
def test_our_account_may_not_list_the_users(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.forbidden("users"):
        run = suite.run("mira", also=BY_API)
    run.expect(grey=ASKED_BY_API)
    with lab.nocobase.password_rotated():
        run = suite.run("mira", also=BY_API)
    run.expect(grey=ASKED_BY_API | MIRA_SIGNED_IN)


@pytest.mark.proves("ACCESS-1")
@pytest.mark.proves("ACCESS-2")
def test_nocobase_lists_nobody_who_is_an_administrator(suite: Suite, lab: Lab) -> None:
    with lab.people.sign_ins_kept(), lab.people.roles_emptied():
        run = suite.run("mira", also=BY_API)
    run.expect(grey={"ACCESS-1 nocobase", *ASKED_BY_API})
