"""Tiny studies with predictions written by hand, so that every figure of a report is known beforehand."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellvote.learning.classifier import ClassifierInfo
from cellvote.learning.inputs import Inputs
from cellvote.learning.weights_note import write_note
from cellvote.plates.acquisition import FIELD, Acquisition, plane_table
from cellvote.plates.wells import well_position
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, write_json, write_table
from cellvote.study.ledger import FieldRecord
from cellvote.study.masks import write_label_image
from cellvote.voting.vote import PREFIX

SIDE = 96
SPACING = 16
CHANNELS = ("Channel1", "Channel2")


@dataclass
class Plan:
    """A study to be: one entry of ``wells`` for each well, its columns those of the plate map.

    ``shares`` gives the share of cells said to be of each class, ``n_cells`` how many cells there are (none:
    the well was imaged and is empty), ``training`` whether it served as an example.
    """

    wells: list[dict[str, Any]]
    classes: Sequence[str] = ("negative", "positive")
    class_column: str = "control_type"
    plate: str = "Plate1"
    model: str = "forest"
    with_images: bool = True
    failed: Sequence[tuple[str, str]] = ()
    position_accuracy: float = 0.5


MakeStudy = Callable[..., Study]
"""Takes the fields of a `Plan`."""

_PLAN = {"shares", "n_cells", "training", "well"}


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Give a function that writes a study with predictions."""
    return lambda **plan: write_study(tmp_path, Plan(**plan))


def write_study(folder: Path, plan: Plan) -> Study:
    images = folder / "images"
    images.mkdir(parents=True)
    rows = []
    for one in plan.wells:
        position = well_position(one["well"])
        number = (position.row - 1) * 12 + position.column
        for c in range(len(CHANNELS)):
            name = f"Channel{c + 1}-{number:02d}-{one['well'][:-2]}-{position.column:02d}.tif"
            rows.append({"plate": plan.plate, "well": one["well"], "channel": c, "path": name})
    acquisition = Acquisition(images, "numbered", plane_table(rows), CHANNELS)
    columns = [{k: str(v) for k, v in one.items() if k not in _PLAN} | {"well": one["well"]} for one in plan.wells]
    study = Study.create(folder / "tiny", acquisition, pd.DataFrame(columns).fillna("").astype("str"))
    cells = pd.concat([_cells(plan, one) for one in plan.wells], ignore_index=True).astype({"field": "int32"})
    segmentation = study.segmentation_folder("watershed")
    _write_segmentation(study, segmentation, plan, cells)
    if plan.with_images:
        _write_images(study, images, cells)
    _write_classifier(study, plan)
    predictions = study.predictions_folder(plan.model)
    write_table(predictions / "cells.parquet", cells.drop(columns=[c for c in cells if str(c).startswith("bbox")]))
    note = {
        "classifier": study.model_folder(plan.model).as_posix(),
        "weights_checksum": "0" * 32,
        "segmentation": "watershed",
        "classes": list(plan.classes),
        "class_column": plan.class_column,
        "cells_checksum": file_checksum(study.cells_path("watershed")),
    }
    write_json(predictions / "predictions.json", note)
    return study


