"""Plate maps in Excel workbooks."""

import io
import re
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from tests.plates.imaged_wells import imaged

from cellvote.errors import PlateMapError
from cellvote.plates.plate_map import join_plate_map, read_map_file, read_maps, read_plate_map

Rows = list[list[Any]]


def write_book(path: Path, **sheets: Rows) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


LONG: Rows = [["well", "drug", "dose"], ["A1", "DMSO", 0], ["A2", "taxol", 0.1]]


def test_a_workbook_is_read_as_text_without_a_needless_point(tmp_path: Path) -> None:
    rows: Rows = [
        ["Well", "id", "dose", "on", "ok"],
        ["A1", "001234", 3.0, date(2024, 5, 1), True],
        ["A2", "12E3", 0.1, datetime.fromisoformat("2024-05-01 12:30"), None],
        ["A3", "NA", 1e-7, None, False],
    ]
    table = read_plate_map(write_book(tmp_path / "map.xlsx", Sheet1=rows))
    assert table.to_dict("list") == {
        "well": ["A01", "A02", "A03"],
        "id": ["001234", "12E3", "NA"],
        "dose": ["3", "0.1", "1e-07"],
        "on": ["2024-05-01", "2024-05-01 12:30:00", ""],
        "ok": ["TRUE", "", "FALSE"],
    }


def test_a_number_shown_with_leading_zeros_keeps_them(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["well", "id"])
    book.active.append(["A1", 1234])
    book.active["B2"].number_format = "000000"
    book.save(tmp_path / "map.xlsx")
    assert read_plate_map(tmp_path / "map.xlsx").to_dict("list") == {"well": ["A01"], "id": ["001234"]}


def test_the_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Sheet1=LONG)
    assert read_plate_map(path.rename(tmp_path / "map.csv"))["well"].tolist() == ["A01", "A02"]


def test_sheets_called_like_plates_are_of_these_plates(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", notes=[["by", "me"]], P1=LONG, P2=LONG[:2])
    part = read_map_file(path, ["P1", "P2"])
    assert [one.table["plate"].tolist() for one in part if one.has_wells] == [["P1", "P1"], ["P2"]]


def test_sheets_of_the_same_columns_are_of_plates(tmp_path: Path) -> None:
    parts = read_map_file(write_book(tmp_path / "map.xlsx", BR1=LONG, BR2=LONG))
    assert [one.table["plate"].iloc[0] for one in parts] == ["BR1", "BR2"]


def test_a_sheet_for_each_thing_that_is_said_is_a_column_of_each(tmp_path: Path) -> None:
    grid: Rows = [[None, 1, 2, 3], ["A", "x", None, "y"], ["B", None, None, None]]
    numbers: Rows = [[None, 1, 2, 3], ["A", 0.5, None, 10], ["B", None, None, None]]
    parts = read_map_file(write_book(tmp_path / "map.xlsx", compound=grid, concentration_um=numbers))
    assert [one.table.to_dict("list") for one in parts] == [
        {"well": ["A01", "A03"], "compound": ["x", "y"]},
        {"well": ["A01", "A03"], "concentration_um": ["0.5", "10"]},
    ]


def test_the_first_sheet_with_wells_is_the_map_and_others_are_noted(tmp_path: Path) -> None:
    old: Rows = [["well", "drug"], ["A1", "other"]]
    parts = read_map_file(
        write_book(tmp_path / "map.xlsx", map=LONG, old=old, compounds=[["drug", "moa"], ["taxol", "m"]])
    )
    assert [list(one.table) for one in parts] == [["well", "drug", "dose"], ["drug", "moa"]]
    assert parts[0].notes == ("map.xlsx: the sheets old are left out; they repeat columns of the first.",)


def test_an_empty_workbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlateMapError, match="is empty"):
        read_plate_map(write_book(tmp_path / "map.xlsx", Sheet1=[]))


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
def test_a_cut_workbook_is_refused(tmp_path: Path, at: float) -> None:
    content = write_book(tmp_path / "map.xlsx", Sheet1=LONG).read_bytes()
    (tmp_path / "cut.xlsx").write_bytes(content[: int(len(content) * at)])
    with pytest.raises(PlateMapError, match=r"cut\.xlsx"):
        read_plate_map(tmp_path / "cut.xlsx")


