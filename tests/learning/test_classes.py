"""Classes are taken from the plate map, and only those that can be told apart."""

import pytest
from tests.tiny_plates import map_of

from cellvote.errors import ClassesError, PlateMapError
from cellvote.learning.classes import ClassSpec, class_of_wells, parse_classes, truth_of_wells

WELLS = ("A01", "A02", "A03", "B01")
PLATE_MAP = map_of(WELLS, moa=["x", "y", "", "z"], same=["x"] * 4, votes=["tie", "a", "b", "c"]).assign(
    plate="P", imaged=[True, True, True, False]
)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("moa", ClassSpec("moa")),
        (" moa ", ClassSpec("moa")),
        ("moa=x,y", ClassSpec("moa", ("x", "y"))),
        ("moa = y , x ,", ClassSpec("moa", ("y", "x"))),
        ("moa=x,y,x", ClassSpec("moa", ("x", "y"))),
        ("moa=a=1,b=2", ClassSpec("moa", ("a=1", "b=2"))),
    ],
)
def test_a_column_and_its_values_are_read(text: str, spec: ClassSpec) -> None:
    assert parse_classes(text) == spec
    assert parse_classes(str(spec)) == spec


@pytest.mark.parametrize("text", ["", "=", "=a,b", "moa=", "moa=x", "moa=x,x", "moa=,"])
def test_fewer_than_two_classes_are_refused(text: str) -> None:
    with pytest.raises(ClassesError, match="write COLUMN, or COLUMN=a,b"):
        parse_classes(text)


def test_every_imaged_well_with_a_value_has_its_class() -> None:
    wells = class_of_wells(PLATE_MAP, ClassSpec("moa"))
    assert wells.to_dict("list") == {"plate": ["P", "P"], "well": ["A01", "A02"], "class_name": ["x", "y"]}


def test_wells_of_classes_that_were_not_asked_for_are_left_out() -> None:
    plate_map = PLATE_MAP.assign(imaged=True)
    assert class_of_wells(plate_map, ClassSpec("MOA", ("z", "x")))["well"].tolist() == ["A01", "B01"]


def test_a_class_in_no_imaged_well_is_refused_with_those_that_are() -> None:
    with pytest.raises(ClassesError, match="no imaged well has moa = 'z'; its values are: x, y"):
        class_of_wells(PLATE_MAP, ClassSpec("moa", ("x", "z")))


def test_a_column_of_one_value_has_nothing_to_tell_apart() -> None:
    with pytest.raises(ClassesError, match="'same' has the single value x: nothing to tell apart"):
        class_of_wells(PLATE_MAP, ClassSpec("same"))


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(PlateMapError, match="no column 'mao'; it has: moa, same, votes"):
        class_of_wells(PLATE_MAP, ClassSpec("mao"))


def test_a_class_called_like_a_vote_that_is_none_is_refused() -> None:
    with pytest.raises(ClassesError, match="a class cannot be called 'tie'"):
        class_of_wells(PLATE_MAP, ClassSpec("votes"))


def test_the_truth_is_known_where_the_map_names_one_of_the_classes() -> None:
    truth = truth_of_wells(PLATE_MAP, "moa", ("x", "z"))
    assert truth.to_dict("list") == {"plate": ["P", "P"], "well": ["A01", "B01"], "truth": ["x", "z"]}


def test_without_such_a_column_no_truth_is_known() -> None:
    none = truth_of_wells(PLATE_MAP, "mao", ("x", "y"))
    assert len(none) == 0
    assert list(none) == ["plate", "well", "truth"]
