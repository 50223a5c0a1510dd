"""Earlier drills: a line each in a file of the system's own, for a later one to be compared with the last good one.

A line holds counts and times, never a row. It is added by every drill, good or not, and nothing is ever rewritten.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from fixtures.regular_file import append_line, text_of
from reports.requirement import Unverified

MOST_BYTES = 64_000_000


class Earlier(BaseModel):
    """One drill as it is on record.

    Attributes:
        drill: what its results are kept under.
        at: when it began.
        file: the backup's name, and its SHA-256 in hex.
        newest: whether no finished backup was newer.
        good: whether it was restored without harm and held what was expected.
        seconds: that the whole drill took, in the sandbox.
        tuned: whether its server was one that may lose everything.
        depth: how far it was restored.
        rows: of each declared table.
        responsible: who answers for it, as declared then.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    drill: str
    at: AwareDatetime
    file: str
    sha256: str
    newest: bool
    good: bool
    seconds: float
    tuned: bool
    depth: str
    rows: Mapping[str, int]
    responsible: str | None


class DrillRecord:
    """The file that the drills of one name are on record in.

    Args:
        path: of the file, which need not be there yet.
        drill: the name.
    """

    def __init__(self, path: Path, drill: str) -> None:
        self._path = path
        self._drill = drill

    def all(self) -> Sequence[Earlier]:
        """Those on record, oldest first.

        Raises:
            Unverified: when the file cannot be read, or a line of it is none of ours.
        """
        try:
            lines = text_of(self._path, MOST_BYTES).splitlines()
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise self._unreadable(getattr(error, "strerror", None) or str(error)) from None
        try:
            found = [Earlier.model_validate_json(line) for line in lines if line.strip()]
        except ValidationError:
            raise self._unreadable("a line in it is not as a drill writes it") from None
        return sorted((each for each in found if each.drill == self._drill), key=lambda each: each.at)

    def add(self, held: Earlier) -> None:
        """Put a drill on record.

        Raises:
            Unverified: when the file cannot be written.
        """
        line = json.dumps(held.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        try:
            append_line(self._path, line.encode())
        except OSError as error:
            raise Unverified(
                f"putting the drill on record in {self._path.name}",
                came_back=error.strerror or type(error).__name__,
                remedy=f"Let the account of this run write {self._path}",
            ) from None

    def _unreadable(self, came_back: str) -> Unverified:
        return Unverified(
            f"reading the record of drills {self._path.name}",
            came_back=came_back,
            remedy="Mend it, or move it away: later drills are compared with what is in it",
        )
