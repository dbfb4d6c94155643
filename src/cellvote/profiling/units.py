"""The units of the measurements, by their names."""

from typing import Final

_EXACT: Final = {
    "area": "px²",
    "area_convex": "px²",
    "nucleus_area": "px²",
    "perimeter": "px",
    "axis_major_length": "px",
    "axis_minor_length": "px",
    "neighbours_first_distance": "px",
    "neighbours_second_distance": "px",
}
_INTENSITIES: Final = ("intensity_mean_", "intensity_min_", "intensity_max_", "intensity_std_")


def unit_of(measurement: str) -> str:
    """Name the unit of a measurement; empty where it has none (shares, ratios) or it is not known."""
    if measurement.startswith(_INTENSITIES):
        return "grey values"
    if measurement.startswith("granularity_"):
        return "%"
    return _EXACT.get(measurement, "")
