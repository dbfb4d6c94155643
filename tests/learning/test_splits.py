"""Splits: what belongs together is held out together, and every fold can still learn every class."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvote.errors import ClassesError, PlateMapError
from cellvote.learning.splits import group_of_wells, inner_validation, make_folds
from cellvote.plates.wells import well_name


def wells_of(classes: dict[str, int]) -> pd.DataFrame:
    """Make a table with so many wells of each class, each well a group of its own."""
    names = [name for name, n in classes.items() for _ in range(n)]
    wells = [well_name(1 + i // 12, 1 + i % 12) for i in range(len(names))]
    return pd.DataFrame({"plate": "P", "well": wells, "class_name": names, "group": wells})


well_counts = st.dictionaries(st.sampled_from("abcde"), st.integers(2, 9), min_size=2, max_size=5)


@settings(max_examples=60)
@given(classes=well_counts, folds=st.integers(2, 8), seed=st.integers(0, 99))
def test_with_two_wells_of_each_class_whole_wells_can_always_be_held_out(
    classes: dict[str, int], folds: int, seed: int
) -> None:
    wells = wells_of(classes)
    fold = make_folds(wells, folds, seed, "well")
    assert sorted(set(fold)) == list(range(fold.max() + 1))
    for number in set(fold):
        assert set(wells.loc[fold != number, "class_name"]) == set(classes)
    if len(wells) <= folds:
        assert fold.nunique() == len(wells)
    else:
        assert fold.nunique() == min(folds, min(classes.values()))


@settings(max_examples=60)
@given(
    table=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=4, max_size=30),
    folds=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_a_group_is_never_on_both_sides(table: list[tuple[str, int]], folds: int, seed: int) -> None:
    wells = pd.DataFrame(table, columns=["class_name", "group"]).assign(plate="P")
    wells["well"] = [well_name(1 + i // 12, 1 + i % 12) for i in range(len(wells))]
    wells["group"] = "g" + wells["group"].astype(str)
    try:
        fold = make_folds(wells, folds, seed, "batch")
    except ClassesError:
        return
    assert (fold.groupby(wells["group"]).nunique() == 1).all()
    assert fold.min() == 0
    for number in set(fold):
        assert set(wells.loc[fold != number, "class_name"]) == set(wells["class_name"])
    if wells["group"].nunique() <= folds:
        assert fold.nunique() == wells["group"].nunique()


def test_with_few_groups_each_is_left_out_once() -> None:
    wells = wells_of({"a": 4, "b": 4}).assign(group=["r1", "r2", "r3", "r3"] * 2)
    fold = make_folds(wells, 5, 0, "batch")
    assert fold.nunique() == 3
    assert (fold.groupby(wells["group"]).nunique() == 1).all()


def test_with_few_wells_there_are_fewer_folds() -> None:
    assert make_folds(wells_of({"a": 10, "b": 3}), 5, 0, "well").nunique() == 3


def test_the_same_seed_gives_the_same_folds_and_another_gives_others() -> None:
    wells = wells_of({"a": 10, "b": 10})
    first, again, other = (make_folds(wells, 5, seed, "well") for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_each_class_is_spread_over_the_folds() -> None:
    wells = wells_of({"a": 10, "b": 5})
    counts = pd.crosstab(make_folds(wells, 5, 0, "well"), wells["class_name"])
    assert counts["a"].tolist() == [2] * 5
    assert counts["b"].tolist() == [1] * 5


def test_a_class_in_one_well_only_is_refused_with_what_to_do() -> None:
    with pytest.raises(ClassesError) as caught:
        make_folds(wells_of({"a": 5, "b": 1}), 5, 0, "well")
    message = str(caught.value)
    assert "class 'b' is in one well only (well A06)" in message
    assert "Add wells of this class, merge it with another, or leave it out with --classes COLUMN=a,b" in message


def test_a_class_on_one_plate_only_is_refused_when_plates_are_held_out() -> None:
    wells = wells_of({"a": 4, "b": 2}).assign(group=["P1", "P2", "P1", "P2", "P1", "P1"])
    with pytest.raises(ClassesError, match="class 'b' is in one plate only"):
        make_folds(wells, 5, 0, "plate")


def test_a_fold_that_leaves_nothing_of_a_class_to_learn_from_is_refused() -> None:
    wells = wells_of({"a": 2, "b": 2}).assign(group=["g1", "g2", "g3", "g2"])
    complaints = []
    for seed in range(10):  # two of the three groups are held out together: both groups of a class, or not
        try:
            make_folds(wells, 2, seed, "batch")
        except ClassesError as error:
            complaints.append(str(error))
    assert complaints
    assert all("held out by batch, nothing is left to learn the class" in complaint for complaint in complaints)


# Groups

PLATE_MAP = pd.DataFrame(
    {"plate": ["P", "P", "Q"], "well": ["A01", "B02", "A01"], "batch": ["1", "2", "2"], "gap": ["1", "", "2"]},
    dtype="str",
)
WELLS = PLATE_MAP[["plate", "well"]]


@pytest.mark.parametrize(
    ("split_by", "groups"),
    [
        ("well", ["P/A01", "P/B02", "Q/A01"]),
        ("Well", ["P/A01", "P/B02", "Q/A01"]),
        ("plate", ["P", "P", "Q"]),
        ("row", ["A", "B", "A"]),
        ("column", ["01", "02", "01"]),
        ("batch", ["1", "2", "2"]),
        ("BATCH", ["1", "2", "2"]),
    ],
)
def test_wells_are_grouped_by_place_plate_or_column(split_by: str, groups: list[str]) -> None:
    assert group_of_wells(WELLS, PLATE_MAP, split_by).tolist() == groups


def test_a_column_of_the_plate_map_called_row_comes_before_the_row_of_the_plate() -> None:
    plate_map = PLATE_MAP.assign(row=["x", "x", "y"])
    assert group_of_wells(WELLS, plate_map, "row").tolist() == ["x", "x", "y"]


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(PlateMapError, match="no column 'donor'"):
        group_of_wells(WELLS, PLATE_MAP, "donor")


def test_a_well_without_a_group_is_named() -> None:
    with pytest.raises(ClassesError, match="--split-by gap: the column is empty for well B02"):
        group_of_wells(WELLS, PLATE_MAP, "gap")


def test_groups_are_aligned_with_the_wells() -> None:
    shuffled = WELLS.iloc[[2, 0, 1]]
    for split_by in ("well", "row", "batch"):
        groups = group_of_wells(shuffled, PLATE_MAP, split_by)
        assert groups.index.tolist() == [2, 0, 1]
        assert groups.sort_index().tolist() == group_of_wells(WELLS, PLATE_MAP, split_by).tolist()


# Inner validation


@settings(max_examples=40)
@given(classes=well_counts, seed=st.integers(0, 99))
def test_inner_validation_leaves_wells_of_every_class_on_both_sides(classes: dict[str, int], seed: int) -> None:
    wells = wells_of(classes).iloc[::-1]
    chosen = inner_validation(wells, seed)
    assert chosen.index.equals(wells.index)
    for side in (chosen, ~chosen):
        assert set(wells.loc[side, "class_name"]) == set(classes)
    assert chosen.sum() <= 0.5 * len(wells)


def test_where_a_class_has_a_single_training_well_none_is_set_aside() -> None:
    assert not inner_validation(wells_of({"a": 5, "b": 1}), 0).any()


def test_inner_validation_takes_a_fifth_of_many_wells() -> None:
    assert inner_validation(wells_of({"a": 20, "b": 10}), 0).sum() == 6
