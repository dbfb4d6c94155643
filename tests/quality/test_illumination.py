"""Illumination functions against shading that is known."""

import numpy as np
import numpy.typing as npt
import pytest

from cellvote.errors import StudyError
from cellvote.quality.illumination import IlluminationSettings, average_to_grid, illumination_function
from cellvote.study.illumination import divide

SHAPE = (180, 260)


def shading() -> npt.NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    known = 1 - 0.35 * (0.8 * x + 0.3 * y + x**2 + y**2) / 2
    return known / known.mean()


def fields(n: int, offset: float = 0.0) -> list[npt.NDArray[np.uint16]]:
    """Make fields of background and random cells, shaded."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    made = []
    for _ in range(n):
        light = np.full(SHAPE, 400.0)
        for _ in range(25):
            y, x = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1])
            light += 1500 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 60)
        made.append(rng.poisson(light * shading() + offset).astype(np.uint16))
    return made


def function_of(images: list[npt.NDArray[np.uint16]], **settings: object) -> npt.NDArray[np.float32]:
    grids = np.stack([average_to_grid(image[None])[0] for image in images])
    return illumination_function(grids, SHAPE, IlluminationSettings.model_validate(settings))


def error_of(function: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((function / shading() - 1) ** 2)))


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_shading_is_found_to_a_few_percent(statistic: str) -> None:
    found = function_of(fields(48), statistic=statistic)
    assert found.shape == SHAPE
    assert found.dtype == np.float32
    assert found.mean() == pytest.approx(1, abs=0.02)
    assert error_of(found) < 0.04 < error_of(np.ones(SHAPE, np.float32))


def test_corrected_fields_are_even() -> None:
    images = fields(48)
    function = function_of(images)
    left, right = (np.s_[:, :60], np.s_[:, -60:])

    def difference(image: npt.NDArray[np.generic]) -> float:
        return abs(float(np.median(image[left]) / np.median(image[right])) - 1)

    before = np.mean([difference(image) for image in images])
    after = np.mean([difference(divide(image, function, 0.0)) for image in images])
    assert after < before / 4


def test_an_offset_of_the_camera_hides_shading_unless_it_is_given() -> None:
    images = fields(48, offset=1000)
    assert error_of(function_of(images, offset=1000)) < error_of(function_of(images)) / 2


def test_an_offset_that_leaves_no_light_is_refused() -> None:
    with pytest.raises(StudyError, match="leaves no light"):
        function_of(fields(3), offset=5000)


def test_rescaled_to_its_minimum_only_the_darkest_corner_is_made_brighter() -> None:
    found = function_of(fields(8), rescale="minimum")
    assert np.percentile(found, 2) == pytest.approx(1, abs=0.01)
    assert (found < 0.999).mean() < 0.03


def test_black_fields_need_no_correction() -> None:
    assert (function_of([np.zeros(SHAPE, np.uint16)] * 3) == 1).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.int32, np.float32])
def test_corrected_pixels_keep_their_dtype_and_range(dtype: type[np.generic]) -> None:
    largest = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    plane = np.full((2, 2), largest).astype(dtype)
    corrected = divide(plane, np.array([[0.5, 1.0], [2.0, 1.0]], np.float32), 0.0)
    assert corrected.dtype == dtype
    assert corrected[1, 0] == pytest.approx(largest / 2, abs=0.51)
    assert corrected[0, 0] == (2.0 if dtype is np.float32 else largest)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_the_brightest_pixel_of_64_bits_does_not_become_the_darkest(dtype: type[np.generic]) -> None:
    plane = np.full((1, 1), np.iinfo(dtype).max, dtype)
    assert divide(plane, np.full((1, 1), 0.5, np.float32), 0.0)[0, 0] > np.iinfo(dtype).max // 1.001


def test_what_the_camera_writes_without_light_stays() -> None:
    plane = np.full((1, 2), 100, np.uint16)
    assert divide(plane, np.array([[0.5, 2.0]], np.float32), 100.0).tolist() == [[100, 100]]


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (64, 64), (65, 130)])
def test_images_of_any_size_have_a_function_of_their_size(shape: tuple[int, int]) -> None:
    grid = average_to_grid(np.full((1, *shape), 7, np.uint16))
    found = illumination_function(grid, shape, IlluminationSettings())
    assert found.shape == shape
    assert found == pytest.approx(1)