def _cells(plan: Plan, one: dict[str, Any]) -> pd.DataFrame:
    n, k = one.get("n_cells", 20), len(plan.classes)
    counts = np.round(np.asarray(one.get("shares", [1.0] + [0.0] * (k - 1))) * n).astype(int)
    said = np.repeat(np.arange(k), counts)
    n = len(said)
    sure = 0.55 + 0.4 * (np.arange(n) % 7) / 7
    chances = np.repeat(((1 - sure) / (k - 1))[:, None], k, axis=1)
    chances[np.arange(n), said] = sure
    at = SPACING / 2 + SPACING * np.arange(SIDE // SPACING)
    y, x = (grid.ravel() for grid in np.meshgrid(at, at, indexing="ij"))
    y, x = np.resize(y, n), np.resize(x, n)
    table = pd.DataFrame({"plate": plan.plate, "well": one["well"], "field": 1, "label_id": np.arange(1, n + 1)})
    table["centroid_y"], table["centroid_x"] = y, x
    table["bbox_y_min"], table["bbox_x_min"], table["bbox_y_max"], table["bbox_x_max"] = y - 5, x - 5, y + 5, x + 5
    table["fold"] = 0 if one.get("training") else -1
    table["class"] = pd.Series(np.array(plan.classes, object)[said], dtype="str")
    table["probability"] = sure
    for i, name in enumerate(plan.classes):
        table[f"{PREFIX}{name}"] = chances[:, i]
    return table


def _write_segmentation(study: Study, folder: Path, plan: Plan, cells: pd.DataFrame) -> None:
    write_json(folder / "segmentation.json", {"method": "watershed", "asked": {}, "settings": {"growth_px": 4.0}})
    write_table(folder / "cells.parquet", cells)
    errors = dict(plan.failed)
    counts = cells.groupby("well").size()
    records = []
    for key in study.fields:
        status = "failed" if key.well in errors else "done"
        n = int(counts.get(key.well, 0))
        record = FieldRecord(*key, status=status, n_cells=n, image_hash=key.well, error=errors.get(key.well, ""))
        records.append(vars(record))
    write_table(folder / "fields.parquet", pd.DataFrame(records))
    write_table(folder / "measured.parquet", pd.DataFrame([r for r in records if r["status"] == "done"]))


def _write_images(study: Study, folder: Path, cells: pd.DataFrame) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    for key in study.fields:
        own = cells[cells["well"] == key.well]
        label_image = np.zeros((SIDE, SIDE), np.int32)
        for one in own.drop_duplicates(["centroid_y", "centroid_x"]).itertuples():
            label_image[(y - one.centroid_y) ** 2 + (x - one.centroid_x) ** 2 < 25] = one.label_id
        write_label_image(study.mask_path("watershed", key), label_image)
        for row in study.planes_of(key).itertuples():
            pixels = (10 + 200 * (label_image > 0) / (row.channel + 1)).astype(np.uint8)
            tifffile.imwrite(folder / row.path, pixels)


def _baselines(plan: Plan) -> dict[str, Any]:
    said = {"majority": 0.5, "position": plan.position_accuracy, "measurements": 0.5}
    return {
        name: {level: {"accuracy": share, "balanced_accuracy": share, "n": 4} for level in ("well", "cell")}
        for name, share in said.items()
    }


def _write_classifier(study: Study, plan: Plan) -> None:
    folder = study.model_folder(plan.model)
    training = [one for one in plan.wells if one.get("training")]
    info = ClassifierInfo(
        name=plan.model,
        architecture="forest",
        classes=tuple(plan.classes),
        class_column=plan.class_column,
        inputs=Inputs(parts=("measurements",), columns=("area",), channels=CHANNELS),
        settings={"architecture": "forest", "split_by": "well", "folds": 2, "seed": 0, "n_trees": 10},
        split_by="well",
        n_folds=2,
        seed=0,
        segmentation={"name": "watershed"},
        metrics={
            "baselines": _baselines(plan),
            "position": {"difference_ci95": None, "chance_p": 0.01, "tied": plan.position_accuracy > 0.9},
        },
        training_data="f" * 32,
        versions={"python": "3.11"},
    )
    split = pd.DataFrame(
        {
            "plate": plan.plate,
            "well": [one["well"] for one in training],
            "field": 1,
            "image_hash": [one["well"] for one in training],
            "class_name": [str(one.get(plan.class_column, "")) for one in training],
            "group": [one["well"] for one in training],
            "fold": 0,
        }
    )
    split = split.astype(dict.fromkeys(["plate", "well", "image_hash", "class_name", "group"], "str"))
    write_table(folder / "split.parquet", split[[*FIELD, "image_hash", "class_name", "group", "fold"]])
    write_json(folder / "model.json", info.model_dump(mode="json"))
    with zipfile.ZipFile(folder / "model.skops", "w"):
        pass
    write_note(folder / "model.skops", info)
