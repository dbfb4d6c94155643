"""What the columns of a plate map mean, told by their names in any spelling."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from cellvote.errors import PlateMapError

CONCENTRATION_UM: Final = "concentration_um"
"""The column with concentrations in µM that is made where units are known."""

CONTROL_TYPE: Final = "control_type"
"""The column with ``negative``, ``positive`` or nothing."""

WELL_NAMES: Final = (
    *("well", "wells", "wellid", "wellname", "wellposition", "wellpos", "wellcoordinate", "wellcoord", "wellref"),
    *("welllabel", "wellalpha", "wellcode", "destinationwell", "destwell", "targetwell", "assaywell", "platewell"),
)
ROW_NAMES: Final = ("row", "wellrow", "platerow", "rowname", "rowletter", "rowid", "rownumber", "rowlabel")
COLUMN_NAMES: Final = (
    *("column", "col", "wellcol", "wellcolumn", "platecolumn", "platecol", "columnname", "colname", "columnnumber"),
    *("colnumber", "columnid", "colid"),
)
PLATE_NAMES: Final = (
    *("plate", "plateid", "platename", "barcode", "platebarcode", "assayplatebarcode", "assayplate", "platenumber"),
    *("destinationplate", "destinationplatename", "destinationplatebarcode", "destplate", "destplatebarcode"),
    *("destplatename", "assayplateid", "assayplatename", "measuredplate", "plateidentifier"),
)
COMPOUND_NAMES: Final = (
    *("compound", "drug", "treatment", "perturbation", "sirna", "compoundname", "drugname", "pertiname", "pertname"),
    *("molecule", "substance", "chemical", "treatmentname", "perturbationname", "gene", "genename", "genesymbol"),
    *("sgrna", "sirnaid", "orf", "compoundid", "drugid", "treatmentid", "broadsample", "jcp2022", "perturbationid"),
    *("fluidname", "fluid", "samplename", "substanz", "wirkstoff", "verbindung"),
)
_GENE_NAMES: Final = ("sirna", "gene", "genename", "genesymbol", "sgrna", "sirnaid", "orf")

UNIT_NAMES: Final = tuple(f"{of}{unit}" for of in ("", "concentration", "dose", "conc") for unit in ("unit", "units"))
_DOSE_PARTS: Final = ("dose", "conc", "konz", "dosis")
_PREFIX: Final = re.compile(r"(?:image[\s_.-]*)?metadata[\s_.-]+(?=\S)", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[µμ]+[a-zA-Z]*")
_NUMBER: Final = re.compile(r"[-+]?(?:0|[1-9]\d*|0?(?=\.))(?:\.\d+)?(?:[eE][-+]?\d+)?")
_PLACES: Final = frozenset({"plate", "well", "imaged"})
_NUMBERING: Final = frozenset("123456789abcd")
NO_NUMBER: Final = frozenset({"", "na", "n/a", "n.a.", "nan", "none", "null", "-", "–"})
"""What stands for no number in a column of numbers, in lower case."""


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Reduce a column name to its letters and digits, without prefixes such as ``Image_Metadata_``."""
    return re.sub(r"[^a-z0-9]", "", _PREFIX.sub("", name.strip(), count=1).casefold())


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """Split a column name into its words, in lower case: ``WellPosition`` and ``well_position`` are the same."""
    return tuple(word.casefold() for word in _WORD.findall(_PREFIX.sub("", name.strip(), count=1)))


def find_named(columns: Iterable[str], names: Sequence[str]) -> list[str]:
    """Every column that is called one of these plain names, in the order of the names."""
    by_name: dict[str, list[str]] = {}
    for column in columns:
        by_name.setdefault(plain(column), []).append(column)
    return [column for name in names for column in by_name.get(name, [])]


def has_metadata_prefix(name: str) -> bool:
    """Whether a column name starts with ``Metadata_`` or ``Image_Metadata_``."""
    return _PREFIX.match(name.strip()) is not None


def content_columns(table: pd.DataFrame) -> list[str]:
    """The columns that say something of the wells: all but ``plate``, ``well`` and ``imaged``."""
    return [c for c in map(str, table.columns) if c not in _PLACES]


def is_dose_name(name: str) -> bool:
    """Whether a column is called like a dose or concentration (and not like the unit of one)."""
    return any(part in name.casefold() for part in _DOSE_PARTS) and plain(name) not in UNIT_NAMES


