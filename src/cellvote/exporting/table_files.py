"""Tables written piece by piece: as CSV or Parquet, whole or not at all, however many rows they have."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cellvote.errors import StudyError
from cellvote.study.atomic import writing

TableFormat = Literal["csv", "parquet"]

ROWS_AT_ONCE: Final = 65_536

AddRows = Callable[[pd.DataFrame], None]


def iter_rows(path: Path, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """Read a Parquet table piece by piece; of an empty table one piece without rows.

    Raises
    ------
    StudyError
        Where it is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            if not file.metadata.num_rows:
                yield file.read(columns=columns).to_pandas()
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
                yield pa.Table.from_batches([batch]).to_pandas()
    except (OSError, pa.ArrowInvalid) as error:
        raise StudyError(f"{path}: cannot be read ({error}). Delete it and run the step again.") from error


@contextmanager
def writing_rows(path: Path, format: TableFormat) -> Iterator[AddRows]:  # noqa: A002 - as on the command line
    """Give a function that appends rows; the file is put in place when the block ends without an error.

    All pieces must have the columns of the first. In CSV every text is quoted, so that ``001234`` and ``NA`` stay text,
    and no number is; what is missing is empty.
    """
    with ExitStack() as stack:
        temporary = stack.enter_context(writing(path))
        writer: Any = None

        def add(rows: pd.DataFrame) -> None:
            nonlocal writer
            table = pa.Table.from_pandas(rows, preserve_index=False, schema=writer.schema if writer else None)
            if writer is None:
                writer = closed_at_end.enter_context(
                    _CsvWriter(temporary, table.schema) if format == "csv" else _ParquetWriter(temporary, table.schema)
                )
            writer.write(table)

        with ExitStack() as closed_at_end:
            yield add


class _CsvWriter(pa.csv.CSVWriter):  # type: ignore[misc]
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(str(path), schema)
        self.schema = schema


class _ParquetWriter(pq.ParquetWriter):  # type: ignore[misc]
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path, schema, compression="zstd")


def write_rows(path: Path, table: pd.DataFrame, format: TableFormat) -> None:  # noqa: A002
    """Write a table that is in memory."""
    with writing_rows(path, format) as add:
        add(table)
