"""Tables as CellProfiler writes them: Image.csv, Cells.csv, Nuclei.csv, Cytoplasm.csv."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import SegmentationError
from cellvote.exporting.cytomining import metadata_names
from cellvote.exporting.destination import check_free, telling
from cellvote.exporting.grey_scale import full_scales
from cellvote.exporting.measurement_names import Compartment, channel_token, name_measurement, unique_names
from cellvote.exporting.summary import ExportSummary
from cellvote.exporting.table_files import AddRows, iter_rows, write_rows, writing_rows
from cellvote.plates.acquisition import FIELD, field_keys, place_columns
from cellvote.profiling.units import unit_of
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.study import Study

_OBJECTS: Final[tuple[Compartment, ...]] = ("Cells", "Nuclei", "Cytoplasm")
_FILES: Final = frozenset({"Image.csv", *(f"{name}.csv" for name in _OBJECTS)})
_DEGREES: Final = 180 / np.pi

Columns = dict[str, "pd.Series[Any]"]


def export_cellprofiler(
    study: Study,
    out: Path,
    *,
    segmentation: str = "",
    grey_values: bool = False,
    overwrite: bool = False,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> ExportSummary:
    """Write the cells of a segmentation as CellProfiler's ExportToSpreadsheet would.

    Images are numbered in the order of the fields; ``ObjectNumber`` is the label id of the cell in its masks, and the
    same for its nucleus and cytoplasm. Intensities run from 0 to 1, as in CellProfiler: grey values are divided by the
    greatest that the image's type can hold (255, 65535; floats by 1), which stands in ``Scaling_CHANNEL``. Orientations
    are in degrees.

    Parameters
    ----------
    out
        The folder of the tables.
    grey_values
        Leave intensities as they were measured; ``Scaling_CHANNEL`` is 1 then, and no image is opened.

    Raises
    ------
    StudyError
        Where something else is there.
    SegmentationError
        Where nothing is measured.
    ImageReadError
        Where the type of an image cannot be read, because it is not there.
    """
    started = time.monotonic()
    out = out.absolute()
    check_free(out, lambda folder: folder.is_dir() and _only_ours(folder), overwrite=overwrite)
    name = study.one_segmentation(segmentation)
    places = study.read_cells(name, FIELD)
    if not len(places):
        raise SegmentationError(f"{study.path}: the segmentation {name!r} has no cells to export.")
    scales = dict.fromkeys(study.channels, 1.0) if grey_values else full_scales(study)
    numbers = {key: number for number, key in enumerate(study.fields, start=1)}
    cancel = cancel or CancelToken()

    def tell(n_done: int) -> None:
        cancel.raise_if_cancelled()
        report(Progress(n_done, len(places), "cells"))

    with telling(out):
        counts = _write_objects(study, name, out, numbers, scales, tell)
        written = [f"{kind}.csv" for kind in counts]
        images = _images(study, numbers, counts, scales)
        write_rows(out / "Image.csv", images, "csv")
        for stale in _FILES - {"Image.csv", *written}:
            (out / stale).unlink(missing_ok=True)
    seconds = time.monotonic() - started
    return ExportSummary(
        "cellprofiler", out, len(numbers), (), len(places), seconds, ["Image.csv", *written], _notes(study, places)
    )


def _write_objects(
    study: Study,
    segmentation: str,
    out: Path,
    numbers: Mapping[Any, int],
    scales: Mapping[str, float],
    tell: Callable[[int], None],
) -> dict[Compartment, npt.NDArray[np.int64]]:
    """Write the tables of cells, nuclei and cytoplasms, part by part; ``tell`` hears how many cells are done.

    Returns
    -------
    dict
        For each table that was written, how many objects each image has, by its number.
    """
    counts: dict[Compartment, npt.NDArray[np.int64]] = {}
    n_done = 0
    with ExitStack() as stack:
        files: dict[Compartment, AddRows] = {}
        tell(0)
        for rows in iter_rows(study.cells_path(segmentation)):
            tables = _objects(rows, _image_numbers(rows, numbers), study.channels, scales)
            for kind, table in tables.items():
                if kind not in files:
                    files[kind] = stack.enter_context(writing_rows(out / f"{kind}.csv", "csv"))
                    counts[kind] = np.zeros(len(numbers) + 1, np.int64)
                files[kind](table)
                counts[kind] += np.bincount(table["ImageNumber"], minlength=len(numbers) + 1)
            n_done += len(rows)
            tell(n_done)
    return counts


def _only_ours(folder: Path) -> bool:
    return all(path.is_file() and path.name in _FILES for path in folder.iterdir())


def _notes(study: Study, places: pd.DataFrame) -> tuple[str, ...]:
    empty = len(study.fields) - len(field_keys(places))
    return (f"{empty} of {len(study.fields)} fields have no cells in these tables.",) if empty else ()


def _image_numbers(rows: pd.DataFrame, numbers: Mapping[Any, int]) -> "pd.Series[Any]":
    places = rows[FIELD].drop_duplicates()
    known = [numbers[key] for key in map(tuple, places.itertuples(index=False, name=None))]
    return rows[FIELD].merge(places.assign(number=known), on=FIELD, how="left")["number"].astype("int64")


def _objects(
    rows: pd.DataFrame, image: "pd.Series[Any]", channels: tuple[str, ...], scales: Mapping[str, float]
) -> dict[Compartment, pd.DataFrame]:
    """Give each compartment its table: cells, and those nuclei and cytoplasms that are there."""
    objects = pd.DataFrame({"ImageNumber": image, "ObjectNumber": rows["label_id"].astype("int64")})
    tables: dict[Compartment, Columns] = {kind: {} for kind in _OBJECTS}
    for column in map(str, rows.columns):
        if column in FIELD or column == "label_id":
            continue
        named = name_measurement(column, channels)
        is_flag = pd.api.types.is_bool_dtype(rows[column])  # CellProfiler has none: they say something of the object
        name = named.name.replace("Other_", "AreaShape_", 1) if is_flag else named.name
        tables[named.compartment][name] = _converted(rows[column], column, named.channels, scales)
    for axis in ("X", "Y"):
        centre = tables["Cells"].get(f"Location_Center_{axis}")
        if centre is not None:
            tables["Cells"][f"AreaShape_Center_{axis}"] = centre
    has: dict[Compartment, pd.Series[bool]] = {"Cells": pd.Series(True, index=rows.index)}
    if "nucleus_area" in rows:
        has["Nuclei"] = rows["nucleus_area"] > 0
        has["Cytoplasm"] = rows["area"] > rows["nucleus_area"]
        number = objects["ObjectNumber"]
        tables["Cells"]["Parent_Nuclei"] = number.where(has["Nuclei"], 0)
        tables["Cells"]["Children_Cytoplasm_Count"] = has["Cytoplasm"].astype("int64")
        tables["Nuclei"]["Children_Cells_Count"] = pd.Series(1, index=rows.index)
        tables["Cytoplasm"] |= {"Parent_Cells": number, "Parent_Nuclei": tables["Cells"]["Parent_Nuclei"]}
        tables["Cytoplasm"]["AreaShape_Area"] = rows["area"] - rows["nucleus_area"]
    return {
        kind: pd.concat([objects, _sorted(tables[kind], objects)], axis=1)[there].reset_index(drop=True)
        for kind, there in has.items()
    }


def _sorted(columns: Columns, objects: pd.DataFrame) -> pd.DataFrame:
    """Sort columns by name, as CellProfiler does; the number of the object again comes last."""
    table = pd.DataFrame(dict(sorted(columns.items())), index=objects.index)
    table.columns = pd.Index(unique_names(map(str, table.columns)))
    return table.assign(Number_Object_Number=objects["ObjectNumber"])


def _converted(
    values: "pd.Series[Any]", column: str, channels: tuple[str, ...], scales: Mapping[str, float]
) -> "pd.Series[Any]":
    """Give a measurement in CellProfiler's units: intensities from 0 to 1, angles in degrees, flags as 0 and 1."""
    if pd.api.types.is_bool_dtype(values):
        return values.astype("int64")
    if column == "orientation":
        return values * _DEGREES
    unit = unit_of(column)
    if channels and unit.startswith("grey values"):
        return values / scales[channels[0]] ** (2 if unit.endswith("²") else 1)
    return values


