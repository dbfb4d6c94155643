"""Plate maps: text that stays text, joined to the images by well."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plates.imaged_wells import imaged
from tests.tiny_plates import map_of

from cellvote.errors import PlateMapError
from cellvote.plates.plate_map import (
    compound_column,
    dose_column,
    find_column,
    join_plate_map,
    read_plate_map,
    treatments,
)
from cellvote.plates.wells import well_name

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Give a function that writes a plate map as it is given, byte for byte."""

    def write_text(text: str) -> Path:
        path = tmp_path / "map.csv"
        path.write_bytes(text.encode())
        return path

    return write_text


# Reading


@pytest.mark.parametrize("spelling", ["B7", "b07", "B-07", "B 7", "r02c07", "R2C7", "2/7", '"B07"', " B07 "])
def test_a_well_is_read_in_any_spelling(write: Write, spelling: str) -> None:
    assert read_plate_map(write(f"well;drug\n{spelling};x\n"))["well"].tolist() == ["B07"]


@pytest.mark.parametrize(
    "header", ["well", "Well", "WELL", "well_id", "Well ID", "well_position", "Metadata_Well", "wellName"]
)
def test_the_well_column_has_many_names(write: Write, header: str) -> None:
    table = read_plate_map(write(f"drug,{header}\nx,B7\n"))
    assert list(table) == ["well", "drug"]
    assert table["well"].tolist() == ["B07"]


@pytest.mark.parametrize(
    ("header", "entry"),
    [("row,col", "B,7"), ("Row,Column", "b,07"), ("WellRow,WellCol", "2,7"), ("row,col", 'B,"""07"""')],
)
def test_a_well_is_read_from_a_row_and_a_column(write: Write, header: str, entry: str) -> None:
    assert read_plate_map(write(f"{header},drug\n{entry},x\n"))["well"].tolist() == ["B07"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte-order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_separators_marks_and_line_ends_make_no_difference(write: Write, separator: str, mark: str, end: str) -> None:
    lines = [("well", "drug", "dose"), ("A01", "DMSO", "0"), ("A02", "taxol", "0.5")]
    table = read_plate_map(write(mark + end.join(separator.join(line) for line in lines) + end))
    assert table.to_dict("list") == {"well": ["A01", "A02"], "drug": ["DMSO", "taxol"], "dose": ["0", "0.5"]}


IDENTIFIERS = ["001234", "12E3", "NA", "-1", "1.50", "1e400", "null", "None", "TRUE", "2020-01-01", "", "0x1F", "∞"]


@pytest.mark.parametrize("text", IDENTIFIERS)
def test_an_identifier_stays_the_text_that_it_is(write: Write, text: str) -> None:
    assert read_plate_map(write(f"well,id,end\nA01,{text},x\n"))["id"].tolist() == [text]


@settings(max_examples=40)
@given(st.lists(st.from_regex(r"[-+.0-9A-Za-z]{0,12}", fullmatch=True), min_size=1, max_size=8))
def test_no_entry_is_ever_taken_for_a_number(tmp_path_factory: pytest.TempPathFactory, entries: list[str]) -> None:
    wells = [well_name(1, i + 1) for i in range(len(entries))]
    path = tmp_path_factory.getbasetemp() / "entries.csv"
    path.write_text("well,id\n" + "".join(f"{w},{e}\n" for w, e in zip(wells, entries, strict=True)), encoding="utf-8")
    table = read_plate_map(path)
    assert table.set_index("well")["id"].reindex(wells).tolist() == entries


def test_the_plate_column_is_called_plate(write: Write) -> None:
    table = read_plate_map(write("Barcode,well,drug\nP1,A1,x\nP2,A1,y\n"))
    assert list(table) == ["plate", "well", "drug"]
    assert table["plate"].tolist() == ["P1", "P2"]


def test_rows_without_a_well_are_left_out(write: Write) -> None:
    assert len(read_plate_map(write("well,drug\nA1,x\n,\n\n,y\n"))) == 1


def test_a_row_that_ends_early_is_filled_with_nothing(write: Write) -> None:
    table = read_plate_map(write("well,drug,dose\nA1,x,1\nA2\n"))
    assert table.to_dict("list") == {"well": ["A01", "A02"], "drug": ["x", ""], "dose": ["1", ""]}


def test_a_row_that_ends_before_its_well_is_left_out_or_refused(write: Write) -> None:
    path = write("drug,well\nx,A1\ny\n")
    try:
        table = read_plate_map(path)
    except PlateMapError:
        return
    assert table["well"].tolist() == ["A01"]


def test_the_same_row_twice_is_one(write: Write) -> None:
    assert len(read_plate_map(write("well,drug\nA1,x\nA01,x\n"))) == 1


def test_a_well_with_two_contents_is_refused(write: Write) -> None:
    with pytest.raises(PlateMapError, match="well A01 stands in it more than once with different contents"):
        read_plate_map(write("well,drug\nA1,x\na01,y\n"))


def test_the_same_well_of_two_plates_is_no_contradiction(write: Write) -> None:
    assert len(read_plate_map(write("plate,well,drug\nP1,A1,x\nP2,A1,y\n"))) == 2


def test_a_map_that_names_no_well_lists_its_columns(write: Write) -> None:
    with pytest.raises(PlateMapError, match="no column names the well.*found: drug, row"):
        read_plate_map(write("drug,row\nx,A\n"))


@pytest.mark.parametrize("well", ["A99", "AG01", "well 3", "?"])
def test_a_well_of_no_plate_is_named_with_its_line(write: Write, well: str) -> None:
    with pytest.raises(PlateMapError, match=r"line 3: .* is not a well"):
        read_plate_map(write(f"well,drug\nA1,x\n{well},y\n"))


@pytest.mark.parametrize("entry", ["A,", "A,x", "A,1.5", "A,99", "A,1_0", "?,1"])
def test_a_row_and_column_of_no_plate_are_named_with_their_line(write: Write, entry: str) -> None:
    with pytest.raises(PlateMapError, match="line 2"):
        read_plate_map(write(f"row,column,drug\n{entry},x\n"))


@pytest.mark.parametrize(
    "content",
    [b"", b" \n\n",
     b"well,drug\nA1,x,y\n", b'well,drug\nA1,"x\n', b"well,drug\nA1,x\nA2,y,z\n", b"\x89PNG\r\n\x1a\n\x00\x00",
     b"\xd0\xcf\x11\xe0\xa1\xb1", b"PK\x03\x04rubbish", b"PAR1xx", b"\xff\xfea\x00b"],
    ids=["empty", "blank", "more entries than columns", "open quote", "one long row", "an image", "an old workbook",
         "a broken archive", "parquet", "half a character"],
)  # fmt: skip
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "map.csv"
    path.write_bytes(content)
    with pytest.raises(PlateMapError, match=r"map\.csv"):
        read_plate_map(path)


def test_two_columns_of_one_name_are_refused(write: Write) -> None:
    with pytest.raises(PlateMapError, match="drug"):
        read_plate_map(write("well,drug,drug \nA1,x,y\n"))


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlateMapError, match=r"gone\.csv: the plate map cannot be opened"):
        read_plate_map(tmp_path / "gone.csv")


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_any_text_is_a_plate_map_or_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        table = read_plate_map(path)
    except PlateMapError:
        return
    assert "well" in table


