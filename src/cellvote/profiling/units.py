"""The units of the measurements, by their names."""

import re
from typing import Final

_UNITS: Final = (
    ("label_id|plate|well|field|touches_border|degenerate", ""),
    ("centroid_[yx]|bbox_[yx]_(?:min|max)", "px"),
    ("area|area_convex|nucleus_area", "px²"),
    ("perimeter|axis_(?:major|minor)_length", "px"),
    ("orientation", "rad"),
    ("eccentricity|solidity|extent|nucleus_share", ""),
    ("intensity_(?:mean|min|max|std)_.+", "grey values"),
    ("nucleus_(?:cytoplasm_ratio|ring_ratio|ring_contrast)_.+", ""),
    ("texture_(?:contrast|variance|sum_variance|difference_variance)_.+", "levels²"),
    (r"texture_sum_average_.+", "levels"),
    ("texture_(?:entropy|sum_entropy|difference_entropy)_.+", "bits"),
    (
        "texture_(?:angular_second_moment|correlation|inverse_difference_moment|information_[12])_.+",
        "",
    ),
    (r"granularity_\d+_.+", "%"),
    ("radial_(?:fraction|mean|cv)_.+", ""),
    (r"neighbours_(?:touching|touching_share|within_\d+px)", ""),
    ("neighbours_(?:first|second)_distance", "px"),
    (r"pattern_(?:\d|mixed)_\d+px_.+", ""),
    (r"(?:blobs|edges)_(?:mean|std|min|max)_\d+px_.+", ""),
    (r"polar_(?:mean|harmonic_\d)_\d+of\d+_.+", ""),
    (r"moments_hu_\d|radius_harmonic_\d", ""),
    ("radius_(?:min|max)", "px"),
    ("correlation_(?:pearson|overlap|k1|k2|manders1|manders2)_.+", ""),
)
"""What names look like, and the unit; empty for numbers, shares, ratios and names. No name looks like two of them."""


def find_unit(measurement: str) -> str | None:
    """Name the unit of a measurement; empty where it has none (numbers, shares, ratios), None where it is not ours."""
    return next((unit for name, unit in _UNITS if re.fullmatch(name, measurement, re.DOTALL)), None)


def unit_of(measurement: str) -> str:
    """Name the unit of a measurement; empty where it has none, or is not known."""
    return find_unit(measurement) or ""
