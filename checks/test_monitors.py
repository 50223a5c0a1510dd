"""Does somebody else watch too, and is nothing on record there that nobody looked at?"""

from fixtures.monitors import Monitor
from fixtures.trackers import Tracker
from reports.requirement import Evidence, requirement


@requirement("MONITOR-1", severity="P2", every="7 days")
def test_external_monitor_watches_often_enough(monitor: Monitor, evidence: Evidence) -> None:
    """The external monitor exists, is not paused, and watches the right address often enough.

    Source: operations guide, "Uptime Robot"; runbook 1.2, "5 Revisar que el monitor de health esté activo".
    """
    watch = monitor.watch()
    for what, expected in monitor.expected.items():
        evidence.equal(what, watch.says.get(what), expected=expected, subject=watch.name)
    if watch.every is None:
        evidence.note("time between its checks", "not told by this API", subject=watch.name)
    else:
        evidence.at_most("time between its checks", watch.every, limit=monitor.interval, subject=watch.name)


@requirement("MONITOR-2", severity="P3", every="1 day")
def test_nothing_unresolved_is_on_record(tracker: Tracker, evidence: Evidence) -> None:
    """Nothing unresolved is on record in the error tracker, and no alert of others fires in Prometheus.

    Source: operations guide, "Grafana + Prometheus", "Sentry".
    """
    evidence.none_of("unresolved on record", tracker.unresolved(), subject=tracker.name)
    evidence.note("looked through", tracker.looked_through(), subject=tracker.name)
