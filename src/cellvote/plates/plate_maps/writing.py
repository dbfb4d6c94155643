"""Saving plate maps: as CSV that reads back as it was, and checking one that was edited."""

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.plates.acquisition import WELL, place_columns
from cellvote.plates.plate_maps.columns import CONCENTRATION_UM
from cellvote.plates.plate_maps.concentrations import concentration_um
from cellvote.plates.plate_maps.text_files import clean

_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def save_plate_map(table: pd.DataFrame, path: str | Path) -> None:
    """Save a plate map as CSV in UTF-8: whole, or the old file stays; `read_plate_map` reads the same back.

    ``imaged`` is left out: it is of the images, not of the map. Spaces around an entry are not kept.

    Raises
    ------
    PlateMapError
        Where an entry holds a control character, or the file cannot be written.
    """
    path = Path(path)
    table = clean_entries(table.drop(columns="imaged", errors="ignore"))
    keys = place_columns(table)
    columns = [*(c for c in keys if c in table), *(c for c in table if c not in keys)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(table[columns].itertuples(index=False, name=None))
    _write(path, text.getvalue().encode())


def _write(path: Path, content: bytes) -> None:
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise PlateMapError(f"{path}: the plate map cannot be written ({error.strerror or error}).") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def clean_entries(table: pd.DataFrame) -> pd.DataFrame:
    """Write every entry as it is read: text without spaces around it, nothing where it is missing.

    Raises
    ------
    PlateMapError
        Where an entry holds a control character.
    """
    cleaned: dict[str, list[str]] = {}
    for column in table:
        entries = [
            "" if missing else clean(str(e)) for e, missing in zip(table[column], table[column].isna(), strict=True)
        ]
        for entry in (str(column), *entries):
            wrong = _UNWRITABLE.search(entry)
            if wrong:
                raise PlateMapError(
                    f"the plate map has the character {wrong.group()!r} in {entry!r}: it cannot be saved. Remove it."
                )
        cleaned[str(column)] = entries
    return pd.DataFrame(cleaned, index=table.index, dtype="str")


def checked_plate_map(table: pd.DataFrame, of: pd.DataFrame) -> pd.DataFrame:
    """Check a plate map that was edited against the one that it was: same wells, text only.

    Parameters
    ----------
    of
        The plate map of the study, with ``plate``, ``well`` and ``imaged``.

    Returns
    -------
    DataFrame
        The edited map in the order of the old one: ``plate``, ``well``, ``imaged``, then its columns as text;
        ``concentration_um`` follows the columns that it was read from, unless it was edited itself.

    Raises
    ------
    PlateMapError
        Where a well is missing, new, or there twice, or an entry cannot be saved.
    """
    keys = place_columns(of)
    lacking = next((c for c in keys if c not in table), None)
    if lacking is not None:
        raise PlateMapError(f"the edited plate map has no column {lacking!r}. Keep {' and '.join(keys)} as they are.")
    if len(set(map(str, table.columns))) < len(table.columns):
        raise PlateMapError("the edited plate map has two columns of one name. Rename one of them.")
    if "field" in table and "field" not in keys:
        raise PlateMapError("a plate map with a row for each well has no column 'field'. Give it another name.")
    content = clean_entries(table.drop(columns="imaged", errors="ignore"))
    places = of[keys].astype("str")
    twice = content.duplicated(keys)
    if twice.any():
        raise PlateMapError(f"the edited plate map has {_place(content[keys][twice].iloc[0])} twice. Keep one row.")
    old, new = (set(t[keys].itertuples(index=False, name=None)) for t in (places, content))
    if old != new:
        place = min(old ^ new)
        what = "lacks" if place in old else f"has the new {'field' if 'field' in keys else 'well'}"
        raise PlateMapError(f"the edited plate map {what} {_place(place)}. Wells are not added or removed by editing.")
    merged = places.assign(imaged=of["imaged"]).merge(content, on=keys, how="left")
    merged = merged.astype({**dict.fromkeys(content, "str"), **{key: of[key].dtype for key in keys}})
    return _with_current_concentrations(
        merged[[*WELL, "imaged", *(c for c in merged if c not in (*WELL, "imaged"))]], of
    )


def _place(names: Iterable[str]) -> str:
    plate, well, *field = names
    return "/".join(part for part in (plate, well) if part) + "".join(f" field {number}" for number in field)


def _with_current_concentrations(edited: pd.DataFrame, of: pd.DataFrame) -> pd.DataFrame:
    """Let a ``concentration_um`` that was read from other columns, and was not edited itself, follow them."""
    if CONCENTRATION_UM not in edited or CONCENTRATION_UM not in of:
        return edited
    old, new = (concentration_um(table.drop(columns=CONCENTRATION_UM)) for table in (of, edited))
    was_read = old is not None and list(old) == list(of[CONCENTRATION_UM])
    if not was_read or list(edited[CONCENTRATION_UM]) != list(of[CONCENTRATION_UM]):
        return edited
    return edited.assign(**{CONCENTRATION_UM: pd.Series("", index=edited.index, dtype="str") if new is None else new})
