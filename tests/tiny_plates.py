"""Plates and studies that are made in a second, and that lie on disk as real ones do."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from cellvote.jobs.measure import measure_study
from cellvote.jobs.predict import predict_study
from cellvote.jobs.segment import segment_study
from cellvote.jobs.stored_images import store_images
from cellvote.jobs.train import train_study
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.crops import plain_crops
from cellvote.synthetic import PlateSettings, SimulatedPlate

SETTINGS = PlateSettings(
    rows=4, columns=4, fields_per_well=2, field_size_px=96, pixel_size_um=1.3, cells_per_field=8, seed=1, name="P-1"
)
"""Sixteen wells of two fields, about five cells in each; every class of the column ``moa`` is in two wells or more."""

FOREST = {"n_trees": 10}
"""Settings of a forest that is fitted in a moment."""

NETWORK = {"architecture": "small-resnet", "epochs": 2, "batch_size": 32, "crop_size_px": 24}
"""Settings of a network that is trained in a second."""


def write_images(folder: Path, names: Iterable[str], size_px: int = 8) -> Path:
    """Write an image of noise under each name, no two the same, and return the folder."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        plane = np.random.default_rng(number).integers(0, 4000, (size_px, size_px), dtype=np.uint16)
        tifffile.imwrite(path, plane, metadata=None)
    return folder


SPOT_CLASSES = ("small", "large")
"""What the spots of `spot_study` are; every other well is of the same class."""


def write_spots(folder: Path, plate: str = "P1", seed: int = 0, n_fields: int = 1) -> Path:
    """Write twelve wells of whole fields, 32 px wide, each with small or with large spots, and return the folder."""
    random, (y, x) = np.random.default_rng(seed), np.mgrid[:32, :32]
    for number in range(12):
        well = f"{'AB'[number // 6]}{number % 6 + 1:02d}"
        for field in range(1, n_fields + 1):
            plane = random.normal(200, 8, (32, 32))
            for centre_y, centre_x in random.uniform(2, 30, (6, 2)):  # scattered, so that no two fields are alike
                plane[(y - centre_y) ** 2 + (x - centre_x) ** 2 < (1.5, 3.2)[number % 2] ** 2] += 900
            path = folder / plate / f"{well}_s{field}_GFP.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, plane.astype(np.uint16), metadata=None)
    return folder


def spot_study(path: Path, folder: Path) -> Study:
    """Make a study of the plates of `write_spots`: ``spot``, ``il6`` (a number) and others tell what is in each."""
    wells = [f"{row}{column:02d}" for row in "AB" for column in range(1, 7)]
    table = map_of(
        wells,
        spot=[SPOT_CLASSES[i % 2] for i in range(12)],
        il6=[f"{(i % 2) * 10 + i / 10}" for i in range(12)],
        third=["abc"[i % 3] for i in range(12)],
        line=["left" if i % 6 < 4 else "right" for i in range(12)],
        control_type=["negative" if i % 2 == 0 else "" for i in range(12)],
    )
    pattern = r"(?P<plate>[^/]+)/(?P<well>\w\d\d)_s(?P<field>\d)_(?P<channel>\w+)\.tif"
    return Study.create(path, read_plate(folder, pattern=pattern), table)


def operetta_names(wells: Iterable[tuple[int, int]], channels: int = 2, fields: int = 1) -> list[str]:
    """Name images as an Operetta does, for wells given by row and column."""
    return [
        f"r{row:02d}c{column:02d}f{field:02d}p01-ch{channel}sk1fk1fl1.tiff"
        for row, column in wells
        for field in range(1, fields + 1)
        for channel in range(1, channels + 1)
    ]


def create_study(path: Path, plate: SimulatedPlate) -> Study:
    """Make a study of a simulated plate and its plate map."""
    return Study.create(path, read_plate(plate.folder), plate.plate_map_path)


def measure_plate(path: Path, plate: SimulatedPlate) -> Study:
    """Make a study of a simulated plate, segmented and measured."""
    study = create_study(path, plate)
    segment_study(study, "watershed", workers=1)
    measure_study(study, workers=1)
    return study


def predict_plate(path: Path, plate: SimulatedPlate) -> Study:
    """Make a study of a simulated plate with a classifier called ``forest`` and its predictions."""
    study = measure_plate(path, plate)
    train_study(study, "moa", settings=FOREST, workers=1)
    predict_study(study, "forest", workers=1)
    return study


def store_crops(study: Study, size_px: int, **options: Any) -> None:
    """Cut the plain crops of a size of the cells of a study."""
    store_images(study, plain_crops("watershed", size_px), workers=1, **options)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its name, with its bytes; folders count too, with none."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def map_of(wells: Iterable[str], **columns: Iterable[str]) -> pd.DataFrame:
    """Make a plate map as `read_plate_map` gives one: all text."""
    return pd.DataFrame({"well": list(wells), **{name: list(values) for name, values in columns.items()}}, dtype="str")
