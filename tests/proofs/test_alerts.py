"""ALERT-1 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

GUARDIA = "alert-channel/guardia"


@pytest.mark.proves("ALERT-1")
def test_a_test_message_is_due_and_goes_out_once(suite: Suite, lab: Lab) -> None:
    mails, posts = len(lab.mail.received), len(lab.hook.received)
    signed = lab.signoffs["comercial-electrica"]
    with (
        lab.alert_tests["comercial-electrica"].last("4 days"),
        signed.last("alert-channel/correo", ago="3 days"),
        signed.last("alert-channel/slack", ago="3 days"),
    ):
        suite.run("comercial-electrica").expect()
        suite.run("comercial-electrica").expect()
    assert len(lab.mail.received) == mails + 1
    assert "sign-off alert-channel/correo" in lab.mail.received[-1].replace("=\r\n", "")
    assert len(lab.hook.received) == posts + 1
    assert "sign-off alert-channel/slack --system comercial-electrica" in lab.hook.received[-1]["message"]


@pytest.mark.proves("ALERT-1")
def test_channels_refuse(suite: Suite, lab: Lab) -> None:
    with lab.alert_tests["comercial-electrica"].last("4 days"), lab.mail.full(), lab.hook.answering(410):
        run = suite.run("comercial-electrica")
    run.expect(red={"ALERT-1 correo", "ALERT-1 slack"})
    assert "refused with status 410" in run.said("ALERT-1 slack")
    assert "127.0.0.1" not in run.said("ALERT-1 correo")


@pytest.mark.proves("ALERT-1")
def test_nobody_takes_the_message(suite: Suite, lab: Lab) -> None:
    with lab.alert_tests["comercial-electrica"].last("4 days"), lab.hook.refusing():
        run = suite.run("comercial-electrica")
        run.expect(red={"ALERT-1 slack"})
        with lab.canary.stopped():
            suite.run("comercial-electrica").expect(grey={"ALERT-1 slack"})


@pytest.mark.proves("ALERT-1")
def test_nobody_confirmed_for_eight_days(suite: Suite, lab: Lab) -> None:
    with lab.alert_tests["mira"].last("9 days"), lab.signoffs["mira"].last(GUARDIA, ago="8 days"):
        run = suite.run("mira")
    run.expect(red={"ALERT-1 guardia"})


@pytest.mark.proves("ALERT-1")
def test_nobody_ever_confirmed(suite: Suite, lab: Lab) -> None:
    with lab.signoffs["mira"].never(GUARDIA):
        run = suite.run("mira")
    run.expect(red={"ALERT-1 guardia"})
    assert "a sign-off of alert-channel/guardia" in run.said("ALERT-1 guardia")


@pytest.mark.proves("ALERT-1")
def test_confirmed_by_nobody_on_the_roster(suite: Suite, lab: Lab) -> None:
    with lab.signoffs["mira"].last(GUARDIA, by="Nadie Conocido"):
        run = suite.run("mira")
    run.expect(red={"ALERT-1 guardia"})
    assert "Nadie" not in run.output


@pytest.mark.proves("ALERT-1")
def test_confirmed_ahead_of_time(suite: Suite, lab: Lab) -> None:
    with lab.signoffs["mira"].ahead(GUARDIA):
        run = suite.run("mira")
    run.expect(red={"ALERT-1 guardia"})


@pytest.mark.proves("ALERT-1")
def test_confirmed_before_any_message_went_out(suite: Suite, lab: Lab) -> None:
    with lab.signoffs["mira"].last(GUARDIA, ago="20h"):
        run = suite.run("mira")
    run.expect(red={"ALERT-1 guardia"})
    assert "no test message before it" in run.said("ALERT-1 guardia")


@pytest.mark.proves("ALERT-1")
def test_file_of_tests_is_spoilt(suite: Suite, lab: Lab) -> None:
    with lab.alert_tests["mira"].unreadable():
        run = suite.run("mira")
    run.expect(grey={"ALERT-1 guardia"})
