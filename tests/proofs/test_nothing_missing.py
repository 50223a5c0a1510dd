"""What is not declared, or cannot be used, is never green."""

import pytest

from tests.proofs.affected import CHECKED, NOT_APPLICABLE
from tests.proofs.conftest import HOUSE, Suite

USAGE = 4
NOTHING_DECLARED = """
[system]
name = "mira"
title = "Nothing is declared"
"""


def test_requirement_neither_declared_nor_not_applicable(suite: Suite) -> None:
    run = suite.run("mira", limits={'"CACHE-1" = "MIRA keeps no Redis"\n': ""})
    run.expect(grey={"CACHE-1 -"})
    assert "not_applicable" in run.said("CACHE-1 -")


def test_system_that_declares_nothing(suite: Suite) -> None:
    text = (HOUSE / "systems" / "mira.toml").read_text(encoding="utf-8")
    run = suite.run("mira", limits={text: NOTHING_DECLARED})
    ids = {name.partition(" ")[0] for name in CHECKED["mira"] | NOT_APPLICABLE["mira"]}
    # That results keep coming is asked of every system; of this one there are none yet.
    run.expect(grey={f"{each} -" for each in ids - {"SELF-4"}} | {"SELF-4 system"})


@pytest.mark.parametrize("variable", ["MIRA_PASSWORD", "MIRA_DATABASE_URL", "MIRA_BACKUPS", "CONSTANCIA_CANARY"])
def test_variable_is_set_to_nothing(suite: Suite, variable: str) -> None:
    run = suite.run("mira", variables={variable: ""})
    assert run.exit_code == USAGE, run.output
    assert f"{variable} is not set, or empty" in run.output
