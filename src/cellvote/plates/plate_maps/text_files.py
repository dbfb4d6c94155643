"""Tables in text files: any encoding, any separator, every cell as the text that it is."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mode
from typing import Final

from cellvote.errors import PlateMapError

MAX_TEXT_BYTES: Final = 64 * 2**20
MAX_LINES: Final = 1_000_000
MAX_CELLS: Final = 20_000_000

_SEPARATORS: Final = (
    "\t",
    ";",
    "|",
    ",",
)  # where two fit equally well, a comma is the likelier to be a part of the text
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OTHER_FILES: Final = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls). Save it as XLSX or CSV"),
    (b"PK\x03\x04", "a ZIP archive that is no XLSX workbook. Save it as XLSX or CSV"),
    (b"PAR1", "a Parquet table. Save it as CSV"),
    (b"%PDF", "a PDF document. Save the table in it as CSV"),
)
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_N_SNIFFED: Final = 50


@dataclass(frozen=True)
class Row:
    """One row of a table: the line or row that it starts at, counted from 1, and its cells as text."""

    line: int
    cells: list[str]

    def is_empty(self) -> bool:
        """Whether every cell is empty."""
        return not any(self.cells)

    def cell(self, index: int) -> str:
        """The text of a cell; empty beyond the last one."""
        return self.cells[index] if index < len(self.cells) else ""


def read_text_rows(path: Path, content: bytes) -> list[Row]:
    """Read the rows of a CSV, TSV or other text table; comments (``# …``) before the header are left out.

    Raises
    ------
    PlateMapError
        Where the file is empty, is no text, or a quoted entry never ends.
    """
    text = _decode(path, content)
    if text.count("\n") + text.count("\r") > 2 * MAX_LINES or text.count("\n") > MAX_LINES:
        raise PlateMapError(f"{path}: more than {MAX_LINES:,} lines: not a plate map.")
    lines = _without_comments(list(io.StringIO(text, newline="")))
    if not any(line.strip() for _, line in lines):
        raise PlateMapError(f"{path}: the plate map is empty.")
    first = lines[0][0]
    bare = [line for _, line in lines]
    sample = [line for line in islice(bare, _N_SNIFFED * 4) if line.strip()][:_N_SNIFFED]
    separator = _separator(sample)
    if separator is None:
        spaced = _split_by_spaces(bare, first)
        if spaced:
            return spaced
    return list(_parse(path, bare, separator or ",", first))


def clean(entry: str) -> str:
    """Strip spaces around an entry, and one pair of quotes that the separator left around it."""
    entry = entry.strip()
    if len(entry) >= 2 and entry[0] == entry[-1] == '"':
        entry = entry[1:-1].strip()
    return entry


def _parse(path: Path, lines: Sequence[str], separator: str, first: int) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    n_cells, start = 0, first
    try:
        for cells in reader:
            n_cells += len(cells)
            if n_cells > MAX_CELLS:
                raise PlateMapError(f"{path}: more than {MAX_CELLS:,} entries: not a plate map.")
            yield Row(start, [clean(cell) for cell in cells])
            start = first + reader.line_num
    except csv.Error as error:
        raise PlateMapError(
            f"{path}, line {start}: the plate map cannot be read as a table ({error}). Close or double the quotes."
        ) from error


def _decode(path: Path, content: bytes) -> str:
    """Decode by the byte-order mark, else by the zeros of UTF-16, else as UTF-8, else as Windows does in the West."""
    for start, what in _OTHER_FILES:
        if content.startswith(start):
            raise PlateMapError(f"{path}: is {what}.")
    text = _decoded(path, content)
    wrong = _NO_TEXT.search(text)
    if wrong:
        raise PlateMapError(
            f"{path}: is no text (character {wrong.start() + 1} is a control character). Save the plate map as CSV."
        )
    return text


def _decoded(path: Path, content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None:
        head = content[:4096]
        zeros = (head[0::2].count(0), head[1::2].count(0))
        if max(zeros) > len(head) / 8 and min(zeros) < max(zeros) / 4:
            encoding = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    if encoding is not None:
        try:
            return content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise PlateMapError(f"{path}: is damaged, or no {encoding.upper()} text. Save it as CSV UTF-8.") from error
    for western in ("utf-8", "cp1252"):
        try:
            return content.decode(western)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _without_comments(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Number the lines, and leave out empty ones and comments before the header.

    A last comment with as many entries as the line below it is the header itself (``#well,drug``).
    """
    start = 0
    while start < len(lines) and (not lines[start].strip() or lines[start].lstrip().startswith("#")):
        start += 1
    numbered = [(i + 1, line) for i, line in enumerate(lines)][start:]
    above = start - 1
    if above >= 0 and numbered and lines[above].lstrip().startswith("#"):
        header = lines[above].lstrip().lstrip("#").lstrip(" ")
        counts = [(header.count(s), lines[start].count(s)) for s in _SEPARATORS]
        if any(n == m > 0 for n, m in counts) and re.search(r"well|row|plate|barcode", header, re.IGNORECASE):
            numbered.insert(0, (above + 1, header))
    return numbered


def _separator(sample: Sequence[str]) -> str | None:
    """Choose the separator that stands in the header and as often in most other lines; None where none does."""
    best, best_score = None, (0.0, 0)
    for separator in _SEPARATORS:
        counts = [_outside_quotes(line, separator) for line in sample]
        usual = mode([count for count in counts if count] or [0])
        if usual:
            share = sum(count == usual for count in counts) / len(counts)
            score = (share + (counts[0] > 0), usual)
            if score > best_score:
                best, best_score = separator, score
    return best


def _outside_quotes(line: str, separator: str) -> int:
    return sum(part.count(separator) for part in line.split('"')[::2])


def _split_by_spaces(lines: Sequence[str], first: int) -> list[Row]:
    """Split columns that stand below each other, where every line gives the same number of them; else nothing."""
    rows = [(first + i, line.strip()) for i, line in enumerate(lines) if line.strip()]
    for gap in (r"\s{2,}", r"\s+"):
        split = [Row(line, [clean(cell) for cell in re.split(gap, text)]) for line, text in rows]
        widths = {len(row.cells) for row in split}
        if len(widths) == 1 and widths != {1}:
            return split
    return []