@settings(max_examples=40)
@given(st.lists(st.text('A1,;\t\n" wel', max_size=12), max_size=4))
def test_anything_like_a_plate_map_is_one_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "like.csv"
    path.write_text("\n".join(["well,drug", *lines]), encoding="utf-8")
    try:
        table = read_plate_map(path)
    except PlateMapError:
        return
    assert not table["well"].duplicated().any()


def test_the_maps_of_a_real_operetta_screen_are_read(real_data: Path) -> None:
    folder = real_data / "operetta_harmony" / "fixtures"
    german = read_plate_map(folder / "drug_layout.csv")
    assert german[["well", "drug", "concentration", "unit"]].to_numpy().tolist() == [["C03", "DMSO", "0.125", "%"]]
    marked = read_plate_map(folder / "drug_layout_utf8-dom.csv")
    assert marked[["well", "drug", "my_metadata"]].to_numpy().tolist() == [["B03", "my_drug", "example"]]


def test_a_real_map_with_short_well_names_is_read(real_data: Path) -> None:
    table = read_plate_map(real_data / "platemaps_nf1" / "platemap_NF1_plate1.csv")
    assert table["well"].head(2).tolist() == ["C06", "C07"]
    assert set(table["genotype"]) == {"WT", "Null"}


# Joining


def test_what_a_map_says_of_a_well_stands_beside_it() -> None:
    table, problems = join_plate_map(imaged("A01", "A02"), [map_of(["A02", "A01"], drug=["y", "x"])])
    assert problems == ()
    assert table.to_dict("list") == {
        "plate": ["P", "P"],
        "well": ["A01", "A02"],
        "imaged": [True, True],
        "drug": ["x", "y"],
    }


