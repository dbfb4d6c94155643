"""The metadata of OME-Zarr stores as the NGFF 0.4 and 0.5 have them.

Specifications: https://ngff.openmicroscopy.org/0.4 and https://ngff.openmicroscopy.org/0.5
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from cellvote.plates.wells import row_letters, well_position

NgffVersion = Literal["0.4", "0.5"]

_TYPES: Final = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
_COLOURS: Final = ("00FF00", "FF00FF", "FFFF00", "FF0000", "00FFFF", "FFA500")
_NUCLEAR_COLOUR: Final = "0000FF"


class ShownChannel(NamedTuple):
    """A channel as a viewer shows it at first.

    Attributes
    ----------
    window, limits
        What is black and white; the least and largest value that there can be.
    """

    name: str
    colour: str
    window: tuple[float, float]
    limits: tuple[float, float]


class Placement(NamedTuple):
    """How large the pixels of an image are and where its first one lies.

    Attributes
    ----------
    pixel_size_um
        None where it is not known.
    origin_um
        Of the centre of the first pixel, y and x.
    """

    pixel_size_um: float | None = None
    origin_um: tuple[float, float] = (0.0, 0.0)


def channel_colours(names: Sequence[str], nuclear: Sequence[bool]) -> tuple[str, ...]:
    """Choose a colour for each channel: blue for nuclei, others told apart; white where there is one."""
    if len(names) == 1:
        return ("FFFFFF",)
    others = iter(_COLOURS * len(names))
    return tuple(_NUCLEAR_COLOUR if is_nuclear else next(others) for is_nuclear in nuclear)


def versioned(content: dict[str, Any], version: NgffVersion) -> dict[str, Any]:
    """Put the metadata of a group where a version has them: below ``ome`` from 0.5 on."""
    return content if version == "0.4" else {"ome": {"version": version, **content}}


def multiscale(
    version: NgffVersion, name: str, axes: str, n_levels: int, placement: Placement, *, averaged: bool
) -> dict[str, Any]:
    """Describe the levels of an image.

    Parameters
    ----------
    axes
        Such as ``cyx``.
    averaged
        Whether the pixels of a level are means of those of the finer one, and so lie between them.
    """
    size = placement.pixel_size_um
    described: list[dict[str, str]] = []
    for axis in axes:
        unit = {"unit": "micrometer"} if axis in "yx" and size is not None else {}
        described.append({"name": axis, "type": _TYPES[axis], **unit})
    datasets = []
    for level in range(n_levels):
        step = (size or 1.0) * 2**level
        shift = (step - (size or 1.0)) / 2 if averaged else 0.0
        scale = [1.0] * (len(axes) - 2) + [step, step]
        at = [0.0] * (len(axes) - 2) + [round(origin + shift, 6) for origin in placement.origin_um]
        transformations = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": at}]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    marked = {"version": version} if version == "0.4" else {}
    return {**marked, "name": name, "axes": described, "datasets": datasets, "type": "mean" if averaged else "nearest"}


def omero(version: NgffVersion, name: str, channels: Sequence[ShownChannel]) -> dict[str, Any]:
    """Describe how channels are shown."""
    shown = [
        {
            "label": channel.name,
            "color": channel.colour,
            "active": True,
            "window": {
                "start": channel.window[0],
                "end": channel.window[1],
                "min": channel.limits[0],
                "max": channel.limits[1],
            },
        }
        for channel in channels
    ]
    marked = {"version": version} if version == "0.4" else {}
    return {**marked, "id": 1, "name": name, "channels": shown, "rdefs": {"model": "color"}}


def image_label(version: NgffVersion) -> dict[str, Any]:
    """Say that an image holds label ids, and of which image."""
    marked = {"version": version} if version == "0.4" else {}
    return {**marked, "colors": [], "source": {"image": "../../"}}


def well_path(well: str) -> str:
    """Where a well lies in its plate: ``B07`` is ``B/07``."""
    row, column = well_position(well)
    return f"{row_letters(row)}/{column:02d}"


def plate(version: NgffVersion, name: str, fields: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Describe a plate by its wells and their fields."""
    positions = {well: well_position(well) for well in fields}
    rows = sorted({position.row for position in positions.values()})
    columns = sorted({position.column for position in positions.values()})
    wells = [
        {
            "path": well_path(well),
            "rowIndex": rows.index(position.row),
            "columnIndex": columns.index(position.column),
        }
        for well, position in sorted(positions.items(), key=lambda item: item[1])
    ]
    described = {
        "version": version,
        "name": name,
        "rows": [{"name": row_letters(row)} for row in rows],
        "columns": [{"name": f"{column:02d}"} for column in columns],
        "wells": wells,
        "field_count": max(len(numbers) for numbers in fields.values()),
        "acquisitions": [{"id": 0}],
    }
    return {"plate": described}


def well(version: NgffVersion, fields: Sequence[int]) -> dict[str, Any]:
    """Describe a well by its fields."""
    return {"well": {"version": version, "images": [{"path": str(field), "acquisition": 0} for field in fields]}}
