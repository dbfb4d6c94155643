"""A hand-made study whose every cell is known, and ways to wait for a window."""

import gc
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from cellvote.gui.session import Session, session_of
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, write_json, write_table
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.masks import write_label_image
from cellvote.voting.vote import VoteSettings, vote

if TYPE_CHECKING:
    from napari.components import ViewerModel

CLASSES = ("DMSO", "taxol")
WELLS = {"A01": "DMSO", "A02": "taxol", "A03": "", "B01": "DMSO", "B02": "taxol"}
"""Imaged wells and what was done to them; B03 is on the plate map only."""

MODEL = "model"
N_CELLS = 4


def label_image(size_px: int = 24) -> np.ndarray:
    """Four square cells; label ids 1, 2, 5 and 9: segmenters leave gaps."""
    masks = np.zeros((size_px, size_px), np.int32)
    for number, label_id in enumerate((1, 2, 5, 9)):
        y, x = 2 + 12 * (number // 2), 2 + 12 * (number % 2)
        masks[y : y + 8, x : x + 8] = label_id
    return masks


def taxol_probabilities(well: str) -> list[float]:
    """What the model says of each cell: of A03 it cannot decide."""
    return {"A01": [0.1, 0.2, 0.3, 0.9], "A03": [0.1, 0.2, 0.8, 0.9]}.get(
        well, [0.8, 0.9, 0.7, 0.95] if WELLS[well] == "taxol" else [0.2, 0.1, 0.3, 0.05]
    )


def predictions(fields: list[FieldKey]) -> pd.DataFrame:
    """Make the cells table of a model's predictions."""
    rows = []
    for key in fields:
        for label_id, taxol in zip((1, 2, 5, 9), taxol_probabilities(key.well), strict=True):
            row = {"plate": key.plate, "well": key.well, "field": key.field, "label_id": label_id}
            row |= {"centroid_y": 0.0, "centroid_x": 0.0, "fold": 0, "class": CLASSES[taxol > 0.5]}
            row |= {"probability": max(taxol, 1 - taxol), "probability_DMSO": 1 - taxol, "probability_taxol": taxol}
            rows.append(row)
    return pd.DataFrame(rows).astype({"plate": "str", "well": "str", "class": "str"})


def write_predictions(study: Study, model: str = MODEL, min_cells: int = 2) -> None:
    """Write a model's predictions and votes as `cellvote predict` does."""
    folder, table = study.predictions_folder(model), predictions(study.fields)
    settings = VoteSettings(min_cells=min_cells)
    write_table(folder / "cells.parquet", table)
    note = {"classifier": "elsewhere", "segmentation": "watershed", "classes": list(CLASSES), "class_column": "drug"}
    note |= {"cells_checksum": file_checksum(study.cells_path("watershed")), "vote": settings.model_dump(mode="json")}
    write_json(folder / "predictions.json", note)
    for level, by in (("field", ["plate", "well", "field"]), ("well", ["plate", "well"])):
        write_table(folder / f"{level}s.parquet", vote(table, by, settings))


def write_field_predictions(study: Study, model: str = "whole") -> None:
    """Write what a classifier of whole fields says, as `cellvote predict` does: no label ids, no masks."""
    folder = study.predictions_folder(model)
    rows = []
    for key in study.fields:
        taxol = {"A01": 0.1, "A02": 0.8, "A03": 0.6, "B01": 0.4, "B02": 0.95}.get(key.well, 0.7)
        row = {"plate": key.plate, "well": key.well, "field": key.field, "fold": 0, "class": CLASSES[taxol > 0.5]}
        row |= {"probability": max(taxol, 1 - taxol), "probability_DMSO": 1 - taxol, "probability_taxol": taxol}
        rows.append(row)
    table = pd.DataFrame(rows).astype({"plate": "str", "well": "str", "class": "str"})
    settings = VoteSettings(min_cells=1)
    write_table(folder / "cells.parquet", table)
    note = {"classifier": "elsewhere", "segmentation": "", "unit": "field", "classes": list(CLASSES)}
    note |= {"class_column": "class_name" if "field" in study.plate_map else "drug", "cells_checksum": ""}
    write_json(folder / "predictions.json", note | {"vote": settings.model_dump(mode="json")})
    for level, by in (("field", ["plate", "well", "field"]), ("well", ["plate", "well"])):
        write_table(folder / f"{level}s.parquet", vote(table, by, settings))


IMAGES = (("a", "DMSO"), ("b", "taxol"), ("c", "DMSO"), ("d", "taxol"))


def study_of_images(folder: Path) -> Study:
    """Make a study of four images in class folders: no wells."""
    for name, class_name in IMAGES:
        place = folder / "images" / class_name
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 255, (24, 24)).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{name}.png")
    return Study.create(folder / "images", read_plate(folder / "images"))