def test_a_map_without_plates_is_for_every_plate() -> None:
    table, _ = join_plate_map(imaged("A01", plates=("P1", "P2")), [map_of(["A01"], drug=["x"])])
    assert table["drug"].tolist() == ["x", "x"]


def test_wells_on_one_side_only_are_problems_and_stay_in_the_table() -> None:
    table, problems = join_plate_map(imaged("A01", "A02"), [map_of(["A02", "B01", "B02"], drug=["x", "y", "z"])])
    assert problems == (
        "2 wells of the plate map have no images: B01, B02.",
        "1 imaged well is not on the plate map: A01.",
    )
    assert table["imaged"].tolist() == [True, True, False, False]
    assert table["drug"].tolist() == ["", "x", "y", "z"]


def test_two_maps_are_put_side_by_side() -> None:
    maps = [map_of(["A01"], drug=["x"]), map_of(["A01"], dose=["1"])]
    table, _ = join_plate_map(imaged("A01"), maps)
    assert table[["drug", "dose"]].to_numpy().tolist() == [["x", "1"]]


def test_two_maps_with_the_same_column_are_refused() -> None:
    maps = [map_of(["A01"], drug=["x"]), map_of(["A01"], drug=["y"])]
    with pytest.raises(PlateMapError, match="two plate maps have the column 'drug'"):
        join_plate_map(imaged("A01"), maps)


def test_a_map_that_fits_no_image_shows_both_sides() -> None:
    with pytest.raises(PlateMapError, match=r"fits no image: it speaks of the wells H12.*images are of A01 of plate P"):
        join_plate_map(imaged("A01"), [map_of(["H12"], drug=["x"])])


def test_a_map_of_other_plates_fits_no_image() -> None:
    map_of_others = map_of(["A01", "A01"], plate=["Q1", "Q2"], drug=["x", "y"])
    with pytest.raises(PlateMapError, match="of plate Q1, Q2"):
        join_plate_map(imaged("A01"), [map_of_others])


def test_the_only_plate_of_a_map_is_the_only_plate_there_is() -> None:
    table, _ = join_plate_map(imaged("A01"), [map_of(["A01"], plate=["by another name"], drug=["x"])])
    assert table[["plate", "drug"]].to_numpy().tolist() == [["P", "x"]]


def test_without_a_map_every_imaged_well_is_listed() -> None:
    table, problems = join_plate_map(imaged("A01", "A02"), [])
    assert problems == ()
    assert list(table) == ["plate", "well", "imaged"]
    assert table["imaged"].all()


# What its columns mean


def test_a_column_is_found_in_any_case_and_exactly_first() -> None:
    table = map_of(["A01"], MoA=["x"], moa=["y"], Dose=["1"])
    assert [find_column(table, name) for name in ("moa", "MoA", "dose")] == ["moa", "MoA", "Dose"]


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(PlateMapError, match="no column 'moa'; it has: drug, dose"):
        find_column(map_of(["A01"], drug=["x"], dose=["1"]), "moa")
    with pytest.raises(PlateMapError, match="--plate-map"):
        find_column(map_of(["A01"]), "moa")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"dose": ["0", "1"]}, "dose"),
        ({"Concentration": ["0.1", ""], "SBS_Doses": ["1", "2"]}, "SBS_Doses"),
        ({"concentration_unit": ["uM", "uM"], "conc_uM": ["1", "2"]}, "conc_uM"),
        ({"dose": ["low", "high"]}, None),
        ({"dose": ["1", "1"]}, None),
        ({"number": ["1", "2"]}, None),
    ],
)
def test_the_dose_is_a_column_of_that_name_with_different_numbers(
    columns: dict[str, list[str]], expected: str | None
) -> None:
    assert dose_column(map_of(["A01", "A02"], **columns)) == expected


