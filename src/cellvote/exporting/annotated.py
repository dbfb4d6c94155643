"""Profiles or cells as AnnData, which scverse's tools (scanpy, squidpy, …) open."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype

from cellvote import __version__
from cellvote.errors import SegmentationError, StudyError
from cellvote.exporting.destination import check_free, telling
from cellvote.exporting.h5ad import AnnotatedMatrix, Matrix, is_h5ad, write_h5ad
from cellvote.exporting.measurement_names import cytomining_names, name_measurement, unique_names
from cellvote.exporting.summary import ExportSummary
from cellvote.exporting.table_files import iter_rows
from cellvote.jobs.profile import read_profiles
from cellvote.plates.acquisition import FIELD, place_columns
from cellvote.plates.plate_map import CONCENTRATION_UM
from cellvote.profiling.aggregate import read_measurement_names
from cellvote.profiling.profiles import COUNTS, profile_columns, split_profile_column
from cellvote.profiling.units import unit_of
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import read_table

Level = Literal["well", "cell"]

_PLACE: Final = ("label_id", "bbox_y_min", "bbox_x_min", "bbox_y_max", "bbox_x_max")


def export_anndata(
    study: Study,
    out: Path,
    *,
    segmentation: str = "",
    level: Level = "well",
    cytomining: bool = False,
    overwrite: bool = False,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> ExportSummary:
    """Write the profiles of a segmentation, or its cells, as one ``.h5ad`` file.

    Of wells, ``X`` are the normalised profiles and the layer ``raw`` those as measured; where nothing was normalised,
    ``X`` are the latter. Of cells, ``X`` are the measurements as 32-bit floats, and ``obsm/spatial`` their centroids
    (x, y) in px. ``obs`` says which well or cell a row is, with the columns of the plate map as categories; ``var`` of
    each column its measurement, compartment, channel and unit, and its name in the other style.

    Parameters
    ----------
    out
        The file; ``.h5ad`` is appended where it is missing.
    cytomining
        Name columns as Cytomining does.

    Raises
    ------
    StudyError
        Where something is there already, or there are no profiles yet.
    """
    started = time.monotonic()
    out = out.absolute()
    out = out if out.suffix == ".h5ad" else out.with_name(f"{out.name}.h5ad")
    if out.is_dir():
        raise StudyError(f"{out}: is a folder. Name a file that is to be written.")
    check_free(out, is_h5ad, overwrite=overwrite)
    name = study.one_segmentation(segmentation)
    cancel = cancel or CancelToken()
    if level == "well":
        content, n_cells, notes = _wells(study, name, report, cancel, cytomining=cytomining)
    else:
        content, n_cells, notes = _cells(study, name, report, cancel, cytomining=cytomining)
    with telling(out):
        write_h5ad(out, content)
    seconds = time.monotonic() - started
    return ExportSummary("anndata", out, len(study.fields), (), n_cells, seconds, [out.name], notes)


def _wells(
    study: Study, name: str, report: Report, cancel: CancelToken, *, cytomining: bool
) -> tuple[AnnotatedMatrix, int, Sequence[str]]:
    profiles = read_profiles(study, name, report=report, cancel=cancel)
    shown = profiles.raw if profiles.normalised is None else profiles.normalised
    columns = profile_columns(shown)
    x = shown[columns].to_numpy(np.float64)
    matrices = {"X": Matrix(len(columns), np.float64, [x])}
    if profiles.normalised is not None and set(columns) <= set(profiles.raw.columns):
        raw = profiles.raw[columns].to_numpy(np.float64)
        matrices["layers/raw"] = Matrix(len(columns), np.float64, [raw])
    keys = place_columns(shown)
    obs = _with_plate_map(shown[[*keys, *COUNTS]], study)
    obs.index = pd.Index(["/".join(part for part in map(str, row) if part) for row in shown[keys].to_numpy()])
    settings = profiles.record.settings.model_dump(mode="json")
    uns = _uns(study, name, "well") | {
        "profiles": {k: v if isinstance(v, list | str | int | float) else str(v) for k, v in settings.items()},
        "notes": list(profiles.record.notes),
    }
    content = AnnotatedMatrix(obs, _variables(columns, study, cytomining=cytomining), matrices, {"cellvote": uns})
    return content, profiles.record.n_cells, profiles.notes


def _cells(
    study: Study, name: str, report: Report, cancel: CancelToken, *, cytomining: bool
) -> tuple[AnnotatedMatrix, int, Sequence[str]]:
    path = study.cells_path(name)
    columns = list(read_measurement_names(study, name))
    if not columns:
        raise SegmentationError(f"{study.path}: {name!r} is not measured. Run: cellvote measure {study.path}")
    schema = pq.read_schema(path)
    there = schema.names
    flags = [field.name for field in schema if pa.types.is_boolean(field.type)]
    columns = [c for c in columns if c not in flags]
    known = read_table(path, [*FIELD, *(c for c in _PLACE if c in there), *flags])
    n_cells = len(known)

    def pieces() -> Iterator[npt.NDArray[np.float32]]:
        done = 0
        for rows in iter_rows(path, columns):
            cancel.raise_if_cancelled()
            yield rows[columns].to_numpy(np.float32)
            done += len(rows)
            report(Progress(done, n_cells, "cells"))

    matrices = {"X": Matrix(len(columns), np.float32, pieces())}
    if {"centroid_x", "centroid_y"} <= set(there):
        place = read_table(path, ["centroid_x", "centroid_y"])[["centroid_x", "centroid_y"]].to_numpy(np.float64)
        matrices["obsm/spatial"] = Matrix(2, np.float64, [place])
    obs = _with_plate_map(known, study)
    well = known["plate"].str.cat(known["well"].where(known["well"] == "", "/" + known["well"]))
    obs.index = pd.Index(well + "/" + known["field"].astype("str") + "/" + known["label_id"].astype("str"))
    var = _variables(columns, study, cytomining=cytomining)
    return AnnotatedMatrix(obs, var, matrices, {"cellvote": _uns(study, name, "cell")}), n_cells, ()


def _uns(study: Study, name: str, level: Level) -> dict[str, Any]:
    return {"version": __version__, "study": study.path.name, "segmentation": name, "level": level}


def _with_plate_map(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Add to each row what the plate map says of it: text as categories, concentrations in µM as numbers."""
    plate_map = study.plate_map.drop(columns="imaged", errors="ignore")
    keys = place_columns(plate_map)
    places = pd.MultiIndex.from_frame(plate_map[keys]).get_indexer(pd.MultiIndex.from_frame(rows[keys]))
    obs: dict[str, Any] = {str(c): rows[c] if is_numeric_dtype(rows[c]) else pd.Categorical(rows[c]) for c in rows}
    said = [str(c) for c in plate_map if c not in keys]
    for column, name in zip(said, unique_names([*obs, *said])[len(obs) :], strict=True):
        entries = plate_map[column].astype("str")
        if column == CONCENTRATION_UM:
            numbers = np.append(pd.to_numeric(entries, errors="coerce").to_numpy(np.float64), np.nan)
            obs[name] = numbers[places]
        else:
            codes, categories = pd.factorize(pd.concat([entries, pd.Series([""])]), sort=True)
            obs[name] = pd.Categorical.from_codes(codes[places], categories)
    return pd.DataFrame(obs)


def _variables(columns: Sequence[str], study: Study, *, cytomining: bool) -> pd.DataFrame:
    """Say of each column what it measures."""
    rows = []
    for column in columns:
        statistic, measurement = split_profile_column(column)
        named = name_measurement(measurement, study.channels)
        rows.append(
            {
                "statistic": statistic,
                "measurement": measurement,
                "compartment": named.compartment.lower(),
                "channel": "; ".join(named.channels),
                "unit": unit_of(measurement),
            }
        )
    named_as = cytomining_names(columns, study.channels)
    var = pd.DataFrame(rows, columns=["statistic", "measurement", "compartment", "channel", "unit"], dtype="str")
    var = var.assign(cytomining=pd.Series(list(named_as.values()), dtype="str"))
    if cytomining:
        return (
            var.rename(columns={"cytomining": "cellvote"})
            .assign(cellvote=list(columns))
            .set_index(pd.Index(list(named_as.values())))
        )
    return var.set_index(pd.Index(list(columns)))
