"""Figures of image quality, one plane at a time: grey values, focus, structure above noise, illumination."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels
from cellvote.quality.grey_values import GreyValues, count_grey_values
from cellvote.quality.sharpness import laplacian_variance, power_slope
from cellvote.quality.structure import bin_plane, structure_percent
from cellvote.quality.trend import fit_trend

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PlaneFigures:
    """What can be said of the quality of one plane.

    Attributes
    ----------
    minimum, median, maximum, mad
        Grey values; ``mad`` is the median absolute deviation.
    percentile_1, percentile_99
        Grey values.
    minimal_percent, maximal_percent
        Pixels that hold the smallest, and the largest, grey value of the plane.
    saturated_percent
        Pixels that pile up at the largest grey value; 0 where the largest is only the end of a tail, whatever the
        bit depth of the camera was (see `grey_values`).
    power_slope
        Slope of the power spectrum in double logarithm: the lower, the more blurred. Not a number where all pixels
        are the same.
    laplacian_variance
        Variance of the Laplacian over the squared median: fine detail, and noise.
    normalised_variance
        Variance over mean, the focus score of Groen et al. (1985).
    structure_percent
        Share of the area that stands out from background and noise.
    trend_percent
        Difference between the brightest and the dimmest part of a quadratic surface through the background, over
        the plane's median.
    trend_fit
        Share of the variance of the background that this surface explains, 0 to 1.
    """

    minimum: float
    median: float
    maximum: float
    mad: float
    percentile_1: float
    percentile_99: float
    minimal_percent: float
    maximal_percent: float
    saturated_percent: float
    power_slope: float
    laplacian_variance: float
    normalised_variance: float
    structure_percent: float
    trend_percent: float
    trend_fit: float

    def to_dict(self) -> dict[str, float]:
        """Give the figures by name."""
        return asdict(self)


FIGURES: Final = tuple(field.name for field in fields(PlaneFigures))
"""Names of the figures, in their order."""


def measure_plane(plane: Pixels) -> PlaneFigures:
    """Measure the quality of one plane.

    Parameters
    ----------
    plane
        YX, any real dtype, raw: pixels that were corrected or stretched say less of the camera.

    Returns
    -------
    PlaneFigures
        A plane of a single grey value has no slope, structure or trend.
    """
    grey: GreyValues = count_grey_values(plane)
    values: Plane = np.asarray(plane, np.float32)
    flat = grey.minimum == grey.maximum
    binned = bin_plane(values)
    trend = fit_trend(binned)
    return PlaneFigures(
        **grey.figures(),
        power_slope=float("nan") if flat else power_slope(values),
        laplacian_variance=_over(laplacian_variance(values), grey.median**2),
        normalised_variance=_over(grey.variance, grey.mean),
        structure_percent=0.0 if flat else structure_percent(values, binned - trend.surface, grey.step),
        trend_percent=100 * _over(trend.amplitude, abs(grey.median)),
        trend_fit=trend.explained,
    )


def measure_field(image_cyx: Pixels, channels: tuple[str, ...]) -> dict[str, Any]:
    """Measure the quality of each channel of a field.

    Parameters
    ----------
    image_cyx
        CYX, raw.

    Returns
    -------
    dict
        ``FIGURE_CHANNEL`` to number, channel by channel.
    """
    row: dict[str, Any] = {}
    for channel, plane in zip(channels, image_cyx, strict=True):
        row |= {f"{name}_{channel}": value for name, value in measure_plane(plane).to_dict().items()}
    return row


def _over(value: float, by: float) -> float:
    return float(value / by) if by > 0 else 0.0
