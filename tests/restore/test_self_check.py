"""Damaged copies of a backup are rejected, by what it carries itself where it carries anything."""

from pathlib import Path

import pytest

from fixtures import archive
from reports.requirement import Breach, Unverified
from restore import self_check
from tests.restore.dumps import Dumps

BY_DIGEST = "rejected only once its digest was put beside it: none is recorded of the backup, and it needs one"


@pytest.mark.parametrize(("name", "own"), [("custom.dump", True), ("plain.sql", False), ("uncompressed.dump", False)])
def test_each_damaged_copy_is_rejected(dumps: Dumps, name: str, own: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    before = dumps[name].read_bytes()
    cut, flipped, emptied = self_check.rejected(dumps[name])
    assert cut.startswith("cut copy: rejected (")
    assert emptied == "emptied copy: rejected (empty (0 bytes))"
    assert (flipped == f"flipped copy: {BY_DIGEST}") is not own
    assert dumps[name].read_bytes() == before


def test_a_judge_that_accepts_one_is_not_believed(dumps: Dumps, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = archive.read(dumps["plain.sql"])
    monkeypatch.setattr(archive, "read", lambda _, **__: whole)
    with pytest.raises(Unverified, match="a cut copy of it was accepted"):
        self_check.rejected(dumps["plain.sql"])


def test_a_damaged_backup_proves_no_judge(tmp_path: Path) -> None:
    (tmp_path / "backup.sql").write_bytes(b"")
    with pytest.raises(Breach):
        self_check.rejected(tmp_path / "backup.sql")
