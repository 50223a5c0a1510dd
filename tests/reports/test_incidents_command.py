"""`python -m reports incidents`: what it says, and with which code it ends."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reports.__main__ import main
from tests.fixtures.incidents_on_record import incident, put

HOUR = timedelta(hours=1)
ANA = "Ana Muñoz"


@pytest.fixture
def systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one system, whose incidents are in a history of this folder."""
    monkeypatch.setenv("CONSTANCIA_HISTORY", f"sqlite:///{tmp_path / 'history.db'}")
    (tmp_path / "people.toml").write_text(f'[[person]]\nname = "{ANA}"\n', encoding="utf-8")
    folder = tmp_path / "systems"
    folder.mkdir()
    header = '[system]\nname = "mira"\ntitle = "MIRA"\nlanguage = "es"\ntimezone = "America/Santiago"\n'
    text = f'{header}[roster]\nfile = "{tmp_path / "people.toml"}"\n'
    (folder / "mira.toml").write_text(text, encoding="utf-8")
    return folder


class Command:
    """The command line, with what it printed."""

    def __init__(self, systems: Path, printed: pytest.CaptureFixture[str]) -> None:
        self._systems = systems
        self._printed = printed

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Its exit code and what it said, to the standard output or, where it failed, to the standard error."""
        code = main(["incidents", *arguments, "--systems", str(self._systems)])
        said = self._printed.readouterr()
        return code, said.err if code else said.out


@pytest.fixture
def command(systems: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(systems, capsys)


def test_an_incident_is_followed_to_its_end(command: Command, tmp_path: Path) -> None:
    began = datetime(2026, 11, 21, 15, tzinfo=UTC)
    put(tmp_path, incident("DATABASE-1", "P1", began=began, recovered=began + HOUR))
    code, said = command("list")
    assert code == 0
    assert "1  P1  mira: DATABASE-1 main, breached from 2026-11-21 12:00 to 2026-11-21 13:00, for 1 h; " in said
    assert "NOT ACKNOWLEDGED, due 2026-11-21 12:15" in said
    code, said = command("acknowledge", "1", "--by", ANA, "--note", "Disco lleno")
    late = ", after its deadline, which is on record"
    assert (code, said) == (0, f"Incident 1 (DATABASE-1 main): acknowledged by {ANA}{late}.\n")
    assert "(late)" in command("--system", "mira")[1]
    code, said = command("told", "1", "--by", ANA, "--note", "Llamé a la dirección")
    assert (code, said) == (0, f"Incident 1 (DATABASE-1 main): stakeholders told by {ANA}.\n")
    code, said = command("resolve", "1", "--by", ANA, "--cause", "Disco lleno")
    assert (code, said) == (0, f"Incident 1 (DATABASE-1 main): resolved by {ANA}.\n")
    assert command() == (0, f"No incident that nobody has resolved of mira in {tmp_path / 'history.db'}.\n")
    assert "resolved 20" in command("--all")[1]
    code, said = command("show", "1")
    assert code == 0
    for line in ("  2026-11-21 12:00  opened\n", f"acknowledged late by {ANA}: Disco lleno\n", "stakeholders told by"):
        assert line in said


def test_a_postmortem_is_drafted_to_a_new_file_alone(command: Command, tmp_path: Path) -> None:
    put(tmp_path, incident("DATABASE-1", "P1", began=datetime(2026, 11, 21, 15, tzinfo=UTC)))
    code, said = command("postmortem", "1")
    assert code == 0
    assert said.startswith("# Post-Mortem: La base de datos no responde (main)\n")
    file = tmp_path / "draft.md"
    assert command("postmortem", "1", "-o", str(file)) == (0, f"Written: {file}\n")
    assert file.read_text(encoding="utf-8").startswith("# Post-Mortem")
    code, said = command("postmortem", "1", "-o", str(file))
    assert code == 1
    assert "File exists; nothing was written" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "9"), "There is no incident 9"),
        (("postmortem", "9"), "There is no incident 9"),
        (("acknowledge", "9", "--by", ANA), "Nothing was changed: there is no incident 9"),
        (("list", "--system", "mirra"), 'did you mean "mira"?'),
        (("acknowledge", "1", "--by", "Berta"), "nobody on the roster"),
        (("resolve", "1", "--by", ANA, "--cause", "Disco"), "incident 1 is not over"),
        (("told", "1", "--by", ANA, "--note", "Direcci\udcf3n"), "letters that are no UTF-8"),
    ],
)
def test_what_cannot_be_done_is_said(command: Command, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    put(tmp_path, incident("DATABASE-1", "P1", began=datetime.now(UTC)))
    code, error = command(*arguments)
    assert code == 1
    assert said in error


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999999999999"])
def test_what_is_no_number_is_said(command: Command, capsys: pytest.CaptureFixture[str], number: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        command("show", number)
    assert f'"{number}" is no number of an incident: write it like 12' in capsys.readouterr().err


def test_a_history_that_cannot_be_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "history.db").write_text("no database" * 100)
    for arguments in ((), ("show", "1"), ("acknowledge", "1", "--by", ANA)):
        code, error = command(*arguments)
        assert code == 1
        assert "the history" in error
