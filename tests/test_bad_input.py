"""What an operator gets wrong is told in one message, with a code that is no verdict; and no secret is ever said."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.conftest import OperatorsFolder

USAGE = 4
FINE = """
@requirement("SELF-1", severity="P3", every="1h")
def test_fine(system): pass
"""


def test_without_a_system_what_there_is_is_named(operator: "OperatorsFolder") -> None:
    operator.system("bakery")
    operator.check("fine", FINE)
    run = operator.run(system=None)
    assert run.code == USAGE, run.output
    assert "add --system NAME (there are: bakery, shop)" in run.output
    beside = operator.run("checks", system=None)
    assert beside.code == USAGE, beside.output
    assert "checks verifies a system: add --system NAME (there are: bakery, shop)" in beside.output


def test_an_unknown_system_is_told_which_there_are(operator: "OperatorsFolder") -> None:
    operator.check("fine", FINE)
    run = operator.run(system="shopp")
    assert run.code == USAGE, run.output
    assert "no system shopp in" in run.output
    assert "there are: shop" in run.output


def test_an_unknown_folder_of_systems_is_told(operator: "OperatorsFolder", tmp_path: Path) -> None:
    operator.check("fine", FINE)
    run = operator.run("--systems", str(tmp_path / "none"))
    assert run.code == USAGE, run.output
    assert f"--systems {tmp_path / 'none'}: there is no such folder" in run.output


def test_a_folder_without_systems_is_told(operator: "OperatorsFolder", tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run = operator.run("--systems", str(tmp_path / "empty"))
    assert run.code == USAGE, run.output
    assert "there are: none" in run.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[database]]\nname = "main"\nurll = "x"\n', 'line 6, database.urll: unknown key "urll"; did you mean "url"?'),
        (
            'canary = "${NOBODY_SET_THIS}"\n',
            "line 4, system.canary: the environment variable NOBODY_SET_THIS is not set",
        ),
        ("[broken\n", "not TOML"),
    ],
)
def test_a_system_file_that_cannot_be_used_is_told_in_one_line(
    operator: "OperatorsFolder", text: str, said: str
) -> None:
    operator.system("shop", text)
    operator.check("fine", FINE)
    run = operator.run()
    assert run.code == USAGE, run.output
    assert f"shop.toml, {said}" in run.output or f"shop.toml: {said}" in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--now", "yesterday"], '"yesterday" is no time: write it like 2026-11-21T03:00:00Z'),
        (["--gate", "during"], "invalid choice: 'during'"),
        (["--alluredir", __file__], f"{__file__} is no folder; name one to write to"),
        (["--alluredir", f"{__file__}/in/it"], f"{__file__} is no folder; name one to write to"),
    ],
)
def test_an_option_that_means_nothing_is_refused(operator: "OperatorsFolder", options: list[str], said: str) -> None:
    operator.check("fine", FINE)
    run = operator.run(*options)
    assert run.code == USAGE, run.output
    assert said in run.output
    assert "Traceback" not in run.output


def test_the_address_of_a_database_is_refused_without_its_password(operator: "OperatorsFolder") -> None:
    operator.system("shop", '[[database]]\nname = "main"\nurl = "${SHOP_DATABASE}"\n')
    operator.check("fine", FINE)
    run = operator.run(environment={"SHOP_DATABASE": "postgresql://reader:first@Osorno99@127.0.0.1/x"})
    assert run.code == USAGE, run.output
    assert "shop.toml, line 6, database.url: in a role or password write" in run.output
    assert "Osorno99" not in run.output
    assert "first" not in run.output


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_no_check_is_refused(operator: "OperatorsFolder", workers: int) -> None:
    marked = "@requirement('SELF-1', severity='P3', every='1h')\n"
    odd = {
        "def test_of_nothing(system): pass": "test_of_nothing carries no @requirement(...); a check has one of each",
        f"{marked}def test_of_two(health, database): pass": "test_of_two takes 2 nouns of system, health",
        f"{marked}def test_of_none(evidence): pass": "test_of_none takes 0 nouns of system, health",
        "@requirement('SELVES-1', severity='P3', every='1h')\ndef test_x(system): pass": "requirement id 'SELVES-1'",
        "@requirement('SELF-1', severity='P3', every='often')\ndef test_x(system): pass": 'write it like "24h"',
    }
    operator.check("fine", FINE)
    for number, check in enumerate(odd):
        operator.check(f"odd_{number}", check)
    run = operator.run(workers=workers)
    assert run.code == (6 if workers else 2), run.output
    for number, said in enumerate(odd.values()):
        assert said in run.output
        assert f"UNVERIFIED test_odd_{number}.py\n" in run.output


PASSWORD = "Qui'l%pue\"77/ñ"  # noqa: S105 -- to be looked for
TOKEN = "Vill4rrica-t0ken"  # noqa: S105 -- as above
SPELLINGS = (
    *(PASSWORD, TOKEN, quote(PASSWORD, safe=""), repr(PASSWORD)[1:-1], "Qui'l%pue", "Qui\\'l%pue", 'pue\\"77'),
    *(base64.b64encode(each.encode()).decode().rstrip("=") for each in (PASSWORD, TOKEN)),
)


@pytest.mark.parametrize("workers", [0, 2])
def test_no_secret_is_in_anything_that_a_run_writes(operator: "OperatorsFolder", workers: int, tmp_path: Path) -> None:
    operator.system(
        "shop", '[[database]]\nname = "main"\nurl = "postgresql://reader:${SHOP_PASSWORD_QUOTED}@127.0.0.1:1/x"\n'
    )
    operator.check(
        "leaks",
        """
        import base64, logging, sys, warnings
        from urllib.parse import quote

        SECRET = os.environ["SHOP_PASSWORD"]
        TOKEN = os.environ["SHOP_TOKEN"]

        def row(number):
            return requirement(f"SELF-{number}", severity="P3", every="1h")

        @pytest.fixture
        def client():
            password = SECRET
            raise RuntimeError(f"cannot sign in with {password} and {TOKEN!r}")

        @row(1)
        def test_fixture(system, client): pass

        @row(2)
        def test_error(system):
            password, token = SECRET, TOKEN
            try:
                raise KeyError(password)
            except KeyError as error:
                raise ValueError({"password": password, "quoted": quote(token)}) from error

        @row(3)
        def test_breach(system, evidence):
            evidence.equal(f"header {TOKEN}", SECRET, expected=quote(SECRET, safe=""), subject=f"http://u:{TOKEN}@h/")
            evidence.none_of("findings", [base64.b64encode(SECRET.encode()).decode(), TOKEN])

        @row(4)
        def test_unverified(system):
            raise Unverified(f"asking {SECRET}", came_back=repr(SECRET), remedy=f"try {TOKEN}")

        @row(5)
        def test_output(system, evidence):
            print("standard output", SECRET, TOKEN)
            print("standard error", SECRET, TOKEN, file=sys.stderr)
            logging.getLogger("library").warning("logged %s %s", SECRET, TOKEN)
            warnings.warn(f"warned of {SECRET} {TOKEN}", stacklevel=1)
            evidence.attach("of use", f"attached {SECRET} {TOKEN}")
            evidence.note("noted", f"{SECRET} {TOKEN}")
            assert False, f"asserted {SECRET} {TOKEN}"

        @row(6)
        def test_comparison(system):
            assert SECRET == TOKEN

        @row(7)
        def test_skip(system): pytest.skip(f"because of {SECRET}")

        @row(8)
        def test_property(system, record_property): record_property("token", TOKEN)

        @pytest.fixture
        def given():
            yield
            raise OSError(f"while giving back {TOKEN}")

        @row(9)
        def test_teardown(system, given): pass

        @row(10)
        @pytest.mark.parametrize("parameter", [TOKEN], ids=["token"])
        def test_parameter(system, parameter): assert False

        class Odd(DeprecationWarning):
            def __str__(self): return f"odd {TOKEN}"

        @row(11)
        def test_odd_warning(system):
            warnings.warn(Odd(), stacklevel=1)
            logging.getLogger("library").error("failed", exc_info=ValueError(SECRET))
        """,
    )
    operator.check("cannot_be_collected", "raise RuntimeError(os.environ['SHOP_PASSWORD'] + os.environ['SHOP_TOKEN'])")
    written = tmp_path / "written"
    run = operator.run(
        *(
            "--tb=long",
            "-vv",
            "-rA",
            "--showlocals",
            "--continue-on-collection-errors",
            "--basetemp",
            str(tmp_path / "base"),
        ),
        *("--alluredir", str(written / "allure"), f"--junitxml={written / 'junit.xml'}"),
        f"--log-file={written / 'log'}",
        workers=workers,
        environment={"SHOP_PASSWORD": PASSWORD, "SHOP_PASSWORD_QUOTED": quote(PASSWORD, safe=""), "SHOP_TOKEN": TOKEN},
    )
    assert run.code == 1, run.output
    texts = {"the terminal": run.output} | {
        str(path): path.read_text(errors="replace") + path.name for path in written.rglob("*") if path.is_file()
    }
    assert len(texts) > 10, texts.keys()
    leaks = [
        (where, text[max(0, text.index(spelling) - 300) : text.index(spelling) + 60])
        for where, text in texts.items()
        for spelling in SPELLINGS
        if spelling in text
    ]
    assert not leaks, "\n\n".join(f"{where}: ...{text}" for where, text in leaks[:5])
    assert "[redacted]" in run.output


def test_another_time_needs_a_history_of_its_own(operator: "OperatorsFolder") -> None:
    operator.check("fine", FINE)
    run = operator.run("--now", "2030-01-01T00:00:00Z", environment={"CONSTANCIA_HISTORY": ""})
    assert run.code == USAGE, run.output
    assert "name a history for them, such as CONSTANCIA_HISTORY=sqlite:////tmp/another-time.db" in run.output
