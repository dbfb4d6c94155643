"""How cells are drawn that are not the study's."""

import numpy as np
import pytest

from cellvote.gui.cell_outlines import compare_cells, draw_cells, outline_px, outlines


def squares(*places: tuple[int, int, int], size: int = 30) -> np.ndarray:
    labels = np.zeros((size, size), np.int32)
    for label_id, (y, x, side) in enumerate(places, start=1):
        labels[y : y + side, x : x + side] = label_id
    return labels


def test_an_outline_lies_inside_its_cell() -> None:
    masks = squares((5, 5, 10))
    drawn = outlines(masks, 1)
    assert (drawn > 0).sum() == 4 * 9
    assert set(np.unique(drawn[masks == 0])) == {0}
    assert (outlines(masks, 2) > 0).sum() == 4 * 9 + 4 * 7


def test_cells_that_touch_have_an_outline_each() -> None:
    masks = squares((5, 5, 10), (5, 15, 10))
    drawn = outlines(masks, 1)
    assert drawn[10, 14] == 1
    assert drawn[10, 15] == 2
    assert drawn[10, 10] == 0


def test_a_large_field_has_wider_outlines() -> None:
    assert outline_px(np.zeros((640, 640), np.int32)) == 1
    assert outline_px(np.zeros((1080, 1080), np.int32)) == 2
    assert outline_px(np.zeros((2160, 2160), np.int32)) == 4


def test_filled_cells_keep_their_label_ids() -> None:
    masks = squares((5, 5, 10), (20, 20, 5))
    drawn = draw_cells(masks, "filled")
    assert np.array_equal(drawn.values, masks)
    assert drawn.values.dtype == np.uint16
    assert drawn.colours is None


@pytest.mark.parametrize("drawing", ["outlines", "filled"])
def test_cells_without_a_partner_stand_out(drawing) -> None:
    masks, others = squares((2, 2, 8), (20, 20, 8)), squares((3, 2, 8), (2, 20, 6))
    compared = compare_cells(masks, others, drawing)
    assert compared.agreement is not None
    assert compared.there is not None
    assert compared.agreement.matched.tolist() == [[1, 1]]
    for drawn, labels, alone in ((compared.here, masks, 2), (compared.there, others, 2)):
        kinds = (drawn.values.astype(int) - 1) % 2
        seen = drawn.values > 0
        assert set(kinds[seen & (labels == alone)]) == {1}
        assert set(kinds[seen & (labels == 1)]) == {0}
        assert drawn.colours[2][3] > drawn.colours[1][3], "stronger where there is no partner"
        assert not drawn.values[labels == 0].any()


def test_without_another_segmentation_there_is_a_reason_and_no_figures() -> None:
    compared = compare_cells(squares((2, 2, 8)), None, "outlines", "not segmented")
    assert (compared.there, compared.agreement, compared.problem) == (None, None, "not segmented")
