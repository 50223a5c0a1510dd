"""HEALTH-1, HEALTH-2, HEALTH-4 and HEALTH-5 can fail."""

import socket
import ssl
import time
from email.utils import formatdate

import pytest
import trustme

from fixtures.lab.lab import Lab
from tests.conftest import Serve
from tests.proofs.affected import (
    COMERCIAL_API,
    COMERCIAL_DATABASE,
    COMERCIAL_UNREACHED,
    COMERCIAL_UNTIMED,
    MIRA_API,
    MIRA_SERVER,
    MIRA_SIGNED_IN,
    MIRA_UNREACHED,
)
from tests.proofs.conftest import Suite

WELL = '{"status":"ok","database":"connected"}'
IN_A_SECOND = {'timeout = "10s"': 'timeout = "1s"', 'slow = "5s"': 'slow = "500ms"'}


@pytest.mark.proves("HEALTH-1")
def test_nobody_listens(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.refusing():
        run = suite.run("mira")
    run.expect(red=MIRA_UNREACHED | {"HOST-3 server"})
    assert "next step\n    systemctl status nocobase" in run.said("HEALTH-1 nocobase")


@pytest.mark.proves("HEALTH-1")
def test_nobody_listens_and_the_canary_is_silent_too(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.refusing(), lab.canary.stopped():
        run = suite.run("mira")
    run.expect(red={"HOST-3 server"}, grey=MIRA_UNREACHED)


@pytest.mark.proves("HEALTH-1")
def test_nothing_is_answered(suite: Suite, lab: Lab) -> None:
    with lab.comercial.hanging():
        run = suite.run("comercial-electrica", limits=IN_A_SECOND)
    run.expect(red=COMERCIAL_UNREACHED)


@pytest.mark.proves("HEALTH-1")
def test_nothing_is_answered_and_the_canary_is_silent_too(suite: Suite, lab: Lab) -> None:
    with lab.comercial.hanging(), lab.canary.stopped():
        run = suite.run("comercial-electrica", limits=IN_A_SECOND)
    run.expect(grey=COMERCIAL_UNREACHED)


@pytest.mark.proves("HEALTH-1")
def test_answer_takes_longer_than_the_limit(suite: Suite, lab: Lab) -> None:
    with lab.comercial.slow("3s"):
        run = suite.run("comercial-electrica", limits=IN_A_SECOND)
    run.expect(red=COMERCIAL_UNREACHED)


@pytest.mark.proves("HEALTH-1")
def test_status_is_500(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.answering(500):
        run = suite.run("mira")
    run.expect(red=MIRA_API)


@pytest.mark.proves("HEALTH-1")
def test_status_is_500_while_the_json_says_ok(suite: Suite, lab: Lab) -> None:
    with lab.comercial.wrong_status(500):
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-1 api"})


@pytest.mark.proves("HEALTH-1")
def test_silent_canary_excuses_nothing_that_was_answered(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.answering(500), lab.canary.stopped():
        run = suite.run("mira")
    run.expect(red=MIRA_API)


@pytest.mark.proves("HEALTH-1")
def test_nocobase_is_starting(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.answering(503):
        run = suite.run("mira")
    run.expect(red=MIRA_API)


@pytest.mark.proves("HEALTH-1")
def test_redirect_leads_to_a_page_that_answers_200(suite: Suite, lab: Lab) -> None:
    with lab.comercial.redirecting():
        run = suite.run("comercial-electrica")
    run.expect(red=COMERCIAL_API)
    assert "302" in run.said("HEALTH-1 api")


@pytest.mark.proves("HEALTH-1")
def test_tls_is_not_spoken(suite: Suite, lab: Lab) -> None:
    run = suite.run("comercial-electrica", variables={"COMERCIAL_API_URL": lab.comercial.url.replace("http", "https")})
    run.expect(red=COMERCIAL_UNREACHED, grey=COMERCIAL_UNTIMED)


@pytest.mark.proves("HEALTH-1")
def test_certificate_is_of_an_unknown_authority(suite: Suite, serve: Serve) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 36\r\n\r\n{"status":"ok","database":"connected"')

    run = suite.run("comercial-electrica", variables={"COMERCIAL_API_URL": serve(answer).replace("http", "https")})
    run.expect(red=COMERCIAL_UNREACHED, grey=COMERCIAL_UNTIMED)
    assert "certificate" in run.said("HEALTH-1 api")


@pytest.mark.proves("HEALTH-1")
@pytest.mark.proves("HEALTH-2")
def test_authority_of_the_hospital_is_trusted_where_it_is_declared(suite: Suite, lab: Lab) -> None:
    with lab.tls.before(lab.comercial) as url:
        suite.run("comercial-electrica", variables={"COMERCIAL_API_URL": url}).expect()
        run = suite.run("comercial-electrica", variables={"COMERCIAL_API_URL": url, "COMERCIAL_TLS_AUTHORITY": ""})
    run.expect(red=COMERCIAL_UNREACHED | {"HEALTH-5 api"}, grey=COMERCIAL_UNTIMED)
    assert "unable to get local issuer certificate" in run.said("HEALTH-1 api")


@pytest.mark.proves("HEALTH-4")
def test_authority_of_the_hospital_is_trusted_for_a_whole_transaction(suite: Suite, lab: Lab) -> None:
    with lab.tls.before(lab.nocobase) as url:
        suite.run("mira", variables={"MIRA_API_URL": url}).expect()
        run = suite.run("mira", variables={"MIRA_API_URL": url, "MIRA_TLS_AUTHORITY": ""})
    run.expect(red=MIRA_UNREACHED | {"HEALTH-5 nocobase"})


@pytest.mark.proves("HEALTH-1")
def test_name_is_not_found(suite: Suite) -> None:
    run = suite.run("comercial-electrica", variables={"COMERCIAL_API_URL": "http://api.comercial.invalid"})
    run.expect(red=COMERCIAL_UNREACHED, grey=COMERCIAL_UNTIMED)


@pytest.mark.proves("HEALTH-1")
def test_name_is_not_found_and_the_canarys_neither(suite: Suite) -> None:
    variables = {"COMERCIAL_API_URL": "http://api.comercial.invalid", "CONSTANCIA_CANARY": "http://canario.invalid"}
    run = suite.run("comercial-electrica", variables=variables)
    run.expect(grey=COMERCIAL_UNREACHED | COMERCIAL_UNTIMED)


@pytest.mark.proves("HEALTH-2")
def test_database_of_the_commercial_api_is_stopped(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped():
        run = suite.run("comercial-electrica")
    run.expect(red=COMERCIAL_API | COMERCIAL_DATABASE)


@pytest.mark.proves("HEALTH-2")
def test_html_with_status_200(suite: Suite, lab: Lab) -> None:
    with lab.comercial.answering_html():
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})


@pytest.mark.proves("HEALTH-2")
def test_body_is_empty(suite: Suite, lab: Lab) -> None:
    with lab.comercial.empty_body():
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})


@pytest.mark.proves("HEALTH-2")
def test_field_is_missing(suite: Suite, lab: Lab) -> None:
    with lab.comercial.field_missing("database"):
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})


@pytest.mark.proves("HEALTH-2")
def test_field_says_error(suite: Suite, lab: Lab) -> None:
    with lab.comercial.field("status", "error"):
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})


