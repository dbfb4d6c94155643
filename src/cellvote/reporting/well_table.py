"""The wells of a study after the vote: one row each, and never a well without a vote taken for a class."""

from collections.abc import Collection
from typing import Final

import pandas as pd

from cellvote.voting.vote import NO_CLASS, NO_VOTE, TIE, UNDECIDED

VOTED: Final = "voted"
NO_CELLS: Final = "no cells"
NOT_IMAGED: Final = "not imaged"
STATES: Final = (VOTED, TIE, UNDECIDED, NO_VOTE, NO_CELLS, NOT_IMAGED)
"""What can become of a well; only the first has a class."""

_WELL: Final = ["plate", "well"]


def well_table(
    plate_map: pd.DataFrame,
    votes: pd.DataFrame,
    truth: pd.DataFrame,
    training_wells: Collection[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Put together what is known of each well.

    Parameters
    ----------
    plate_map
        ``plate``, ``well``, ``imaged`` of every well.
    votes
        As from `voting.vote` by plate and well.
    truth
        ``plate``, ``well``, ``truth`` of the wells whose class is known.
    training_wells
        The wells (plate, well) that served as examples of a class.

    Returns
    -------
    DataFrame
        One row per well, sorted: ``plate``, ``well``, ``state`` (one of `STATES`), ``class`` (empty unless it is
        `VOTED`), ``share``, ``margin``, ``n_cells``, ``agreement``, ``share_NAME`` of every class, ``truth``
        (empty where not known), ``right`` (true, false, or missing where truth or vote are) and ``training``.
    """
    wells = plate_map[[*_WELL, "imaged"]].drop_duplicates(_WELL)
    known = truth.drop_duplicates([*_WELL, "truth"]).drop_duplicates(_WELL, keep=False)  # one well, one truth
    table = wells.merge(votes, on=_WELL, how="outer").merge(known, on=_WELL, how="left")
    table = table.sort_values(_WELL, ignore_index=True)
    said = table["class"].astype("str").fillna("")
    imaged = table["imaged"].astype("boolean").fillna(value=True).astype(bool)
    state = said.where(said.isin(NO_CLASS), VOTED)
    state = state.mask(table["n_cells"].isna(), NO_CELLS)
    table["state"] = state.mask(~imaged & table["n_cells"].isna(), NOT_IMAGED).astype("str")
    table["class"] = said.where(table["state"] == VOTED, "").astype("str")
    table["n_cells"] = table["n_cells"].fillna(0).astype(int)
    table["truth"] = table["truth"].astype("str").fillna("")
    table["right"] = (table["class"] == table["truth"]).astype("boolean")
    table.loc[(table["class"] == "") | (table["truth"] == ""), "right"] = pd.NA
    keys = list(zip(table["plate"], table["well"], strict=True))
    trained = set(training_wells)
    table["training"] = pd.Series([key in trained for key in keys], index=table.index, dtype=bool)
    first = [*_WELL, "state", "class", "share", "margin", "n_cells", "agreement"]
    shares = [c for c in table if str(c).startswith("share_")]
    return table[[*first, *shares, "truth", "right", "training"]]
