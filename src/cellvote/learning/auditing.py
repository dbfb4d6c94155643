"""The audit: whether any image stands on both sides of a split, under whatever name and however changed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.learning.fingerprints import Fingerprints, find_alike
from cellvote.learning.splits import Split
from cellvote.plates.acquisition import FIELD, WELL, FieldKey

Kind = Literal["same pixels", "near-identical", "same well"]

_SHOWN: Final = 3


@dataclass(frozen=True)
class Leak:
    """A field that is held out, and one that is learned from, that are the same witness.

    Attributes
    ----------
    kind
        ``same pixels``; ``near-identical``: the same image saved again, made brighter, moved, flipped or turned; or
        ``same well``: fields of one well on both sides.
    similarity
        Of near-identical images, up to 1.
    """

    kind: Kind
    held_out: FieldKey
    learned: FieldKey
    similarity: float = 1.0

    def __str__(self) -> str:
        how = {
            "same pixels": "has the same pixels as",
            "near-identical": f"shows the same image (similarity {self.similarity:.2f}) as",
            "same well": "is of the same well as",
        }[self.kind]
        return f"{self.held_out}, which is held out, {how} {self.learned}, which is learned from"

    def to_json(self) -> dict[str, Any]:
        """Give plain values."""
        return {
            "kind": self.kind,
            "held_out": self.held_out._asdict(),
            "learned": self.learned._asdict(),
            "similarity": round(self.similarity, 4),
        }


def find_leaks(fields: pd.DataFrame, split: Split, fingerprints: Fingerprints | None = None) -> list[Leak]:
    """Find what stands on both sides of a split.

    Parameters
    ----------
    fields
        One row per field: ``plate``, ``well``, ``field``, ``image_hash``.
    split
        Of these fields, row by row.
    fingerprints
        Of these fields; without them, copies that were changed are not seen.

    Returns
    -------
    list of Leak
        Same pixels first, then wells on both sides, then near-identical images, the most similar first.
    """
    keys = [FieldKey(str(p), str(w), int(f)) for p, w, f in fields[FIELD].itertuples(index=False, name=None)]
    leaks = [
        _leak("same pixels", keys, split, i, j)
        for i, j in _crossing(fields["image_hash"].to_numpy(object).astype(str), split)
    ]
    if (fields["well"] != "").all():
        wells = fields[WELL].agg("/".join, axis=1).to_numpy(object).astype(str)
        leaks += [_leak("same well", keys, split, i, j) for i, j in _crossing(wells, split)]
    if fingerprints is None:
        return leaks
    known = {frozenset((leak.held_out, leak.learned)) for leak in leaks}

    def across(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return split.trains[split.held_out[rows]]

    for alike in find_alike(fingerprints, across):
        if frozenset((keys[alike.one], keys[alike.other])) not in known:
            leaks.append(_leak("near-identical", keys, split, alike.one, alike.other, alike.similarity))
    return leaks


def _leak(kind: Kind, keys: Sequence[FieldKey], split: Split, i: int, j: int, similarity: float = 1.0) -> Leak:
    """Name a pair of fields, the held-out one first, the one that is learned from meanwhile second."""
    held_out, learned = (i, j) if split.trains[split.held_out[i], j] else (j, i)
    return Leak(kind, keys[held_out], keys[learned], similarity)


def _crossing(names: npt.NDArray[np.str_], split: Split) -> list[tuple[int, int]]:
    """Find rows of one name on both sides: for each that is held out, the first one that is learned from then."""
    _, codes, counts = np.unique(names, return_inverse=True, return_counts=True)
    order = np.argsort(codes, kind="stable")
    starts = np.r_[0, np.cumsum(counts)]
    pairs = []
    for name in np.flatnonzero((counts > 1) & (np.array([bool(n) for n in np.unique(names)]))):
        rows = order[starts[name] : starts[name + 1]]
        crossing = split.trains[np.ix_(split.held_out[rows], rows)]
        for at in np.flatnonzero(crossing.any(axis=1)):
            i, j = int(rows[at]), int(rows[int(np.argmax(crossing[at]))])
            if (j, i) not in pairs:
                pairs.append((i, j))
    return pairs


def describe_leaks(leaks: Sequence[Leak], split_by: str) -> str:
    """Say what stands on both sides, naming the first pairs, and what can be done."""
    shown = "; ".join(map(str, leaks[:_SHOWN]))
    more = f"; and {len(leaks) - _SHOWN:,} more pairs" if len(leaks) > _SHOWN else ""
    return f"the split leaks: {shown}{more}. {_advice(leaks, split_by)}"


def _advice(leaks: Sequence[Leak], split_by: str) -> str:
    plates = Counter(tuple(sorted((leak.held_out.plate, leak.learned.plate))) for leak in leaks)
    (one, other), n = plates.most_common(1)[0]
    same_wells = sum(leak.held_out.well == leak.learned.well for leak in leaks)
    if one != other and n > len(leaks) / 2 and same_wells > len(leaks) / 2 and leaks[0].held_out.well:
        return (
            f"Plate {other!r} looks like plate {one!r} under another name: leave one of them out of the study, or give "
            "both the same value in a column of the plate map and hold that out (--split-by COLUMN)."
        )
    if one == other and split_by.casefold() != "plate" and len(plates) >= 1:
        return (
            "Images of one plate that show the same cells (copies, or one movie) have to be held out together: use "
            "--split-by plate, or name what belongs together in a column of the plate map (--split-by COLUMN). Leave "
            "copies out of the study."
        )
    return (
        "Leave one of each pair out of the study, or name what belongs together in a column of the plate map and hold "
        "that out (--split-by COLUMN)."
    )
