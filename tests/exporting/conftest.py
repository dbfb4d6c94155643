"""Studies to export, and the specification to hold an export against."""

import shutil
from collections.abc import Callable
from pathlib import Path

import ome_zarr_models.v04.hcs
import ome_zarr_models.v04.image
import ome_zarr_models.v04.labels
import ome_zarr_models.v04.well
import ome_zarr_models.v05.hcs
import pytest
import zarr
from pydantic_zarr import v2
from tests.tiny_plates import create_study

from cellvote.jobs.profile import profile_study
from cellvote.jobs.segment import segment_study
from cellvote.study import Study
from cellvote.synthetic import PlateSettings, SimulatedPlate, write_plate

SETTINGS = PlateSettings(rows=2, columns=2, fields_per_well=2, field_size_px=300, cells_per_field=8, name="P 7")
"""Large enough for two levels."""


@pytest.fixture(scope="session")
def larger_plate(tmp_path_factory: pytest.TempPathFactory) -> SimulatedPlate:
    return write_plate(tmp_path_factory.mktemp("larger"), SETTINGS)


@pytest.fixture(scope="session")
def segmented_study(larger_plate: SimulatedPlate, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a study with masks of cells and nuclei; only to be read."""
    study = create_study(tmp_path_factory.mktemp("studies") / "segmented", larger_plate)
    segment_study(study, "watershed", workers=1)
    return study


@pytest.fixture
def own_study(segmented_study: Study, larger_plate: SimulatedPlate, tmp_path: Path) -> Study:
    """Return a segmented study with images of its own, to be changed at will."""
    plate = SimulatedPlate(
        shutil.copytree(larger_plate.folder, tmp_path / "images"),
        larger_plate.settings,
        larger_plate.plate_map,
        larger_plate.truth,
    )
    study = create_study(tmp_path / "own", plate)
    shutil.copytree(segmented_study.path / "segmentations", study.path / "segmentations")
    return study


@pytest.fixture(scope="session")
def validate() -> Callable[[Path, str], int]:
    """Give a function that holds a plate against the specification, and says how many wells it has."""
    # ome-zarr-models 1.6 leaves names open that pydantic 2.14 does not look up by itself.
    known = {"GroupSpec": v2.GroupSpec, "ArraySpec": v2.ArraySpec}
    for model in (
        ome_zarr_models.v04.labels.Labels,
        ome_zarr_models.v04.image.Image,
        ome_zarr_models.v04.well.Well,
        ome_zarr_models.v04.hcs.HCS,
    ):
        model.model_rebuild(_types_namespace=known)

    def run(store: Path, version: str) -> int:
        models = {"0.4": ome_zarr_models.v04.hcs.HCS, "0.5": ome_zarr_models.v05.hcs.HCS}
        plate = models[version].from_zarr(zarr.open_group(store, mode="r"))
        return len(list(plate.well_groups))

    return run


@pytest.fixture
def profiled_study(study: Study) -> Study:
    """Return a study with profiles, to be changed at will."""
    profile_study(study, settings={"min_controls": 3, "exclude": "none"})
    return study
