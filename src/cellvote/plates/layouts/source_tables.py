"""Tables that lie beside images and tell of them: CSV, TSV or Parquet, zipped with gzip or not; all read as text."""

import csv
import gzip
import io
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cellvote.errors import LayoutError
from cellvote.plates.layouts.base import Folder

TABLE_ENDINGS: Final = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".parquet")
MAX_TABLE_BYTES: Final = 2**30
"""Larger tables are refused, packed or not: the longest that is known lists 2.2 million wells in 0.3 GB."""

_HEAD_BYTES: Final = 2**18
_MAX_CANDIDATES: Final = 200
_SEPARATORS: Final = ",\t;|"


def tables_in(folder: Folder) -> list[str]:
    """The tables below a folder that may tell of its images, those nearest to the top first; not more than 200."""
    found = [path for path in folder.companions if path.lower().endswith(TABLE_ENDINGS)]
    return sorted(found, key=lambda path: (path.count("/"), path))[:_MAX_CANDIDATES]


def read_header(path: Path) -> tuple[str, ...]:
    """Read the column names of a table; none where the file is no table or cannot be read."""
    try:
        if path.suffix.lower() == ".parquet":
            return tuple(pq.read_schema(path).names)
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if path.suffix.lower() == ".gz":
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
        line = _decoded(head).partition("\n")[0].strip("\r")
        return tuple(name.strip() for name in next(csv.reader([line], delimiter=_separator(line)), []))
    except (OSError, zlib.error, UnicodeError, csv.Error, pa.ArrowException, ValueError):
        return ()


def read_text_table(path: Path, n_rows: int | None = None) -> pd.DataFrame:
    """Read a table; every entry is the text that it is, and an empty one where nothing stands.

    Parameters
    ----------
    n_rows
        How many rows, from the first; all of them where it is not given.

    Returns
    -------
    DataFrame of str
        The index counts the rows from 0.

    Raises
    ------
    LayoutError
        Where the file cannot be opened, is too large, or is no table.
    """
    try:
        table = _read_parquet(path, n_rows) if path.suffix.lower() == ".parquet" else _read_csv(path, n_rows)
    except OSError as error:
        raise LayoutError(f"{path}: the table cannot be opened ({error.strerror or error}). Check the file.") from error
    except (ValueError, csv.Error, zlib.error, EOFError, pa.ArrowException) as error:
        if isinstance(error, LayoutError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LayoutError(f"{path}: cannot be read as a table ({reason[:120]}). Save it as CSV in UTF-8.") from error
    table.columns = pd.Index([str(name).strip() for name in table.columns])
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise LayoutError(f"{path}: two columns are called {twice[0]!r}. Rename one of them.")
    return table


def _read_csv(path: Path, n_rows: int | None) -> pd.DataFrame:
    text = _decoded(_content(path))
    header = text.partition("\n")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(
                io.StringIO(text),
                sep=_separator(header),
                dtype=str,
                na_filter=False,
                skipinitialspace=True,
                nrows=n_rows,
                index_col=False,
            )
        except pd.errors.ParserWarning as error:
            raise ValueError("the rows have more entries than the header") from error
    return pd.DataFrame({name: table[name].str.strip() for name in table}, dtype="str")


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_TABLE_BYTES:
        raise LayoutError(f"{path}: the table is larger than 1 GiB: refused. Keep only the rows of your plates.")
    if path.suffix.lower() != ".gz":
        return path.read_bytes()
    with gzip.open(path) as file:
        content = file.read(MAX_TABLE_BYTES + 1)
    if len(content) > MAX_TABLE_BYTES:
        raise LayoutError(
            f"{path}: the table is larger than 1 GiB unpacked: refused. Keep only the rows of your plates."
        )
    return content


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":  # the head of a file ends anywhere
            return content[: error.start].decode("utf-8-sig")
        return content.decode("cp1252", errors="replace")


def _separator(header: str) -> str:
    return max(_SEPARATORS, key=header.count)


def _read_parquet(path: Path, n_rows: int | None) -> pd.DataFrame:
    file = pq.ParquetFile(path)
    n_bytes = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
    if n_bytes > MAX_TABLE_BYTES:
        raise LayoutError(
            f"{path}: the table is larger than 1 GiB unpacked: refused. Keep only the rows of your plates."
        )
    table = file.read()
    table = table.slice(0, n_rows) if n_rows is not None else table
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if not pa.types.is_nested(column.type) and not pa.types.is_binary(column.type):
            columns[name] = column.cast(pa.string()).fill_null("").to_pandas()
    return pd.DataFrame(columns, dtype="str")


def well_columns(table: pd.DataFrame, keys: Sequence[str], dropped: Sequence[str] = ()) -> pd.DataFrame:
    """Put the rows of each well into one: the columns that say the same in all of its rows, and say anything at all.

    Parameters
    ----------
    table
        All text, with the columns ``plate`` and ``well``.
    keys
        What makes a row of the result: ``plate`` and ``well``, or ``field`` too.
    dropped
        Columns that are not wanted.
    """
    wanted = [c for c in table.columns if c not in keys and c not in dropped and (table[c] != "").any()]
    codes = table.groupby(list(keys), sort=False).ngroup().to_numpy()
    first = np.unique(codes, return_index=True)[1]
    kept = []
    for column in wanted:
        values = pd.factorize(table[column])[0]
        if (values == values[first][codes]).all():
            kept.append(column)
    return table.iloc[np.sort(first)][[*keys, *kept]].reset_index(drop=True)
