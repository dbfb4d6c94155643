"""Objects too faint to be nuclei, on images of known contrast and beside simulated nuclei."""

import numpy as np
import pytest

from cellvote.plates.pixels import Pixels
from cellvote.segmentation import segment_image
from cellvote.segmentation.nuclei.contrast import contrasts, drop_faint
from cellvote.study.masks import LabelImage
from cellvote.synthetic import PlateSettings, design_plate, simulate_field

DIAMETER_PX = 12.0


def draw_discs(heights: list[float], background: float = 100.0) -> tuple[Pixels, LabelImage]:
    """Draw discs side by side, each so much brighter than the background."""
    y, x = np.mgrid[:30, : 30 * len(heights)]
    label_image = np.zeros(y.shape, np.int32)
    image = np.full(y.shape, background, np.float32)
    for i, height in enumerate(heights):
        disc = (y - 15) ** 2 + (x - 15 - 30 * i) ** 2 <= (DIAMETER_PX / 2) ** 2
        label_image[disc] = i + 1
        image[disc] += height
    return image, label_image


def test_contrast_is_how_much_brighter_a_nucleus_is_than_what_is_around_it() -> None:
    image, label_image = draw_discs([50, 200, 7])
    assert contrasts(image, label_image, DIAMETER_PX) == pytest.approx([50, 200, 7])


def test_a_background_that_rises_does_not_raise_the_contrast() -> None:
    image, label_image = draw_discs([50, 50, 50])
    image = image + np.arange(image.shape[1], dtype=np.float32)
    assert contrasts(image, label_image, DIAMETER_PX) == pytest.approx([50, 50, 50], abs=1)


def test_pixels_of_neighbours_are_not_what_is_around_a_nucleus() -> None:
    image, label_image = draw_discs([100, 100])
    image[:, 22:30], label_image[:, 22:30] = 5000, 3
    assert contrasts(image, label_image, DIAMETER_PX)[0] == pytest.approx(100)


def test_what_stands_out_less_than_a_share_of_the_usual_is_dropped_and_the_rest_numbered_anew() -> None:
    image, label_image = draw_discs([100, 20, 110, 90, 26, 28, 100])
    kept = drop_faint(image, label_image, DIAMETER_PX, 0.3)
    assert np.array_equal(np.unique(kept), np.arange(6))
    assert np.unique(label_image[kept > 0]).tolist() == [1, 3, 4, 6, 7]
    assert np.array_equal(drop_faint(image, label_image, DIAMETER_PX, 0), label_image)


def test_neither_gain_nor_offset_of_the_camera_changes_what_is_faint() -> None:
    image, label_image = draw_discs([100, 20, 110, 90, 26, 28, 100])
    kept = drop_faint(image, label_image, DIAMETER_PX, 0.3)
    assert np.array_equal(drop_faint(image * 0.1 + 400, label_image, DIAMETER_PX, 0.3), kept)


def test_a_few_objects_do_not_say_what_is_usual_and_are_kept() -> None:
    image, label_image = draw_discs([100, 10, 100])
    assert np.array_equal(drop_faint(image, label_image, DIAMETER_PX, 0.3), label_image)


def test_nuclei_that_leave_no_room_for_a_ring_are_kept() -> None:
    label_image = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((6, 6), int)).astype(np.int32)
    image = (label_image * 10).astype(np.float32)
    assert np.isnan(contrasts(image, label_image, 6)).all()
    assert np.array_equal(drop_faint(image, label_image, 6, 0.3), label_image)


def test_faint_blobs_beside_nuclei_are_no_cells_unless_they_are_asked_for() -> None:
    settings = PlateSettings(field_size_px=256, cells_per_field=18, debris_per_field=0, seed=3)
    field = simulate_field(settings, next(iter(design_plate(settings).wells)))
    nuclear, away = field.image[0].astype(np.float32), field.nuclei == 0
    y, x = np.mgrid[:256, :256]
    usual = np.median(contrasts(nuclear, field.nuclei, 18))
    rooms = [
        (i, j) for i in range(20, 240, 10) for j in range(20, 240, 10) if away[i - 15 : i + 16, j - 15 : j + 16].all()
    ]
    assert rooms, "the simulated field has no room for a blob: take another seed"
    i, j = rooms[0]
    blob = nuclear + 0.2 * usual * np.exp(-((((y - i) ** 2 + (x - j) ** 2) / 9.0**2) ** 4))
    strict = segment_image(blob[None], "nuclei", smallest_nucleus=0.1)
    lenient = segment_image(blob[None], "nuclei", smallest_nucleus=0.1, least_contrast=0.0)
    assert strict.label_image[i, j] == 0
    assert lenient.label_image[i, j] > 0
