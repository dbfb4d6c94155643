"""Splits: what belongs together is held out together, and every fold can still learn every class."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cellvote.errors import ClassesError, PlateMapError, SettingsError
from cellvote.learning.groups import group_of_wells
from cellvote.learning.splits import LEARNED_IN, Split, inner_validation, make_split
from cellvote.plates.wells import well_name


def wells_of(classes: dict[str, int]) -> pd.DataFrame:
    """Make a table with so many wells of each class, each well a group of its own."""
    names = [name for name, n in classes.items() for _ in range(n)]
    wells = [well_name(1 + i // 12, 1 + i % 12) for i in range(len(names))]
    return pd.DataFrame({"plate": "P", "well": wells, "class_name": names, "group": wells})


def folds_of(wells: pd.DataFrame, folds: int, seed: int, split_by: str = "well") -> pd.Series:
    """The fold in which each well is held out, of wells whose ``group`` is a column of the plate map."""
    plate_map = wells.drop(columns="class_name").rename(columns={"group": "batch"})
    split = make_split(wells, plate_map, split_by, folds=folds, seed=seed)
    return pd.Series(split.held_out, index=wells.index)


well_counts = st.dictionaries(st.sampled_from("abcde"), st.integers(2, 9), min_size=2, max_size=5)


@settings(max_examples=60)
@given(classes=well_counts, folds=st.integers(2, 8), seed=st.integers(0, 99))
def test_with_two_wells_of_each_class_whole_wells_can_always_be_held_out(
    classes: dict[str, int], folds: int, seed: int
) -> None:
    wells = wells_of(classes)
    fold = folds_of(wells, folds, seed)
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
@example(  # no class has as many wells as there are folds
    table=[("a", 0), ("a", 1), ("a", 4), ("a", 5), ("b", 0), ("b", 2), ("b", 3)], folds=5, seed=0
)
def test_a_group_is_never_on_both_sides(table: list[tuple[str, int]], folds: int, seed: int) -> None:
    wells = pd.DataFrame(table, columns=["class_name", "group"]).assign(plate="P")
    wells["well"] = [well_name(1 + i // 12, 1 + i % 12) for i in range(len(wells))]
    wells["group"] = "g" + wells["group"].astype(str)
    try:
        fold = folds_of(wells, folds, seed, "batch")
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
    fold = folds_of(wells, 5, 0, "batch")
    assert fold.nunique() == 3
    assert (fold.groupby(wells["group"]).nunique() == 1).all()


def test_with_few_wells_there_are_fewer_folds() -> None:
    assert folds_of(wells_of({"a": 10, "b": 3}), 5, 0).nunique() == 3


def test_the_same_seed_gives_the_same_folds_and_another_gives_others() -> None:
    wells = wells_of({"a": 10, "b": 10})
    first, again, other = (folds_of(wells, 5, seed) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_each_class_is_spread_over_the_folds() -> None:
    wells = wells_of({"a": 10, "b": 5})
    counts = pd.crosstab(folds_of(wells, 5, 0), wells["class_name"])
    assert counts["a"].tolist() == [2] * 5
    assert counts["b"].tolist() == [1] * 5


def test_a_class_in_one_well_only_is_refused_with_what_to_do() -> None:
    with pytest.raises(ClassesError) as caught:
        folds_of(wells_of({"a": 5, "b": 1}), 5, 0)
    message = str(caught.value)
    assert "class 'b' is in one well only (well A06)" in message
    assert "Add wells of this class, merge it with another, or leave it out with --classes COLUMN=a,b" in message


def test_a_class_on_one_plate_only_is_refused_when_plates_are_held_out() -> None:
    wells = wells_of({"a": 4, "b": 2}).assign(plate=["P1", "P2", "P1", "P2", "P1", "P1"])
    with pytest.raises(ClassesError, match="class 'b' is in one plate only"):
        folds_of(wells, 5, 0, "plate")


def test_where_an_unlucky_draw_would_leave_a_class_unlearned_another_is_drawn() -> None:
    wells = wells_of({"a": 2, "b": 2}).assign(group=["g1", "g2", "g3", "g2"])
    for seed in range(10):  # both groups of a class may not be held out together
        assert folds_of(wells, 2, seed, "batch").tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])


def test_four_positive_wells_make_four_folds_and_a_note() -> None:
    wells = wells_of({"negative": 12, "positive": 4})
    split = make_split(wells, wells, "well", folds=5, seed=0)
    assert split.n_folds == 4
    assert split.notes == ("4 folds instead of 5: the class 'positive' has 4 wells only.",)
    counts = pd.crosstab(split.held_out, wells["class_name"])
    assert counts.to_numpy().tolist() == [[3, 1]] * 4


def test_three_plates_make_three_folds_and_a_note() -> None:
    wells = wells_of({"a": 6, "b": 6}).assign(plate=["P1", "P2", "P3"] * 4)
    split = make_split(wells, wells, "plate", folds=5, seed=0)
    assert split.notes == ("3 folds instead of 5: there are 3 plates, each held out once.",)


def test_a_class_on_few_of_many_plates_costs_the_others_no_fold() -> None:
    wells = wells_of({"common": 20, "rare": 2})
    wells["plate"] = [f"P{1 + i % 10}" for i in range(20)] + ["P3", "P8"]
    split = make_split(wells, wells, "plate", folds=5, seed=0)
    assert split.n_folds == 5
    assert split.notes == ("the class 'rare' has 2 plates only: it is held out in no more than 2 of 5 folds.",)
    rare = (wells["class_name"] == "rare").to_numpy()
    assert split.trains[:, rare].any(axis=1).all()  # and is learned in each


def test_leaving_one_out_holds_every_well_out_by_itself() -> None:
    wells = wells_of({"a": 9, "b": 4})
    split = make_split(wells, wells, "well", folds=5, leave_one_out=True, seed=0)
    assert sorted(split.held_out) == list(range(13))
    assert split.notes == ()
    assert split.trains.sum() == 13 * 12


def compounds_and_batches(n_compounds: int, n_batches: int) -> pd.DataFrame:
    """Every compound once in every batch; half of the compounds are of each class."""
    table = pd.MultiIndex.from_product([range(n_compounds), range(n_batches)], names=["compound", "batch"])
    wells = table.to_frame(index=False)
    wells["class_name"] = np.where(wells["compound"] % 2, "odd", "even")
    wells[["compound", "batch"]] = wells[["compound", "batch"]].astype("str")
    wells["plate"] = "P" + wells["batch"]
    wells["well"] = [well_name(1 + i // 24, 1 + i % 24) for i in range(len(wells))]
    return wells


@settings(max_examples=30, deadline=None)
@given(n_compounds=st.integers(4, 10), n_batches=st.integers(2, 5), folds=st.integers(2, 5), seed=st.integers(0, 50))
def test_with_two_columns_the_tested_share_neither_with_what_was_learned(
    n_compounds: int, n_batches: int, folds: int, seed: int
) -> None:
    wells = compounds_and_batches(n_compounds, n_batches)
    split = make_split(wells, wells, "compound,batch", folds=folds, seed=seed)
    assert set(split.held_out) == set(range(split.n_folds))
    for learned, held_out in split.masks():
        assert learned.any()
        for column in ("compound", "batch"):
            assert not set(wells.loc[learned, column]) & set(wells.loc[held_out, column])
    assert not split.learns_from_all_others
    assert f"{split.n_folds} folds, where" in split.notes[-1]


def test_the_split_is_read_back_as_it_was_written() -> None:
    wells = compounds_and_batches(6, 3)
    split = make_split(wells, wells, "compound,batch", folds=3, seed=1)
    again = Split.from_table(pd.DataFrame({"fold": split.held_out, LEARNED_IN: split.learned_in()}))
    assert (again.trains == split.trains).all()
    plain = make_split(wells, wells, "batch", folds=3, seed=1)
    assert (Split.from_table(pd.DataFrame({"fold": plain.held_out})).trains == plain.trains).all()


def test_masks_of_cells_follow_their_wells() -> None:
    split = Split.of_folds(np.array([0, 1, 0]))
    learned, held_out = next(split.masks(np.array([2, 2, 1, 0])))
    assert held_out.tolist() == [True, True, False, True]
    assert learned.tolist() == [False, False, True, False]


@pytest.mark.parametrize("split_by", ["", "a,", "a,b,c", "well,Well"])
def test_more_than_two_columns_or_none_are_refused(split_by: str) -> None:
    with pytest.raises(SettingsError, match="name what is held out whole"):
        make_split(WELLS, PLATE_MAP, split_by, folds=2, seed=0)


def test_fields_of_a_well_are_never_shared_out() -> None:
    with pytest.raises(ClassesError, match="whole wells are the least"):
        group_of_wells(WELLS, PLATE_MAP, "field")


def test_images_without_wells_are_held_out_one_by_one() -> None:
    images = pd.DataFrame({"plate": "P", "well": "", "field": range(1, 9), "class_name": ["a", "b"] * 4})
    split = make_split(images, images, "field", folds=4, seed=0)
    assert split.n_folds == 4
    assert (pd.crosstab(split.held_out, images["class_name"]) == 1).all(axis=None)
    with pytest.raises(ClassesError, match="have no wells"):
        make_split(images, images, "row", folds=4, seed=0)


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


def test_another_share_of_the_wells_can_be_set_aside_and_none_at_all() -> None:
    wells = wells_of({"a": 20, "b": 10})
    assert inner_validation(wells, 0, share=0.1).sum() == 3
    assert not inner_validation(wells, 0, share=0).any()
    plates = wells.assign(group=[f"P{i % 10}" for i in range(30)])
    assert plates.loc[inner_validation(plates, 0, share=0.1), "group"].nunique() == 1


def test_inner_validation_takes_whole_plates_where_plates_are_held_out() -> None:
    wells = wells_of({"a": 20, "b": 20}).assign(group=[f"P{i % 5}" for i in range(40)])
    chosen = inner_validation(wells, 0)
    assert wells.loc[chosen, "group"].nunique() == 1
    assert not set(wells.loc[chosen, "group"]) & set(wells.loc[~chosen, "group"])


def test_with_two_training_plates_inner_validation_takes_wells() -> None:
    wells = wells_of({"a": 10, "b": 10}).assign(group=[f"P{i % 2}" for i in range(20)])
    chosen = inner_validation(wells, 0)
    assert chosen.sum() == 4
    assert set(wells.loc[~chosen, "group"]) == {"P0", "P1"}
