"""Mechanisms of action that lie beside an image table, such as ``BBBC021_v1_moa.csv``: joined by compound and dose."""

from itertools import islice
from pathlib import Path
from typing import Final

import pandas as pd

from cellvote.errors import LayoutError, PlateMapError
from cellvote.plates.layouts.source_tables import TABLE_ENDINGS, read_header, read_text_table
from cellvote.plates.plate_maps.columns import compound_column, find_named
from cellvote.plates.plate_maps.keys import join_on_key

_MECHANISMS: Final = ("moa", "moas", "mechanism", "mechanismofaction")
_MOST_FILES: Final = 10_000


def with_mechanisms(folder: Path, plate_map: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Join the one table of mechanisms that lies in a folder, if there is one and the map has compounds.

    Returns
    -------
    plate_map
        With the columns of that table, which are empty where it does not speak of a treatment.
    problems
        What was joined, and what found no partner; or why nothing was.
    """
    if compound_column(plate_map) is None or find_named(plate_map.columns, _MECHANISMS):
        return plate_map, ()
    tables = [path for path in _tables(folder) if _tells_mechanisms(path)]
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        return plate_map, (f"{names} all tell mechanisms of action: none was joined. Give one as a plate map.",)
    if not tables:
        return plate_map, ()
    try:
        joined = join_on_key(plate_map, read_text_table(tables[0]), tables[0].name)
    except (LayoutError, PlateMapError) as error:
        return plate_map, (f"The mechanisms of action were not joined: {error}",)
    if joined is None:
        return plate_map, ()
    table, problems = joined
    return table, (f"{tables[0].name} was joined to what {folder.name} says of the wells.", *problems)


def _tells_mechanisms(path: Path) -> bool:
    header = read_header(path)
    return bool(find_named(header, _MECHANISMS)) and compound_column(pd.DataFrame(columns=list(header))) is not None


def _tables(folder: Path) -> list[Path]:
    listed = islice(folder.iterdir(), _MOST_FILES)
    return sorted(p for p in listed if p.name.lower().endswith(TABLE_ENDINGS) and not p.name.startswith("."))
