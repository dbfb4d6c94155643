"""Examples of a study: whole fields and crops stored once, scaled by plate, controls, image or the classifier."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

from cellvote.errors import CancelledError, PlateMapError, StudyError
from cellvote.jobs.examples import (
    examples_of,
    learn_constants,
    measurement_matrix,
    store_inputs,
    stored_parts,
    unreadable_fields,
)
from cellvote.jobs.field_measurements import (
    field_measurements_are_current,
    field_measurements_path,
    measure_fields,
    read_field_measurements,
)
from cellvote.jobs.stored_images import store_images, stored_fields, usual_field_size_px
from cellvote.learning.examples import Examples
from cellvote.learning.inputs import Inputs
from cellvote.learning.networks.feeding import Feed
from cellvote.learning.scaling import FeedingConstants
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.atomic import read_json, write_json, write_table
from cellvote.study.image_files import StoredPart, is_current, open_images

SHAPE = (24, 40)
FIELDS = Inputs(unit="field", parts=("pixels",), channels=("GFP",), size_px=SHAPE, scale="plate")


def write_plates(folder: Path, gains: dict[str, float], dtype: type = np.uint16, **shapes: tuple[int, int]) -> Path:
    """Write one image for each of six wells of each plate, all of the same content but for the plate's gain."""
    for plate, gain in gains.items():
        for i, well in enumerate(("A01", "A02", "A03", "B01", "B02", "B03")):
            grey = np.random.default_rng(i).gamma(4, 100, shapes.get(well, SHAPE)) * (1 + (i == 5)) * gain
            path = folder / plate / f"{well}_s1_GFP.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, grey.astype(dtype))
    return folder


def create(path: Path, folder: Path, controls: bool = True) -> Study:
    table = pd.DataFrame({"well": ["A01", "A02", "B03"], "control_type": ["negative", "negative", ""]})
    pattern = r"(?P<plate>[^/]+)/(?P<well>\w\d\d)_s(?P<field>\d)_(?P<channel>\w+)\.tif"
    return Study.create(path, read_plate(folder, pattern=pattern), table if controls else ())


def seen(examples: Examples) -> torch.Tensor:
    ((stream,),) = Feed(examples, torch.device("cpu")).batches([np.arange(len(examples))])
    return stream


def fields_of(study: Study, inputs: Inputs = FIELDS, constants: FeedingConstants | None = None) -> torch.Tensor:
    store_inputs(study, "", inputs, workers=1)
    rows = np.arange(len(study.fields))
    return seen(examples_of(study, "", inputs, rows, constants or learn_constants(study, "", inputs, rows)))


def test_whole_fields_need_no_segmentation_and_keep_their_shape(tmp_path: Path) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1}))
    assert usual_field_size_px(study) == SHAPE
    assert fields_of(study).shape == (6, 1, *SHAPE)
    assert {path.name for path in (study.path / "fields").iterdir()} == {
        f"fields-24x40.{kind}" for kind in ("npy", "json", "parquet")
    }
    part = stored_parts(FIELDS, "")["pixels"]
    for row, key in enumerate(study.fields):
        assert np.array_equal(open_images(study, part).array[row], study.read_field(key))
    assert not (stored_fields(study, part)["image_hash"] == "").any()


@pytest.mark.parametrize("scale", ["plate", "control", "image"])
def test_a_plate_that_was_exposed_twice_as_long_looks_the_same(tmp_path: Path, scale: str) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1, "P2": 2}))
    images = fields_of(study, FIELDS.model_copy(update={"scale": scale}))
    torch.testing.assert_close(images[:6], images[6:], atol=0.06, rtol=0)  # a grey value near black, under the root


def test_by_the_constants_of_the_classifier_a_brighter_plate_stays_brighter(tmp_path: Path) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1, "P2": 2}))
    inputs = FIELDS.model_copy(update={"scale": "none"})
    store_inputs(study, "", inputs, workers=1)
    constants = learn_constants(study, "", inputs, np.arange(6))
    images = fields_of(study, inputs, constants)
    assert float(images[6:].mean()) > 1.3 * float(images[:6].mean())
    assert constants == FeedingConstants.model_validate(constants.model_dump(mode="json"))


