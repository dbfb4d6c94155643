"""Where the fields of an ImageXpress lie: the grid of its description, and how far its headers say they are apart."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from cellvote.plates.acquisition import FIELD, POSITION_COLUMNS
from cellvote.plates.layouts.htd import Htd
from cellvote.plates.layouts.metaseries import Header


class Opened(NamedTuple):
    """The header of one image, and which image it is of."""

    plate: str
    well: str
    field: int
    channel: int
    header: Header


def field_positions(
    fields: pd.DataFrame, descriptions: Mapping[str, Htd], opened: Sequence[Opened]
) -> pd.DataFrame | None:
    """Place fields around the middle of their wells.

    Parameters
    ----------
    fields
        The columns of `FIELD`.
    descriptions
        By plate; fields of the others have no position.
    opened
        Headers that tell how far fields are apart: the stage's way between two, else the size of one.

    Returns
    -------
    DataFrame or None
        As `POSITION_COLUMNS`; None where no field has a position.
    """
    found = []
    fields = fields[FIELD].drop_duplicates()
    for plate, description in descriptions.items():
        of_plate = fields[fields["plate"] == plate]
        numbers = of_plate["field"].unique().tolist()
        places = {number: description.place(number, max(numbers)) for number in numbers}
        pitch = _pitch_um(places, plate, opened)
        if pitch is None or len(places) < 2 or None in places.values():
            continue
        centres = {
            number: [(at - (n - 1) / 2) * um for at, n, um in zip(place, description.grid, pitch, strict=True)]
            for number, place in places.items()
            if place is not None
        }
        x_um, y_um = ([centres[number][axis] for number in of_plate["field"]] for axis in (0, 1))
        found.append(of_plate.assign(x_um=x_um, y_um=y_um))
    return pd.concat(found, ignore_index=True).astype(POSITION_COLUMNS) if found else None


def _pitch_um(
    places: Mapping[int, tuple[int, int] | None], plate: str, opened: Sequence[Opened]
) -> tuple[float, float] | None:
    """Tell how far fields are apart along x and y."""
    sizes = [one.header.size_um for one in opened if one.header.size_um]
    ways = [one for one in opened if one.plate == plate and one.header.stage_um and places.get(one.field)]
    pitch: list[float] = []
    for axis in (0, 1):
        stepped = _stepped(ways, places, axis)
        if stepped is None and not sizes:
            return None
        pitch.append(stepped if stepped is not None else sizes[0][axis])
    return pitch[0], pitch[1]


def _stepped(ways: Sequence[Opened], places: Mapping[int, tuple[int, int] | None], axis: int) -> float | None:
    for one in ways:
        for other in ways:
            here, there = places[one.field], places[other.field]
            if here is None or there is None or one.header.stage_um is None or other.header.stage_um is None:
                continue
            if one.well == other.well and here[axis] < there[axis]:
                step = (other.header.stage_um[axis] - one.header.stage_um[axis]) / (there[axis] - here[axis])
                if 0 < step < 1e5:
                    return round(step, 3)
    return None
