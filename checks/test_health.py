"""Is the service there, does it say it is well, and can a client really use it?"""

from fixtures.api import Health, Transaction
from fixtures.certificate import Certificate
from fixtures.slowness import IN_A_ROW, Slowness
from reports.requirement import Evidence, requirement


@requirement("HEALTH-1", severity="P1", every="2 min", gate="both")
def test_health_endpoint_answers_in_time(health: Health, evidence: Evidence) -> None:
    """The health endpoint answers with the expected status in time.

    Source: runbook 1.1, 1.3, 2 Health check fallido, 4.3; operations guide, "NocoBase API Uptime", "API No Responde".
    """
    answer = health.answer()
    evidence.equal("status", answer.status, expected=health.status, subject=health.url)
    evidence.at_most("time to the answer", answer.answered_after, limit=health.timeout.total_seconds(), unit="s")


@requirement("HEALTH-2", severity="P1", every="2 min", gate="both")
def test_health_document_says_what_is_expected(health_document: Health, evidence: Evidence) -> None:
    """The JSON of the health endpoint says what is expected, field by field.

    Source: runbook 1.1, 1.3.
    """
    observed = health_document.observed_fields()
    for path, expected in health_document.fields.items():
        evidence.equal(path, observed[path], expected=expected, subject=health_document.url)


@requirement("HEALTH-3", severity="P2", every="2 min")
def test_health_endpoint_is_not_persistently_slow(slowness: Slowness, evidence: Evidence) -> None:
    """The health endpoint is not persistently slow: of three answers in a row one at least comes in time.

    Source: runbook 1.3 persistente.
    """
    limit = slowness.slow.total_seconds()
    what = f"fastest of {IN_A_ROW} answers in a row"
    evidence.at_most(what, slowness.fastest(), limit=limit, unit="s", subject=slowness.url)


@requirement("HEALTH-4", severity="P1", every="5 min", gate="both")
def test_signed_in_client_reads_rows(transaction: Transaction, evidence: Evidence) -> None:
    """A real transaction of a signed-in client works: it signs in and reads a declared resource.

    Source: operations guide, "Test de Conexión".
    """
    rows = transaction.rows()
    evidence.at_least("rows read", len(rows), limit=1, subject=transaction.read_url)


@requirement("HEALTH-5", severity="P2", every="1 day")
def test_certificate_is_valid_for_the_days_to_come(certificate: Certificate, evidence: Evidence) -> None:
    """The certificate is valid for the host, with its whole chain, and for the days to come.

    Source: ours: nobody is told of a certificate that runs out, until nobody can sign in.
    """
    shown = certificate.shown()
    evidence.at_least("time left of the leaf", certificate.left(), limit=certificate.days, subject=certificate.address)
    evidence.note("valid until", f"{shown.ends:%Y-%m-%d %H:%M} UTC")
    evidence.note("made out for", shown.hosts)
    evidence.note("signed by", shown.issuer)
