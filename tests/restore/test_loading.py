"""However a restore ended, an end that no message explains is harmful."""

import pytest

from restore.loading import beyond_messages
from restore.server import Finished

TOLD = "pg_restore: error: one\npg_restore: warning: errors ignored on restore: 1\n"


@pytest.mark.parametrize(
    ("finished", "told", "said"),
    [
        (Finished(0, "", ""), 0, []),
        (Finished(1, "", TOLD), 1, []),
        (Finished(3, "", "psql: error: one\n"), 1, []),
        (Finished(1, "", ""), 0, ["the restore ended with code 1, which no message explains"]),
        (Finished(139, "", "psql: error: one\n"), 1, ["the restore ended with code 139, which no message explains"]),
        (Finished(-9, "", "psql: error: one\n"), 1, ["the restore ended with code -9, which no message explains"]),
        (Finished(1, "", TOLD), 0, [
            "the restore ended with code 1, which no message explains", "pg_restore counted 1 errors, and told of 0"]),
        (Finished(-9, "", "", timed_out=True), 0, ["given up after the time limit of 5 s"]),
        (Finished(0, "", "", cut=True), 0, ["more messages than can be looked at"]),
    ],
)  # fmt: skip
def test_what_else_went_wrong(finished: Finished, told: int, said: list[str]) -> None:
    assert [each.text for each in beyond_messages(finished, 5.0, told=told)] == said