def rewritten(path: Path, part: str, content: bytes) -> Path:
    """Replace one part of a workbook."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == part else old.read(info))
    path.write_bytes(buffer.getvalue())
    return path


def test_entities_in_a_workbook_are_refused(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Sheet1=LONG)
    entities = b'<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    bomb = b'<?xml version="1.0"?>' + entities + b"<worksheet><sheetData>&b;</sheetData></worksheet>"
    with pytest.raises(PlateMapError, match="damaged"):
        read_plate_map(rewritten(path, "xl/worksheets/sheet1.xml", bomb))


def test_a_workbook_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Sheet1=LONG)
    with pytest.raises(PlateMapError, match="unpacks to"):
        read_plate_map(rewritten(path, "xl/worksheets/sheet1.xml", b" " * (513 * 2**20)))


def test_a_sheet_that_claims_a_huge_size_is_read_by_what_is_there(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Sheet1=LONG)
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    huge = sheet.replace(b'<dimension ref="A1:C3"', b'<dimension ref="A1:XFD1048576"')
    assert huge != sheet
    assert len(read_plate_map(rewritten(path, "xl/worksheets/sheet1.xml", huge))) == 2


def test_a_sheet_of_a_million_rows_is_refused(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Sheet1=LONG)
    sheet = (
        b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="A1048576"><v>1</v></c></row>'
        b"</sheetData></worksheet>"
    )
    with pytest.raises(PlateMapError, match="more than 200,000 rows"):
        read_plate_map(rewritten(path, "xl/worksheets/sheet1.xml", sheet))


def test_hidden_sheets_are_left_out_with_a_note(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Old=[["Well", "Drug"], ["A1", "old"]], Map=LONG)
    book = openpyxl.load_workbook(path)
    book["Old"].sheet_state = "hidden"
    book.save(path)
    (part,) = read_map_file(path)
    assert part.table["drug"].tolist() == ["DMSO", "taxol"]
    assert part.notes == ("map.xlsx: hidden sheets are left out: Old.",)


def test_a_workbook_whose_sheets_are_all_hidden_but_an_empty_one_is_read(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Map=LONG, Sheet2=[])
    book = openpyxl.load_workbook(path)
    book["Map"].sheet_state = "hidden"
    book.save(path)
    assert read_plate_map(path)["drug"].tolist() == ["DMSO", "taxol"]


def test_a_sheet_of_notes_beside_the_map_is_left_out_with_a_note(tmp_path: Path) -> None:
    rows: Rows = [["This is the layout of screen 5"], ["by Ada"]]
    path = write_book(tmp_path / "map.xlsx", Readme=rows, Map=LONG)
    table, problems = join_plate_map(imaged("A01", "A02"), read_maps([path], ["P"]))
    assert table["drug"].tolist() == ["DMSO", "taxol"]
    assert problems == ("map.xlsx, sheet Readme is left out: it has nothing in common with the plate map.",)


def test_a_sheet_that_does_not_join_is_left_out_with_the_reason(tmp_path: Path) -> None:
    summary: Rows = [["drug", "wells"], ["taxol", 1], ["taxol", 2]]
    path = write_book(tmp_path / "map.xlsx", Map=LONG, Summary=summary)
    table, problems = join_plate_map(imaged("A01", "A02"), read_maps([path], ["P"]))
    assert "wells" not in table
    assert "more than once" in problems[0]


def test_formulas_that_nobody_computed_are_refused(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Map=[["well", "dose"], ["A1", 1], ["A2", "=B2*10"]])
    with pytest.raises(PlateMapError, match="cell B3 has a formula without its result"):
        read_plate_map(path)


@pytest.mark.parametrize(
    ("result", "expected"),
    [("<v>10</v></c>", "10"), ("<v></v></c>", ""), ("<v>0.30000000000000004</v></c>", "0.3")],
)
def test_formulas_are_read_by_their_results(tmp_path: Path, result: str, expected: str) -> None:
    """A formula that gives an empty text is one with a result; numbers have the digits that a person sees."""
    path = write_book(tmp_path / "draft.xlsx", Map=[["well", "dose"], ["A1", "=B9*10"], ["A2", 5]])
    kind = "" if expected else ' t="str"'
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "map.xlsx", "w") as new:
        for part in old.infolist():
            content = old.read(part).decode()
            formula = r'<c r="B2"[^>]*><f>([^<]*)</f><v ?/?>(?:</v>)?</c>'
            content = re.sub(formula, rf'<c r="B2"{kind}><f>\1</f>{result}', content)
            new.writestr(part, content)
    assert read_plate_map(tmp_path / "map.xlsx")["dose"].tolist() == [expected, "5"]


def test_a_gene_that_became_a_day_is_as_the_sheet_shows_it(tmp_path: Path) -> None:
    path = write_book(tmp_path / "map.xlsx", Map=[["well", "gene"], ["A1", date(2024, 9, 1)], ["A2", "SEPT2"]])
    book = openpyxl.load_workbook(path)
    book["Map"]["B2"].number_format = "d-mmm"
    book.save(path)
    assert read_plate_map(path)["gene"].tolist() == ["1-Sep", "SEPT2"]
