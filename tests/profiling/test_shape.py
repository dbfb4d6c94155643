"""Shapes are those of scikit-image's ``regionprops``, on any label image."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import disk, line
from skimage.measure import label as label_regions
from skimage.measure import regionprops_table

from cellvote.profiling.objects import Objects
from cellvote.profiling.shape import shape_measurements
from cellvote.study.masks import LabelImage

EXACT = ("area", "area_convex", "solidity", "extent", "bbox-0", "bbox-1", "bbox-2", "bbox-3")
WITHIN = ("perimeter", "eccentricity", "axis_major_length", "axis_minor_length", "centroid-0", "centroid-1")


def image_of(text: str) -> LabelImage:
    """Read a label image from digits, rows parted by blanks."""
    return np.array([[int(digit) for digit in row] for row in text.split()], np.int32)


@st.composite
def label_images(draw: st.DrawFn) -> LabelImage:
    """Draw random blobs, single pixels, rings and lines, with label ids in any order and with gaps.

    Some label ids have several pieces; many objects have holes or lie on the border.
    """
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    field = ndimage.gaussian_filter(random.normal(size=(height, width)), draw(st.sampled_from([0, 0.7, 1.5, 3])))
    regions = label_regions(field > np.quantile(field, draw(st.floats(0, 0.95))), connectivity=draw(st.integers(1, 2)))
    ids = np.concatenate([[0], random.permutation(3 * regions.max() + 7)[: regions.max()] + 1])
    if draw(st.booleans()):
        ids[1:] = random.choice(ids[1:], len(ids) - 1) if len(ids) > 1 else ids[1:]
    image = ids[regions]
    for _ in range(draw(st.integers(0, 3))):  # straight lines at any angle
        ends = random.integers(0, (height, width), (2, 2))
        image[line(*ends[0], *ends[1])] = random.integers(1, 40)
    return image.astype(np.int32)


@settings(max_examples=80)
@given(label_images())
@example(image_of("1"))
@example(image_of("0000 0100 0000"))
@example(image_of("1111"))
@example(image_of("1 1 1"))
@example(image_of("100 010 001"))
@example(image_of("111 101 111"))
@example(image_of("11111 10001 10201 10001 11111"))
@example(image_of("9900 9900 0044 0044"))
@example(image_of("1010 0101 1010"))
@example(image_of("100000 000000 000001"))
@example(image_of("1000001"))
@example(image_of("01010 00000 10001"))
@example(np.full((3, 3), 70000, np.int32))
def test_every_shape_is_that_of_scikit_image(label_image: LabelImage) -> None:
    objects = Objects.of(label_image)
    expected = regionprops_table(
        label_image,
        properties=("label", "area", "area_convex", "solidity", "extent", "bbox", "perimeter", "eccentricity",
                    "axis_major_length", "axis_minor_length", "orientation", "centroid", "inertia_tensor"),
    )  # fmt: skip
    said = shape_measurements(objects)
    assert objects.label_ids.tolist() == expected["label"].tolist()
    for i in range(4):
        said[f"bbox-{i}"] = objects.bounding_box[:, i]
    for i in range(2):
        said[f"centroid-{i}"] = objects.centroid[:, i]
    for name in EXACT:
        np.testing.assert_array_equal(said[name], expected[name], err_msg=name)
    for name in WITHIN:
        np.testing.assert_allclose(said[name], expected[name], rtol=1e-6, atol=1e-6, err_msg=name)
    assert_same_orientation(said["orientation"], expected)


def assert_same_orientation(said: np.ndarray, expected: dict[str, np.ndarray]) -> None:
    """Compare directions (half turns are the same), passing over objects that have none."""
    a, b, c = (expected[f"inertia_tensor-{place}"] for place in ("0-0", "0-1", "1-1"))
    directed = np.hypot(a - c, 2 * b) > 1e-6
    turned = np.abs(said - expected["orientation"])[directed]
    np.testing.assert_allclose(np.minimum(turned, np.abs(turned - np.pi)), 0, atol=1e-6)


def test_a_square_by_hand() -> None:
    said = shape_measurements(Objects.of(image_of("00000 01110 01110 01110 00000")))
    assert said["area"] == 9
    assert said["perimeter"] == 8
    assert said["solidity"] == said["extent"] == 1
    assert said["eccentricity"] == 0
    assert said["axis_major_length"] == said["axis_minor_length"] == pytest.approx(4 * np.sqrt(2 / 3))


def test_a_line_by_hand() -> None:
    said = shape_measurements(Objects.of(image_of("000000 011110 000000")))
    assert said["axis_major_length"] == pytest.approx(4 * np.sqrt(5 / 4))
    assert said["axis_minor_length"] == 0
    assert said["eccentricity"] == 1
    assert abs(said["orientation"]) == pytest.approx(np.pi / 2)


def test_the_hull_of_a_large_disk_is_that_of_scikit_image() -> None:
    label_image = np.zeros((300, 310), np.int32)
    label_image[disk((150.3, 140.7), 131.9)] = 4
    said = shape_measurements(Objects.of(label_image))
    expected = regionprops_table(label_image, properties=("area_convex", "solidity", "perimeter"))
    assert said["area_convex"] == expected["area_convex"]
    assert said["solidity"] == expected["solidity"]
    np.testing.assert_allclose(said["perimeter"], expected["perimeter"], rtol=1e-12)