def write_masks(study: Study, failed: dict[FieldKey, str]) -> None:
    """Write a segmentation as `cellvote segment` and `measure` do."""
    folder = study.segmentation_folder("watershed")
    write_json(folder / "segmentation.json", {"method": "watershed", "asked": {}, "settings": {}})
    with Ledger(folder / "fields.parquet") as ledger:
        for key in study.fields:
            if key in failed:
                ledger.append(FieldRecord(*key, status="failed", error=failed[key]))
                continue
            write_label_image(study.mask_path("watershed", key), label_image())
            ledger.append(FieldRecord(*key, status="done", n_cells=N_CELLS))
    cells = predictions(study.fields)[["plate", "well", "field", "label_id", "centroid_y", "centroid_x"]]
    write_table(study.cells_path("watershed"), cells)


def make_study(folder: Path) -> Study:
    """Make a study of five wells, one field each, two channels; the wells differ in brightness."""
    images = folder / "plate"
    images.mkdir(parents=True)
    for number, well in enumerate(WELLS, start=1):
        for channel in ("GFP", "DNA"):
            plane = np.random.default_rng(number).integers(0, 100 * number, (24, 24)).astype(np.uint16)
            plane += (label_image() > 0).astype(np.uint16) * 500
            tifffile.imwrite(images / f"{channel}-{number:02d}-{well[0]}-{well[1:]}.tif", plane, metadata=None)
    plate_map = pd.DataFrame(
        {"well": [*WELLS, "B03"], "drug": [*WELLS.values(), "taxol"], "dose": ["0", "10", "1", "0", "10", "1"]},
        dtype="str",
    )
    return Study.create(folder / "small", read_plate(images), plate_map)


def docked(viewer: "ViewerModel", kind: type) -> Any:
    """Make a dock of a kind in the viewer's window."""
    dock = kind(viewer)
    viewer.window.add_dock_widget(dock, name=kind.__name__)
    return dock


@pytest.fixture(scope="session", autouse=True)
def _window_is_no_garbage() -> None:
    """Leave what windows import out of the search for garbage too (see ``pytest_collection_finish``)."""
    import napari._qt.qt_main_window
    import napari._vispy.canvas  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _plugins_are_looked_for_once() -> Iterator[None]:
    """Let napari read what is installed once, and not for every viewer."""
    from npe2 import PluginManager

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManager, "discover", cache(PluginManager.discover))
        yield


@pytest.fixture(scope="session")
def _finished_small_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = make_study(tmp_path_factory.mktemp("small"))
    write_masks(study, failed={})
    write_predictions(study)
    return study


@pytest.fixture
def small_study(_finished_small_study: Study, tmp_path: Path) -> Study:
    """Return a copy of the hand-made study with masks and predictions, to be changed at will."""
    return Study.open(shutil.copytree(_finished_small_study.path, tmp_path / "small.cellvote"))


@pytest.fixture
def bare_study(tmp_path: Path) -> Study:
    """Return the hand-made study as it was created: no masks, no predictions."""
    return make_study(tmp_path / "bare")


@pytest.fixture
def settle(qtbot) -> Callable[[Session], None]:
    """Wait until everything that was asked for is shown."""

    def wait(session: Session) -> None:
        qtbot.waitUntil(lambda: session.idle, timeout=120_000)

    return wait


@pytest.fixture
def _little_to_look_through() -> None:
    """Leave what is alive before a test out of the search for garbage that napari makes three times in each."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def viewer(_little_to_look_through: None, make_napari_viewer) -> "Iterator[ViewerModel]":
    """Return a viewer; what still runs for it is stopped before it is closed."""
    made = make_napari_viewer()
    yield made
    session_of(made).close()


@pytest.fixture
def no_waiting(monkeypatch) -> None:
    """Let a test fail that waits for a process in the window's thread."""
    from qtpy.QtCore import QProcess

    def _fail(*args: Any) -> bool:
        raise AssertionError("the window's thread waited for a process")

    monkeypatch.setattr(QProcess, "waitForFinished", _fail)


@pytest.fixture
def session(viewer: "ViewerModel") -> Session:
    """Return the session of a viewer."""
    return session_of(viewer)


@pytest.fixture
def shown(session: Session, small_study: Study, settle) -> Session:
    """Return a session that shows well A01 of the small study."""
    session.open_study(small_study.path)
    settle(session)
    return session
