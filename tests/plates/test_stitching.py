"""Fields of a well on one canvas: by stage position, in a grid where positions cannot be true; shrinking by means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.plates.acquisition import FieldKey
from cellvote.plates.stitching import grid_columns, place_fields, reduced, stitch

KEYS = [FieldKey("P", "A01", number) for number in range(1, 5)]
CORNERS = dict(zip(KEYS, [(0.0, 0.0), (5.0, 0.0), (0.0, 5.0), (5.0, 5.0)], strict=True))


def test_fields_lie_where_the_stage_was_with_y_downwards() -> None:
    placed = place_fields(KEYS, (10, 10), CORNERS, pixel_size_um=0.5)
    assert placed.by_stage
    assert placed.shape == (20, 20)
    assert placed.origins.tolist() == [[0, 0], [0, 10], [10, 0], [10, 10]]


def test_a_later_field_covers_an_earlier_one_where_they_overlap() -> None:
    positions = {KEYS[0]: (0.0, 0.0), KEYS[1]: (6.0, 0.0)}
    placed = place_fields(KEYS[:2], (10, 10), positions, pixel_size_um=1.0)
    canvas = stitch([np.full((10, 10), 1, np.uint8), np.full((10, 10), 2, np.uint8)], placed)
    assert canvas.shape == (10, 16)
    assert canvas[0].tolist() == [1] * 6 + [2] * 10


@pytest.mark.parametrize(
    ("positions", "pixel_size", "why"),
    [
        (dict.fromkeys(KEYS, (3.0, 3.0)), 1.0, "same stage position"),
        ({**CORNERS, KEYS[3]: (1e6, 5.0)}, 1.0, "too far apart"),
        ({**CORNERS, KEYS[3]: (float("nan"), 5.0)}, 1.0, "no stage position"),
        ({KEYS[0]: (0.0, 0.0)}, 1.0, "no stage position"),
        (CORNERS, None, "pixel size"),
    ],
)
def test_positions_that_cannot_be_true_give_a_grid_and_a_reason(positions, pixel_size, why: str) -> None:
    placed = place_fields(KEYS, (10, 10), positions, pixel_size)
    assert not placed.by_stage
    assert why in placed.note
    assert placed.origins.tolist() == [[0, 0], [0, 11], [11, 0], [11, 11]]


def test_without_positions_there_is_a_grid_and_nothing_to_explain() -> None:
    placed = place_fields(KEYS[:3], (10, 20), {}, 1.0)
    assert (placed.by_stage, placed.note, placed.shape) == (False, "", (21, 41))


@given(st.integers(0, 3000))
def test_a_grid_is_nearly_square_and_holds_everything(n: int) -> None:
    columns = grid_columns(n)
    rows = -(-n // columns)
    assert rows * columns >= n
    assert 0 <= columns - rows <= 1 or n <= 1


def test_a_field_that_cannot_be_read_leaves_a_gap() -> None:
    placed = place_fields(KEYS, (4, 4), {}, None)
    canvas = stitch([np.ones((4, 4)), None, np.ones((4, 4)), np.ones((4, 4))], placed)
    assert canvas[:4, 5:].sum() == 0
    assert canvas.sum() == 48


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_shrinking_takes_the_mean_of_each_block(step: int, height: int, width: int, dtype: type) -> None:
    image = np.random.default_rng(height * width).integers(0, 200, (height, width)).astype(dtype)
    small = reduced(image, step)
    assert small.dtype == dtype
    if height < step or width < step:
        return
    rows, columns = height // step, width // step
    blocks = image[: rows * step, : columns * step].reshape(rows, step, columns, step).astype(float).mean((1, 3))
    assert small.shape == blocks.shape
    assert np.abs(small - blocks).max() < (1 if np.issubdtype(dtype, np.integer) else 1e-3)


def test_bright_pixels_do_not_overflow() -> None:
    assert (reduced(np.full((512, 512), 65535, np.uint16), 256) == 65535).all()
