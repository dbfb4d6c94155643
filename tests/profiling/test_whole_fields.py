"""Measurements of whole fields: of the image, of what is bright, and of the bright part in the middle."""

import numpy as np
import pytest

from cellvote.profiling import measure_cells
from cellvote.profiling.whole_fields import bright_parts, bright_pixels, measure_field

SIZE = 64


def crop(*disks: tuple[int, int, int], noise: int = 3) -> np.ndarray:
    """Draw bright disks, given by y, x and radius, on a dim image."""
    y, x = np.mgrid[:SIZE, :SIZE]
    image = np.random.default_rng(0).integers(20, 20 + noise, (SIZE, SIZE))
    for at_y, at_x, radius in disks:
        image[np.hypot(y - at_y, x - at_x) <= radius] += 100 + at_x
    return image.astype(np.uint16)[None]


def test_the_nucleus_in_the_middle_is_measured_as_a_cell_would_be() -> None:
    image = crop((30, 33, 9), (10, 12, 8), (55, 50, 5))
    said = measure_field(image, ["DNA"])
    y, x = np.mgrid[:SIZE, :SIZE]
    own = (np.hypot(y - 30, x - 33) <= 9).astype(np.int32)
    sets = ("texture", "radial_distribution", "outline")
    (cell,) = measure_cells(image, own, ["DNA"], sets=sets).to_dict("records")
    for name in ("area", "intensity_mean_DNA", "texture_entropy_3px_DNA", "radial_fraction_2of4_DNA", "radius_max"):
        assert said[f"central_{name}"] == pytest.approx(cell[name]), name
    assert said["bright_parts"] == 3
    assert said["bright_area"] > said["central_area"]


def test_neighbours_change_nothing_of_the_shape_in_the_middle() -> None:
    alone, among = measure_field(crop((32, 32, 8)), ["DNA"]), measure_field(crop((32, 32, 8), (8, 50, 7)), ["DNA"])
    for name in ("area", "perimeter", "moments_hu_1", "radius_harmonic_3"):
        assert alone[f"central_{name}"] == among[f"central_{name}"]
    assert (alone["bright_parts"], among["bright_parts"]) == (1, 2)


def test_what_is_bright_holds_no_grey_value_of_the_background() -> None:
    image = crop((32, 32, 8))
    for dtype in (np.uint8, np.uint16):
        assert image[0][bright_pixels(image.astype(dtype), ["DNA"]) > 0].min() > 100


def test_specks_are_no_parts() -> None:
    few = np.zeros((SIZE, SIZE), np.int32)
    few[30:33, 30:33] = 1  # 9 px², in the middle
    few[5:15, 5:15] = 1
    assert np.unique(bright_parts(few)).tolist() == [0, 1]
    assert bright_parts(few)[31, 31] == 0
    large = np.zeros((400, 400), np.int32)
    large[10:110, 10:110] = large[200:300, 200:300] = 1
    large[350:359, 350:359] = 1  # 81 px², where nuclei have 10,000
    assert bright_parts(large).max() == 2


def test_a_field_without_light_has_the_same_names_and_no_part() -> None:
    dark, bright = measure_field(np.zeros((1, 40, 50), np.uint16), ["DNA"]), measure_field(crop((32, 32, 9)), ["DNA"])
    assert list(dark) == list(bright)
    assert (dark["bright_parts"], dark["bright_share"]) == (0, 0)
    assert np.isnan([value for name, value in dark.items() if name.startswith(("central_", "bright_area"))]).all()


def test_the_middle_of_a_large_field_is_measured_as_in_a_cut_of_it() -> None:
    large = np.random.default_rng(0).integers(20, 23, (1, 300, 300)).astype(np.uint16)
    large[:, 118:182, 118:182] = crop((31, 31, 9))
    cut = large[:, 60:240, 60:240]
    whole, part = measure_field(large, ["DNA"]), measure_field(cut, ["DNA"])
    for name in (n for n in whole if n.startswith("central_")):
        assert whole[name] == pytest.approx(part[name], rel=1e-9, nan_ok=True), name
