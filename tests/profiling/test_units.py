"""Units of measurements, known by their names."""

import numpy as np
import pytest

from cellvote.profiling import measure_cells
from cellvote.profiling.settings import SET_NAMES
from cellvote.profiling.units import find_unit, unit_of

PLACES = ("plate", "well", "field")


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("area", "px²"),
        ("perimeter", "px"),
        ("orientation", "rad"),
        ("solidity", ""),
        ("intensity_mean_nucleus_DNA", "grey values"),
        ("nucleus_ring_contrast_DNA", ""),
        ("texture_variance_3px_DNA", "levels²"),
        ("texture_sum_entropy_3px_DNA", "bits"),
        ("texture_information_1_3px_DNA", ""),
        ("granularity_4_DNA", "%"),
        ("neighbours_first_distance", "px"),
        ("blobs_max_2px_DNA", ""),
        ("radius_harmonic_2", ""),
        ("radius_max", "px"),
        ("neighbours_within_5px", ""),
    ],
)
def test_units_are_known_by_name(name: str, unit: str) -> None:
    assert unit_of(name) == unit


@pytest.mark.parametrize("channels", [("DNA", "Actin"), ("area", "_px"), ("a\nb", "c")], ids=["plain", "odd", "odder"])
def test_every_column_of_every_set_has_a_unit_or_is_known_to_have_none(channels: tuple[str, str]) -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[4:16, 4:16], labels[20:34, 6:20] = 1, 2
    nuclei = np.where(np.pad(np.ones((20, 20), bool), 10), labels, 0)
    image = np.random.default_rng(0).integers(0, 4000, (2, 40, 40)).astype(np.uint16)
    table = measure_cells(image, labels, channels, nuclei, sets=SET_NAMES)
    assert len(table.columns) > 60
    assert [name for name in (*PLACES, *table) if find_unit(name) is None] == []


def test_what_is_no_measurement_has_no_unit() -> None:
    assert find_unit("size") is None
    assert unit_of("size") == ""
