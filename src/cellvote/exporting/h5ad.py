"""AnnData's file format, written as its specification has it, row by row: a million cells need no memory of their own.

The specification, with the versions of its encodings: https://anndata.readthedocs.io/en/stable/fileformat-prose.html
The package anndata itself is not needed: its releases for Python 3.11 do not go with pandas 3.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.study.atomic import writing

if TYPE_CHECKING:
    import h5py

_VERSIONS: Final = {
    "anndata": "0.1.0",
    "array": "0.2.0",
    "categorical": "0.2.0",
    "dataframe": "0.2.0",
    "dict": "0.1.0",
    "string": "0.2.0",
    "string-array": "0.2.0",
}
_PARTS: Final = ("layers", "obsm", "obsp", "varm", "varp", "uns")
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Matrix:
    """Numbers of observations (rows) and variables (columns), given in pieces of rows, in order."""

    n_columns: int
    dtype: npt.DTypeLike
    pieces: Iterable[npt.NDArray[Any]]


@dataclass(frozen=True)
class AnnotatedMatrix:
    """What an AnnData file holds.

    Attributes
    ----------
    obs, var
        One row for each row and column of the matrix; their indices name them, and are text.
    matrices
        ``X``, and ``layers/NAME`` or ``obsm/NAME``: read in this order, each once.
    uns
        Text, numbers, lists of text, and mappings of such.
    """

    obs: pd.DataFrame
    var: pd.DataFrame
    matrices: Mapping[str, Matrix]
    uns: Mapping[str, Any]


def write_h5ad(path: Path, content: AnnotatedMatrix) -> None:
    """Write an AnnData file atomically; the same content gives the same bytes.

    Raises
    ------
    StudyError
        Where it cannot be written.
    """
    import h5py

    with writing(path) as temporary, h5py.File(temporary, "w") as file:
        _mark(file, "anndata")
        for part in _PARTS:
            _mark(file.create_group(part), "dict")
        for place, matrix in content.matrices.items():
            _write_matrix(file, place, matrix, len(content.obs))
        _write_frame(file, "obs", content.obs)
        _write_frame(file, "var", content.var)
        for name, value in content.uns.items():
            _write_value(file["uns"], _key(name), value)


def is_h5ad(path: Path) -> bool:
    """Whether a file is an AnnData file."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return bool(file.attrs.get("encoding-type") == "anndata")


def _mark(node: "h5py.Group | h5py.Dataset", kind: str) -> None:
    node.attrs["encoding-type"] = kind
    node.attrs["encoding-version"] = _VERSIONS[kind]


def _write_matrix(file: "h5py.File", place: str, matrix: Matrix, n_rows: int) -> None:
    dtype = np.dtype(matrix.dtype)
    chunk = max(1, min(n_rows, _CHUNK_BYTES // max(1, matrix.n_columns * dtype.itemsize)))
    stored: dict[str, Any] = {}
    if n_rows and matrix.n_columns:
        stored = {"chunks": (chunk, matrix.n_columns), "compression": "gzip", "compression_opts": 1, "shuffle": True}
    data = file.create_dataset(place, (n_rows, matrix.n_columns), dtype, **stored)
    _mark(data, "array")
    start = 0
    for piece in matrix.pieces:
        data[start : start + len(piece)] = piece
        start += len(piece)


def _write_frame(file: "h5py.Group", name: str, frame: pd.DataFrame) -> None:
    group = file.create_group(name)
    _mark(group, "dataframe")
    keys = _unique_keys([str(c) for c in frame.columns])
    group.attrs["_index"] = "_index"
    _write_names(group, keys)
    _write_text(group, "_index", frame.index.astype("str").tolist())
    for key, column in zip(keys, frame.columns, strict=True):
        _write_column(group, key, frame[column])


def _write_names(group: "h5py.Group", names: Sequence[str]) -> None:
    import h5py

    group.attrs.create("column-order", np.array(list(names), dtype=object), dtype=h5py.string_dtype())


def _unique_keys(columns: Sequence[str]) -> list[str]:
    """Name columns as HDF5 takes them, no two the same."""
    from cellvote.exporting.measurement_names import unique_names

    return unique_names(["_index", *map(_key, columns)])[1:]


def _key(name: str) -> str:
    """Write a name without ``/``, which would be a group in HDF5."""
    return name.replace("/", "|").replace("\0", " ") or "_"


def _write_column(group: "h5py.Group", key: str, column: "pd.Series[Any]") -> None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        below = group.create_group(key)
        _mark(below, "categorical")
        below.attrs["ordered"] = bool(column.cat.ordered)
        _mark(below.create_dataset("codes", data=column.cat.codes.to_numpy()), "array")
        _write_text(below, "categories", column.cat.categories.astype("str").tolist())
    elif pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        _mark(group.create_dataset(key, data=column.to_numpy()), "array")
    else:
        _write_text(group, key, column.fillna("").astype("str").tolist())


def _write_text(group: "h5py.Group", key: str, texts: Sequence[str]) -> None:
    import h5py

    safe = np.array([text.replace("\0", " ") for text in texts], dtype=object)
    _mark(group.create_dataset(key, data=safe, dtype=h5py.string_dtype()), "string-array")


def _write_value(group: "h5py.Group", key: str, value: Any) -> None:
    if isinstance(value, Mapping):
        below = group.create_group(key)
        _mark(below, "dict")
        for name, one in value.items():
            _write_value(below, _key(str(name)), one)
    elif isinstance(value, str):
        import h5py

        _mark(group.create_dataset(key, data=value.replace("\0", " "), dtype=h5py.string_dtype()), "string")
    elif isinstance(value, int | float):
        data = group.create_dataset(key, data=value)
        data.attrs["encoding-type"], data.attrs["encoding-version"] = "numeric-scalar", "0.2.0"
    else:
        _write_text(group, key, [str(one) for one in value])
