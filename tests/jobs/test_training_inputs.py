"""What a classifier is to be fed follows from its architecture, and what it cannot be fed is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny_plates import spot_study, write_spots

from cellvote.errors import SettingsError
from cellvote.jobs.field_measurements import field_feature_names
from cellvote.jobs.training_inputs import choose_inputs
from cellvote.jobs.training_plan import plan_training
from cellvote.learning.inputs import Inputs
from cellvote.learning.settings import TrainSettings
from cellvote.profiling.measurements import feature_columns
from cellvote.profiling.whole_fields import measure_field
from cellvote.study import Study


def inputs_of(study: Study, segmentation: str = "watershed", **settings: Any) -> Inputs:
    return choose_inputs(study, segmentation, TrainSettings(**settings))


def test_a_forest_is_fed_every_measurement_and_no_image(finished_study: Study) -> None:
    inputs = inputs_of(finished_study, architecture="forest")
    assert (inputs.parts, inputs.size_px, inputs.n_channels) == (("measurements",), None, 0)
    assert inputs.columns == tuple(feature_columns(finished_study.read_cells("watershed")))


def test_fusion_is_fed_mask_flows_and_measurements_as_streams_of_their_own(finished_study: Study) -> None:
    inputs = inputs_of(finished_study, architecture="fusion")
    assert inputs.parts == ("mask", "flows", "measurements")
    assert inputs.separate
    assert inputs.n_channels == 4
    assert inputs.columns == tuple(feature_columns(finished_study.read_cells("watershed")))
    assert inputs.size_px is not None
    assert min(inputs.size_px) >= 32


@pytest.mark.parametrize("architecture", ["small-resnet", "resnet18", "timm:resnet18"])
def test_networks_are_fed_the_pixels_of_all_channels(finished_study: Study, architecture: str) -> None:
    inputs = inputs_of(finished_study, architecture=architecture)
    assert (inputs.parts, inputs.separate) == (("pixels",), False)
    assert inputs.channels == finished_study.channels
    assert inputs.n_channels == 3


def test_mask_and_flows_are_stacked_on_the_channels_where_a_network_takes_one_image(finished_study: Study) -> None:
    parts = ("pixels", "mask", "flows", "measurements")
    inputs = inputs_of(finished_study, architecture="small-resnet", parts=parts, channels=("DNA",))
    assert inputs.n_channels == 1 + 4 + 4
    assert inputs.columns


def test_crops_are_as_large_as_the_architecture_takes_them(finished_study: Study) -> None:
    free = inputs_of(finished_study, architecture="small-resnet").size_px
    whole = inputs_of(finished_study, architecture="vit-b32-simple").size_px
    assert free is not None
    assert whole is not None
    assert whole[0] % 32 == 0
    assert 0 <= whole[0] - free[0] < 32
    assert inputs_of(finished_study, architecture="deep-cnn").size_px >= (38, 38)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "forest", "parts": ("pixels",)}, "measurements only"),
        ({"architecture": "small-resnet", "parts": ("measurements",)}, "is fed images"),
        ({"architecture": "small-resnet", "parts": ("mask", "mask")}, "names one twice"),
        ({"architecture": "fusion", "parts": ("mask", "flows")}, "in this order"),
        ({"architecture": "embeddings", "parts": ("mask",)}, "of pixels"),
        ({"architecture": "embeddings", "scale": "none"}, "scale=plate"),
        ({"architecture": "vit-b32-simple", "crop_size_px": 40}, "multiples of 32 px, not 40×40.*another crop_size_px"),
        ({"architecture": "small-resnet", "channels": ("Nope",)}, "no channel 'Nope'"),
    ],
    ids=str,
)
def test_what_an_architecture_cannot_be_fed_is_refused(
    finished_study: Study, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        inputs_of(finished_study, **settings)


def test_whole_fields_are_fed_as_they_are_or_resized(tmp_path: Path) -> None:
    study = spot_study(tmp_path / "s", write_spots(tmp_path / "i"))
    plain = inputs_of(study, "", unit="field", architecture="small-resnet")
    assert (plain.unit, plain.size_px, plain.cut) == ("field", (32, 32), "pad")
    resized = inputs_of(study, "", unit="field", architecture="small-resnet", field_size_px=(16, 24))
    assert (resized.size_px, resized.cut) == ((16, 24), "rescale")
    with pytest.raises(SettingsError, match="at least 38 px, not 32×32 px.*another field_size_px"):
        inputs_of(study, "", unit="field", architecture="deep-cnn")


def test_the_size_of_fields_is_that_of_the_first_one_that_can_be_read(tmp_path: Path) -> None:
    folder = write_spots(tmp_path / "i")
    study = spot_study(tmp_path / "s", folder)
    (folder / "P1" / "A01_s1_GFP.tif").write_bytes(b"")
    plan = plan_training(study, "spot", TrainSettings(unit="field", architecture="small-resnet"))
    assert plan.inputs.size_px == (32, 32)


def test_without_cells_fields_are_measured_as_a_whole(tmp_path: Path) -> None:
    study = spot_study(tmp_path / "s", write_spots(tmp_path / "i"))
    inputs = inputs_of(study, "", unit="field", architecture="forest")
    assert inputs.columns == field_feature_names(study)
    assert {"whole_intensity_mean_GFP", "bright_share"} <= set(inputs.columns)


def test_every_field_has_the_measurements_that_the_plan_names(tmp_path: Path) -> None:
    study = spot_study(tmp_path / "s", write_spots(tmp_path / "i"))
    names = field_feature_names(study)
    assert tuple(measure_field(study.read_field(study.fields[0]), study.channels)) == names
    assert tuple(measure_field(np.zeros((1, 40, 50), np.uint16), study.channels)) == names
