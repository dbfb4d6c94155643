"""Names of plates: what to call two acquisitions that would have the same."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import pandas as pd

from cellvote.plates.acquisition import PLANE, Doubt


def tell_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Give acquisitions of the same name a part of their folders, so that each has its own.

    Parameters
    ----------
    names
        Name of the plate by the folder that holds the acquisition.

    Returns
    -------
    dict
        As given, but for names that were given twice: ``P1`` in ``P1/2023-02-21/1334`` and in
        ``P1/2023-02-21/1400`` become ``P1 1334`` and ``P1 1400``.
    """
    told = dict(names)
    homes: dict[str, list[str]] = defaultdict(list)
    for home, name in names.items():
        homes[name].append(home)
    for name, same in homes.items():
        if len(same) > 1:
            told |= {home: _joined(name, part) for home, part in zip(same, _parts(same), strict=True)}
    return told


def folders_apart(files: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Doubt, ...]]:
    """Give plates of one name in several folders names of their own, where they hold the same planes, and ask.

    Parameters
    ----------
    files
        One row per file: ``path``, ``plate``, ``well`` and what else its name tells.
    """
    keys = [name for name in PLANE if name in files]
    twice = files.duplicated(keys, keep=False)
    if not twice.any():
        return files, ()
    homes = files["path"].str.rpartition("/")[0]
    clashing = files[twice].assign(home=homes).groupby(keys, sort=False)["home"].transform("nunique") > 1
    doubts = []
    for plate in files.loc[clashing[clashing].index, "plate"].unique().tolist():
        of_plate = files["plate"] == plate
        told = tell_apart(dict.fromkeys(homes[of_plate].unique(), plate))
        if len(told) < 2:
            continue
        files = files.assign(plate=files["plate"].where(~of_plate, homes.map(told)).astype("str"))
        question = (
            f"{len(told)} folders hold the same images of {plate} by their names: each is read as a plate of its own "
            f"({', '.join([*told.values()][:3])}{' …' if len(told) > 3 else ''}). Where they are timepoints, or copies "
            "of one plate, give --pattern, or one of the folders."
        )
        examples = files[of_plate].drop_duplicates("plate").head(3)
        named = zip(examples["path"], examples["plate"], strict=True)
        doubts.append(Doubt("same names", question, tuple(f"{path} is plate {name}" for path, name in named)))
    return files, tuple(doubts)


def _joined(name: str, part: str) -> str:
    return part if name in part else f"{name} {part}".strip()


def _parts(homes: Sequence[str]) -> list[str]:
    """Take from each folder the last part that none shares with another; else all that differs."""
    folders = [PurePosixPath(home).parts for home in homes]
    shared = 0
    while all(len(parts) > shared for parts in folders) and len({parts[shared] for parts in folders}) == 1:
        shared += 1
    tails = [parts[shared:] for parts in folders]
    for back in range(1, min(map(len, tails)) + 1):
        last = [tail[-back] for tail in tails]
        if len(set(last)) == len(last):
            return last
    return [" ".join(tail) for tail in tails]
