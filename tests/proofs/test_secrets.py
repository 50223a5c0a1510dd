"""No secret of the environment is in any file that a run writes, nor in what it says."""

from contextlib import ExitStack
from urllib.parse import quote, urlsplit

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

OURS = {"PGPASSWORD": "Quilpue-77/x", "AWS_SECRET_ACCESS_KEY": "wJalr+XUtnFEMI", "SENTRY_AUTH_TOKEN": "sntrys_9f8e7d6c"}


def secrets(environment: dict[str, str]) -> set[str]:
    passwords = {urlsplit(value).password or "" for value in environment.values() if "://" in value}
    return (passwords | {environment["MIRA_PASSWORD"], *OURS.values()}) - {""}


@pytest.mark.parametrize("system", ["mira", "comercial-electrica"])
@pytest.mark.parametrize("fault", ["none", "refused", "stopped"])
def test_no_secret_is_written(suite: Suite, lab: Lab, system: str, fault: str) -> None:
    written = ("--alluredir", f"{suite.folder}/allure", "--junitxml", f"{suite.folder}/junit.xml", "--tb=long", "-rA")
    with ExitStack() as faults:
        if fault == "refused":
            faults.enter_context(lab.database.password_rotated())
            faults.enter_context(lab.nocobase.password_rotated())
            faults.enter_context(lab.cache.password_rotated())
        if fault == "stopped":
            faults.enter_context(lab.database.stopped())
        run = suite.run(system, *written, rooms=("checks", "restore"), variables=OURS)
    assert run.exit_code == {"none": 0, "refused": 6, "stopped": 1}[fault], run.output
    files = [path for folder in (suite.folder, suite.temporary) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > len(run.results)
    texts = {"the terminal": run.output} | {str(each): each.read_text(errors="replace") for each in files}
    known = secrets({**lab.environment, **OURS})
    assert len(known) > len(OURS) + 2
    for where, text in texts.items():
        assert not [each for each in known if each in text or quote(each, safe="") in text], where
