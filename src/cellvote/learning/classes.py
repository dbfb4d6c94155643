"""Classes: what a classifier tells apart, taken from a column of the plate map."""

from dataclasses import dataclass

import pandas as pd

from cellvote.errors import ClassesError, PlateMapError
from cellvote.plates.acquisition import place_columns
from cellvote.plates.plate_map import find_column

RESERVED = frozenset({"tie", "too few cells", "undecided"})
"""Values that a vote may take beside the classes; no class may be called so."""


@dataclass(frozen=True)
class ClassSpec:
    """A plate-map column, and the class names taken from it; all of its values where there are none."""

    column: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.column}={','.join(self.values)}" if self.values else self.column


def parse_classes(text: str) -> ClassSpec:
    """Read ``COLUMN`` or ``COLUMN=a,b``.

    Raises
    ------
    ClassesError
        Where fewer than two different classes are named, or one is named like a vote that is none.
    """
    column, equals, listed = text.partition("=")
    values = tuple(dict.fromkeys(value.strip() for value in listed.split(",") if value.strip()))
    if not column.strip() or (equals and len(values) < 2):
        raise ClassesError(f"--classes {text}: write COLUMN, or COLUMN=a,b with at least two class names.")
    return ClassSpec(column.strip(), values)


def class_of_wells(plate_map: pd.DataFrame, spec: ClassSpec) -> pd.DataFrame:
    """Give each imaged well its class.

    Returns
    -------
    DataFrame
        ``plate``, ``well``, ``class_name`` of the wells that have one of the classes; ``field`` too where images
        have no wells.

    Raises
    ------
    PlateMapError
        Where there is no such column.
    ClassesError
        Where a class is in no imaged well, or there are fewer than two classes.
    """
    column = find_column(plate_map, spec.column)
    imaged = plate_map[plate_map["imaged"]]
    wells = imaged[place_columns(imaged)].assign(class_name=imaged[column])
    wells = wells[wells["class_name"] != ""]
    there = sorted(wells["class_name"].unique())
    missing = [value for value in spec.values if value not in there]
    if missing:
        raise ClassesError(
            f"no imaged well has {column} = {missing[0]!r}; its values are: {', '.join(there[:20])}"
            f"{' …' if len(there) > 20 else ''}."
        )
    chosen = spec.values or tuple(there)
    if len(chosen) < 2:
        raise ClassesError(
            f"the column {column!r} has the single value {', '.join(chosen) or '(empty)'}: nothing to tell apart."
        )
    taken = sorted(RESERVED.intersection(chosen))
    if taken:
        raise ClassesError(f"a class cannot be called {taken[0]!r}: votes use that word. Rename it in the plate map.")
    return wells[wells["class_name"].isin(chosen)].reset_index(drop=True)


def truth_of_wells(plate_map: pd.DataFrame, column: str, classes: tuple[str, ...]) -> pd.DataFrame:
    """Give ``plate``, ``well``, ``truth`` of the wells whose class is known, and is one of these.

    Without such a column the table is empty.
    """
    try:
        named = find_column(plate_map, column)
    except PlateMapError:
        return pd.DataFrame({"plate": [], "well": [], "truth": []}, dtype="str")
    table = plate_map[place_columns(plate_map)].assign(truth=plate_map[named])
    return table[table["truth"].isin(classes)].reset_index(drop=True)
