"""Classes: what a classifier tells apart, taken from a column of the plate map."""

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

import pandas as pd

from cellvote.errors import ClassesError, PlateMapError
from cellvote.learning.binarising import HIGH, LOW, RULES, cut_in_two, find_threshold
from cellvote.plates.acquisition import place_columns
from cellvote.plates.plate_map import find_column

RESERVED = frozenset({"tie", "too few cells", "undecided"})
"""Values that a vote may take beside the classes; no class may be called so."""


@dataclass(frozen=True)
class ClassSpec:
    """A plate-map column, and the class names taken from it; all of its values where there are none.

    Attributes
    ----------
    rule
        How a column of numbers is cut into ``low`` and ``high``, one of `binarising.RULES`; empty: by ``threshold``.
    threshold
        Where it is cut; None for a column of names, or where the rule has not been applied yet.
    """

    column: str
    values: tuple[str, ...] = ()
    rule: str = ""
    threshold: float | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names in order; empty where they are all that the column holds."""
        return (LOW, HIGH) if self.threshold is not None or self.rule else self.values

    def __str__(self) -> str:
        if self.rule:
            return f"{self.column}~{self.rule}"
        if self.threshold is not None:
            return f"{self.column}>={self.threshold!r}"
        return f"{self.column}={','.join(self.values)}" if self.values else self.column


_CUT: Final = re.compile(r"^(?P<column>.+?)\s*(?:>=\s*(?P<threshold>[^=]+)|~\s*(?P<rule>\w+))$")


def parse_classes(text: str) -> ClassSpec:
    """Read ``COLUMN``, ``COLUMN=a,b``, or, for a column of numbers, ``COLUMN>=1.5`` or ``COLUMN~uniform``.

    Raises
    ------
    ClassesError
        Where fewer than two different classes are named, or one is named like a vote that is none.
    """
    cut = _CUT.match(text.strip())
    if cut:
        return _parse_cut(text, cut)
    column, equals, listed = text.partition("=")
    values = tuple(dict.fromkeys(value.strip() for value in listed.split(",") if value.strip()))
    if not column.strip() or (equals and len(values) < 2):
        raise ClassesError(f"--classes {text}: write COLUMN, or COLUMN=a,b with at least two class names.")
    return ClassSpec(column.strip(), values)


def _parse_cut(text: str, cut: re.Match[str]) -> ClassSpec:
    column = cut["column"].strip()
    if cut["rule"] is not None:
        if cut["rule"] not in RULES:
            raise ClassesError(
                f"--classes {text}: a column of numbers is cut in two by ~{', ~'.join(RULES)} or >=NUMBER."
            )
        return ClassSpec(column, rule=cut["rule"])
    try:
        return ClassSpec(column, threshold=float(cut["threshold"]))
    except ValueError as error:
        raise ClassesError(f"--classes {text}: {cut['threshold'].strip()!r} is no number.") from error


def expand_targets(plate_map: pd.DataFrame, texts: list[str]) -> list[ClassSpec]:
    """Read what is to be told apart, one target after the other; ``*`` in a column stands for several columns.

    Raises
    ------
    ClassesError
        Where ``*`` fits no column.
    """
    specs: dict[str, ClassSpec] = {}
    for text in texts:
        spec = parse_classes(text)
        columns = [spec.column]
        if "*" in spec.column:
            columns = [str(c) for c in plate_map if fnmatchcase(str(c).casefold(), spec.column.casefold())]
            columns = [column for column in columns if column not in {"plate", "well", "field", "imaged"}]
            if not columns:
                raise ClassesError(f"--classes {text}: no column of the plate map is called like that.")
        for column in columns:
            one = replace(spec, column=column)
            specs[str(one)] = one
    return list(specs.values())


def resolved(plate_map: pd.DataFrame, spec: ClassSpec) -> ClassSpec:
    """Name the column as the plate map does, and say where a column of numbers is cut.

    Raises
    ------
    PlateMapError
        Where there is no such column.
    ClassesError
        Where it cannot be cut in two.
    """
    column = find_column(plate_map, spec.column)
    if not spec.rule:
        return replace(spec, column=column)
    threshold = find_threshold(plate_map.loc[plate_map["imaged"], column], column, spec.rule)
    return replace(spec, column=column, threshold=threshold)


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
    spec = resolved(plate_map, spec)
    column = spec.column
    imaged = plate_map[plate_map["imaged"]]
    names = imaged[column]
    if spec.threshold is not None:
        names = cut_in_two(names, column, spec.threshold)
    wells = imaged[place_columns(imaged)].assign(class_name=names)
    wells = wells[wells["class_name"] != ""]
    there = sorted(wells["class_name"].unique())
    missing = [value for value in spec.class_names if value not in there]
    if missing:
        raise ClassesError(
            f"no imaged well has {column} = {missing[0]!r}; its values are: {', '.join(there[:20])}"
            f"{' …' if len(there) > 20 else ''}."
        )
    chosen = spec.class_names or tuple(there)
    if len(chosen) < 2:
        raise ClassesError(
            f"the column {column!r} has the single value {', '.join(chosen) or '(empty)'}: nothing to tell apart."
        )
    taken = sorted(RESERVED.intersection(chosen))
    if taken:
        raise ClassesError(f"a class cannot be called {taken[0]!r}: votes use that word. Rename it in the plate map.")
    return wells[wells["class_name"].isin(chosen)].reset_index(drop=True)


def truth_of_wells(
    plate_map: pd.DataFrame, column: str, classes: tuple[str, ...], threshold: float | None = None
) -> pd.DataFrame:
    """Give ``plate``, ``well``, ``truth`` of the wells whose class is known, and is one of these.

    Without such a column the table is empty.

    Parameters
    ----------
    threshold
        Where a column of numbers is cut into ``low`` and ``high``.
    """
    try:
        named = find_column(plate_map, column)
    except PlateMapError:
        return pd.DataFrame({"plate": [], "well": [], "truth": []}, dtype="str")
    names = plate_map[named] if threshold is None else cut_in_two(plate_map[named], named, threshold)
    table = plate_map[place_columns(plate_map)].assign(truth=names)
    return table[table["truth"].isin(classes)].reset_index(drop=True)
