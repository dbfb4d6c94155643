"""Tables that are joined on a key: compound metadata, mechanisms by compound and concentration, barcodes."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Final, NamedTuple

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.plates.plate_maps.columns import UNIT_NAMES, content_columns, find_named, is_dose_name, plain
from cellvote.plates.plate_maps.concentrations import concentration_um, molar_unit, read_amount, unit_of_name

_MAX_SHARED: Final = 8
_MAX_KEYS: Final = 4
_SAME_COMPOUND: Final = frozenset({"compound", "compoundname", "drug", "drugname", "perturbation", "treatment"})
_MISSING: Final = "NA"
_FEW: Final = 4


class Shared(NamedTuple):
    """A column of the map and one of the table that mean the same."""

    of_map: str
    of_table: str


class Joined(NamedTuple):
    """A map with the columns of a table beside it, and what a person should know of it."""

    table: pd.DataFrame
    problems: tuple[str, ...]


def join_on_key(plate_map: pd.DataFrame, table: pd.DataFrame, source: str) -> Joined | None:
    """Put the columns of a table without wells beside the wells that they speak of.

    The key is what both have in common, in any spelling (``compound`` is ``Image_Metadata_Compound``):
    the columns that find most wells a partner, one each, without contradicting a column that is in both.
    Concentrations are compared as numbers. A row ``NA`` speaks of the wells with an empty key.

    Returns
    -------
    Joined or None
        None where they have no column in common.

    Raises
    ------
    PlateMapError
        Where no key has one row for each entry, or no entry of the map is in the table.
    """
    table = table.drop_duplicates(ignore_index=True)
    shared = shared_columns(plate_map, table)
    if not shared:
        return None
    of_map = {pair: keys for pair in shared if (keys := _keys(plate_map, table, pair)) is not None}
    best, best_score, ambiguous = None, (0, 0), ""
    for n in range(1, min(_MAX_KEYS, len(shared)) + 1):
        for pairs in combinations(shared, n):
            ours, theirs = _tuples([of_map[p][0] for p in pairs]), _tuples([of_map[p][1] for p in pairs])
            rows = {key: i for i, key in enumerate(theirs) if all(key)}
            if len(rows) < sum(map(all, theirs)):
                twice = next(key for i, key in enumerate(theirs) if all(key) and rows[key] != i)
                ambiguous = ambiguous or f"{' and '.join(p.of_table for p in pairs)} {', '.join(twice)}"
                continue
            partners = _partners(ours, rows)
            matched = sum(p is not None for p in partners)
            if (matched, n) > best_score and not _contradicts(plate_map, table, partners, shared, pairs):
                best, best_score = (pairs, ours, partners), (matched, n)
    if best is None:
        _refuse(source, shared, ambiguous, table)
    pairs, ours, partners = best  # type: ignore[misc]
    return _joined(plate_map, table, source, pairs, ours, partners)
