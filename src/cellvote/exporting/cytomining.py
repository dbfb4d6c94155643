"""Tables in the columns of Cytomining: ``Metadata_Plate``, ``Cells_AreaShape_Area``, ``Nuclei_…``."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from cellvote.exporting.measurement_names import cytomining_names, unique_names
from cellvote.plates.acquisition import FIELD, place_columns
from cellvote.plates.plate_maps.columns import has_metadata_prefix
from cellvote.profiling.profiles import profile_columns

_KEYS: Final = {"plate": "Metadata_Plate", "well": "Metadata_Well", "field": "Metadata_Site"}
_COUNTS: Final = {"n_cells": "Metadata_Count_Cells", "n_excluded": "Metadata_Count_ExcludedCells"}


def metadata_names(columns: Sequence[str]) -> dict[str, str]:
    """Name the columns of a plate map: ``compound`` becomes ``Metadata_compound``; no two names are the same."""
    content = [c for c in columns if c not in _KEYS]
    reserved = [*_KEYS.values(), *_COUNTS.values()]
    unique = unique_names([*reserved, *(f"Metadata_{_without_prefix(c)}" for c in content)])[len(reserved) :]
    return {**{c: _KEYS[c] for c in columns if c in _KEYS}, **dict(zip(content, unique, strict=True))}


def _without_prefix(column: str) -> str:
    """Take ``Metadata_`` off, which the name has again afterwards."""
    return column.strip().split("etadata", 1)[1].lstrip(" _.-") if has_metadata_prefix(column) else column


def cytomining_wells(plate_map: pd.DataFrame) -> pd.DataFrame:
    """Write a plate map in Cytomining's columns."""
    return plate_map.rename(columns=metadata_names(list(map(str, plate_map.columns))))


def cytomining_profiles(profiles: pd.DataFrame, plate_map: pd.DataFrame, channels: Sequence[str]) -> pd.DataFrame:
    """Write profiles in Cytomining's columns: where and what a well is, then its numbers.

    Parameters
    ----------
    profiles
        As measured, or normalised.
    plate_map
        Of the study; each of its columns becomes one ``Metadata_…``.
    channels
        Of the study.
    """
    keys = place_columns(profiles)
    wells = profiles[[*keys, *_COUNTS]].rename(columns=_KEYS | _COUNTS)
    said = cytomining_wells(plate_map.drop(columns="imaged", errors="ignore"))
    wells = wells.merge(said, on=[_KEYS[key] for key in keys], how="left")
    numbers = profiles[profile_columns(profiles)]
    return pd.concat([wells, numbers.rename(columns=cytomining_names(map(str, numbers.columns), channels))], axis=1)


def cytomining_cells(cells: pd.DataFrame, channels: Sequence[str]) -> pd.DataFrame:
    """Write cells in Cytomining's columns; ``Metadata_ObjectNumber`` is the label id of the cell in its masks."""
    flags = [str(c) for c in cells if pd.api.types.is_bool_dtype(cells[c])]
    metadata = {c: _KEYS[c] for c in FIELD} | {"label_id": "Metadata_ObjectNumber"}
    metadata |= {flag: "Metadata_" + "".join(word.capitalize() for word in flag.split("_")) for flag in flags}
    numbers = [str(c) for c in cells if c not in metadata]
    return cells[[*metadata, *numbers]].rename(columns=metadata | cytomining_names(numbers, channels))