def test_controls_give_the_same_scale_whatever_else_is_on_the_plate(tmp_path: Path) -> None:
    plain = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1}))
    folder = write_plates(tmp_path / "j", {"P1": 1})
    for well in ("A03", "B01", "B02"):
        tifffile.imwrite(folder / "P1" / f"{well}_s1_GFP.tif", np.full(SHAPE, 60_000, np.uint16))
    bright = create(tmp_path / "t", folder)
    inputs = FIELDS.model_copy(update={"scale": "control"})
    one, other = fields_of(plain, inputs), fields_of(bright, inputs)
    assert torch.equal(one[[0, 1, 5]], other[[0, 1, 5]])
    assert not torch.equal(fields_of(plain)[[0, 1, 5]], fields_of(bright)[[0, 1, 5]])


def test_a_plate_without_negative_controls_is_named(tmp_path: Path) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1}), controls=False)
    with pytest.raises(PlateMapError, match=r"P1 has no negative control.*control_type"):
        fields_of(study, FIELDS.model_copy(update={"scale": "control"}))


def test_a_field_of_another_size_is_left_out_or_resized(tmp_path: Path) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1}, A03=(30, 30)))
    store_inputs(study, "", FIELDS, workers=1)
    lost = unreadable_fields(study, "", FIELDS)
    assert lost["well"].tolist() == ["A03"]
    assert "field_size_px" in lost["error"].iloc[0]
    resized = FIELDS.model_copy(update={"size_px": (16, 16), "cut": "rescale"})
    assert fields_of(study, resized).shape == (6, 1, 16, 16)
    assert unreadable_fields(study, "", resized).empty


def test_images_of_floats_keep_their_differences_in_uint16(tmp_path: Path) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1e-3}, np.float32))
    whole = create(tmp_path / "t", write_plates(tmp_path / "j", {"P1": 1}))
    torch.testing.assert_close(fields_of(study), fields_of(whole), atol=0.06, rtol=0)
    images = open_images(study, stored_parts(FIELDS, "")["pixels"])
    assert images.array.dtype == np.uint16
    grey = images.array[0] * images.gain[:, None, None] + images.offset[:, None, None]
    np.testing.assert_allclose(grey, study.read_field(study.fields[0]), atol=2e-4)


def test_storing_that_was_stopped_goes_on_with_the_fields_that_are_left(tmp_path: Path) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1}))
    part, token, told = stored_parts(FIELDS, "")["pixels"], CancelToken(), list[Progress]()

    def stop(progress: Progress) -> None:
        if progress.done == 3:
            token.cancel()

    with pytest.raises(CancelledError):
        store_images(study, part, workers=1, report=stop, cancel=token)
    assert not is_current(study, part)
    store_images(study, part, workers=1, report=told.append)
    assert 0 < told[-1].total <= 3
    assert all(image.any() for image in open_images(study, part).array)
    assert sorted(path.suffix for path in (study.path / "fields").iterdir()) == [".json", ".npy", ".parquet"]


def test_masks_and_flows_of_cells_are_stored_beside_their_pixels(study: Study) -> None:
    inputs = Inputs(parts=("pixels", "mask", "flows"), channels=study.channels[1:2], size_px=(24, 24), scale="plate")
    store_inputs(study, "watershed", inputs, workers=1)
    cells = study.read_cells("watershed")
    examples = examples_of(study, "watershed", inputs, np.array([3, 0]), FeedingConstants())
    assert examples.n_channels == (9,)
    layout = examples.layouts[0]
    assert (layout.vectors, layout.jittered) == (((5, 6),), (0,))
    images = seen(examples)
    assert images.shape == (2, 9, 24, 24)
    assert torch.equal(images[:, 1], images[:, 8])  # the cell itself, of mask and of flows
    for image, row in zip(images, (3, 0), strict=True):
        assert float(image[1].sum()) == pytest.approx(min(cells["area"].iloc[row], 24 * 24), abs=60)
    assert float(images[:, 5:7].abs().max()) <= 1
    apart = examples_of(
        study, "watershed", inputs.model_copy(update={"separate": True}), np.array([0]), FeedingConstants()
    )
    assert apart.n_channels == (1, 4, 4)


