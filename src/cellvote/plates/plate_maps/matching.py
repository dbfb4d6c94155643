"""Which wells of a plate map and of the images find each other, and which do not."""

import re
from collections.abc import Sequence
from typing import Final

import pandas as pd

from cellvote.plates.acquisition import Acquisition
from cellvote.plates.plate_maps.columns import content_columns

NO_IMAGES: Final = "no images"
NOT_ON_MAP: Final = "not on the plate map"
TWICE: Final = "more than once on the plate map"
_KEYS: Final = ["plate", "well"]
_FEW: Final = 5


def match_plates(table: pd.DataFrame, plates: Sequence[str], source: str) -> tuple[pd.DataFrame, list[str]]:
    """Write the plates of a map as the images do, and say what was taken for what.

    A plate of another spelling is the one that it can only be (``BR00117006`` is
    ``BR00117006__2020-11-08T18_58``); the only plate of a map is the only plate there is,
    unless the two names differ in their numbers only, as those of two plates do (``BR00117006``, ``BR00117010``).
    """
    named = list(pd.unique(table["plate"]))
    taken = {name: plate for name in named if name not in plates and (plate := _only_one(name, named, plates))}
    if not taken:
        return table, []
    told = ", ".join(f"{name} for {plate}" for name, plate in list(taken.items())[:_FEW])
    more = f" and {len(taken) - _FEW} more" if len(taken) > _FEW else ""
    note = f"Plates of {source} are called otherwise than those of the images; taken: {told}{more}."
    return table.assign(plate=table["plate"].replace(taken)), [note]


def _only_one(name: str, named: Sequence[str], plates: Sequence[str]) -> str | None:
    if len(plates) == 1 and len(named) == 1:
        return None if _is_of_the_same_series(name, plates[0]) else plates[0]
    free = [plate for plate in plates if plate not in named]
    for fits in (_same_letters, _same_numbers, _starts_with, _last_folder):
        found = [plate for plate in free if fits(name, plate)]
        if len(found) == 1 and sum(fits(other, found[0]) for other in named) == 1:
            return found[0]
    return None


def _same_letters(name: str, plate: str) -> bool:
    return bool(name) and _letters(name) == _letters(plate)


def _same_numbers(name: str, plate: str) -> bool:
    """Whether names are the same but for leading zeros, which a spreadsheet takes away, and the word plate."""
    (ours, *our_rest), (theirs, *their_rest) = _parts(name), _parts(plate)
    return bool(our_rest) and our_rest == their_rest and ours.removeprefix("plate") == theirs.removeprefix("plate")


def _is_of_the_same_series(name: str, plate: str) -> bool:
    """Whether two names differ in their numbers only, as the barcodes of two plates do."""
    ours, theirs = _parts(name), _parts(plate)
    return not _same_numbers(name, plate) and len(ours) == len(theirs) and ours[::2] == theirs[::2]


def _parts(name: str) -> list[str]:
    """Split a name into text and numbers by turns: numbers without leading zeros."""
    return [part.lstrip("0") if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", _letters(name)))]


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _starts_with(name: str, plate: str) -> bool:
    rest = plate[len(name) :]
    return bool(name) and plate.casefold().startswith(name.casefold()) and not rest[:1].isalnum()


def _last_folder(name: str, plate: str) -> bool:
    return bool(name) and (plate.endswith(f"/{name}") or name.endswith(f"/{plate}"))


def check_plate_map(acquisition: Acquisition, table: pd.DataFrame) -> pd.DataFrame:
    """List every well on which a plate map and the images do not match.

    Parameters
    ----------
    table
        A plate map, as read (then a map without plates is for every plate) or as joined to the images (then a
        well of which it says nothing is not on the map).

    Returns
    -------
    DataFrame
        ``plate``, ``well``, ``mismatch``: `NO_IMAGES`, `NOT_ON_MAP` or `TWICE`; sorted.
    """
    imaged = acquisition.wells
    if "plate" in table:
        spread, _ = match_plates(table, acquisition.plates, "the plate map")
    else:
        spread = pd.DataFrame({"plate": acquisition.plates}, dtype="str").merge(table, how="cross")
    in_images, on_map = _pairs(imaged), _pairs(spread)
    columns = content_columns(spread)
    if "imaged" in table:
        on_map = _pairs(spread[(spread[columns] != "").any(axis=1)]) if columns else set()
    found = {
        NO_IMAGES: _pairs(spread) - in_images,
        NOT_ON_MAP: in_images - on_map,
        TWICE: _pairs(spread[spread.duplicated(_KEYS)]),
    }
    rows = [(plate, well, why) for why, wells in found.items() for plate, well in sorted(wells)]
    return pd.DataFrame(rows, columns=[*_KEYS, "mismatch"], dtype="str")


def _pairs(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(table[_KEYS].itertuples(index=False, name=None))


def mismatch_sentences(mismatches: pd.DataFrame) -> list[str]:
    """Say the mismatches of `check_plate_map` in a sentence each, with the first wells and how many there are."""
    sentences = []
    several = len(set(mismatches["plate"])) > 1
    words = {
        NO_IMAGES: ("well of the plate map has no images", "wells of the plate map have no images"),
        NOT_ON_MAP: ("imaged well is not on the plate map", "imaged wells are not on the plate map"),
        TWICE: ("well is more than once on the plate map", "wells are more than once on the plate map"),
    }
    for why, (one, many) in words.items():
        rows = mismatches[mismatches["mismatch"] == why]
        if rows.empty:
            continue
        names = [f"{p}/{w}" if several else w for p, w in zip(rows["plate"], rows["well"], strict=True)]
        listed = ", ".join(names[:_FEW]) + (" …" if len(names) > _FEW else "")
        sentences.append(f"{len(rows):,} {one if len(rows) == 1 else many}: {listed}.")
    return sentences
