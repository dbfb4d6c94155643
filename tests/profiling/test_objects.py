"""Objects: the pixels of each label id, as runs along the rows."""

import numpy as np
import pytest

from cellvote.profiling.objects import Objects
from cellvote.profiling.shape import shape_measurements
from cellvote.study.masks import LabelImage


def image_of(text: str) -> LabelImage:
    """Read a label image from digits, rows parted by blanks."""
    return np.array([[int(digit) for digit in row] for row in text.split()], np.int32)


def test_runs_are_sorted_by_object_then_by_place() -> None:
    objects = Objects.of(image_of("5022 2055"))
    assert objects.label_ids.tolist() == [2, 5]
    assert objects.starts.tolist() == [0, 2, 4]
    assert objects.runs.tolist() == [[0, 2, 4], [1, 0, 1], [0, 0, 1], [1, 2, 4]]
    assert objects.area.tolist() == [3, 3]
    assert objects.bounding_box.tolist() == [[0, 0, 2, 4], [0, 0, 2, 4]]


def test_an_image_without_objects_has_none() -> None:
    objects = Objects.of(np.zeros((3, 4), np.int32))
    assert len(objects) == 0
    assert objects.bounding_box.shape == (0, 4)
    assert objects.centroid.shape == (0, 2)
    assert objects.touches_border.shape == (0,)
    assert all(len(values) == 0 for values in shape_measurements(objects).values())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.int64, np.uint64, ">i4"])
def test_the_integer_type_of_a_label_image_makes_no_difference(dtype: type) -> None:
    label_image = image_of("1100 1102 0022 0222")
    said, same = (Objects.of(image) for image in (label_image, label_image.astype(dtype)))
    for name in ("label_ids", "starts", "runs"):
        np.testing.assert_array_equal(getattr(said, name), getattr(same, name), err_msg=name)


@pytest.mark.parametrize("largest", [2**31 - 1, 2**40])
def test_large_label_ids_take_no_more_memory(largest: int) -> None:
    objects = Objects.of(np.array([[largest, 0, 7], [largest, 0, 7]]))
    assert objects.label_ids.tolist() == [7, largest]
    assert objects.area.tolist() == [2, 2]


def test_negative_numbers_are_background() -> None:
    assert Objects.of(np.array([[-1, -1, 3], [-(2**40), 0, 3]])).label_ids.tolist() == [3]
    assert Objects.of(np.array([[-1, -1, 3]], np.int32)).label_ids.tolist() == [3]


def test_a_transposed_view_is_read_as_it_looks() -> None:
    label_image = image_of("110 102 002 222")
    np.testing.assert_array_equal(Objects.of(label_image.T).runs, Objects.of(label_image.T.copy()).runs)
