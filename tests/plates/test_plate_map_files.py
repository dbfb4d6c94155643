"""Plate maps in files: any encoding and separator, comments, damaged files, images put into wells."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plates.imaged_wells import imaged

from cellvote.errors import PlateMapError
from cellvote.plates.plate_map import join_plate_map, read_map_file, read_maps, read_plate_map
from cellvote.plates.wells import well_name

Write = Callable[[str | bytes], Path]

PLAIN = [("well", "drug", "dose"), ("A01", "DMSO", "0"), ("H12", "taxol µ", "0.5")]
EXPECTED = {"well": ["A01", "H12"], "drug": ["DMSO", "taxol µ"], "dose": ["0", "0.5"]}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_content(content: str | bytes) -> Path:
        path = tmp_path / "map.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_content


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_the_encoding_and_the_separator_are_found_out(write: Write, encoding: str, separator: str) -> None:
    text = "\r\n".join(separator.join(line) for line in PLAIN) + "\r\n"
    assert read_plate_map(write(text.encode(encoding))).to_dict("list") == EXPECTED


def test_both_characters_that_look_like_micro_survive(write: Write) -> None:
    table = read_plate_map(write("well;unit\nA1;\N{MICRO SIGN}M\nA2;\N{GREEK SMALL LETTER MU}M\n"))
    assert table["unit"].tolist() == ["\N{MICRO SIGN}M", "\N{GREEK SMALL LETTER MU}M"]


@pytest.mark.parametrize(
    "text",
    [
        "well  drug    dose\nA01   DMSO    0\nH12   taxol µ   0.5\n",
        "# made by hand\n\n#second line\nwell,drug,dose\nA01,DMSO,0\nH12,taxol µ,0.5\n",
        "#well,drug,dose\nA01,DMSO,0\nH12,taxol µ,0.5\n",
        "Plate map of Monday\n\nwell,drug,dose\nA01,DMSO,0\nH12,taxol µ,0.5\n",
        "well,drug,dose,,\nA01,DMSO,0,,\nH12,taxol µ,0.5,,\n",
        ",well,drug,dose\n0,A01,DMSO,0\n1,H12,taxol µ,0.5\n",
        'well,drug,dose\n"A01","DMSO","0"\n"""H12""","taxol µ","""0.5"""\n',
        'well, drug, dose\nA01, "DMSO", 0\nH12, "taxol µ", 0.5\n',
        "well;drug;dose\rA01;DMSO;0\rH12;taxol µ;0.5\r",
    ],
    ids=["aligned", "comments", "commented header", "title", "empty columns", "row numbers", "quotes", "spaces", "mac"],
)
def test_what_programs_write_around_a_table_makes_no_difference(write: Write, text: str) -> None:
    assert read_plate_map(write(text)).to_dict("list") == EXPECTED


def test_commas_within_entries_of_other_separators_stay(write: Write) -> None:
    semicolons = read_plate_map(write("well;conc;drug\nA1;0,125;a,b,c\nA2;0,5;d\n"))
    assert semicolons["conc"].tolist() == ["0,125", "0,5"]
    tabs = read_plate_map(write("well\ttargets\nA1\tA|B|C\nA2\tD;E,F\n"))
    assert tabs["targets"].tolist() == ["A|B|C", "D;E,F"]
    quoted = read_plate_map(write('well,name\nA1,"3,3\'-diaminobenzidine"\nA2,"two\nlines"\n'))
    assert quoted["name"].tolist() == ["3,3'-diaminobenzidine", "two\nlines"]


@pytest.mark.parametrize(
    "header",
    [
        *("well", "Well", "WELL", "well_id", "Well Name", "well position", "Metadata_Well", "Metadata_well_position"),
        *("Destination Well", "dest_well", "Image_Metadata_Well_DAPI", "Image_Metadata_Well", "WellName", "Position"),
        *("Plate well", "well_384", "Assay Well"),
    ],
)
def test_the_well_is_found_under_many_names(write: Write, header: str) -> None:
    assert read_plate_map(write(f"drug,{header}\nx,b7\ny,C10\n")).to_dict("list") == {
        "well": ["B07", "C10"],
        "drug": ["x", "y"],
    }


@pytest.mark.parametrize(
    "header",
    [
        *("plate", "Plate", "Metadata_Plate", "Assay_Plate_Barcode", "barcode", "plate_name", "Plate ID"),
        *("Image_Metadata_Plate_DAPI", "Destination Plate Barcode"),
    ],
)
def test_the_plate_is_found_under_many_names(write: Write, header: str) -> None:
    table = read_plate_map(write(f"{header},well,Plate_Map_Name\n007,A1,x\n008,A1,y\n"))
    assert table.to_dict("list") == {"plate": ["007", "008"], "well": ["A01", "A01"], "Plate_Map_Name": ["x", "y"]}


@pytest.mark.parametrize(
    ("header", "entry"),
    [
        ("Row,Column", "B,7"),
        ("plate_row,plate_col", "2,07"),
        ("Well Row,Well Col", "b,7"),
        ("row_name,col_number", "B,7"),
    ],
)
def test_row_and_column_make_a_well(write: Write, header: str, entry: str) -> None:
    assert read_plate_map(write(f"{header},drug\n{entry},x\n"))["well"].tolist() == ["B07"]


def test_a_well_number_beside_a_well_name_is_not_the_well(write: Write) -> None:
    table = read_plate_map(write("Well,Source Well,well_position,drug\n14,P1,B2,x\n15,P1,B3,y\n"))
    assert table["well"].tolist() == ["B02", "B03"]
    assert table["well_source" if "well_source" in table else "Well"].tolist() == ["14", "15"]
    assert table["Source Well"].tolist() == ["P1", "P1"]


def test_rows_of_images_become_rows_of_wells_with_a_note(write: Write) -> None:
    path = write("FileName_DNA,Field,Well,Compound,Conc\na.tif,1,A1,x,0.3\nb.tif,2,A1,x,0.30\nc.tif,1,A2,y,1\n")
    (part,) = read_map_file(path)
    assert part.table.to_dict("list") == {"well": ["A01", "A02"], "Compound": ["x", "y"], "Conc": ["0.3", "1"]}
    assert part.notes == (
        "map.csv: has several rows for a well; what differs between them is left out: FileName_DNA, Field.",
    )


@pytest.mark.parametrize(("column", "values"), [("Compound", "xy"), ("dose", "12"), ("control_type", "ab")])
def test_a_well_whose_images_had_two_treatments_is_refused(write: Write, column: str, values: str) -> None:
    path = write(f"Field,Well,{column}\n1,A1,{values[0]}\n2,A1,{values[1]}\n")
    with pytest.raises(PlateMapError, match=f"well A01 stands in it more than once with different contents .{column}"):
        read_plate_map(path)


def test_a_well_of_one_of_several_plates_is_named_with_its_plate(write: Write) -> None:
    with pytest.raises(PlateMapError, match="well A01 of plate P2 stands in it more than once"):
        read_plate_map(write("plate,well,drug\nP1,A1,x\nP2,A1,x\nP2,A1,y\n"))


def test_a_table_without_wells_is_read_but_is_no_plate_map(write: Write) -> None:
    path = write('"compound",concentration,"moa"\n"PP-2",3.000000,"Epithelial"\n')
    (part,) = read_map_file(path)
    assert not part.has_wells
    assert part.table.to_dict("list") == {"compound": ["PP-2"], "concentration": ["3.000000"], "moa": ["Epithelial"]}
    with pytest.raises(PlateMapError, match="no column names the well"):
        read_plate_map(path)


# Damaged and hostile files


def test_a_row_with_too_many_entries_is_named_by_its_line(write: Write) -> None:
    with pytest.raises(PlateMapError, match=r"map\.csv, line 4: has 3 entries and the header 2"):
        read_plate_map(write("# comment\nwell,drug\nA1,x\nA2,1,2-dichloroethane\n"))


def test_a_header_in_the_middle_is_named_by_its_line(write: Write) -> None:
    with pytest.raises(PlateMapError, match="line 3: the header stands in it again"):
        read_plate_map(write("well,drug\nA1,x\nwell,drug\nA2,y\n"))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    path.touch()
    os.truncate(path, 2**30)  # sparse: takes no space
    started = time.process_time()
    with pytest.raises(PlateMapError, match="larger than 64 MiB"):
        read_plate_map(path)
    assert time.process_time() - started < 0.5


def test_a_folder_and_a_pipe_are_no_plate_maps(tmp_path: Path) -> None:
    with pytest.raises(PlateMapError, match="cannot be opened"):
        read_plate_map(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PlateMapError, match="is no file"):
        read_plate_map(tmp_path / "pipe")


@pytest.mark.parametrize(
    "entry",
    ["neg" + "_" * 50_000 + "!", "dmso" + " " * 50_000 + "!", "1" * 100_000, "1," * 50_000, "plate" + " " * 50_000],
)
def test_an_endless_entry_takes_no_endless_time(write: Write, entry: str) -> None:
    started = time.process_time()
    join_plate_map(
        imaged("A01"), [read_plate_map(write(f'well,compound,dose,control_type\nA1,"{entry}","{entry}","{entry}"\n'))]
    )
    assert time.process_time() - started < 2


@given(st.binary(max_size=200))
def test_any_bytes_are_a_plate_map_or_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(content)
    try:
        table = read_plate_map(path)
    except PlateMapError:
        return
    assert "well" in table


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), max_size=8), min_size=2, max_size=2),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
def test_entries_survive_any_separator_encoding_and_quoting(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], separator: str, encoding: str, all_quoted: bool
) -> None:
    def quoted(entry: str) -> str:
        needs = all_quoted or set(entry) & {separator, '"', "\n", "\r"}
        return '"' + entry.replace('"', '""') + '"' if needs else entry

    rows = [[entry.replace('"', "'").strip() for entry in row] for row in rows]
    wells = [well_name(1 + i // 12, 1 + i % 12) for i in range(len(rows))]
    lines = [["well", "first", "second"], *([well, *row] for well, row in zip(wells, rows, strict=True))]
    path = tmp_path_factory.getbasetemp() / "any separator.csv"
    path.write_bytes("\n".join(separator.join(map(quoted, line)) for line in lines).encode(encoding))
    table = read_plate_map(path)
    assert table[["first", "second"]].to_numpy().tolist() == rows
    assert table["well"].tolist() == wells


# Speed


def test_thirteen_thousand_rows_of_images_are_read_in_a_second(write: Write) -> None:
    lines = [
        f"{i},DAPI_{i}.tif,Week{i // 240},{well_name(2 + i // 40 % 6, 2 + i // 4 % 10)},c{i // 4},0.3"
        for i in range(13_200)
    ]
    path = write(
        "ImageNumber,Image_FileName_DAPI,Metadata_Plate,Metadata_Well,Compound,Concentration\n" + "\n".join(lines)
    )
    started = time.process_time()
    table = read_plate_map(path)
    assert len(table) == 3300
    assert time.process_time() - started < 2


def test_a_table_that_was_made_in_python_is_read_alike() -> None:
    frame = pd.DataFrame({"Well": ["a1", "A2"], "dose": [1.0, float("nan")], "n": [3, 4], "drug": ["x", None]})
    (part,) = read_maps([frame], ["P"])
    assert part.table.to_dict("list") == {"well": ["A01", "A02"], "dose": ["1", ""], "n": ["3", "4"], "drug": ["x", ""]}


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Well,Treatment,,Note\n,Compound,Conc (uM),\nA1,x,1,n\n", ["Compound", "Conc (uM)", "Note"]),
        ("Well,Drug 1,,Drug 2,\n,Name,Dose,Name,Dose\nA1,x,1,y,2\n",
         ["Drug 1 Name", "Drug 1 Dose", "Drug 2 Name", "Drug 2 Dose"]),
        ("Well,Compound,Conc\n,,(µM)\nA1,x,1\n", ["Compound", "Conc (µM)"]),
        ("Well,Compound,\n,x,1\nA1,x,1\n", ["Compound", "column 3"]),
    ],
)  # fmt: skip
def test_a_header_of_two_rows_is_one(write: Write, text: str, columns: list[str]) -> None:
    assert list(read_plate_map(write(text)))[1:] == columns


def test_rows_that_say_something_of_no_well_are_told(write: Write) -> None:
    (part,) = read_map_file(write("well,drug\nA1,x\n,y\n,\nInstrument,Echo\n".replace("Instrument", "")))
    assert part.notes == ("map.csv: 2 rows name no well and are left out (line 3, 5).",)


def test_of_several_plate_columns_the_one_that_was_imaged_is_taken(write: Write) -> None:
    path = write("Destination Plate Name,Destination Plate Barcode,Destination Well,drug\nD[1],P1,A1,x\nD[2],P2,A1,y\n")
    (part,) = read_map_file(path, ["P1", "P2"])
    assert part.table["plate"].tolist() == ["P1", "P2"]


def test_numbered_wells_are_refused_with_the_reason(write: Write) -> None:
    with pytest.raises(PlateMapError, match="line 2: '1' is no well: whether wells are numbered along rows or columns"):
        read_plate_map(write("well,drug\n1,x\n2,y\n"))


def test_a_file_of_millions_of_lines_is_refused_before_it_is_split(write: Write) -> None:
    path = write(b"well,drug\n" + b"A01,x\n" * 2_000_000)
    started = time.monotonic()
    with pytest.raises(PlateMapError, match="more than 1,000,000 lines: not a plate map"):
        read_plate_map(path)
    assert time.monotonic() - started < 5
