"""Tables in Excel workbooks: every cell as the text that a person sees in it."""

import io
import math
import re
import warnings
import zipfile
import zlib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import ParseError

from cellvote.errors import PlateMapError
from cellvote.plates.plate_maps.text_files import Row, clean

MAX_WORKBOOK_BYTES: Final = 64 * 2**20
MAX_UNPACKED_BYTES: Final = 512 * 2**20
MAX_CELLS: Final = 2_000_000
MAX_ROWS: Final = 200_000
MAX_SHEETS: Final = 500

_DAMAGED: Final = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, OverflowError),
    *(NotImplementedError, RuntimeError, zlib.error, zipfile.BadZipFile, ParseError),
)
"""What reading a damaged workbook ends in; entities in its XML too (defusedxml's errors are ValueErrors)."""


_NO_RESULT: Final = re.compile(
    rb'<c r="([A-Z]{1,3}[0-9]{1,7})"(?![^>]*\st=)[^>]*>\s*<f(?:\s[^>]*)?(?:/>|>[^<]*</f>)\s*'
    rb"(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)
"""A cell with a formula that nobody has computed; a text that a formula gave, even an empty one, has a type."""


class Workbook(NamedTuple):
    """The sheets of a workbook that are not empty, and the names of those that are hidden and left out."""

    sheets: dict[str, list[Row]]
    hidden: tuple[str, ...]


def is_workbook(content: bytes) -> bool:
    """Whether bytes are a ZIP archive with a workbook in it."""
    if not content.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except (*_DAMAGED, OSError):
        return True  # a broken archive is reported as a damaged workbook


def read_workbook_rows(path: Path, content: bytes) -> Workbook:
    """Read every sheet that is not empty, hidden ones only where no other is; numbers as a person sees them.

    Raises
    ------
    PlateMapError
        Where the workbook is damaged, encrypted, empty, unpacks to more than a plate map can be, or has formulas that
        were never computed.
    """
    _check_archive(path, content)
    import openpyxl  # only here: importing it takes longer than reading most plate maps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and drop-down lists, which are not read
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
            try:
                _refuse_formulas_without_result(path, content)
                visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
                sheets = _sheets(path, visible)
                hidden = tuple(str(sheet.title) for sheet in book.worksheets if sheet not in visible)
                if not sheets:
                    sheets, hidden = _sheets(path, book.worksheets), ()
            finally:
                book.close()
    except PlateMapError:
        raise
    except (*_DAMAGED, OSError) as error:
        raise PlateMapError(
            f"{path}: the workbook is damaged or protected ({type(error).__name__}). Open it and save it again, or "
            "save the sheet as CSV."
        ) from error
    if not sheets:
        raise PlateMapError(f"{path}: the plate map is empty.")
    return Workbook(sheets, hidden)


def _check_archive(path: Path, content: bytes) -> None:
    if len(content) > MAX_WORKBOOK_BYTES:
        raise PlateMapError(f"{path}: larger than {MAX_WORKBOOK_BYTES // 2**20} MiB: not a plate map.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (*_DAMAGED, OSError) as error:
        raise PlateMapError(f"{path}: the workbook is damaged. Save it again, or save the sheet as CSV.") from error
    if unpacked > MAX_UNPACKED_BYTES:
        raise PlateMapError(f"{path}: unpacks to {unpacked / 2**20:,.0f} MiB: not a plate map. Save the sheet as CSV.")


def _refuse_formulas_without_result(path: Path, content: bytes) -> None:
    """A formula that a program wrote has no value before a spreadsheet computed it: it would be read as nothing."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for part in archive.infolist():
            if not part.filename.startswith("xl/worksheets/") or part.file_size > MAX_WORKBOOK_BYTES:
                continue
            found = _NO_RESULT.search(archive.read(part))
            if found:
                raise PlateMapError(
                    f"{path}: cell {found[1].decode()} has a formula without its result. Open the workbook in a "
                    "spreadsheet program and save it again."
                )


def _sheets(path: Path, worksheets: list[Any]) -> dict[str, list[Row]]:
    sheets: dict[str, list[Row]] = {}
    n_cells = 0
    for sheet in worksheets[:MAX_SHEETS]:
        rows = _rows(path, sheet)
        n_cells += sum(len(row.cells) for row in rows)
        if n_cells > MAX_CELLS:
            raise PlateMapError(f"{path}: more than {MAX_CELLS:,} cells: not a plate map.")
        while rows and rows[0].cells and rows[0].cells[0].startswith("#"):
            rows.pop(0)  # comments before the header
        if rows:
            sheets[str(sheet.title)] = rows
    return sheets


def _rows(path: Path, sheet: Any) -> list[Row]:
    sheet.reset_dimensions()  # what the file claims of its size is not believed
    rows: list[Row] = []
    n_cells = 0
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        n_cells += len(cells)
        if number > MAX_ROWS or n_cells > MAX_CELLS:
            raise PlateMapError(
                f"{path}, sheet {sheet.title}: more than {MAX_ROWS:,} rows or {MAX_CELLS:,} cells: not a plate map."
            )
        texts = [_text(cell.value, cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            rows.append(Row(number, texts))
    return rows


def _text(value: object, cell: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = number_text(float(f"{value:.15g}") if isinstance(value, float) else value)  # as many digits as Excel has
        zeros = str(cell.number_format or "")
        return text.zfill(len(zeros)) if re.fullmatch("0{2,30}", zeros) and text.isdecimal() else text
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime) and re.fullmatch(r"d{1,2}\\?-mmm(?:;@)?", str(cell.number_format or "")):
        return f"{value.day}-{value:%b}"  # SEPT1, as a spreadsheet shows it that took it for a day
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time(0) else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return clean(str(value))


def number_text(value: float) -> str:
    """Write a number as short as it can be read back: ``3`` for 3.0, ``0.1`` for 0.1, nothing for NaN."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e16 else repr(float(value))