def _images(
    study: Study, numbers: Mapping[Any, int], counts: Mapping[Compartment, Any], scales: Mapping[str, float]
) -> pd.DataFrame:
    """List the images, with what the plate map says of their wells."""
    fields = pd.DataFrame(list(numbers), columns=FIELD).astype({"plate": "str", "well": "str"})
    keys = place_columns(study.plate_map)
    wells = fields.merge(study.plate_map.drop(columns="imaged", errors="ignore"), on=keys, how="left")
    named = metadata_names([str(c) for c in wells])
    images = pd.DataFrame({"ImageNumber": np.arange(1, len(fields) + 1)})
    for kind, n in sorted(counts.items()):
        images[f"Count_{kind}"] = n[1:]
    images = images.assign(Group_Index=images["ImageNumber"], Group_Number=1)
    files = dict(_files(study, fields))
    scalings = {f"Scaling_{channel_token(channel)}": scale for channel, scale in scales.items()}
    return pd.concat([images, wells.rename(columns=named), pd.DataFrame(files)], axis=1).assign(**scalings)


def _files(study: Study, fields: pd.DataFrame) -> Iterator[tuple[str, "pd.Series[Any]"]]:
    """Name the file of each channel: of a stack that of its first plane; none of a channel that is combined."""
    first = study.planes.sort_values(["timepoint", "z", "page"], kind="stable").drop_duplicates([*FIELD, "channel"])
    for number, name in enumerate(study.info.channels):
        channel = channel_token(name)
        planes = fields.merge(first[first["channel"] == number], on=FIELD, how="left")
        paths = planes["path"].fillna("")
        yield f"FileName_{channel}", paths.map(lambda path: PurePosixPath(path).name).astype("str")
        yield (
            f"PathName_{channel}",
            paths.map(lambda path: str(study.source / PurePosixPath(path).parent) if path else "").astype("str"),
        )
        yield f"Frame_{channel}", planes["page"].fillna(0).astype("int64")
