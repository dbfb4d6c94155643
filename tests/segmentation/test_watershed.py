"""The watershed on simulated fields whose masks are known, and on images that hold nothing."""

import numpy as np
import pytest

from cellvote.errors import ChannelError, SegmentationError, SettingsError
from cellvote.plates.pixels import Pixels
from cellvote.segmentation import Segmentation, Segmenter, make_segmenter
from cellvote.segmentation.watershed import WatershedSettings
from cellvote.study.masks import LabelImage
from cellvote.synthetic import CHANNELS, PlateSettings, SimulatedField, design_plate, simulate_field

SETTINGS = PlateSettings(field_size_px=256, cells_per_field=18, debris_per_field=1, seed=3)


@pytest.fixture(scope="module")
def fields() -> list[SimulatedField]:
    """Return simulated fields, one for each mechanism."""
    wells = {plan.treatment.moa: well for well, plan in design_plate(SETTINGS).wells.items() if plan.treatment.moa}
    return [simulate_field(SETTINGS, well) for _, well in sorted(wells.items())]


@pytest.fixture(scope="module")
def segmenter(fields: list[SimulatedField]) -> Segmenter:
    """Return a watershed whose settings were measured on the simulated fields."""
    return make_segmenter("watershed", {}, CHANNELS, [field.image for field in fields])


@pytest.fixture(scope="module")
def found(segmenter: Segmenter, fields: list[SimulatedField]) -> list[Segmentation]:
    """Return the segmentation of each field."""
    return [segmenter.segment(field.image) for field in fields]


def n_matches(truth: LabelImage, said: LabelImage) -> int:
    """Count the objects that overlap by more than half (IoU > 0.5): each has one partner at most."""
    overlap = np.zeros((truth.max() + 1, said.max() + 1), np.int64)
    np.add.at(overlap, (truth.ravel(), said.ravel()), 1)
    union = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0, keepdims=True) - overlap
    return int((overlap / np.maximum(union, 1) > 0.5)[1:, 1:].sum())


def nuclei_of(segmentation: Segmentation) -> LabelImage:
    assert segmentation.nuclei is not None
    return segmentation.nuclei


def ids_of(label_image: LabelImage) -> list[int]:
    return [int(i) for i in np.unique(label_image) if i]


def test_nine_nuclei_of_ten_are_found(fields: list[SimulatedField], found: list[Segmentation]) -> None:
    n_right = sum(n_matches(field.nuclei, nuclei_of(one)) for field, one in zip(fields, found, strict=True))
    n_true = sum(len(ids_of(field.nuclei)) for field in fields)
    n_said = sum(len(ids_of(nuclei_of(one))) for one in found)
    assert n_true > 30
    assert 2 * n_right / (n_true + n_said) >= 0.9


def test_most_cells_are_found_with_their_outline(fields: list[SimulatedField], found: list[Segmentation]) -> None:
    n_right = sum(n_matches(field.label_image, one.label_image) for field, one in zip(fields, found, strict=True))
    n_true = sum(len(ids_of(field.label_image)) for field in fields)
    assert 2 * n_right / (n_true + sum(one.n_cells for one in found)) > 0.7


def test_label_ids_run_from_one_without_gaps(found: list[Segmentation]) -> None:
    for one in found:
        assert ids_of(one.label_image) == list(range(1, one.n_cells + 1))
        assert one.label_image.dtype == nuclei_of(one).dtype == np.int32


def test_each_cell_holds_its_nucleus_and_bears_its_label_id(found: list[Segmentation]) -> None:
    for one in found:
        nuclei = nuclei_of(one)
        assert ids_of(nuclei) == ids_of(one.label_image)
        assert np.array_equal(one.label_image[nuclei > 0], nuclei[nuclei > 0])


def test_nearly_every_cell_has_a_cytoplasm(found: list[Segmentation]) -> None:
    pairs = [(np.bincount(one.label_image.ravel())[1:], np.bincount(nuclei_of(one).ravel())[1:]) for one in found]
    areas, nucleus_areas = (np.concatenate(part) for part in zip(*pairs, strict=True))
    assert (areas >= nucleus_areas).all()
    assert (areas > nucleus_areas).mean() > 0.95


def test_the_same_image_and_settings_give_the_same_label_image(
    segmenter: Segmenter, fields: list[SimulatedField], found: list[Segmentation]
) -> None:
    again = segmenter.segment(fields[0].image)
    assert np.array_equal(again.label_image, found[0].label_image)


def test_nothing_is_left_automatic_in_the_settings_of_a_segmenter(segmenter: Segmenter) -> None:
    settings = segmenter.settings.model_dump()
    assert None not in settings.values()
    assert "" not in settings.values()
    again = make_segmenter("watershed", settings, CHANNELS, [])
    assert again.settings == segmenter.settings


