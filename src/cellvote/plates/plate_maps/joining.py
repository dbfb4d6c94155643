"""Joining plate maps to the images: by plate and well, by file name, and by what tables have in common."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import PurePath
from typing import Final, NoReturn

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.plates.acquisition import Acquisition, place_columns
from cellvote.plates.plate_maps.columns import content_columns
from cellvote.plates.plate_maps.concentrations import unread_concentrations, with_concentration
from cellvote.plates.plate_maps.controls import untold_controls, with_control_type
from cellvote.plates.plate_maps.keys import join_on_key
from cellvote.plates.plate_maps.matching import check_plate_map, match_plates, mismatch_sentences
from cellvote.plates.plate_maps.reading import MapTable, table_of_frame

_KEYS: Final = ["plate", "well"]
_FIELD_OF_A_MAP: Final = "field (map)"
"""What a column ``field`` of a map of wells is called: in a study's plate map that word says that rows are fields."""


def join_plate_map(
    acquisition: Acquisition, maps: Sequence[pd.DataFrame | MapTable]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Join plate maps, and tables that speak of what is on them, to the imaged wells; in any order.

    A map without plates is for every plate; but for one plate where its file is called like that plate, and
    for those that a barcode table names it for. Where only tables without wells are given, they are joined to
    the plate map that the images came with.

    Returns
    -------
    table
        One row per well that is imaged or on a map: ``plate``, ``well``, ``imaged`` (bool), then the columns
        of the maps as text (empty where a map does not speak of the well), then ``concentration_um`` and
        ``control_type`` where concentrations and controls are recognised and no map has these columns.
    problems
        Wells without images, images without wells, entries without a partner, what was left out: one sentence
        each.

    Raises
    ------
    PlateMapError
        Where no well of a map matches any image, two maps contradict each other, or a table without wells has
        nothing in common with a map.
    """
    parts = [one if isinstance(one, MapTable) else table_of_frame(one) for one in maps]
    if acquisition.plate_map is not None and not any(part.has_wells for part in parts):
        parts.insert(0, MapTable(acquisition.plate_map, source="the plate map of the images"))
    tables = [part for part in parts if not part.has_wells]
    with_maps, tables, problems = _of_barcodes([part for part in parts if part.has_wells], tables)
    problems += [note for part in parts for note in part.notes]
    of_fields = acquisition.plate_map is not None and "field" in acquisition.plate_map
    imaged = acquisition.wells
    table = imaged
    on_maps = []
    for part in with_maps:
        spread, notes = _spread(part, acquisition.plates)
        spread = spread if of_fields else spread.rename(columns={"field": _FIELD_OF_A_MAP})
        problems += notes
        if spread.merge(imaged, on=_KEYS).empty:
            _refuse_unfitting(part, imaged)
        table = _side_by_side(table, spread)
        on_maps.append(spread[_KEYS])
    table = table.astype("str").fillna("")
    table = table.astype({"field": "int32"}) if of_fields else table
    table = table.sort_values(place_columns(table), ignore_index=True)
    tables, notes = _with_plates_as_imaged(tables, acquisition.plates)
    problems += notes
    table, no_partners = _with_tables(table, tables)
    if on_maps:
        problems += mismatch_sentences(check_plate_map(acquisition, pd.concat(on_maps).drop_duplicates()))
    in_images = set(imaged.itertuples(index=False, name=None))
    flags = [pair in in_images for pair in table[_KEYS].itertuples(index=False, name=None)]
    problems += unread_concentrations(table)
    table = with_control_type(with_concentration(table))
    problems += untold_controls(table)
    table.insert(2, "imaged", flags)
    return table, tuple(dict.fromkeys([*problems, *no_partners]))


def _of_barcodes(
    maps: Sequence[MapTable], tables: Sequence[MapTable]
) -> tuple[list[MapTable], list[MapTable], list[str]]:
    """Give each map that a barcode table names (by the name of its file) to the plates that it is named for."""
    stems = {part.name.casefold() for part in maps if part.name and "plate" not in part.table}
    placed, rest = list(maps), []
    problems: list[str] = []
    for one in tables:
        column = _names_maps(one, stems)
        if column is None:
            rest.append(one)
            continue
        names = one.table[column].map(_stem)
        plates_of = {stem: list(rows["plate"]) for stem, rows in one.table.groupby(names)}
        placed = [_on_plates(part, plates_of) for part in placed]
        missing = sorted(set(plates_of) - stems - {""})
        if missing:
            problems.append(f"{one.source}: names plate maps that were not given: {', '.join(missing[:4])}.")
        if len(one.table.columns) > 2:
            rest.append(replace(one, table=one.table.drop(columns=column)))
    return placed, rest, problems


def _names_maps(part: MapTable, stems: AbstractSet[str]) -> str | None:
    if "plate" not in part.table:
        return None
    columns = [c for c in map(str, part.table.columns) if c != "plate"]
    return next((c for c in columns if stems & set(part.table[c].map(_stem))), None)


def _stem(name: str) -> str:
    folded = name.casefold()
    return PurePath(folded).stem if folded.endswith((".csv", ".tsv", ".txt", ".xlsx")) else folded


def _on_plates(part: MapTable, plates_of: dict[str, list[str]]) -> MapTable:
    if "plate" in part.table or part.name.casefold() not in plates_of:
        return part
    plates = pd.DataFrame({"plate": list(dict.fromkeys(plates_of[part.name.casefold()]))}, dtype="str")
    return replace(part, table=plates.merge(part.table, how="cross"))


def _with_plates_as_imaged(tables: Sequence[MapTable], plates: Sequence[str]) -> tuple[list[MapTable], list[str]]:
    """Write the plates of tables without wells as the images do."""
    placed: list[MapTable] = []
    problems: list[str] = []
    for part in tables:
        table, notes = match_plates(part.table, plates, part.source) if "plate" in part.table else (part.table, [])
        placed.append(replace(part, table=table))
        problems += notes
    return placed, problems


def _spread(part: MapTable, plates: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Say of which plates each row of a map speaks, in the names of the imaged plates."""
    table = part.table.drop(columns="imaged", errors="ignore")
    if "plate" in table:
        return match_plates(table, plates, part.source)
    of = [part.name] if part.name in plates else plates
    return pd.DataFrame({"plate": of}, dtype="str").merge(table, how="cross"), []


def _refuse_unfitting(part: MapTable, imaged: pd.DataFrame) -> NoReturn:
    of_plates = f" of plate {_few(part.table['plate'])}" if "plate" in part.table else ""
    what = "the plate map" if part.source == MapTable(part.table).source else part.source
    raise PlateMapError(
        f"{what} fits no image: it speaks of the wells {_few(part.table['well'])}{of_plates}, and the images are of "
        f"{_few(imaged['well'])} of plate {_few(imaged['plate'])}."
    )


def _side_by_side(table: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Put the columns of two maps beside each other; what both say of a well must be the same."""
    shared = [c for c in content_columns(more) if c in table]
    joined = table.merge(more, on=_KEYS, how="outer", suffixes=("", "\0"))
    for column in shared:
        old, new = (joined[c].astype("str").fillna("") for c in (column, f"{column}\0"))
        differ = (old != "") & (new != "") & (old != new)
        if differ.any():
            first = joined[differ].iloc[0]
            raise PlateMapError(
                f"two plate maps have the column {column!r} and differ in it: {first['plate']}/{first['well']} is "
                f"{first[column]!r} and {first[f'{column}' + chr(0)]!r}. Correct or rename it in one of them."
            )
        joined[column] = old.where(old != "", new)
    return joined.drop(columns=[f"{c}\0" for c in shared])


def _with_tables(table: pd.DataFrame, tables: Sequence[MapTable]) -> tuple[pd.DataFrame, list[str]]:
    """Join tables without wells; one whose key is in another one waits for it."""
    problems: list[str] = []
    waiting = sorted(tables, key=lambda part: part.is_aside)
    while waiting:
        for part in waiting:
            try:
                joined = join_on_key(table, part.table, part.source)
            except PlateMapError as error:
                if not part.is_aside:
                    raise
                joined = table, [f"A sheet is left out. {error}"]
            if joined is not None:
                break
        else:
            part = waiting[0]
            if not part.is_aside:
                _refuse_unjoinable(part, table)
            joined = table, [f"{part.source} is left out: it has nothing in common with the plate map."]
        table, notes = joined
        problems += notes
        waiting.remove(part)
    return table, problems


def _refuse_unjoinable(part: MapTable, plate_map: pd.DataFrame) -> NoReturn:
    there = _few(map(str, part.table.columns))
    columns = content_columns(plate_map)
    if not columns:
        raise PlateMapError(
            f"{part.source}: no column names the well. Call one 'well' (A01), or two 'row' and 'column', or give a "
            f"plate map with wells too; found: {there}."
        )
    raise PlateMapError(
        f"{part.source}: has no wells and no column in common with the plate map, so it cannot be joined. It has: "
        f"{there}; the map has: {_few(columns)}."
    )


def _few(values: Iterable[str]) -> str:
    unique = [str(v) for v in dict.fromkeys(values)]
    return ", ".join(unique[:4]) + (" …" if len(unique) > 4 else "")
