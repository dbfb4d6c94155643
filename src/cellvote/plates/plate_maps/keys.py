"""Tables that are joined on a key: compound metadata, mechanisms by compound and concentration, facts of plates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple, NoReturn

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.plates.plate_maps.columns import UNIT_NAMES, content_columns, find_named, is_dose_name, plain
from cellvote.plates.plate_maps.concentrations import Amount, amounts, um_of

_MAX_SHARED: Final = 8
_MAX_KEYS: Final = 4
_SAME_COMPOUND: Final = frozenset({"compound", "compoundname", "drug", "drugname", "perturbation", "treatment"})
_MISSING: Final = "NA"
_FEW: Final = 4


class Shared(NamedTuple):
    """A column of the map and one of the table that mean the same, and their entries made comparable."""

    of_map: str
    of_table: str
    ours: list[str]
    theirs: list[str]


@dataclass(frozen=True)
class _Match:
    """A key, and which row of the table each row of the map finds by it."""

    key: tuple[Shared, ...]
    partners: list[int | None]

    @property
    def score(self) -> tuple[int, int]:
        return sum(partner is not None for partner in self.partners), len(self.key)


def join_on_key(plate_map: pd.DataFrame, table: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[str]] | None:
    """Put the columns of a table without wells beside the wells that they speak of.

    The key is what both have in common, in any spelling (``compound`` is ``Image_Metadata_Compound``):
    the columns that find most wells a partner, one each, without contradicting a column that is in both.
    Concentrations are compared as numbers. A row ``NA`` speaks of the wells with an empty key.

    Returns
    -------
    tuple or None
        The joined table and problems, one sentence each; None where they have no column in common.

    Raises
    ------
    PlateMapError
        Where no key has one row for each entry, or no entry of the map is in the table.
    """
    table = table.drop_duplicates(ignore_index=True)
    shared = _shared(plate_map, table)
    if not shared:
        return None
    best: _Match | None = None
    repeated, contradicted = "", ""
    for key in _possible_keys(shared):
        rows, twice = _rows_by_key(key)
        if twice:
            repeated = repeated or twice
            continue
        match = _Match(key, _partners(key, rows))
        if match.score[0] == 0 or (best is not None and match.score <= best.score):
            continue
        wrong = _contradiction(match, shared)
        contradicted = contradicted or wrong
        best = best if wrong else match
    if best is None:
        _refuse(source, shared, repeated, contradicted)
    return _joined(plate_map, table, best, shared), _problems(plate_map, source, best)


def _shared(plate_map: pd.DataFrame, table: pd.DataFrame) -> list[Shared]:
    """The columns that both have; units go with their concentrations."""
    columns = [c for c in ("plate", *content_columns(plate_map)) if c in plate_map and plain(c) not in UNIT_NAMES]
    found: list[Shared] = []
    for theirs in map(str, table.columns):
        if plain(theirs) in UNIT_NAMES:
            continue
        same = [c for c in columns if plain(c) == plain(theirs)] or [
            c for c in columns if _meaning(c) == _meaning(theirs)
        ]
        found += [Shared(ours, theirs, *_comparable(plate_map, ours, table, theirs)) for ours in same[:1]]
    return found[:_MAX_SHARED]


def _meaning(column: str) -> str:
    if is_dose_name(column):
        return "concentration"
    return "compound" if plain(column) in _SAME_COMPOUND else plain(column)


def _comparable(plate_map: pd.DataFrame, ours: str, table: pd.DataFrame, theirs: str) -> tuple[list[str], list[str]]:
    """Write the entries of both alike: concentrations as numbers, in µM where both have units; others as text.

    Text is compared in any case where not one entry is the same otherwise.
    """
    if is_dose_name(ours) and is_dose_name(theirs):
        left, right = amounts(plate_map, ours), amounts(table, theirs)
        in_units = all(one.unit for one in (*left, *right) if one is not None and one.number)
        return _numbers(plate_map[ours], left, in_units), _numbers(table[theirs], right, in_units)
    left_text, right_text = list(map(str, plate_map[ours])), list(map(str, table[theirs]))
    if not (set(left_text) & set(right_text)) - {""}:
        return [e.casefold() for e in left_text], [e.casefold() for e in right_text]
    return left_text, right_text


def _numbers(entries: pd.Series, found: Sequence[Amount | None], in_units: bool) -> list[str]:
    return [
        str(entry) if one is None else str((um_of(one) if in_units and one.unit else one.number).normalize())
        for entry, one in zip(entries, found, strict=True)
    ]


def _possible_keys(shared: Sequence[Shared]) -> Iterable[tuple[Shared, ...]]:
    for n in range(1, min(_MAX_KEYS, len(shared)) + 1):
        yield from combinations(shared, n)


def _rows_by_key(key: Sequence[Shared]) -> tuple[dict[tuple[str, ...], int], str]:
    """The row of the table for each entry of a key; or, where two rows have the same one, which."""
    rows: dict[tuple[str, ...], int] = {}
    for i, entry in enumerate(zip(*(one.theirs for one in key), strict=True)):
        if entry in rows:
            return {}, ", ".join(f"{one.of_table} {text!r}" for one, text in zip(key, entry, strict=True))
        if all(entry):
            rows[entry] = i
    return rows, ""


def _partners(key: Sequence[Shared], rows: dict[tuple[str, ...], int]) -> list[int | None]:
    return [rows.get(entry) for entry in zip(*(one.ours for one in key), strict=True)]


def _contradiction(match: _Match, shared: Sequence[Shared]) -> str:
    """A column outside the key in which the map and the table say different things of a well; empty where none does."""
    for one in shared:
        if one in match.key:
            continue
        for ours, partner in zip(one.ours, match.partners, strict=True):
            if partner is not None and ours and one.theirs[partner] not in {"", ours}:
                return one.of_table
    return ""


def _refuse(source: str, shared: Sequence[Shared], repeated: str, contradicted: str) -> NoReturn:
    names = ", ".join(one.of_table for one in shared)
    if contradicted:
        raise PlateMapError(
            f"{source}: says otherwise than the plate map in the column {contradicted!r}. Correct one of them, or "
            "rename the column."
        )
    if repeated:
        raise PlateMapError(
            f"{source}: {repeated} stands in it more than once with different contents, so it cannot be joined to the "
            "plate map. Keep one row for each."
        )
    first = shared[0]
    raise PlateMapError(
        f"{source}: none of its entries is on the plate map (compared: {names}; {first.of_table} is "
        f"{_few(first.theirs)} in it, and {_few(first.ours)} on the plate map)."
    )


def _joined(plate_map: pd.DataFrame, table: pd.DataFrame, match: _Match, shared: Sequence[Shared]) -> pd.DataFrame:
    missing = _missing_row(match)
    rows = [
        missing if partner is None and not any(entry) else partner
        for partner, entry in zip(match.partners, zip(*(one.ours for one in match.key), strict=True), strict=True)
    ]
    picked = pd.Series([-1 if row is None else row for row in rows], index=plate_map.index)
    in_both = {one.of_table: one.of_map for one in shared if one not in match.key}
    keys = {one.of_table for one in match.key}
    units = set(find_named(table.columns, UNIT_NAMES)) if find_named(plate_map.columns, UNIT_NAMES) else set()
    joined = plate_map.copy()
    for column in map(str, table.columns):
        if column in keys or column in units:
            continue
        entries = pd.Series([*table[column], ""], dtype="str").take(picked.to_list()).set_axis(plate_map.index)
        ours = in_both.get(column)
        if ours is None:
            joined[column] = entries
        else:
            joined[ours] = joined[ours].where(joined[ours] != "", entries)
    return joined


def _missing_row(match: _Match) -> int | None:
    """The row that speaks of wells without an entry: the one whose key is ``NA``."""
    if len(match.key) > 1:
        return None
    theirs = match.key[0].theirs
    return next((i for i, entry in enumerate(theirs) if entry.upper() == _MISSING), None)


def _problems(plate_map: pd.DataFrame, source: str, match: _Match) -> list[str]:
    entries = list(zip(*(one.ours for one in match.key), strict=True))
    alone = [partner is None and all(entry) for partner, entry in zip(match.partners, entries, strict=True)]
    columns = [one.of_map for one in match.key]
    lonely = [" ".join(map(str, row)) for row in plate_map.loc[alone, columns].itertuples(index=False, name=None)]
    names = " and ".join(columns)
    problems = []
    if lonely:
        wells = "1 well has" if len(lonely) == 1 else f"{len(lonely):,} wells have"
        problems.append(f"{wells} no partner in {source}, by {names}: {_few(lonely)}.")
    missing = _missing_row(match)
    n_empty = sum(not any(e) for e in entries)
    if missing is not None and n_empty:
        wells = "1 well" if n_empty == 1 else f"{n_empty:,} wells"
        problems.append(f"{wells} without {names} took the row {_MISSING!r} of {source}.")
    return problems


def _few(entries: Iterable[str]) -> str:
    unique = [entry for entry in dict.fromkeys(entries) if entry]
    return ", ".join(unique[:_FEW]) + (f" … ({len(unique):,} in all)" if len(unique) > _FEW else "")
