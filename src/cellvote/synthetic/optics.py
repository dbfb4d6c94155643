"""Light to grey values: a microscope that blurs and vignettes, and a 12-bit camera."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cellvote.synthetic.painting import Light


@dataclass(frozen=True)
class Microscope:
    """What the light goes through.

    Attributes
    ----------
    psf_sigma_um
        Blur in focus.
    focus_log_sd
        How far that blur differs between fields, as a standard deviation of its logarithm.
    out_of_focus_sigma_um
        Blur of a field that the autofocus missed.
    haze, haze_size_um
        Share of the light that comes from above and below the focus, and how wide it spreads.
    background
        Photo-electrons of medium and plate, where there are no cells.
    vignetting
        Share of the light that is missing in the corners.
    """

    psf_sigma_um: float = 0.55
    focus_log_sd: float = 0.12
    out_of_focus_sigma_um: float = 6.0
    haze: float = 0.15
    haze_size_um: float = 14.0
    background: float = 45.0
    vignetting: float = 0.28


@dataclass(frozen=True)
class Camera:
    """What counts the light: offset and noise in grey values, one grey value for each photo-electron."""

    offset: float = 180.0
    read_noise: float = 4.0
    largest: int = 4095


MICROSCOPE: Final = Microscope()
CAMERA: Final = Camera()


def focus(light: Light, rng: np.random.Generator, pixel_size_um: float, *, in_focus: bool) -> Light:
    """Blur a CYX canvas by the point spread function and add the haze around bright things."""
    scope = MICROSCOPE
    sharp = scope.psf_sigma_um * np.exp(scope.focus_log_sd * rng.standard_normal())
    sigma = (sharp if in_focus else scope.out_of_focus_sigma_um) / pixel_size_um
    size = max(1, round(scope.haze_size_um / pixel_size_um))
    focused = np.empty_like(light)
    for index, plane in enumerate(light):
        haze = ndimage.uniform_filter(ndimage.uniform_filter(plane, size), size)
        focused[index] = ndimage.gaussian_filter(plane, sigma, truncate=3) + scope.haze * haze
    return focused


def illuminate(light: Light, brightness: tuple[float, ...], strength: float) -> Light:
    """Scale each channel of a CYX field, add the background, dim the corners; each dye has its own lamp."""
    scope = MICROSCOPE
    side = np.linspace(-1, 1, light.shape[1], dtype=np.float32)
    lit = np.empty_like(light)
    for index, (plane, scale) in enumerate(zip(light, brightness, strict=True)):
        off_centre = np.float32(0.15 * (index - 1))
        away = (side[:, None] - off_centre) ** 2 + (side[None, :] + off_centre) ** 2
        lit[index] = (plane * scale + scope.background) * (1 - strength * scope.vignetting * away / 2)
    return lit


def expose(light: Light, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Take the picture: shot noise (normal: there are tens of photo-electrons and more) and read noise."""
    noise = np.sqrt(light + np.float32(CAMERA.read_noise**2)) * rng.standard_normal(light.shape, dtype=np.float32)
    counted = np.rint(light + noise + np.float32(CAMERA.offset))
    grey: npt.NDArray[np.uint16] = np.clip(counted, 0, CAMERA.largest).astype(np.uint16)
    return grey
