"""What is seen and what is true in a simulated field."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from cellvote.segmentation import make_segmenter
from cellvote.synthetic import (
    CHANNELS,
    PHENOTYPES,
    TRUTH_COLUMNS,
    PlateSettings,
    SimulatedField,
    SimulationError,
    WellPlan,
    design_plate,
    simulate_field,
)

SETTINGS = PlateSettings(field_size_px=200, cells_per_field=12, fields_per_well=1, seed=4)
DNA, _, REPORTER = range(len(CHANNELS))


def first_well(fits: Callable[[WellPlan], bool]) -> str:
    return next(well for well, plan in design_plate(SETTINGS).wells.items() if fits(plan))


@cache
def field_of(compound: str, concentration_um: float | None = None) -> SimulatedField:
    well = first_well(
        lambda plan: (plan.treatment.compound, plan.treatment.concentration_um) == (compound, concentration_um)
    )
    return simulate_field(SETTINGS, well)


def test_an_image_has_three_channels_of_twelve_bits() -> None:
    image = field_of("DMSO").image
    assert image.shape == (3, 200, 200)
    assert image.dtype == np.uint16
    assert image.max() < 2**12


def test_the_truth_has_one_row_for_each_cell_of_the_masks() -> None:
    field = field_of("DMSO")
    assert dict(field.cells.dtypes.astype(str)) == TRUTH_COLUMNS
    ids = field.cells["label_id"].tolist()
    assert ids == list(range(1, len(ids) + 1))
    assert np.unique(field.nuclei).tolist() == [0, *ids]
    assert np.unique(field.label_image).tolist() == [0, *ids]
    assert set(field.cells["phenotype"]) <= set(PHENOTYPES)


@pytest.mark.parametrize("treatment", [("DMSO", None), ("paclitaxel", 1.0), ("etoposide", 50.0)])
def test_each_true_centre_lies_in_its_own_nucleus(treatment: tuple[str, float | None]) -> None:
    field = field_of(*treatment)
    rows, columns = (field.cells[axis].round().astype(int).to_numpy() for axis in ("y", "x"))
    assert field.nuclei[rows, columns].tolist() == field.cells["label_id"].tolist()


def test_each_nucleus_lies_in_its_own_cell() -> None:
    field = field_of("paclitaxel", 1.0)
    inside = field.nuclei > 0
    assert (field.label_image[inside] == field.nuclei[inside]).all()
    assert field.label_image.astype(bool).sum() > inside.sum()


def test_the_empty_well_shows_background_and_no_cells() -> None:
    field = simulate_field(SETTINGS.model_copy(update={"debris_per_field": 0}), first_well(_holds_nothing))
    assert field.cells.empty
    assert list(field.cells) == list(TRUTH_COLUMNS)
    assert not field.label_image.any()
    assert field.image[DNA].max() < field_of("DMSO").image[DNA].max() / 2


def _holds_nothing(plan: WellPlan) -> bool:
    return not plan.treatment.compound


def test_the_reporter_moves_into_the_nucleus_of_treated_cells() -> None:
    def nucleus_over_cytoplasm(field: SimulatedField) -> float:
        reporter = field.image[REPORTER].astype(float)
        nucleus = field.nuclei > 0
        cytoplasm = (field.label_image > 0) & ~nucleus
        return float(reporter[nucleus].mean() / reporter[cytoplasm].mean())

    assert nucleus_over_cytoplasm(field_of("DMSO")) < 1 < nucleus_over_cytoplasm(field_of("wortmannin", 0.15))


def test_rounded_cells_are_small_and_enlarged_ones_large() -> None:
    def usual_area_px(field: SimulatedField) -> float:
        return float(np.median(np.bincount(field.label_image.ravel())[1:]))

    rounded, usual, enlarged = (
        usual_area_px(field_of(*t)) for t in (("paclitaxel", 1.0), ("DMSO", None), ("etoposide", 50.0))
    )
    assert rounded < 0.7 * usual < usual < enlarged


def test_a_field_does_not_depend_on_what_else_is_simulated() -> None:
    more = SETTINGS.model_copy(update={"fields_per_well": 3})
    simulate_field(more, "B02", 2)
    alone, among = simulate_field(SETTINGS, "B02"), simulate_field(more, "b2", 1)
    assert (alone.image == among.image).all()
    assert (alone.image != simulate_field(more, "B02", 3).image).any()


def test_a_field_out_of_focus_has_weaker_edges() -> None:
    blurred = design_plate(SETTINGS).blurred
    assert blurred is not None
    field = simulate_field(SETTINGS, *blurred)

    def steepness(image: np.ndarray) -> float:
        return float(np.percentile(np.abs(np.diff(image.astype(float), axis=0)), 99.5))

    assert len(field.cells) > 0
    assert steepness(field.image[DNA]) < 0.5 * steepness(field_of("DMSO").image[DNA])


def test_without_plate_effects_corners_are_as_bright_as_the_middle() -> None:
    bare = SETTINGS.model_copy(update={"cells_per_field": 0, "debris_per_field": 0})

    def corner_over_middle(strength: float) -> float:
        image = simulate_field(bare.model_copy(update={"plate_effects": strength}), "C03").image[1]
        return float(image[:20, :20].mean() / image[90:110, 90:110].mean())

    assert corner_over_middle(0) == pytest.approx(1, abs=0.01)
    assert corner_over_middle(1) < 0.97


@pytest.mark.parametrize(
    ("well", "field", "reason"), [("Z01", 1, "no well Z01"), ("A01", 2, "no field 2"), ("?", 1, "not a well")]
)
def test_a_field_that_is_not_on_the_plate_is_refused(well: str, field: int, reason: str) -> None:
    with pytest.raises(SimulationError, match=reason):
        simulate_field(SETTINGS, well, field)


def test_the_watershed_finds_the_true_nuclei_and_none_where_there_are_none() -> None:
    fields = [field_of("DMSO"), field_of("wortmannin", 0.15), field_of("paclitaxel", 1.0)]
    empty = simulate_field(SETTINGS, first_well(_holds_nothing))
    segmenter = make_segmenter("watershed", {}, CHANNELS, [field.image for field in [*fields, empty]])
    n_true = sum(len(field.cells) for field in fields)
    found = [segmenter.segment(field.image) for field in fields]
    n_found = sum(one.n_cells for one in found)
    n_matched = sum(
        _matches(field.nuclei, one.nuclei) for field, one in zip(fields, found, strict=True) if one.nuclei is not None
    )
    assert 2 * n_matched / (n_true + n_found) > 0.9
    assert segmenter.segment(empty.image).n_cells <= 1


def _matches(true: np.ndarray, found: np.ndarray) -> int:
    """Count true objects that a found one covers with an intersection over union above one half."""
    both = np.zeros((true.max() + 1, found.max() + 1), int)
    np.add.at(both, (true, found), 1)
    union = both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both
    return int((both / union > 0.5)[1:, 1:].sum())
