"""Measurements under the names that CellProfiler and the Cytomining tools know."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from cellvote.profiling.profiles import split_profile_column

Compartment = Literal["Cells", "Nuclei", "Cytoplasm"]

_SHAPE: Final = {
    "area": "Area",
    "area_bbox": "BoundingBoxArea",
    "area_convex": "ConvexArea",
    "axis_major_length": "MajorAxisLength",
    "axis_minor_length": "MinorAxisLength",
    "equivalent_diameter_area": "EquivalentDiameter",
    "feret_diameter_max": "MaxFeretDiameter",
    "nucleus_share": "NucleusShare",
}
_PLACES: Final = {
    "centroid_x": "Location_Center_X",
    "centroid_y": "Location_Center_Y",
    "bbox_x_min": "AreaShape_BoundingBoxMinimum_X",
    "bbox_y_min": "AreaShape_BoundingBoxMinimum_Y",
    "bbox_x_max": "AreaShape_BoundingBoxMaximum_X",
    "bbox_y_max": "AreaShape_BoundingBoxMaximum_Y",
}
_SHAPE_WORDS: Final = frozenset(
    {
        *("area", "perimeter", "axis", "eccentricity", "solidity", "extent", "orientation", "equivalent", "feret"),
        *("euler", "form", "compactness", "zernike", "moments", "radius", "nucleus"),
    }
)
_CATEGORIES: Final = {
    "intensity": "Intensity",
    "texture": "Texture",
    "granularity": "Granularity",
    "radial": "RadialDistribution",
    "neighbours": "Neighbors",
    "correlation": "Correlation",
    "pattern": "LocalPattern",
    "blobs": "Blobs",
    "edges": "Edges",
    "polar": "Polar",
}
_FEATURES: Final = {
    ("Intensity", "mean"): "MeanIntensity",
    ("Intensity", "median"): "MedianIntensity",
    ("Intensity", "min"): "MinIntensity",
    ("Intensity", "max"): "MaxIntensity",
    ("Intensity", "std"): "StdIntensity",
    ("Intensity", "mad"): "MADIntensity",
    ("Intensity", "sum"): "IntegratedIntensity",
    ("Intensity", "integrated"): "IntegratedIntensity",
    ("Texture", "information_1"): "InfoMeas1",
    ("Texture", "information_2"): "InfoMeas2",
    ("RadialDistribution", "fraction"): "FracAtD",
    ("RadialDistribution", "mean"): "MeanFrac",
    ("RadialDistribution", "cv"): "RadialCV",
    ("Neighbors", "touching"): "NumberOfNeighbors_Adjacent",
    ("Neighbors", "within"): "NumberOfNeighbors",
    ("Neighbors", "first_distance"): "FirstClosestDistance_Adjacent",
    ("Neighbors", "second_distance"): "SecondClosestDistance_Adjacent",
    ("Correlation", "pearson"): "Correlation",
    ("Correlation", "k1"): "K",
    ("Correlation", "k2"): "K",
    ("Correlation", "manders1"): "Manders",
    ("Correlation", "manders2"): "Manders",
}
_TURNED: Final = frozenset({"k2", "manders2"})
"""Of two channels the second by the first: CellProfiler names these with the channels turned round."""

_COMPARTMENTS: Final[dict[str, Compartment]] = {"nucleus": "Nuclei", "cytoplasm": "Cytoplasm"}
_SCALE: Final = re.compile(r"0*(\d+)(?:px)?|(\d+of\d+)")
_STATISTICS: Final = {"mad": "MAD", "mean": "Mean", "std": "Std", "count": "Count", "median": "Median"}


class MeasurementName(NamedTuple):
    """A measurement as CellProfiler would call it.

    Attributes
    ----------
    compartment
        What was measured: ``Cells``, ``Nuclei`` or ``Cytoplasm``.
    name
        Category, feature, channels and scale: ``Intensity_MeanIntensity_DNA``.
    channels
        Names of the channels that it was measured in, as the study has them.
    """

    compartment: Compartment
    name: str
    channels: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.compartment}_{self.name}"


def name_measurement(column: str, channels: Sequence[str]) -> MeasurementName:
    """Translate the name of a measurement.

    What CellProfiler measures too gets the name that CellProfiler gives it; anything else keeps its words, in the
    same form: category, feature, channels, scale.

    Parameters
    ----------
    channels
        All channels of the study.
    """
    if column in _PLACES:
        return MeasurementName("Cells", _PLACES[column])
    stem, measured_in = _split_channels(column, channels)
    if stem in _SHAPE and not measured_in:
        return MeasurementName("Cells", f"AreaShape_{_SHAPE[stem]}")
    words = stem.split("_")
    regions = [word for word in words if word in _COMPARTMENTS or word == "ring"]
    compartment: Compartment = "Cells"
    if len(regions) == 1 and regions[0] in _COMPARTMENTS:
        compartment = _COMPARTMENTS[regions[0]]
        words.remove(regions[0])
    category = _category(words, channelled=bool(measured_in))
    if words and words[0] in _CATEGORIES:
        words = words[1:]
    scales = [match[1] or match[2] for word in words if (match := _SCALE.fullmatch(word))]
    if category == "Texture" and "_".join(words).startswith("information_"):
        scales, words = scales[1:], ["_".join(words[:2]), *words[2:]]
    words = [word for word in words if not _SCALE.fullmatch(word)]
    shown = [channel_token(name) for name in measured_in]
    stem = "_".join(words)
    if stem in _TURNED:
        shown.reverse()
    feature = _FEATURES.get((category, stem)) or (category == "AreaShape" and _SHAPE.get(stem)) or _camel(words)
    if category == "Granularity":  # Granularity_3_DNA
        shown, scales = scales + shown, []
    parts = [category, feature, *shown, *scales]
    return MeasurementName(compartment, "_".join(part for part in parts if part), measured_in)


def _category(words: Sequence[str], *, channelled: bool) -> str:
    first = words[0] if words else ""
    if first in _CATEGORIES:
        return _CATEGORIES[first]
    if first in _SHAPE_WORDS and not channelled:
        return "AreaShape"
    return "Intensity" if channelled else "Other"


def _split_channels(column: str, channels: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Take the channels off the end of a name: one, or two of a correlation; the longest name that fits counts."""
    by_length = sorted(channels, key=len, reverse=True)
    found: list[str] = []
    while len(found) < (2 if column.startswith("correlation_") else 1):
        channel = next((c for c in by_length if c and column.endswith(f"_{c}")), None)
        if channel is None:
            break
        found.insert(0, channel)
        column = column[: -len(channel) - 1]
    return column, tuple(found)