def test_the_compound_has_many_names() -> None:
    assert compound_column(map_of(["A01"], well2=["?"], Drug=["x"])) == "Drug"
    assert compound_column(map_of(["A01"], gene_name=["TP53"])) == "gene_name"
    assert compound_column(map_of(["A01"], colour=["red"])) is None


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"drug": ["taxol", "taxol"], "dose": ["1", "2"], "dose_unit": ["nM", "nM"]}, ["taxol 1 nM", "taxol 2 nM"]),
        ({"drug": ["taxol", "DMSO"], "dose": ["1", ""]}, ["taxol", "DMSO"]),
        ({"drug": ["taxol", ""], "concentration": ["1", "2"]}, ["taxol 1", ""]),
        ({"drug": ["taxol", "DMSO"]}, ["taxol", "DMSO"]),
        ({"dose": ["0", "10"]}, ["dose 0", "dose 10"]),
        ({"colour": ["red", "blue"]}, ["", ""]),
        ({"treatment": ["a", "b"]}, ["a", "b"]),
    ],
)
def test_a_treatment_is_a_compound_at_its_concentration(columns: dict[str, list[str]], expected: list[str]) -> None:
    assert treatments(map_of(["A01", "A02"], **columns)).tolist() == expected


def test_a_well_without_a_dose_has_no_treatment_where_doses_are_all_there_is() -> None:
    table = map_of(["A01", "A02", "A03"], dose=["1", "2", ""])
    assert treatments(table).tolist() == ["dose 1", "dose 2", ""]


def test_treatments_are_aligned_with_the_map() -> None:
    table = map_of(["A01", "A02"], drug=["x", "y"]).set_axis([7, 3])
    pd.testing.assert_index_equal(treatments(table).index, table.index)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"compound_1": ["x", "x"], "conc_1_uM": ["1", "1"], "compound_2": ["y", "z"], "conc_2_uM": ["2", "3"]},
         ["x 1 + y 2", "x 1 + z 3"]),
        ({"Drug A": ["x", "DMSO"], "Dose A (µM)": ["1", "0"], "Drug B": ["DMSO", "DMSO"], "Dose B (µM)": ["0", "0"]},
         ["x 1", "DMSO 0"]),
        ({"compound": ["x", "x"], "compound2": ["y", ""]}, ["x + y", "x"]),
        ({"drug": ["x", "x"], "sirna": ["KIF11", "PLK1"], "dose": ["1", "2"]}, ["x 1 + KIF11", "x 2 + PLK1"]),
        ({"drug": ["x", "y"], "gene": ["TUBB", "TUBB"]}, ["x", "y"]),
        ({"drug": ["x", "x"], "dose": ["1.0", "1"], "conc": ["1", "2"]}, ["x 1", "x 2"]),
        ({"drug": ["x", "DMSO"], "dose": ["1", "N/A"], "conc": ["1", "2"]}, ["x 1", "DMSO 2"]),
        ({"drug": ["x", "x", "x"], "conc": ["1,000", "10,000", "2"], "concentration_um": ["", "", "2"],
          "dose": ["1", "2", "2"]}, ["x 1", "x 2", "x 2"]),
    ],
)  # fmt: skip
def test_what_was_given_together_is_one_treatment(columns: dict[str, list[str]], expected: list[str]) -> None:
    wells = [f"A{i + 1:02d}" for i in range(len(expected))]
    assert treatments(map_of(wells, **columns)).tolist() == expected


def test_one_concentration_in_two_spellings_is_one_treatment() -> None:
    table = map_of(["A01", "A02", "A03"], drug=["x"] * 3, dose=["1.0", "1", "2"])
    assert treatments(table).tolist() == ["x 1.0", "x 1.0", "x 2"]


def test_two_doses_that_cannot_be_read_are_two_treatments() -> None:
    entries = ["1,000", "10,000", "500", "0"]
    table, _ = join_plate_map(
        imaged("A01", "A02", "A03", "A04"), [map_of(["A01", "A02", "A03", "A04"], drug=["x"] * 4, conc_nM=entries)]
    )
    assert treatments(table).tolist() == ["x 1,000", "x 10,000", "x 0.5 µM", "x 0 µM"]


def test_the_dose_is_a_column_that_is_all_numbers_where_there_is_one() -> None:
    table = map_of(["A01", "A02", "A03"], conc=["0,5", "1", "2"], concentration_um=["0.5", "1", "2"])
    assert dose_column(table) == "concentration_um"
    assert dose_column(table.drop(columns="concentration_um")) == "conc"


def test_the_compound_is_found_under_its_plain_name_where_there_is_one_alone() -> None:
    assert find_column(map_of(["A01"], **{"Sample Name": ["x"]}), "compound") == "Sample Name"
    with pytest.raises(PlateMapError, match="no column 'compound'"):
        find_column(map_of(["A01"], drug=["x"], sirna=["y"]), "compound")
