"""Where wells lie in a picture."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.gui.plate_geometry import PlateGeometry
from cellvote.plates.wells import PLATE_SHAPES

shapes = st.sampled_from(list(PLATE_SHAPES.values()))


@given(shapes, st.integers(200, 1500), st.integers(150, 1200), st.sampled_from([1.0, 1.25, 1.5, 2.0]))
def test_every_well_is_found_where_it_is_painted_and_within_the_picture(
    shape: tuple[int, int], width: int, height: int, ratio: float
) -> None:
    geometry = PlateGeometry.fit(shape, (width, height), (20, 16), ratio)
    for well, (x, y, w, h) in geometry.rects.items():
        assert geometry.well_at(x + w / 2, y + h / 2) == well
        assert x >= 19
        assert x + w <= width
        assert y + h <= height


@given(st.integers(300, 1500), st.sampled_from([1.0, 1.5, 2.0]))
def test_small_wells_lie_on_whole_pixels_of_the_screen(width: int, ratio: float) -> None:
    geometry = PlateGeometry.fit((32, 48), (width, 4000), (20, 16), ratio)
    edges = [edge * ratio for x, y, w, h in geometry.rects.values() for edge in (x, y, x + w, y + h)]
    assert edges == pytest.approx([round(edge) for edge in edges])


@given(shapes, st.integers(220, 900))
def test_names_never_run_into_each_other(shape: tuple[int, int], width: int) -> None:
    geometry = PlateGeometry.fit(shape, (width, 900), (20, 16))
    numbers = [number for number, _ in geometry.named_columns(20)]
    assert numbers[0] == 1
    assert all((b - a) * geometry.pitch >= 20 for a, b in pairwise(numbers))


def test_rows_beyond_z_are_named_with_two_letters() -> None:
    geometry = PlateGeometry.fit((32, 48), (360, 300), (20, 16))
    assert dict(geometry.named_rows(11))[31] == "AE"


def test_an_outline_goes_round_neighbours_once() -> None:
    geometry = PlateGeometry.fit((8, 12), (400, 300), (20, 16))
    assert len(geometry.outline(frozenset({"A01"}))) == 4
    assert len(geometry.outline(frozenset({"A01", "A02", "B01", "B02"}))) == 8
    assert len(geometry.outline(frozenset({"A01", "B02"}))) == 8


def test_few_wells_are_no_larger_than_they_need_be() -> None:
    geometry = PlateGeometry.fit((2, 3), (900, 900), (20, 16))
    assert geometry.rect("A01")[2] < 60
    left, right = geometry.rect("A01")[0] - 20, 900 - sum(geometry.rect("A03")[::2])
    assert abs(left - right) < 8, "they stand in the middle"
