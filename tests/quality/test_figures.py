"""Figures of planes whose blur, saturation, emptiness and shading are known."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from cellvote.quality.figures import FIGURES, measure_field, measure_plane
from cellvote.synthetic import PlateSettings, simulate_field

SETTINGS = PlateSettings(rows=2, columns=2, field_size_px=256, cells_per_field=25, debris_per_field=0, seed=5)
Plane = npt.NDArray[np.uint16]


@pytest.fixture(scope="module")
def sharp() -> Plane:
    return simulate_field(SETTINGS, "A01").image[0]


def background(seed: int = 0, size_px: int = 256, level: float = 300.0) -> npt.NDArray[np.float64]:
    return level + 12 * np.random.default_rng(seed).standard_normal((size_px, size_px))


def counted(light: npt.NDArray[np.float64], largest: int = 4095) -> Plane:
    return np.clip(np.rint(light), 0, largest).astype(np.uint16)


def disc(size_px: int, radius_px: float, y: float, x: float) -> npt.NDArray[np.bool_]:
    rows, columns = np.mgrid[:size_px, :size_px]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius_px**2


# Focus


def blurred(plane: Plane, sigma_px: float) -> Plane:
    """Blur light, then count it: the noise stays that of the camera."""
    noise = 6 * np.random.default_rng(1).standard_normal(plane.shape)
    return counted(ndimage.gaussian_filter(plane.astype(float), sigma_px, mode="reflect") + noise)


def test_the_more_blurred_the_lower_the_slope(sharp: Plane) -> None:
    slopes = [measure_plane(blurred(sharp, sigma)).power_slope for sigma in (0.5, 2, 4, 8)]
    assert slopes == sorted(slopes, reverse=True)
    assert slopes[0] - slopes[1] > 0.5


def test_a_strong_blur_is_not_taken_for_a_sharp_image_full_of_noise(sharp: Plane) -> None:
    assert measure_plane(blurred(sharp, 12)).power_slope < measure_plane(sharp).power_slope - 1.5


def test_brightness_does_not_change_the_slope(sharp: Plane) -> None:
    one, twice = (measure_plane((sharp.astype(np.uint32) * k).astype(np.uint16)).power_slope for k in (1, 3))
    assert one == pytest.approx(twice, abs=1e-4)


def test_the_slope_of_a_known_spectrum_is_found() -> None:
    size = 512
    rng = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = 1
    amplitude = frequency**-1.5  # power f⁻³ in each place: f⁻² summed over rings
    plane = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) * amplitude).real
    assert measure_plane(plane.astype(np.float32)).power_slope == pytest.approx(-2, abs=0.15)


@pytest.mark.parametrize("shape", [(200, 300), (301, 203), (64, 512)])
def test_planes_that_are_not_square_have_a_slope_like_square_ones(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    tall = ndimage.gaussian_filter(rng.standard_normal((512, 512)), 3)
    plane = (tall * 1e4).astype(np.float32)
    expected = measure_plane(plane).power_slope
    assert measure_plane(plane[: shape[0], : shape[1]]).power_slope == pytest.approx(expected, abs=1.2)


def test_a_tiny_plane_has_no_slope_and_raises_nothing() -> None:
    for shape in ((1, 1), (2, 7), (8, 8), (30, 40)):
        plane = np.random.default_rng(0).integers(0, 99, shape, dtype=np.uint16)
        assert np.isnan(measure_plane(plane).power_slope)


# Saturation


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (12, np.uint16), (14, np.uint16), (16, np.uint16)])
def test_saturation_is_seen_whatever_the_bits_of_the_camera(bits: int, dtype: type[np.generic]) -> None:
    largest = 2**bits - 1
    light = background() * largest / 4095
    for y, x in ((60, 60), (120, 200), (200, 90)):
        light += 2.5 * largest * np.exp(-((np.hypot(*np.mgrid[-y : 256 - y, -x : 256 - x]) / 14) ** 2))
    plane = np.clip(np.rint(light), 0, largest).astype(dtype)
    expected = 100 * (light >= largest - 0.5).mean()
    assert measure_plane(plane).saturated_percent == pytest.approx(expected, rel=1e-9)
    assert expected > 1


def test_a_bright_image_that_does_not_reach_the_end_is_not_saturated(sharp: Plane) -> None:
    assert measure_plane(sharp).saturated_percent == 0
    assert measure_plane((sharp * 10).astype(np.uint16)).saturated_percent == 0


def test_a_dark_image_of_few_grey_values_is_not_saturated() -> None:
    plane = np.random.default_rng(0).poisson(0.7, (256, 256)).astype(np.uint8)
    assert measure_plane(plane).saturated_percent == 0


def test_black_is_not_saturated_and_white_is() -> None:
    assert measure_plane(np.zeros((64, 64), np.uint16)).saturated_percent == 0
    assert measure_plane(np.full((64, 64), 4095, np.uint16)).saturated_percent == 100


# Emptiness


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_structure(seed: int) -> None:
    assert measure_plane(counted(background(seed))).structure_percent < 0.2


def test_a_single_speck_is_hardly_a_structure() -> None:
    light = background()
    light[disc(256, 3, 100, 100)] = 4000
    assert measure_plane(counted(light)).structure_percent < 0.6


def test_hot_pixels_are_hardly_a_structure() -> None:
    light = background()
    light[np.random.default_rng(0).integers(0, 256, 12), np.random.default_rng(1).integers(0, 256, 12)] = 4000
    assert measure_plane(counted(light)).structure_percent < 1


def test_dim_cells_are_a_structure() -> None:
    light = background()
    for y in range(30, 256, 60):
        for x in range(30, 256, 60):
            light[disc(256, 9, y, x)] += 12  # as much as the noise of a pixel
    assert measure_plane(counted(light)).structure_percent > 3


def test_cells_that_cover_everything_are_a_structure() -> None:
    texture = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((256, 256)), 6)
    assert measure_plane(counted(background() + 200 + 2000 * texture)).structure_percent > 10


@pytest.mark.parametrize("strength", [0.1, 0.5])
def test_shading_is_no_structure(strength: float) -> None:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    light = 1000 * (1 - strength * (x**2 + y**2) / 2) + 12 * np.random.default_rng(0).standard_normal((256, 256))
    assert measure_plane(counted(light)).structure_percent < 1


def test_noise_that_neighbours_share_is_no_structure() -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((512, 512)), 0.7)
    assert measure_plane(counted(300 + 40 * noise)).structure_percent < 0.5


# Illumination


def test_the_trend_is_how_much_background_differs_over_the_median() -> None:
    x = np.linspace(0, 1, 256)[None, :]
    light = 1000 * (1 - 0.4 * x) + 5 * np.random.default_rng(0).standard_normal((256, 256))
    figures = measure_plane(counted(light))
    assert figures.trend_percent == pytest.approx(100 * 0.4 / 0.8, rel=0.1)
    assert figures.trend_fit > 0.95


def test_an_even_background_has_no_trend() -> None:
    figures = measure_plane(counted(background()))
    assert figures.trend_percent < 1


# Grey values


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_grey_values_are_those_of_numpy(dtype: type[np.generic]) -> None:
    plane = np.random.default_rng(0).gamma(2, 20, (101, 99)).clip(0, 255).astype(dtype)
    figures = measure_plane(plane)
    assert (figures.minimum, figures.maximum) == (plane.min(), plane.max())
    ordered = np.sort(plane.ravel())
    assert figures.median == ordered[(len(ordered) - 1) // 2]
    assert figures.normalised_variance == pytest.approx(plane.astype(float).var() / plane.astype(float).mean())
    assert figures.minimal_percent == pytest.approx(100 * (plane == plane.min()).mean())
    assert figures.mad == pytest.approx(np.median(np.abs(plane.astype(float) - figures.median)), abs=0.5)


def test_each_channel_of_a_field_has_every_figure() -> None:
    row = measure_field(np.zeros((2, 16, 16), np.uint16), ("DNA", "A b"))
    assert list(row) == [f"{figure}_{channel}" for channel in ("DNA", "A b") for figure in FIGURES]
