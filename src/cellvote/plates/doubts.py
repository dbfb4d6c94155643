"""Readings that a person should be asked about: what a folder gives against what plates look like."""

from typing import Final

import pandas as pd

from cellvote.plates.acquisition import WELL, Acquisition, Doubt

MANY_CHANNELS: Final = 8
"""Microscopes of screens rarely take more: beyond it, what reads as a channel may be something else."""

_FEW_FILES: Final = 4
_N_EXAMPLES: Final = 3


def doubts_of(acquisition: Acquisition) -> tuple[Doubt, ...]:
    """Ask what a person would see at once: all in one well, very many channels, wells that differ in channels."""
    found = [_one_well(acquisition), _many_channels(acquisition)]
    if len(acquisition.channels) > 1:
        there = acquisition.planes[["plate", "well", "channel"]].drop_duplicates()
        found += [_plates_that_differ(acquisition, there), _ragged_channels(acquisition, there)]
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


def _plates_that_differ(acquisition: Acquisition, there: pd.DataFrame) -> Doubt | None:
    """Ask where plates lack a channel that others have; where two share none, they may be folders of one plate."""
    planes = acquisition.planes
    sets = {str(plate): frozenset(held) for plate, held in there.groupby("plate")["channel"]}
    first, *others = sets
    apart = next((plate for plate in others if not sets[plate] & sets[first]), None)
    if apart is not None:
        return Doubt(
            "plates without common channels",
            f"The plates {first} and {apart} have no channel in common. Where they are the channels of one plate, in a "
            "folder each, give --pattern, with the channel and without the folder as the plate.",
            _examples(acquisition, planes.drop_duplicates("plate")),
        )
    everything = frozenset[int]().union(*sets.values())
    lacking = [plate for plate, held in sets.items() if held != everything]
    if not lacking:
        return None
    names = ", ".join(acquisition.channels[i] for i in sorted(everything - sets[lacking[0]]))
    return Doubt(
        "ragged channels",
        f"{len(lacking)} of {len(sets)} plates lack a channel that others have (plate {lacking[0]} has no {names}). "
        "Where the names are read wrong, give --layout or --pattern; where the plates were imaged so, fields that lack "
        "a channel are left out by every step that needs it, and listed.",
        _examples(acquisition, planes[planes["plate"] == lacking[0]]),
    )


def _ragged_channels(acquisition: Acquisition, there: pd.DataFrame) -> Doubt | None:
    planes = acquisition.planes
    wells = there.groupby(WELL, sort=False)["channel"].agg(frozenset).reset_index(name="held")
    usual = wells.groupby("plate")["held"].agg(lambda held: held.value_counts().index[0])
    is_odd = [held != usual[plate] for plate, held in zip(wells["plate"], wells["held"], strict=True)]
    odd = wells[is_odd]
    if odd.empty:
        return None
    plate, well, held = odd.iloc[0].tolist()
    of_well = planes[(planes["plate"] == plate) & (planes["well"] == well)]
    return Doubt(
        "ragged channels",
        f"{len(odd)} of {len(wells)} wells have other channels than most of their plate (well {well or plate} has "
        f"{len(held)}, most have {len(usual[plate])}). Where the names are read wrong, give --layout or --pattern; "
        "else fields that lack a channel are left out by every step, and listed.",
        _examples(acquisition, of_well),
    )
