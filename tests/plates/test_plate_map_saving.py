"""Saving a plate map, and checking one that was edited."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tiny_plates import map_of, write_images

from cellvote.errors import PlateMapError
from cellvote.plates.layouts import read_plate
from cellvote.plates.plate_map import checked_plate_map, read_plate_map, save_plate_map
from cellvote.plates.plate_maps.text_files import clean
from cellvote.plates.wells import well_name
from cellvote.study import Study

IDENTIFIERS = [
    "001234",
    "12E3",
    "NA",
    "nan",
    "TRUE",
    "1e5",
    "-1",
    "1.50",
    "#x",
    "=1+1",
    "a,b;c|d\te",
    'say "x"',
    "two\nlines",
]
ENTRIES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=10).map(clean)


def test_identifiers_survive_a_round_trip(tmp_path: Path) -> None:
    table = map_of([well_name(1, i + 1) for i in range(len(IDENTIFIERS))], drug=IDENTIFIERS, id=IDENTIFIERS[::-1])
    save_plate_map(table, tmp_path / "map.csv")
    pd.testing.assert_frame_equal(read_plate_map(tmp_path / "map.csv"), table)


@settings(max_examples=40)
@given(st.data(), st.booleans())
def test_what_was_saved_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, with_plates: bool
) -> None:
    n = data.draw(st.integers(1, 8))
    columns = {
        f"c {i} {name}": data.draw(st.lists(ENTRIES, min_size=n, max_size=n)) for i, name in enumerate(["", "µ", ","])
    }
    plates = {"plate": data.draw(st.lists(ENTRIES.filter(bool), min_size=n, max_size=n))} if with_plates else {}
    table = pd.DataFrame(
        {**plates, "well": [well_name(i // 4 + 1, i % 4 + 1) for i in range(n)], **columns}, dtype="str"
    )
    table.columns = [c.strip() for c in table.columns]
    path = tmp_path_factory.getbasetemp() / "saved.csv"
    save_plate_map(table, path)
    pd.testing.assert_frame_equal(read_plate_map(path), table)


def test_what_of_the_images_is_not_of_the_map_is_not_saved(tmp_path: Path) -> None:
    table = pd.DataFrame({"drug": ["x"], "imaged": [True], "well": ["A01"], "plate": ["P"]})
    save_plate_map(table, tmp_path / "new" / "map.csv")
    assert (tmp_path / "new" / "map.csv").read_text(encoding="utf-8") == "plate,well,drug\nP,A01,x\n"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["map.csv"]


@pytest.mark.parametrize("entry", ["a\0b", "a\rb", "\ud800"])
def test_what_cannot_be_read_back_is_not_saved(tmp_path: Path, entry: str) -> None:
    (tmp_path / "map.csv").write_text("old", encoding="utf-8")
    table = pd.DataFrame({"well": ["A01"], "drug": pd.Series([entry], dtype=object)})
    with pytest.raises(PlateMapError, match="cannot be saved"):
        save_plate_map(table, tmp_path / "map.csv")
    assert (tmp_path / "map.csv").read_text(encoding="utf-8") == "old"


def test_a_map_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlateMapError, match="cannot be written"):
        save_plate_map(map_of(["A01"]), tmp_path / "file" / "map.csv")


# Editing the plate map of a study

OLD = pd.DataFrame({"plate": "P", "well": ["A01", "A02"], "imaged": [True, False], "drug": ["x", "y"]})


def test_an_edited_map_keeps_wells_order_and_what_was_imaged() -> None:
    edited = pd.DataFrame(
        {"well": ["A02", "A01"], "plate": "P", "imaged": [True, True], "moa": ["b", None], "n": [1, 2]}
    )
    checked = checked_plate_map(edited, OLD)
    assert checked.to_dict("list") == {
        "plate": ["P", "P"],
        "well": ["A01", "A02"],
        "imaged": [True, False],
        "moa": ["", "b"],
        "n": ["2", "1"],
    }
    assert checked["imaged"].dtype == bool


@pytest.mark.parametrize(
    ("edited", "message"),
    [
        (OLD.iloc[:1], "lacks P/A02"),
        (pd.concat([OLD, OLD.assign(well="A03")]), "has P/A03 twice"),
        (pd.concat([OLD, OLD.iloc[:1].assign(well="A03")]), "has the new well P/A03"),
        (OLD.drop(columns="well"), "no column 'well'"),
        (OLD.rename(columns={"imaged": "drug"}), "two columns of one name"),
    ],
)
def test_wells_are_not_changed_by_editing(edited: pd.DataFrame, message: str) -> None:
    with pytest.raises(PlateMapError, match=message):
        checked_plate_map(edited, OLD)


def test_a_study_writes_an_edited_map(new_study: Study) -> None:
    edited = new_study.plate_map.assign(compound="z", concentration="", note="001")
    new_study.write_plate_map(edited)
    assert set(new_study.treatments["treatment"]) == {"z"}
    assert set(new_study.plate_map["concentration_um"]) == {""}  # it was read from the column that was emptied
    again = Study.open(new_study.path).plate_map
    assert again["note"].tolist() == ["001"] * len(edited)
    pd.testing.assert_frame_equal(again, new_study.plate_map)
    with pytest.raises(PlateMapError, match="lacks"):
        new_study.write_plate_map(edited.iloc[1:])
    assert len(Study.open(new_study.path).plate_map) == len(edited)


def test_a_map_of_images_without_wells_is_kept_by_field(tmp_path: Path) -> None:
    images = write_images(tmp_path / "P", ["cat/a.tif", "cat/b.tif", "dog/c.tif"])
    study = Study.create(tmp_path / "s", read_plate(images))
    edited = study.plate_map.assign(class_name=["x", "y", "z"]).iloc[::-1]
    study.write_plate_map(edited)
    again = Study.open(study.path).plate_map
    assert again["class_name"].tolist() == ["x", "y", "z"]
    assert again["field"].dtype == "int32"
    assert again["imaged"].all()
    with pytest.raises(PlateMapError, match="lacks P field 1"):
        study.write_plate_map(edited[edited["field"] != 1])
    with pytest.raises(PlateMapError, match="P field 3 twice"):
        study.write_plate_map(pd.concat([edited, edited.iloc[:1]]))
    with pytest.raises(PlateMapError, match="no column 'field'"):
        study.write_plate_map(edited.drop(columns="field"))


def test_a_map_of_wells_gets_no_column_field() -> None:
    with pytest.raises(PlateMapError, match="has no column 'field'"):
        checked_plate_map(OLD.assign(field="1"), OLD)
