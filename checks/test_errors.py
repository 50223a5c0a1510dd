"""Do the system's own answers and logs tell of errors?"""

from fixtures.error_log import ErrorLog
from fixtures.traffic import Traffic
from reports.requirement import Evidence, requirement


@requirement("ERRORS-1", severity="P2", every="5 min", gate="after")
def test_few_answers_are_server_errors(traffic: Traffic, evidence: Evidence) -> None:
    """Hardly any answer to others than the suite itself is a server error (5xx).

    Source: runbook 2 Tasa 5xx elevada.
    """
    share = traffic.share()
    evidence.note("time looked at", share.over, unit="s", subject=traffic.name)
    evidence.note("share of 5xx answers", share.percent, unit="%", subject=traffic.name)
    evidence.attach("answers by status", traffic.statuses())
    tolerated = share.tolerated(traffic.errors_percent)
    what = f"5xx among {share.requests} answers"
    evidence.at_most(what, share.errors, limit=tolerated, subject=traffic.name)


@requirement("ERRORS-2", severity="P3", every="1 day")
def test_no_new_severe_line_was_logged(error_log: ErrorLog, evidence: Evidence) -> None:
    """Nothing severe was written to the error logs within a day, but for what is known and declared.

    Source: operations guide, "Revisar logs de errores".
    """
    found = error_log.severe()
    evidence.note("lines of the last day", found.lines, subject=error_log.name)
    evidence.note("known severe lines", found.known, subject=error_log.name)
    evidence.attach("severe patterns", found.report)
    evidence.none_of("new severe lines", found.patterns, subject=error_log.name)