def _camel(words: Sequence[str]) -> str:
    return "".join(word[:1].upper() + word[1:] for part in words for word in part.split("_"))


def channel_token(channel: str) -> str:
    """Write a channel so that it is one part of a name."""
    return "".join(c for c in channel if c.isalnum() or c in "-.+") or "Channel"


def cytomining_names(columns: Iterable[str], channels: Sequence[str]) -> dict[str, str]:
    """Name measurements, or columns of profiles, as Cytomining does: ``Cells_AreaShape_Area``; no two are the same.

    Of profiles, the median has the plain name, as it has with pycytominer, and so has a statistic that is the only one;
    others are told apart at the end: ``Cells_AreaShape_Area_MAD``. Components of a sphering become ``PC1``, ….
    """
    columns = list(columns)
    statistics = {split_profile_column(column)[0] for column in columns} - {""}
    plain = "median" if "median" in statistics else (next(iter(statistics)) if len(statistics) == 1 else "")
    wanted = {column: _cytomining_name(column, channels, plain) for column in columns}
    return dict(zip(columns, unique_names(wanted.values()), strict=True))


def _cytomining_name(column: str, channels: Sequence[str], plain: str) -> str:
    if re.fullmatch(r"pc_\d+", column):
        return column.upper().replace("_", "")
    statistic, measurement = split_profile_column(column)
    name = str(name_measurement(measurement, channels))
    return name if statistic in ("", plain) else f"{name}_{_STATISTICS[statistic]}"


def unique_names(names: Iterable[str]) -> list[str]:
    """Append ``_2``, ``_3``, … to names that are there already."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate)
        unique.append(candidate)
    return unique
