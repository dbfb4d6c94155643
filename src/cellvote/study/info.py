"""What ``study.json`` holds: where the images are, how they are read, and what is in them."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from cellvote.errors import StudyError
from cellvote.plates.fields import FieldReading
from cellvote.study.atomic import read_json

SCHEMA_VERSION: Final = 1

RESTORE: Final = "It is written once, with the study: copy it back from a backup, or create the study anew."
"""What to do where a file of the study itself is damaged."""


class StudyInfo(BaseModel, frozen=True):
    """What ``study.json`` holds."""

    schema_version: int = SCHEMA_VERSION
    source: str
    layout: str
    channels: tuple[str, ...]
    pixel_size_um: float | None = None
    reading: FieldReading = FieldReading()
    problems: tuple[str, ...] = ()


def read_info(path: Path) -> StudyInfo:
    """Read ``study.json``.

    Raises
    ------
    StudyError
        Where it is damaged, or was written by a newer CellVote.
    """
    content = read_json(path, RESTORE)
    found = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(found, int) and found > SCHEMA_VERSION:
        raise StudyError(f"{path.parent}: was written by a newer CellVote. Update: pip install -U cellvote")
    try:
        return StudyInfo.model_validate(content)
    except ValidationError as error:
        raise StudyError(f"{path}: is damaged ({error.error_count()} entries).") from error
