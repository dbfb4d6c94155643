"""Where the parts of a study lie: names of folders and files that every system takes."""

import hashlib
from os import PathLike
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cellvote.errors import SettingsError
from cellvote.plates.acquisition import FieldKey

SUFFIX: Final = ".cellvote"
_MAX_NAME_BYTES: Final = 200


def study_path(path: str | PathLike[str]) -> Path:
    """Append ``.cellvote`` where it is missing."""
    path = Path(path).absolute()
    return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)


def field_file(key: FieldKey, suffix: str) -> Path:
    """Where a field's file lies below a step's folder: ``PLATE/WELL_fN`` with a suffix."""
    return Path(folder_of(key.plate)) / f"{key.well or 'field'}_f{key.field}{suffix}"


def folder_of(plate: str) -> str:
    """Name a folder after a plate: letters of any script stay, what some system forbids is quoted.

    Names that would be too long end in a hash, so that two plates never share a folder.
    """
    name = "".join(c if c.isalnum() or c in " ()+,;=@_-." else quote(c, safe="") for c in plate) or "_"
    name = name.replace("..", "%2E%2E")
    if name.startswith((".", " ")) or name.endswith((".", " ")) or plate == "_":
        name = "".join(quote(c, safe="").replace(".", "%2E").replace("_", "%5F") for c in plate)
    if len(name.encode()) > _MAX_NAME_BYTES:
        digest = hashlib.blake2b(plate.encode(), digest_size=8).hexdigest()
        name = name.encode()[: _MAX_NAME_BYTES - 20].decode(errors="ignore") + f"~{digest}"
    return name


def checked_name(name: str) -> str:
    """Let pass only names that can be a folder everywhere.

    Raises
    ------
    SettingsError
        Where the name is empty, hidden, too long, or has a character that some system forbids.
    """
    if not name or name.startswith(".") or len(name) > 100 or set(name) & set('/\\:*?"<>|\0') or name != name.strip():
        raise SettingsError(f"{name!r} cannot be the name of a folder: use letters, digits, - and _.")
    return name
