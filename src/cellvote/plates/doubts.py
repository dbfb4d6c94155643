"""Readings that a person should be asked about: what a folder gives against what plates look like."""

from typing import Final

import pandas as pd

from cellvote.plates.acquisition import Acquisition, Doubt

MANY_CHANNELS: Final = 8
"""Microscopes of screens rarely take more: beyond it, what reads as a channel may be something else."""

_FEW_FILES: Final = 4
_N_EXAMPLES: Final = 3


def doubts_of(acquisition: Acquisition) -> tuple[Doubt, ...]:
    """Ask what a person would see at once: all in one well, very many channels, wells that differ in channels."""
    found = (_one_well(acquisition), _many_channels(acquisition), _ragged_channels(acquisition))
    return tuple(doubt for doubt in found if doubt is not None)


def _examples(acquisition: Acquisition, planes: pd.DataFrame) -> tuple[str, ...]:
    files = planes.drop_duplicates("path")
    rows = files.iloc[:: max(1, len(files) // _N_EXAMPLES)].head(_N_EXAMPLES)
    columns = (rows[name].tolist() for name in ("path", "well", "field", "channel"))
    return tuple(
        f"{path} is well {well or '(none)'}, field {field}, channel {acquisition.channels[channel]}"
        for path, well, field, channel in zip(*columns, strict=True)
    )


def _one_well(acquisition: Acquisition) -> Doubt | None:
    planes = acquisition.planes
    wells = planes["well"].unique()
    n_files = planes["path"].nunique()
    several = _FEW_FILES * len(acquisition.channels) * len(acquisition.plates)
    if len(wells) != 1 or not wells[0] or n_files <= several:
        return None
    of_plates = f" of each of {len(acquisition.plates)} plates" if len(acquisition.plates) > 1 else ""
    return Doubt(
        "one well",
        f"All {n_files} files are read as one well, {wells[0]}{of_plates}. Where they are of several wells, the layout "
        "is another one: give --layout or --pattern.",
        _examples(acquisition, planes),
    )


def _many_channels(acquisition: Acquisition) -> Doubt | None:
    if len(acquisition.channels) <= MANY_CHANNELS:
        return None
    first = acquisition.planes.drop_duplicates("channel")
    return Doubt(
        "many channels",
        f"{len(acquisition.channels)} channels are read ({', '.join(acquisition.channels[:4])} …). Where these are "
        "wells, fields or z-planes, give --layout or --pattern.",
        _examples(acquisition, first),
    )


def _ragged_channels(acquisition: Acquisition) -> Doubt | None:
    planes = acquisition.planes
    if planes["channel"].nunique() < 2:
        return None
    counts = planes[["plate", "well", "channel"]].drop_duplicates().groupby(["plate", "well"], sort=False).size()
    usual = int(counts.mode().iloc[0])
    odd = counts[counts != usual].reset_index(name="n")
    if odd.empty:
        return None
    plate, well, n = odd.iloc[0].tolist()
    of_well = planes[(planes["plate"] == plate) & (planes["well"] == well)]
    return Doubt(
        "ragged channels",
        f"{len(odd)} of {len(counts)} wells have another number of channels than the others (well {well or plate} has "
        f"{n}, most have {usual}). Where the names are read wrong, give --layout or --pattern; else fields that lack "
        "a channel are left out by every step, and listed.",
        _examples(acquisition, of_well),
    )
