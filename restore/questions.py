"""Several questions to a restored database at once; one that fails takes no other's answer with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fixtures.measure.dump import Contents
from restore.sandbox import NoAnswerError, Sandbox

GRACE = 30.0  # seconds that the programs around a question may take, beside the question itself
MARK = "question"


@dataclass(frozen=True)
class Answer:
    """What the restored database answered to one question.

    Attributes:
        rows: what its rows hold.
        fault: why there are none: what the server said, without values; empty when it answered.
    """

    rows: Sequence[Any] = ()
    fault: str = ""


def answers(sandbox: Sandbox, part: Contents, questions: Sequence[str], *, seconds: float) -> list[Answer]:
    """Ask them all in one session. Only where that fails they are asked in parts, until it is known which one failed.

    Args:
        sandbox: where the database is.
        part: of the dump, that it was restored from.
        questions: of one or more SQL statements each, whose rows are JSON arrays.
        seconds: that each statement may take.

    Returns:
        The answers, in the order of the questions.

    Raises:
        Unverified: when the server is gone.
    """
    if not questions:
        return []
    marked = [f"SELECT json_build_object('{MARK}', {number});\n{question}" for number, question in enumerate(questions)]
    script = "\n".join([f"SET statement_timeout = {round(seconds * 1000)};", *marked])
    try:
        rows = sandbox.ask(part, script, seconds=seconds * len(questions) + GRACE)
    except NoAnswerError as fault:
        if len(questions) == 1:
            return [Answer(fault=str(fault))]
        middle = len(questions) // 2
        halves = (questions[:middle], questions[middle:])
        return [each for half in halves for each in answers(sandbox, part, half, seconds=seconds)]
    found: list[list[Any]] = [[] for _ in questions]
    number = 0
    for row in rows:
        if isinstance(row, dict):
            number = row[MARK]
        else:
            found[number].append(row)
    return [Answer(each) for each in found]


def legible(name: str) -> str:
    """A name for a message, the bytes of it that are no text spelt out as in those of a dump."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