def find_column(plate_map: pd.DataFrame, name: str) -> str:
    """Find a column by name: exactly, else in any case, else in any spelling (``moa`` is ``Metadata_MoA``).

    ``compound`` is the column with the compounds, whatever it is called, where there is one alone.

    Raises
    ------
    PlateMapError
        Where there is none; the message lists those that there are.
    """
    if name in plate_map:
        return name
    folded = {c.casefold(): c for c in reversed(plate_map.columns)}
    if name.casefold() in folded:
        return folded[name.casefold()]
    there = content_columns(plate_map)
    spelled = [c for c in there if plain(c) and plain(c) == plain(name)]
    if len(spelled) == 1:
        return spelled[0]
    compounds = [c for c in compound_columns(plate_map) if (plate_map[c] != "").any()]
    if plain(name) == "compound" and len(compounds) == 1:
        return compounds[0]
    raise PlateMapError(
        f"the plate map has no column {name!r}; it has: "
        f"{', '.join(there) or 'none (create the study with --plate-map)'}."
    )


def dose_column(plate_map: pd.DataFrame) -> str | None:
    """Name the column that holds a dose or concentration as numbers, where there is one.

    The first whose entries are all numbers, else the one with most of them: of ``0,5`` beside ``1`` and its
    reading in µM, it is the latter.
    """
    best, best_rank = None, (False, 0)
    for column in map(str, plate_map.columns):
        if not any(part in column.casefold() for part in _DOSE_PARTS):
            continue
        entries = plate_map[column].astype("str")
        numbers = pd.to_numeric(entries, errors="coerce").dropna()
        whole = len(numbers) == int((~entries.str.casefold().isin(NO_NUMBER)).sum())
        rank = (whole, len(numbers))
        if len(numbers.unique()) > 1 and (best is None or (rank > best_rank and not best_rank[0])):
            best, best_rank = column, rank
    return best


def compound_columns(plate_map: pd.DataFrame) -> list[str]:
    """Name every column that holds a compound (drug, siRNA, gene) or its identifier, the likeliest first."""
    columns = content_columns(plate_map)
    named = find_named(columns, COMPOUND_NAMES)
    return [*named, *(c for c in columns if c not in named and _unnumbered(c) in COMPOUND_NAMES)]


def numbered_columns(plate_map: pd.DataFrame) -> list[str]:
    """Name the columns of compounds that were given together: ``compound_1`` and ``compound_2``, ``Drug A`` …."""
    families: dict[str, list[str]] = {}
    for column in content_columns(plate_map):
        families.setdefault(_unnumbered(column), []).append(column)
    named = [families[name] for name in COMPOUND_NAMES if len(families.get(name, [])) > 1]
    return next((sorted(f, key=numbering) for f in named if len({numbering(c) for c in f}) == len(f)), [])


def combined_columns(plate_map: pd.DataFrame) -> list[str]:
    """Name the columns of what was given together: numbered compounds, or a drug and an siRNA.

    A gene is given on top of a drug where one drug comes with several; else it is a fact of the drug, such as its
    target. Empty where a well has one treatment.
    """
    numbered = numbered_columns(plate_map)
    if numbered:
        return numbered
    there = [c for c in compound_columns(plate_map) if (plate_map[c] != "").any()]
    drug = next((c for c in there if not is_gene_name(c)), None)
    gene = next((c for c in there if is_gene_name(c)), None)
    if drug is None or gene is None:
        return []
    pairs = plate_map.loc[(plate_map[drug] != "") & (plate_map[gene] != ""), [drug, gene]].drop_duplicates()
    return [drug, gene] if pairs[drug].duplicated().any() else []


def is_gene_name(name: str) -> bool:
    """Whether a column of treatments is called after genes."""
    return plain(name) in _GENE_NAMES


def numbering(name: str) -> str:
    """Take what counts a column among others of its name: ``1`` of ``conc_1_uM``, ``a`` of ``Drug A``; else empty."""
    return next((word for word in words(name)[1:] if word in _NUMBERING), "")


def _unnumbered(name: str) -> str:
    counted = numbering(name)
    return "".join(word for word in words(name) if word != counted)


def compound_column(plate_map: pd.DataFrame) -> str | None:
    """Name the column that holds the compound (drug, siRNA, gene), where there is one."""
    named = compound_columns(plate_map)
    return next((c for c in named if (plate_map[c] != "").any()), named[0] if named else None)


def numeric_columns(plate_map: pd.DataFrame) -> list[str]:
    """Name the columns whose entries are all numbers (empty ones aside), in their order.

    Entries with leading zeros are identifiers, not numbers.
    """
    places = {*find_named(plate_map.columns, ROW_NAMES), *find_named(plate_map.columns, COLUMN_NAMES)}
    return [c for c in content_columns(plate_map) if c not in places and _all_numbers(plate_map[c])]


def _all_numbers(entries: pd.Series) -> bool:
    there = [entry for entry in pd.unique(entries.astype("str")) if entry]
    return bool(there) and all(_NUMBER.fullmatch(e) and np.isfinite(float(e)) for e in there)