def test_the_nuclei_channel_is_found_by_looking_where_no_name_tells_it(fields: list[SimulatedField]) -> None:
    order = [2, 0, 1]
    made = make_segmenter("watershed", {}, ("w1", "w2", "w3"), [field.image[order] for field in fields])
    assert made.settings.model_dump()["nuclei_channel"] == "w2"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_the_type_of_the_pixels_makes_no_difference(
    segmenter: Segmenter, fields: list[SimulatedField], found: list[Segmentation], dtype: type
) -> None:
    said = segmenter.segment(fields[0].image.astype(dtype))
    assert np.array_equal(said.label_image, found[0].label_image)


# Images that hold nothing


def noise(level: float) -> Pixels:
    random = np.random.default_rng(0)
    return random.poisson(level, (3, 128, 128)).astype(np.uint16)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 64, 64), np.uint16),
        np.full((3, 64, 64), 65535, np.uint16),
        np.zeros((3, 64, 64), np.float32),
        noise(100),
        noise(2000),
    ],
    ids=["black", "saturated", "black floats", "noise", "bright noise"],
)
def test_an_image_without_cells_has_none(segmenter: Segmenter, image: Pixels) -> None:
    said = segmenter.segment(image)
    assert said.n_cells == 0
    assert not said.label_image.any()
    assert not nuclei_of(said).any()
    assert said.label_image.shape == image.shape[1:]


def test_a_constant_plate_can_be_segmented_and_has_no_cells() -> None:
    black = np.zeros((2, 64, 64), np.uint16)
    assert make_segmenter("watershed", {}, ("a", "b"), [black]).segment(black).n_cells == 0


def test_empty_fields_in_the_sample_do_not_change_what_is_measured(
    segmenter: Segmenter, fields: list[SimulatedField]
) -> None:
    sample = [np.zeros_like(fields[0].image), *(field.image for field in fields)]
    assert make_segmenter("watershed", {}, CHANNELS, sample).settings == segmenter.settings


# Settings


def test_one_channel_alone_gives_nuclei_as_cells(fields: list[SimulatedField]) -> None:
    image = fields[0].image[:1]
    made = make_segmenter("watershed", {}, ("DNA",), [image])
    said = made.segment(image)
    assert made.settings.model_dump()["cells_channel"] == "none"
    assert said.nuclei is None
    assert n_matches(fields[0].nuclei, said.label_image) >= 0.8 * len(ids_of(fields[0].nuclei))


def test_of_two_channels_the_other_one_shows_the_cells(fields: list[SimulatedField]) -> None:
    made = make_segmenter("watershed", {}, ("Actin", "DNA"), [field.image[[1, 0]] for field in fields])
    assert made.settings.model_dump()["cells_channel"] == "Actin"


def test_without_a_cells_channel_only_nuclei_are_found(fields: list[SimulatedField], segmenter: Segmenter) -> None:
    settings = segmenter.settings.model_dump() | {"cells_channel": "none"}
    said = make_segmenter("watershed", settings, CHANNELS, []).segment(fields[0].image)
    assert said.nuclei is None
    assert np.array_equal(said.label_image, nuclei_of(segmenter.segment(fields[0].image)))


def test_cells_reach_no_further_than_they_may_grow(fields: list[SimulatedField], segmenter: Segmenter) -> None:
    settings = segmenter.settings.model_dump() | {"growth_px": 0.0}
    said = make_segmenter("watershed", settings, CHANNELS, []).segment(fields[0].image)
    assert np.array_equal(said.label_image, nuclei_of(said))


@pytest.mark.parametrize("name", ["nuclei_channel", "cells_channel"])
def test_a_channel_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(ChannelError, match="no channel 'Nope'; the images have: DNA, Actin, Reporter"):
        make_segmenter("watershed", {name: "Nope"}, CHANNELS, [])


def test_a_channel_may_be_named_in_any_case_or_by_its_number(fields: list[SimulatedField]) -> None:
    for wanted in ("dna", "1"):
        made = make_segmenter("watershed", {"nuclei_channel": wanted}, CHANNELS, [fields[0].image])
        assert made.settings.model_dump()["nuclei_channel"] == "DNA"


def test_a_setting_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(SettingsError) as caught:
        make_segmenter("watershed", {"diameter": 3}, CHANNELS, [])
    assert "no setting 'diameter'" in str(caught.value)
    assert all(name in str(caught.value) for name in WatershedSettings.model_fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nucleus_diameter_px", 1),
        ("threshold_factor", 0),
        ("smallest_nucleus", 2),
        ("growth_px", -1),
        ("growth_px", "a"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"the setting '{name}' cannot be {value!r}"):
        make_segmenter("watershed", {name: value}, CHANNELS, [])


@pytest.mark.parametrize("shape", [(2, 32, 32), (4, 32, 32), (32, 32)])
def test_an_image_of_another_number_of_channels_is_refused(segmenter: Segmenter, shape: tuple[int, ...]) -> None:
    with pytest.raises(SegmentationError, match="3 channels"):
        segmenter.segment(np.zeros(shape, np.uint16))