@pytest.mark.proves("HEALTH-2")
def test_field_is_true_instead_of_a_text(suite: Suite, lab: Lab) -> None:
    with lab.comercial.field("status", value=True):
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})


@pytest.mark.proves("HEALTH-2")
def test_body_never_ends(suite: Suite, lab: Lab) -> None:
    with lab.comercial.endless_body():
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})
    assert "did not end" in run.said("HEALTH-2 api")


@pytest.mark.proves("HEALTH-2")
def test_body_has_20_megabytes(suite: Suite, lab: Lab) -> None:
    with lab.comercial.huge_body("20 MB"):
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})


@pytest.mark.proves("HEALTH-2")
def test_body_is_not_utf_8(suite: Suite, lab: Lab) -> None:
    with lab.comercial.invalid_utf8():
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})


@pytest.mark.proves("HEALTH-2")
def test_json_is_nested_too_deeply(suite: Suite, lab: Lab) -> None:
    with lab.comercial.deep_json(depth=50_000):
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-2 api"})
    assert "nested" in run.said("HEALTH-2 api")


@pytest.mark.proves("HEALTH-4")
def test_database_is_stopped_while_nocobase_says_ok(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped():
        run = suite.run("mira")
    run.expect(red=MIRA_SIGNED_IN | MIRA_SERVER | {"HOST-3 server"})


@pytest.mark.proves("HEALTH-4")
def test_resource_is_gone(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.resource_gone():
        run = suite.run("mira")
    run.expect(red=MIRA_SIGNED_IN)
    assert "404" in run.said("HEALTH-4 nocobase")


@pytest.mark.proves("HEALTH-4")
def test_rows_cannot_be_read(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.rows_unreadable():
        run = suite.run("mira")
    run.expect(red=MIRA_SIGNED_IN)


@pytest.mark.proves("HEALTH-4")
def test_there_are_no_rows(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.rows_hidden():
        run = suite.run("mira")
    run.expect(red={"HEALTH-4 nocobase"})


@pytest.mark.proves("HEALTH-4")
def test_every_address_answers_a_page_with_status_200(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.answering_html():
        run = suite.run("mira")
    run.expect(red=MIRA_SIGNED_IN)


@pytest.mark.proves("HEALTH-4")
def test_answer_to_signing_in_never_ends(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.endless_body():
        run = suite.run("mira")
    run.expect(red=MIRA_SIGNED_IN)


@pytest.mark.proves("HEALTH-4")
def test_our_password_was_rotated(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.password_rotated():
        run = suite.run("mira")
    run.expect(grey=MIRA_SIGNED_IN)


@pytest.mark.proves("HEALTH-5")
def test_certificate_has_expired(suite: Suite, lab: Lab) -> None:
    with lab.tls.expired():
        run = suite.run("mira")
    run.expect(red={"HEALTH-5 nocobase"})
    assert "expired: valid from" in run.said("HEALTH-5 nocobase")


@pytest.mark.proves("HEALTH-5")
def test_certificate_is_for_another_host(suite: Suite, lab: Lab) -> None:
    with lab.tls.for_another_host():
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-5 api"})
    assert "made out for mira.example.org" in run.said("HEALTH-5 api")


@pytest.mark.proves("HEALTH-5")
def test_certificate_ends_in_ten_days(suite: Suite, lab: Lab) -> None:
    with lab.tls.expiring("10 days"):
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-5 api"})
    assert "at least 14 days" in run.said("HEALTH-5 api")


@pytest.mark.proves("HEALTH-5")
def test_certificates_chain_is_incomplete(suite: Suite, lab: Lab) -> None:
    with lab.tls.chain_incomplete():
        run = suite.run("comercial-electrica")
    run.expect(red={"HEALTH-5 api"})
    assert "the server does not send its whole chain" in run.said("HEALTH-5 api")


@pytest.mark.proves("HEALTH-5")
def test_nobody_shows_a_certificate(suite: Suite, lab: Lab) -> None:
    with lab.tls.refusing():
        suite.run("comercial-electrica").expect(red={"HEALTH-5 api"})
        with lab.canary.stopped():
            suite.run("comercial-electrica").expect(grey={"HEALTH-5 api"})


@pytest.mark.proves("HEALTH-5")
def test_private_authority_is_not_declared(suite: Suite) -> None:
    run = suite.run("mira", variables={"MIRA_TLS_AUTHORITY": ""})
    run.expect(red={"HEALTH-5 nocobase"})


@pytest.mark.proves("HEALTH-5")
def test_file_of_the_authority_is_gone(suite: Suite) -> None:
    run = suite.run("mira", variables={"MIRA_TLS_AUTHORITY": "/nowhere/authority.pem"})
    # Everything that is asked of this API, and the logs, which a request of ours must appear in.
    run.expect(grey=MIRA_UNREACHED | {"HEALTH-5 nocobase", "ERRORS-1 nocobase", "TRAFFIC-1 nocobase"})


@pytest.mark.proves("HEALTH-5")
def test_expired_cross_signature_beside_the_path_that_holds_is_no_fault(suite: Suite, lab: Lab) -> None:
    with lab.tls.cross_signature_expired():
        run = suite.run("comercial-electrica")
    run.expect()


@pytest.mark.proves("HEALTH-1")
def test_status_is_500_and_comes_later_than_usual(suite: Suite, serve: Serve) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        time.sleep(0.3)
        head = f"HTTP/1.1 500 Oops\r\ndate: {formatdate(usegmt=True)}\r\ncontent-length: {len(WELL)}\r\n"
        connection.sendall(f"{head}connection: close\r\n\r\n{WELL}".encode())

    run = suite.run("comercial-electrica", variables={"COMERCIAL_API_URL": serve(answer)})
    # It keeps another log than the one that is declared.
    run.expect(red={"HEALTH-1 api"}, grey={"ERRORS-1 api"})
    assert "500" in run.said("HEALTH-1 api")


@pytest.mark.proves("HEALTH-1")
def test_declared_redirect_is_judged_and_not_followed(suite: Suite, lab: Lab) -> None:
    with lab.comercial.redirecting():
        run = suite.run("comercial-electrica", limits={"status = 200": "status = 302"})
    # Followed, it would have said 200 to the one, and shown a page to the other.
    run.expect(red={"HEALTH-2 api"})
    assert run.observed("HEALTH-1 api")["status"] == "302"
