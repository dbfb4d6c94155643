"""Splits that cannot leak: wells, plates or values of a column are held out whole."""

import numpy as np
import pandas as pd
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold

from cellvote.errors import ClassesError, PlateMapError
from cellvote.plates.acquisition import place_columns
from cellvote.plates.plate_map import find_column
from cellvote.plates.wells import row_letters, well_position


def group_of_wells(wells: pd.DataFrame, plate_map: pd.DataFrame, split_by: str) -> pd.Series:
    """Name the group of each well: those of one group are held out together.

    Parameters
    ----------
    wells
        ``plate`` and ``well``; ``field`` too where images have no wells: each of them is held out by itself.
    split_by
        ``well``, ``plate``, a plate-map column, or ``row`` or ``column`` of the plate.

    Raises
    ------
    PlateMapError
        Where there is no such column.
    ClassesError
        Where the column is empty for a well.
    """
    if split_by.casefold() == "well":
        names = wells["plate"].str.cat(wells["well"], sep="/")
        return names.str.cat(wells["field"].astype("str"), sep="/") if "field" in wells else names
    if split_by.casefold() == "plate":
        return wells["plate"]
    try:
        column = find_column(plate_map, split_by)
    except PlateMapError:
        positions = wells["well"].map(lambda w: well_position(w) if w else None)
        if split_by.casefold() == "row":
            return positions.map(lambda p: row_letters(p.row) if p else "").astype("str")
        if split_by.casefold() == "column":
            return positions.map(lambda p: f"{p.column:02d}" if p else "").astype("str")
        raise
    keys = place_columns(wells)
    groups = wells[keys].merge(plate_map, on=keys, how="left")[column]
    if (groups == "").any():
        well = wells.loc[(groups == "").to_numpy(), "well"].iloc[0]
        raise ClassesError(f"--split-by {split_by}: the column is empty for well {well}. Fill it in the plate map.")
    return pd.Series(groups.to_numpy(), index=wells.index, dtype="str")


def make_folds(wells: pd.DataFrame, folds: int, seed: int, split_by: str) -> pd.Series:
    """Share the groups out into folds, each class as evenly as may be.

    Parameters
    ----------
    wells
        ``well``, ``class_name`` and ``group``.
    folds
        At most this many; where there are no more groups than that, each is left out once.

    Returns
    -------
    Series of int
        The fold of each well, from 0: it is held out in that fold and trained on in the others.

    Raises
    ------
    ClassesError
        Where a class would have nothing to train on when its only group is held out.
    """
    n_groups = wells.groupby("class_name")["group"].nunique()
    lonely = n_groups[n_groups < 2]
    if len(lonely):
        name = lonely.index[0]
        where = ", ".join(wells.loc[wells["class_name"] == name, "well"].unique()[:4])
        group = split_by if split_by in {"well", "plate"} else f"value of {split_by}"
        raise ClassesError(
            f"class {name!r} is in one {group} only (well {where}): when that is held out there is nothing to learn "
            "it from, so no honest figure can be had. Add wells of this class, merge it with another, or leave it "
            "out with --classes COLUMN=a,b."
        )
    groups, classes = wells["group"].to_numpy(object), wells["class_name"].to_numpy(object)
    if wells["group"].nunique() <= folds:
        parts = list(LeaveOneGroupOut().split(wells, classes, groups))
    else:
        n_folds = min(folds, int(n_groups.min()))
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        parts = list(splitter.split(wells, classes, groups))
    fold = np.full(len(wells), -1)
    for number, (_, held_out) in enumerate(parts):
        fold[held_out] = number
    result = pd.Series(fold, index=wells.index)
    _check_each_fold_can_learn(wells.assign(fold=result), split_by)
    return result


def _check_each_fold_can_learn(wells: pd.DataFrame, split_by: str) -> None:
    classes = set(wells["class_name"])
    for fold in sorted(wells["fold"].unique()):
        left = classes - set(wells.loc[wells["fold"] != fold, "class_name"])
        if left:
            raise ClassesError(
                f"with fold {fold + 1} held out by {split_by}, nothing is left to learn the class "
                f"{min(left)!r} from. Use fewer --set folds=, or split by something finer."
            )


def inner_validation(wells: pd.DataFrame, seed: int) -> pd.Series:
    """Choose training wells to stop early on: about a fifth of each class's, never of the held-out fold.

    No figure is ever reported on them, so single wells will do, whatever the folds hold out.

    Parameters
    ----------
    wells
        The training wells: ``class_name``.

    Returns
    -------
    Series of bool
        Whether each well is for validation; none are where a class has a single training well.
    """
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for name in sorted(wells["class_name"].unique()):
        of_class = wells.index[wells["class_name"] == name].to_numpy()
        if len(of_class) < 2:
            return pd.Series(False, index=wells.index)
        n = max(1, round(0.2 * len(of_class)))
        chosen += random.permutation(of_class)[:n].tolist()
    return pd.Series(wells.index.isin(chosen), index=wells.index)
