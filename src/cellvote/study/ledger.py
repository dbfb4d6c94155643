"""The ledger of a step: which fields are done, which failed and why; it survives a kill."""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import pandas as pd

from cellvote.errors import StorageError, StudyError
from cellvote.plates.acquisition import FieldKey
from cellvote.study.atomic import read_table, storage_error, write_table


@dataclass(frozen=True)
class FieldRecord:
    """What became of one field in one step.

    Attributes
    ----------
    checksum
        Of the file that the step wrote for this field.
    image_hash
        Of the pixels that it read.
    error
        Why it failed; empty where it did not.
    edited
        Whether a person corrected what the step had written.
    note
        What a person should know of a field that is done; empty where there is nothing.
    """

    plate: str
    well: str
    field: int
    status: Literal["done", "failed"]
    n_cells: int = 0
    seconds: float = 0.0
    checksum: str = ""
    image_hash: str = ""
    device: str = "cpu"
    error: str = ""
    edited: bool = False
    note: str = ""

    @property
    def key(self) -> FieldKey:
        """The field."""
        return FieldKey(self.plate, self.well, self.field)


COLUMNS = [f.name for f in fields(FieldRecord)]


class Ledger:
    """The records of one step: a Parquet table, and a journal beside it while the step runs.

    Each record is appended to the journal as soon as its field is done; closing folds the journal into the
    table. A journal left by a killed run is read on opening, its torn last line ignored.

    Parameters
    ----------
    path
        The table, such as ``fields.parquet``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal_path = path.with_suffix(".jsonl")
        self._journal: IO[str] | None = None
        self.records: dict[FieldKey, FieldRecord] = {}
        if path.exists():
            rows = read_table(path).to_dict("records")
            self._take(FieldRecord(**{str(name): value for name, value in row.items()}) for row in rows)
        if self._journal_path.exists():
            self._take(_read_journal(self._journal_path))

    def _take(self, records: Iterable[FieldRecord]) -> None:
        self.records |= {record.key: record for record in records}

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fold()  # also drops a torn last line
        self._journal = self._journal_path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            with contextlib.suppress(OSError):  # a full disk: the last line is torn, and its field is done again
                self._journal.close()
            self._journal = None
        try:
            self._fold()
        except StorageError:
            if error is None:
                raise
            # The error on its way says it already; the journal stays, and is read on opening.

    def append(self, record: FieldRecord) -> None:
        """Record a field; it is on disk when this returns.

        Raises
        ------
        StorageError
            Where it cannot be written.
        """
        if self._journal is None:
            raise StudyError(f"{self.path}: the ledger is not open for writing.")
        try:
            self._journal.write(json.dumps(asdict(record)) + "\n")
            self._journal.flush()
        except OSError as error:
            raise storage_error(self._journal_path, error) from error
        self.records[record.key] = record

    def done(self) -> dict[FieldKey, FieldRecord]:
        """Those that need not be done again."""
        return {key: record for key, record in self.records.items() if record.status == "done"}

    def failed(self) -> list[FieldRecord]:
        """Those that failed, in the order of their fields."""
        return [record for _, record in sorted(self.records.items()) if record.status == "failed"]

    def _fold(self) -> None:
        if self.records:
            rows = [asdict(record) for _, record in sorted(self.records.items())]
            write_table(self.path, pd.DataFrame(rows, columns=COLUMNS))
        self._journal_path.unlink(missing_ok=True)


def _read_journal(path: Path) -> Iterable[FieldRecord]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            yield FieldRecord(**json.loads(line))
        except (ValueError, TypeError):
            continue  # the line that was being written when the run was killed


def made_of_masks(masks_checksum: str, rest: str) -> str:
    """Name what the rows of a field are made of: its masks, and the rest."""
    return f"{masks_checksum}-{rest}"


def masks_of(checksum: str) -> str:
    """Give the checksum of the masks that the rows of a field were made of."""
    return checksum.partition("-")[0]
