"""What one model predicted for a study, and the votes: read from its tables once; no window here."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import CellVoteError, PredictionsError
from cellvote.learning.classes import truth_of_wells
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.settings import validated
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, read_json, read_table
from cellvote.voting.settings import IN_SET, NO_CLASS, NO_VOTE, PREFIX, SHARE, VoteSettings

Well = tuple[str, str]
"""Plate and well."""

CELL: Final = "cell"


@dataclass(frozen=True)
class Vote:
    """The vote of a field or well, as the study's tables hold it.

    Attributes
    ----------
    n_cells
        How many voted: cells, or fields where whole fields are classified.
    held
        The classes of its conformal set; None where there is none.
    agreement
        Share of the fields of a well that vote the same; None where there is one.
    unit
        What voted: ``cell`` or ``field``.
    probability
        Of its class, where a field was classified as a whole: then nothing was counted.
    """

    class_name: str
    share: float
    margin: float
    n_cells: int
    shares: dict[str, float]
    held: tuple[str, ...] | None = None
    agreement: float | None = None
    unit: str = CELL
    probability: float | None = None


@dataclass(frozen=True)
class Predicted:
    """What one model predicted for a study.

    Attributes
    ----------
    segmentation
        The masks that it was predicted on: only these may be coloured by it; empty where no mask plays a part.
    cells
        One row per cell, or per field, as `cellvote predict` writes them.
    truth
        The class of each well where the plate map knows it.
    vote_settings
        How the votes were counted.
    unit
        What was classified: ``cell``, or ``field`` as a whole.
    truth_of_images
        The class of each image, where images have no wells.
    """

    model: str
    classes: tuple[str, ...]
    class_column: str
    segmentation: str
    cells: pd.DataFrame
    wells: dict[Well, Vote]
    fields: dict[FieldKey, Vote]
    truth: dict[Well, str]
    vote_settings: VoteSettings = field(default_factory=VoteSettings)
    unit: str = CELL
    truth_of_images: dict[FieldKey, str] = field(default_factory=dict)

    @property
    def of_cells(self) -> bool:
        """Whether cells were classified, so that each of them can be coloured."""
        return self.unit == CELL and "label_id" in self.cells

    @cached_property
    def _rows(self) -> dict[Any, Any]:
        return dict(self.cells.groupby(FIELD, sort=False, observed=True).indices)

    def cells_of(self, key: FieldKey) -> pd.DataFrame:
        """The rows of one field."""
        return self.cells.iloc[self._rows.get(tuple(key), np.array([], np.intp))]

    def truth_of(self, key: FieldKey) -> str:
        """The class of a field, where the plate map knows it; else empty."""
        return self.truth.get((key.plate, key.well), "") if key.well else self.truth_of_images.get(key, "")


def read_predicted(study: Study, model: str) -> Predicted:
    """Read what a model predicted.

    Raises
    ------
    PredictionsError
        Where the cells were measured anew since: the label ids may be those of other cells.
    """
    folder = study.predictions_folder(model)
    note = read_json(folder / "predictions.json")
    segmentation = str(note["segmentation"])
    if segmentation:
        cells_path = study.cells_path(segmentation)
        if not cells_path.exists() or _checksum(cells_path) != note["cells_checksum"]:
            raise PredictionsError(f"the cells were measured anew since {model!r} predicted them: predict again.")
    classes = tuple(str(name) for name in note["classes"])
    unit = str(note.get("unit", CELL))
    column = str(note.get("class_column", ""))
    cells = read_table(folder / "cells.parquet")
    fields = {
        FieldKey(r["plate"], r["well"], int(r["field"])): _vote(r, classes, unit)
        for r in _rows(folder / "fields.parquet")
    }
    truth = truth_of_wells(study.plate_map, column, classes, _threshold(study, note)) if column else pd.DataFrame()
    known = truth.to_dict("records")
    return Predicted(
        model=model,
        classes=classes,
        class_column=column,
        segmentation=segmentation,
        cells=cells,
        wells={(r["plate"], r["well"]): _vote(r, classes, unit) for r in _rows(folder / "wells.parquet") if r["well"]},
        fields=fields if unit == CELL else _with_probabilities(fields, cells, classes),
        truth={(r["plate"], r["well"]): r["truth"] for r in known if r["well"]},
        vote_settings=validated(VoteSettings, note.get("vote", {})),
        unit=unit,
        truth_of_images={FieldKey(r["plate"], "", int(r["field"])): r["truth"] for r in known if not r["well"]},
    )


def _threshold(study: Study, note: dict[str, Any]) -> float | None:
    """Read where a column of numbers was cut in two, from the classifier; None where it was not, or is gone."""
    classifier = Path(str(note.get("classifier", "")))
    home = study.model_folder(classifier.name) if classifier.name in study.models else classifier
    try:
        value = read_json(home / "model.json").get("threshold")
    except (CellVoteError, OSError):
        return None
    return None if value is None else float(value)


def _with_probabilities(
    fields: dict[FieldKey, Vote], cells: pd.DataFrame, classes: Sequence[str]
) -> dict[FieldKey, Vote]:
    """Say how likely the class of each field is that was classified as a whole."""
    table = cells.drop_duplicates(FIELD).set_index(FIELD)[[f"{PREFIX}{name}" for name in classes]]
    said = dict(zip(table.index, table.to_numpy(float), strict=True))
    voted = {}
    for key, vote in fields.items():
        likely = said.get(tuple(key))
        if likely is not None:
            of = classes.index(vote.class_name) if vote.class_name in classes else int(likely.argmax())
            shares = dict(zip(classes, map(float, likely), strict=True))
            vote = replace(vote, probability=float(likely[of]), shares=shares)
        voted[key] = vote
    return voted


_checksums: dict[tuple[Path, int, int], str] = {}


def _checksum(path: Path) -> str:
    """Name the bytes of a table, read again only where it was written since."""
    state = path.stat()
    known = (path, state.st_mtime_ns, state.st_size)
    if known not in _checksums:
        _checksums[known] = file_checksum(path)
    return _checksums[known]


def _rows(path: Path) -> list[dict[Any, Any]]:
    return read_table(path).to_dict("records") if path.exists() else []


def _vote(row: dict[Any, Any], classes: Sequence[str], unit: str) -> Vote:
    shares = {name: float(row.get(f"{SHARE}{name}", np.nan)) for name in classes}
    held = None
    if f"{IN_SET}{classes[0]}" in row and row["class"] != NO_VOTE and not pd.isna(row[f"{IN_SET}{classes[0]}"]):
        held = tuple(name for name in classes if row.get(f"{IN_SET}{name}"))
    agreement = row.get("agreement")
    return Vote(
        str(row["class"]),
        float(row["share"]),
        float(row["margin"]),
        int(row["n_cells"]),
        shares,
        held,
        None if agreement is None or pd.isna(agreement) else float(agreement),
        unit,
    )


def has_class(vote: Vote) -> bool:
    """Whether a vote names a class: it is no tie, decided, and of enough cells."""
    return vote.class_name not in NO_CLASS
