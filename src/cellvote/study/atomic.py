"""Atomic writes: a file is there whole, or as it was before."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cellvote.errors import StorageError, StudyError

_PART: Final = ".part"


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; move it into place when the block ends without an error.

    Raises
    ------
    StorageError
        Where the folder cannot be written or the disk is full; the old file is still there.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def storage_error(path: Path, error: OSError) -> StorageError:
    """Say that a file cannot be written, and what to do."""
    return StorageError(
        f"{path}: cannot be written ({error.strerror or error}). Free some disk space or check your rights, "
        "then run the same command again: it goes on from here."
    )


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that a killed run left below a folder; only while nobody else writes there."""
    for path in folder.rglob(f".*{_PART}"):
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, the same bytes for the same content."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())


REPEAT: Final = "Delete it and run the step again."
"""What to do about a damaged file that a step has written."""


def read_json(path: Path, remedy: str = REPEAT) -> Any:
    """Read JSON; `remedy` says what to do where it is damaged.

    Raises
    ------
    StudyError
        Where the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StudyError(f"{path}: there is no such file. The step that writes it has not been run.") from error
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read ({error}). {remedy}") from error


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet atomically, the same bytes for the same table."""
    with writing(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None, remedy: str = REPEAT) -> pd.DataFrame:
    """Read a Parquet table; `remedy` says what to do where it is damaged.

    Raises
    ------
    StudyError
        Where the file is missing or damaged.
    """
    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError as error:
        raise StudyError(f"{path}: there is no such table. The step that writes it has not been run.") from error
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read ({error}). {remedy}") from error


def file_checksum(path: Path) -> str:
    """Name the bytes of a file (BLAKE2b, 128 bits, hexadecimal)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
