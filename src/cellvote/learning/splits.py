"""Splits that cannot leak: wells, plates or values of a column are held out whole."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ClassesError
from cellvote.learning.groups import group_of_wells, grouping_names

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LEARNED_IN: Final = "learned_in"
"""Column of ``split.parquet``: the folds that learned from a field, where these are not all but its own."""

_TRIES: Final = 200
_EVEN_TRIES: Final = 5
"""So many first deals give each fold its share of every class, as far as may be; those after them are by lot."""
_MOST_ABOVE: Final = 0.15
"""Whole groups that are set aside may be this much more of the wells than asked for, or too little is learned from."""


@dataclass(frozen=True)
class Split:
    """Which wells each fold's model learns from, and which it is held to account on.

    Attributes
    ----------
    held_out
        (W,) the fold in which each well is held out; each is held out once. Where images have no wells, read field.
    trains
        (F, W) which wells each fold's model learns from. Where two columns are held out at a time, this is not all
        the others: what shares one of them with the tested is neither learned from nor tested.
    notes
        What a person should know of it, one sentence each.
    """

    held_out: IntArray
    trains: BoolArray
    notes: tuple[str, ...] = ()

    @property
    def n_folds(self) -> int:
        """How many models there will be."""
        return len(self.trains)

    def take(self, wells: BoolArray) -> "Split":
        """Keep some of the wells, and the folds that still hold one out."""
        used, held_out = np.unique(self.held_out[wells], return_inverse=True)
        return Split(held_out.astype(np.int64), self.trains[used][:, wells], self.notes)

    @property
    def learns_from_all_others(self) -> bool:
        """Whether every model learns from all that it is not held to account on."""
        return bool((self.trains == _all_others(self.held_out)).all())

    def masks(self, well: IntArray | None = None) -> Iterator[tuple[BoolArray, BoolArray]]:
        """Give, for each fold, what is learned from and what is held out.

        Parameters
        ----------
        well
            (N,) the well of each cell, for masks of cells; without it they are masks of wells.
        """
        for fold, trains in enumerate(self.trains):
            held_out = self.held_out == fold
            yield (trains, held_out) if well is None else (trains[well], held_out[well])

    @classmethod
    def of_folds(cls, held_out: IntArray, notes: tuple[str, ...] = ()) -> "Split":
        """Let the model of each fold learn from all wells that are held out in another."""
        return cls(np.asarray(held_out, np.int64), _all_others(held_out), notes)

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> "Split":
        """Read the split of ``split.parquet``: a row for each field or well, with ``fold`` and perhaps `LEARNED_IN`."""
        held_out = table["fold"].to_numpy(np.int64)
        if LEARNED_IN not in table:
            return cls.of_folds(held_out)
        trains = np.zeros((int(held_out.max()) + 1, len(table)), bool)
        for row, folds in enumerate(table[LEARNED_IN]):
            trains[[int(fold) for fold in str(folds).split()], row] = True
        return cls(held_out, trains)

    def learned_in(self) -> list[str]:
        """Write, for each well, the numbers of the folds that learn from it."""
        return [" ".join(map(str, np.flatnonzero(column))) for column in self.trains.T]


def _all_others(held_out: IntArray) -> BoolArray:
    folds = np.arange(int(held_out.max()) + 1)
    return np.asarray(folds[:, None] != held_out[None])


def make_split(
    wells: pd.DataFrame, plate_map: pd.DataFrame, split_by: str, *, folds: int, leave_one_out: bool = False, seed: int
) -> Split:
    """Share wells out into folds, each class as evenly as may be, what belongs together held out together.

    Parameters
    ----------
    wells
        ``plate``, ``well`` and ``class_name``; ``field`` too where images have no wells: then read field for well.
    split_by
        As in `learning.groups.group_of_wells`: one thing to hold out whole, or two with a comma between.
    folds
        At most this many, of each thing that is held out; with no more groups than that, each is held out once.
        Where a class has fewer groups, and these hold no other class, there are fewer folds, and a note says so.
    leave_one_out
        Hold out every group by itself, however many there are.

    Raises
    ------
    PlateMapError
        Where there is no such column.
    ClassesError
        Where a class would have nothing to learn from while its only group is held out.
    """
    names = grouping_names(split_by)
    parts, notes = [], []
    for name in names:
        groups = group_of_wells(wells, plate_map, name).to_numpy(object)
        part, note = _folds_of_groups(wells, groups, name, len(wells) if leave_one_out else folds, seed)
        parts.append(part)
        notes += [note] if note and not leave_one_out else []
    if len(parts) == 1:
        split = Split.of_folds(parts[0], tuple(notes))
    else:
        split = _grid(parts[0], parts[1], names, notes)
    check_each_fold_can_learn(wells, split, split_by)
    return split


def _grid(first: IntArray, second: IntArray, names: list[str], notes: list[str]) -> Split:
    """Hold out where folds of two groupings cross; what shares one of them with the tested is not learned from."""
    crossings, held_out = np.unique(np.stack([first, second]), axis=1, return_inverse=True)
    trains = (first[None] != crossings[0][:, None]) & (second[None] != crossings[1][:, None])
    share = float(trains.mean())
    note = (
        f"{crossings.shape[1]} folds, where {int(first.max()) + 1} of {names[0]} and {int(second.max()) + 1} of "
        f"{names[1]} cross: each model learns from {share:.0%} of the wells, which share neither with what it is "
        "tested on."
    )
    return Split(np.asarray(held_out, np.int64).reshape(-1), trains, (*notes, note))


def _folds_of_groups(
    wells: pd.DataFrame, groups: npt.NDArray[np.object_], name: str, folds: int, seed: int
) -> tuple[IntArray, str]:
    """Share groups out into folds, and say so where they are fewer than asked for."""
    classes = wells["class_name"].to_numpy(object)
    n_of_class = pd.Series(groups).groupby(classes).nunique()
    if n_of_class.min() < 2:
        raise ClassesError(_lonely(wells, str(n_of_class.idxmin()), name))
    all_groups, number = np.unique(groups.astype(str), return_inverse=True)
    number = np.asarray(number, np.int64)
    what = _plural(name, wells)
    if len(all_groups) <= folds:
        few = len(all_groups) < folds
        note = f"{len(all_groups)} folds instead of {folds}: there are {len(all_groups)} {what}, each held out once."
        return number, note if few else ""
    n_folds, note = _fold_count(classes, number, n_of_class, folds, what)
    random = np.random.default_rng(seed)
    shareable = int(pd.Series(classes).value_counts().max()) >= n_folds  # else scikit-learn refuses
    for again in range(_TRIES):
        if shareable and again < _EVEN_TRIES:
            found = _fold_numbers(_even_splitter(n_folds, seed + again), classes, number)
        else:
            found = random.permutation(np.arange(len(all_groups)) % n_folds)[number]
        if _can_learn(classes, _all_others(found)):
            break  # else all groups of a class came to be held out together: draw again, in the end by lot
    return found, note


def _fold_count(
    classes: npt.NDArray[np.object_], groups: IntArray, n_of_class: pd.Series, folds: int, what: str
) -> tuple[int, str]:
    """How many folds there are: no more than a class has groups, unless these hold other classes, too.

    A class that is a property of its groups, as of wells, would be missing from a fold with none of them. Where plates
    hold many classes, a rare one must not cost all others their share of what is learned from.
    """
    alone = pd.Series(classes).groupby(groups).transform("nunique").to_numpy() == 1
    only_alone = pd.Series(alone).groupby(classes).all()
    limiting = n_of_class[only_alone[n_of_class.index]]
    n_folds = min(folds, int(limiting.min())) if len(limiting) else folds
    if n_folds < folds:
        rare = limiting.idxmin()
        return n_folds, f"{n_folds} folds instead of {folds}: the class {rare!r} has {n_folds} {what} only."
    if n_of_class.min() < folds:
        rare, n = n_of_class.idxmin(), int(n_of_class.min())
        return folds, f"the class {rare!r} has {n} {what} only: it is held out in no more than {n} of {folds} folds."
    return folds, ""


def _even_splitter(n_parts: int, seed: int) -> Any:
    """Make what splits whole groups, so that each part holds about the same share of each class."""
    from sklearn.model_selection import StratifiedGroupKFold  # a second, which most processes can do without

    return StratifiedGroupKFold(n_parts, shuffle=True, random_state=seed % 2**32)


def _fold_numbers(splitter: Any, classes: npt.NDArray[np.object_], groups: IntArray) -> IntArray:
    numbers = np.full(len(groups), -1, np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # a note says so
        for fold, (_, held_out) in enumerate(splitter.split(classes, classes, groups)):
            numbers[held_out] = fold
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _can_learn(classes: npt.NDArray[np.object_], trains: BoolArray) -> bool:
    return all(len(set(classes[row])) == len(set(classes)) for row in trains)


def _plural(name: str, wells: pd.DataFrame) -> str:
    if name.casefold() in {"well", "field"}:
        return "fields" if "field" in wells else "wells"
    return "plates" if name.casefold() == "plate" else f"values of {name}"


def _lonely(wells: pd.DataFrame, class_name: str, split_by: str) -> str:
    of_class = wells[wells["class_name"] == class_name]
    column = "field" if "field" in wells else "well"
    where = ", ".join(of_class[column].astype(str).unique()[:4])
    group = split_by if split_by in {"well", "plate"} else f"value of {split_by}"
    return (
        f"class {class_name!r} is in one {group} only ({column} {where}): when that is held out there is nothing to "
        "learn it from, so no honest figure can be had. Add wells of this class, merge it with another, or leave it "
        "out with --classes COLUMN=a,b."
    )


def check_each_fold_can_learn(wells: pd.DataFrame, split: Split, split_by: str) -> None:
    """See that the model of each fold has wells of every class to learn from.

    Raises
    ------
    ClassesError
        Where one has not.
    """
    classes = wells["class_name"].to_numpy(object)
    for fold, trains in enumerate(split.trains):
        left = set(classes) - set(classes[trains])
        if left:
            raise ClassesError(
                f"with fold {fold + 1} held out by {split_by}, nothing is left to learn the class {min(left)!r} from. "
                "Use more --set folds=, or split by something finer."
            )


def inner_validation(wells: pd.DataFrame, seed: int, share: float = 0.2) -> pd.Series:
    """Choose training wells to stop early on, never of the held-out fold.

    They are whole groups where those are more than wells (plates, compounds) and there are enough of them, so that
    training stops for what carries over to another group; else wells of each class. No figure is ever reported on them.

    Parameters
    ----------
    wells
        The training wells: ``class_name``, and ``group`` where they are held out in groups.
    share
        About how much of them; 0: none.

    Returns
    -------
    Series of bool
        Whether each well is for validation; none are where a class has a single training well.
    """
    if not share:
        return pd.Series(False, index=wells.index)
    if "group" in wells and wells["group"].nunique() < len(wells):
        watched = _whole_groups(wells, seed, share)
        if watched is not None:
            return pd.Series(watched, index=wells.index)
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for name in sorted(wells["class_name"].unique()):
        of_class = wells.index[wells["class_name"] == name].to_numpy()
        if len(of_class) < 2:
            return pd.Series(False, index=wells.index)
        n = max(1, round(share * len(of_class)))
        chosen += random.permutation(of_class)[:n].tolist()
    return pd.Series(wells.index.isin(chosen), index=wells.index)


def _whole_groups(wells: pd.DataFrame, seed: int, share: float) -> BoolArray | None:
    """About this share of the groups, each class on both sides; None where there are too few."""
    classes = wells["class_name"].to_numpy(object)
    _, groups = np.unique(wells["group"].to_numpy(object).astype(str), return_inverse=True)
    n_parts = min(round(1 / share), int(pd.Series(groups).groupby(classes).nunique().min()))
    if n_parts < 3:
        return None
    for _, rows in _even_splitter(n_parts, seed).split(classes, classes, groups):
        watched = np.zeros(len(wells), bool)
        watched[rows] = True
        whole = len(set(classes))
        if watched.mean() <= share + _MOST_ABOVE and all(len(set(classes[m])) == whole for m in (watched, ~watched)):
            return watched
    return None
