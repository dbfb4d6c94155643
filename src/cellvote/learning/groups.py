"""Groups of wells: what belongs together, and is held out together."""

import pandas as pd

from cellvote.errors import ClassesError, PlateMapError, SettingsError
from cellvote.plates.acquisition import place_columns
from cellvote.plates.plate_map import find_column
from cellvote.plates.wells import row_letters, well_position


def grouping_names(split_by: str) -> list[str]:
    """Read what is held out: one name, or two with a comma between.

    Raises
    ------
    SettingsError
        Where none is named, or more than two, or one twice.
    """
    names = [name.strip() for name in split_by.split(",")]
    if not all(names) or len(names) > 2 or len({name.casefold() for name in names}) < len(names):
        raise SettingsError(
            f"--split-by {split_by}: name what is held out whole: well, plate, row, column or a plate-map column; or "
            "two of them, such as compound,batch."
        )
    return names


def group_of_wells(wells: pd.DataFrame, plate_map: pd.DataFrame, split_by: str) -> pd.Series:
    """Name the group of each well: those of one group are held out together.

    Parameters
    ----------
    wells
        ``plate`` and ``well``; ``field`` too where images have no wells: each of them is held out by itself.
    split_by
        ``well``, ``plate``, a plate-map column, or ``row`` or ``column`` of the plate; two with a comma between make
        a group of each pair.

    Raises
    ------
    PlateMapError
        Where there is no such column.
    ClassesError
        Where the column is empty for a well, or fields of a well would be shared out.
    """
    names = grouping_names(split_by)
    groups = _one_grouping(wells, plate_map, names[0])
    for name in names[1:]:
        groups = groups.str.cat(_one_grouping(wells, plate_map, name), sep=" · ")
    return groups


def _one_grouping(wells: pd.DataFrame, plate_map: pd.DataFrame, split_by: str) -> pd.Series:
    known = split_by.casefold()
    if known == "field" and "field" not in wells:
        raise ClassesError(
            "--split-by field: fields of a well share staining, focus and cells at their borders; whole wells are the "
            "least that is held out. Use --split-by well."
        )
    if known in {"well", "field"}:
        names = wells["plate"].str.cat(wells["well"], sep="/")
        return names.str.cat(wells["field"].astype("str"), sep="/") if "field" in wells else names
    if known == "plate":
        return wells["plate"]
    try:
        column = find_column(plate_map, split_by)
    except PlateMapError:
        if known in {"row", "column"}:
            return _rows_or_columns(wells, known)
        raise
    keys = place_columns(wells)
    groups = wells[keys].merge(plate_map, on=keys, how="left")[column].fillna("")
    if (groups == "").any():
        first = wells.loc[(groups == "").to_numpy()].iloc[0]
        where = f"field {first['field']}" if "field" in wells else f"well {first['well']}"
        raise ClassesError(f"--split-by {split_by}: the column is empty for {where}. Fill it in the plate map.")
    return pd.Series(groups.to_numpy(), index=wells.index, dtype="str")


def _rows_or_columns(wells: pd.DataFrame, which: str) -> pd.Series:
    if not (wells["well"] != "").all():
        raise ClassesError(f"--split-by {which}: these images have no wells, so no {which} of a plate either.")
    positions = wells["well"].map(well_position)
    if which == "row":
        return positions.map(lambda p: row_letters(p.row)).astype("str")
    return positions.map(lambda p: f"{p.column:02d}").astype("str")
