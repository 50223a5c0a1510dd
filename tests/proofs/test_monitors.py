"""MONITOR-1 and MONITOR-2 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

BOTH_TRACKERS = {"MONITOR-2 sentry", "MONITOR-2 prometheus"}


@pytest.mark.proves("MONITOR-1")
@pytest.mark.proves("MONITOR-2")
def test_monitor_is_paused_while_an_issue_is_unresolved_and_an_alert_fires(suite: Suite, lab: Lab) -> None:
    with lab.vendors.monitor(status=0), lab.vendors.issues(60), lab.vendors.alert():
        run = suite.run("mira")
    run.expect(red={"MONITOR-1 uptimerobot", *BOTH_TRACKERS})
    assert "paused" in run.said("MONITOR-1 uptimerobot")
    assert "MIRA-20 (error), and 40 more" in run.said("MONITOR-2 sentry")
    assert "DiskFull (1 firing)" in run.said("MONITOR-2 prometheus")
    assert "RUT" not in run.output


@pytest.mark.proves("MONITOR-1")
def test_monitor_watches_another_address(suite: Suite, lab: Lab) -> None:
    with lab.vendors.monitor(url="https://mira.example.org/"):
        run = suite.run("mira")
    run.expect(red={"MONITOR-1 uptimerobot"})
    assert "none of 2 checks" in run.said("MONITOR-1 uptimerobot")


@pytest.mark.proves("MONITOR-1")
@pytest.mark.proves("MONITOR-2")
def test_monitor_was_deleted_and_our_own_alert_fires(suite: Suite, lab: Lab) -> None:
    with lab.vendors.monitor_deleted(), lab.vendors.alert(source="constancia"):
        run = suite.run("mira")
    run.expect(red={"MONITOR-1 uptimerobot"})


@pytest.mark.proves("MONITOR-1")
def test_monitor_looks_every_five_minutes_only(suite: Suite, lab: Lab) -> None:
    with lab.vendors.check(resolution=5):
        run = suite.run("comercial-electrica")
    run.expect(red={"MONITOR-1 pingdom"})
    assert "at most 2 min" in run.said("MONITOR-1 pingdom")


@pytest.mark.proves("MONITOR-1")
def test_monitor_is_there_under_another_path(suite: Suite, lab: Lab) -> None:
    with lab.vendors.check(type={"http": {"url": "/", "encryption": True, "port": 443}}):
        run = suite.run("comercial-electrica")
    run.expect(red={"MONITOR-1 pingdom"})


@pytest.mark.proves("MONITOR-1")
@pytest.mark.proves("MONITOR-2")
def test_our_keys_are_refused_and_prometheus_lost_its_rules(suite: Suite, lab: Lab) -> None:
    with lab.vendors.key_revoked(), lab.vendors.no_rules():
        run = suite.run("mira")
    run.expect(grey={"MONITOR-1 uptimerobot", *BOTH_TRACKERS})
    assert "no alerting rule is loaded" in run.said("MONITOR-2 prometheus")


@pytest.mark.proves("MONITOR-1")
@pytest.mark.proves("MONITOR-2")
def test_the_vendors_answer_a_page_with_status_200(suite: Suite, lab: Lab) -> None:
    with lab.vendors.answering_html():
        run = suite.run("mira")
    run.expect(grey={"MONITOR-1 uptimerobot", *BOTH_TRACKERS})


@pytest.mark.proves("MONITOR-1")
def test_the_vendor_does_not_answer(suite: Suite, lab: Lab) -> None:
    with lab.vendors.refusing():
        run = suite.run("comercial-electrica")
    run.expect(grey={"MONITOR-1 pingdom"})


@pytest.mark.proves("MONITOR-1")
@pytest.mark.proves("MONITOR-2")
def test_monitor_has_never_run_and_a_rule_cannot_be_evaluated(suite: Suite, lab: Lab) -> None:
    lab.vendors.rules.append(
        {"name": "NoBackup", "type": "alerting", "health": "err", "state": "inactive", "alerts": []}
    )
    with lab.vendors.monitor(status=1):
        run = suite.run("mira")
    lab.vendors.rules.pop()
    run.expect(red={"MONITOR-1 uptimerobot", "MONITOR-2 prometheus"})
    assert "NoBackup" in run.said("MONITOR-2 prometheus")