def test_rescaled_and_zeroed_crops_show_nothing_but_the_cell(study: Study) -> None:
    inputs = Inputs(
        parts=("pixels",), channels=study.channels, size_px=(32, 32), cut="rescale", background="zeroed", scale="plate"
    )
    store_inputs(study, "watershed", inputs, workers=1)
    mask = Inputs(parts=("mask",), size_px=(32, 32), cut="rescale", background="zeroed")
    store_inputs(study, "watershed", mask, workers=1)
    pixels = open_images(study, stored_parts(inputs, "watershed")["pixels"]).array
    own = open_images(study, stored_parts(mask, "watershed")["mask"]).array[:, 0] >= 128
    assert not pixels.max(axis=1)[~own].any()
    assert (pixels.max(axis=1)[own] > 0).mean() > 0.9


def test_measurements_are_filled_and_standardised_by_training_cells(study: Study) -> None:
    inputs = Inputs(parts=("measurements",), columns=("area",), channels=study.channels)
    rows = np.arange(20)
    constants = learn_constants(study, "watershed", inputs, rows)
    examples = examples_of(study, "watershed", inputs, rows, constants)
    assert examples.measurements is not None
    assert examples.measurements.mean() == pytest.approx(0, abs=1e-5)
    assert examples.measurements.std() == pytest.approx(1, abs=1e-4)
    assert constants.standardised(np.array([[np.nan]], np.float32)) == pytest.approx(
        (constants.medians[0] - constants.means[0]) / constants.deviations[0]
    )
    of_fields = measurement_matrix(study, "watershed", inputs.model_copy(update={"unit": "field"}))
    cells = study.read_cells("watershed")
    key = study.fields[0]
    own = cells[(cells["well"] == key.well) & (cells["field"] == key.field)]
    assert of_fields[0, 0] == pytest.approx(own["area"].median())


def test_masks_of_whole_fields_need_a_segmentation(study: Study) -> None:
    inputs = Inputs(unit="field", parts=("pixels", "mask"), channels=study.channels, size_px=(96, 96), scale="image")
    store_inputs(study, "watershed", inputs, workers=1)
    images = seen(examples_of(study, "watershed", inputs, np.array([0]), FeedingConstants()))
    assert images.shape == (1, len(study.channels) + 4, 96, 96)


def test_no_field_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    folder = write_plates(tmp_path / "i", {"P1": 1})
    study = create(tmp_path / "s", folder)
    for path in folder.rglob("*.tif"):
        path.unlink()
    with pytest.raises(StudyError, match="cannot be read"):
        store_images(study, StoredPart("field", "pixels", SHAPE), workers=1)
    assert FieldKey("P1", "A01", 1) in study.fields


def test_fields_that_an_older_version_measured_are_measured_anew(tmp_path: Path) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1}))
    measure_fields(study, workers=1)
    path = field_measurements_path(study)
    measured, note = read_field_measurements(study), path.with_suffix(".json")
    older = {k: v for k, v in read_json(note).items() if k not in {"names", "version"}}  # as it noted it
    for told in (older, read_json(note) | {"version": 1}):
        write_table(path, measured.drop(columns=[n for n in measured if n.startswith("central_")]))
        write_json(note, told)
        assert not field_measurements_are_current(study)
        measure_fields(study, workers=1)
        pd.testing.assert_frame_equal(read_field_measurements(study), measured)
    assert field_measurements_are_current(study)


def test_whole_fields_are_measured_without_a_segmentation(tmp_path: Path) -> None:
    study = create(tmp_path / "s", write_plates(tmp_path / "i", {"P1": 1, "P2": 2}))
    inputs = Inputs(unit="field", parts=("measurements",), channels=study.channels, scale="plate")
    store_inputs(study, "", inputs, workers=1)
    table = read_field_measurements(study)
    assert table["well"].tolist() == ["A01", "A02", "A03", "B01", "B02", "B03"] * 2
    own = study.read_field(study.fields[5])
    assert table["whole_intensity_mean_GFP"].iloc[5] == pytest.approx(own.mean())
    assert 0 < table["bright_share"].min() < table["bright_share"].max() < 1
    inputs = inputs.model_copy(update={"columns": ("whole_intensity_mean_GFP", "bright_share")})
    matrix = measurement_matrix(study, "", inputs)
    np.testing.assert_allclose(matrix[:6], matrix[6:], atol=0.01)
    assert unreadable_fields(study, "", inputs).empty
