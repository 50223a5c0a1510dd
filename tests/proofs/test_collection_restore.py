"""RESTORE-9 can fail: a definition is missing, or is not that of the table in the newest dump."""

import json
from collections.abc import Mapping

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Run, Suite
from tests.restore.conftest import IMAGES, containers  # noqa: F401 -- a fixture

RECREATED = "RESTORE-9 daily-collections"
NO_ENGINE = {"CONSTANCIA_RESTORE_SERVER": "container", "DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def recreated(
    suite: Suite, *, limits: Mapping[str, str] | None = None, variables: Mapping[str, str] | None = None
) -> Run:
    return suite.run("mira", "-k", "RESTORE-9", rooms=("restore",), limits=limits, variables=variables)


@pytest.mark.proves("RESTORE-9")
def test_declared_collections_can_be_recreated(suite: Suite) -> None:
    run = recreated(suite)
    run.expect()
    told = [each.observed_text for each in run.results[RECREATED].measurements if each.what == "outcome"]
    assert told == ["recreated with 7 columns", "recreated with 9 columns", "recreated with 7 columns"]
    assert "database dump" in run.observed(RECREATED)["rows"]


@pytest.mark.proves("RESTORE-9")
def test_declared_collection_was_deleted_before_it_was_exported(suite: Suite, lab: Lab) -> None:
    with lab.backups.daily_collections.collection_missing():
        run = recreated(suite)
    run.expect(red={RECREATED})
    assert "1: onco_episodios" in run.said(RECREATED)


@pytest.mark.proves("RESTORE-9")
def test_field_is_left_out_another_is_of_another_type_and_a_choice_offers_less(suite: Suite, lab: Lab) -> None:
    listed = json.loads(lab.backups.daily_collections.exported()["collections.json"])
    fields = {(each["name"], field["name"]): field for each in listed for field in each["fields"]}
    fields["onco_casos", "fecha_ingreso"]["type"] = "date"
    fields["onco_casos", "estado"]["uiSchema"] = {"enum": [{"value": "en estudio"}, {"value": "alta"}]}
    next(each for each in listed if each["name"] == "onco_episodios")["fields"].remove(
        fields["onco_episodios", "dosis_mg"]
    )
    with lab.backups.daily_collections.exported_with({"collections.json": json.dumps(listed).encode()}):
        run = recreated(suite)
    run.expect(red={RECREATED})
    said = run.said(RECREATED)
    assert "dosis_mg (numeric(8,2)) is in the dump's table and not in the definition" in said
    assert "fecha_ingreso is timestamp with time zone by its definition, date in the dump" in said
    assert "estado" in said


@pytest.mark.proves("RESTORE-9")
def test_export_died_half_way(suite: Suite, lab: Lab) -> None:
    with lab.backups.daily_collections.export_died():
        recreated(suite).expect(red={RECREATED})


@pytest.mark.proves("RESTORE-9")
def test_table_is_gone_from_the_dump(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.table_gone():
        run = recreated(suite)
    run.expect(red={RECREATED})
    assert "the dump does not hold it" in run.said(RECREATED)


@pytest.mark.proves("RESTORE-9")
def test_field_of_a_type_not_known_is_no_pass(suite: Suite, lab: Lab) -> None:
    with lab.backups.daily_collections.field_changed("onco_episodios", "dosis_mg", type="formula"):
        run = recreated(suite)
    run.expect(grey={RECREATED})
    assert "dosis_mg is of the type formula, not known here" in run.said(RECREATED)


@pytest.mark.proves("RESTORE-9")
def test_damaged_dump_leaves_it_untold(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.truncated():
        recreated(suite).expect(grey={RECREATED})


@pytest.mark.proves("RESTORE-9")
def test_definition_missing_is_told_whatever_the_dump_is(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.truncated(), lab.backups.daily_collections.collection_missing():
        recreated(suite).expect(red={RECREATED})


@pytest.mark.proves("RESTORE-9")
def test_no_server_is_to_be_had(suite: Suite) -> None:
    recreated(suite, variables=NO_ENGINE).expect(grey={RECREATED})


@pytest.mark.usefixtures("containers")
def test_collections_are_recreated_in_a_container(suite: Suite) -> None:
    declared = 'server = "${CONSTANCIA_RESTORE_SERVER:-container}"'
    images = ", ".join(f'{major} = "{image}"' for major, image in IMAGES.items())
    limits = {declared: f"{declared}\nimages = {{ {images} }}"}
    run = recreated(suite, limits=limits, variables={"CONSTANCIA_RESTORE_SERVER": "container"})
    run.expect()
    assert "container" in run.observed(RECREATED)["recreated in"]
