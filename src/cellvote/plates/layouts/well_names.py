"""Any names with a well in them: ``A01_s1_w1.TIF``, ``01A.ome.tif``, ``WellA01_ChannelDAPI_Seq0000.tif``."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, Doubt, plane_number, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.file_stacks import stacked_planes
from cellvote.plates.layouts.name_meanings import Meanings, read_meanings
from cellvote.plates.layouts.name_wells import CLEAR, LIKELY
from cellvote.plates.layouts.named_groups import check_unique, left_out, natural, plate_of
from cellvote.plates.layouts.plate_names import folders_apart

_SCORES: Final = {CLEAR: 0.8, LIKELY: 0.75}
_UNSURE_SCORE: Final = 0.6
_CLASSES_RATHER: Final = 0.75
_ASIDE: Final = ("_thumb", "_overlay", "_outlines", "_mask", "thumbs/", "masks/", "labels/", "overlays/")


class WellNames:
    """Names of no particular microscope that hold a well; what they leave open is asked about.

    Where the names tell no channel, the channels (and z-planes and timepoints) are those inside the files.
    """

    name = "well-names"
    example = "A01_s1_w1.tif"

    def recognise(self, folder: Folder) -> float:
        """Say how sure the wells are in a sample of the names; less than any layout that knows its names."""
        sample = _images(folder.sample())
        meanings = read_meanings(sample) if sample else None
        if meanings is None:
            return 0.0
        sure = max(
            (score for sureness, score in _SCORES.items() if meanings.sureness >= sureness), default=_UNSURE_SCORE
        )
        if _folders_of_words(sample) and not _several_channels(meanings):
            sure = min(sure, _UNSURE_SCORE) * _CLASSES_RATHER
        return sure * meanings.share

    def read(self, folder: Folder) -> Acquisition:
        """Index every image whose name has the most common form."""
        images = _images(folder.images)
        meanings = read_meanings(images) if images else None
        if meanings is None:
            raise LayoutError(
                f"{folder.path}: no wells are found in names such as {', '.join(folder.images[:3])}. Give --pattern."
            )
        files, same = folders_apart(name_table(folder, meanings))
        held = stacked_planes(folder.path, files)
        planes = plane_table(held.planes)
        check_unique(folder, planes)
        unnamed = "channel" not in meanings.told and held.channels == ("Channel1",)
        return Acquisition(
            folder.path,
            self.name,
            planes,
            (meanings.only_dye,) if unnamed and meanings.only_dye else held.channels,
            held.pixel_size_um,
            problems=(*left_out(meanings.others), *held.problems),
            doubts=(*meanings.doubts, *_ask_about_folders(images, meanings), *same, *held.doubts),
        )


def _images(paths: Sequence[str]) -> list[str]:
    """Leave out thumbnails, overlays and masks that lie beside the images."""
    everything = "\n".join(paths).casefold()
    marks = [mark for mark in _ASIDE if mark in everything]
    return [path for path in paths if not any(mark in path.casefold() for mark in marks)] if marks else list(paths)


def _folders_of_words(paths: Sequence[str]) -> list[str]:
    """Give the folders where they are two or more side by side, and called by words, as classes are and plates not."""
    folders = sorted({path.rpartition("/")[0] for path in paths})
    names = [folder.rpartition("/")[2] for folder in folders]
    wordy = all(name and not any(map(str.isdigit, name)) for name in names) and len(set(names)) > 1
    return names if wordy else []


def _several_channels(meanings: Meanings) -> bool:
    return "channel" in meanings.told and meanings.told["channel"].varies


def _ask_about_folders(paths: Sequence[str], meanings: Meanings) -> list[Doubt]:
    """Ask where plates are named after folders that may be classes."""
    names = _folders_of_words(paths)
    if not names or "plate" in meanings.told or meanings.in_folders:
        return []
    question = (
        f"The folders {', '.join(names[:3])}{' …' if len(names) > 3 else ''} are read as plates. Where they are "
        "classes, give --layout image-folder."
    )
    return [Doubt("folders", question, tuple(meanings.paths[:3]))]


def name_table(folder: Folder, meanings: Meanings) -> pd.DataFrame:
    """Make a table of what names tell: ``path``, ``plate``, ``well``, and those of the others that they tell.

    Channels come in the order in which people count them.

    Raises
    ------
    LayoutError
        Where a number is beyond any microscope.
    """
    columns: dict[str, object] = {"path": pd.array(meanings.paths, dtype="str")}
    columns["plate"] = _plates(folder, meanings)
    columns["well"] = pd.array(
        meanings.told["well"].texts if "well" in meanings.told else [""] * len(meanings.paths), dtype="str"
    )
    for name in ("field", "z", "timepoint"):
        if name in meanings.told:
            columns[name] = _numbers(meanings, name)
    table = pd.DataFrame(columns)
    if "channel" in meanings.told:
        channel = meanings.told["channel"]
        order = sorted(range(len(channel.values)), key=lambda i: natural(channel.values[i]))
        rank = np.argsort(order)
        table = table.assign(channel=pd.array(channel.texts, dtype="str"))
        table = table.iloc[np.argsort(rank[channel.codes], kind="stable")].reset_index(drop=True)
    return table


def _numbers(meanings: Meanings, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    column = meanings.told[name]
    try:
        numbers = np.array([plane_number(value) for value in column.values], np.int64)
    except ValueError as error:
        raise LayoutError(f"{meanings.paths[0]}: {error}. Give --pattern.") from error
    from_zero = name != "timepoint" and 0 in numbers
    return (numbers + from_zero)[column.codes]


def _plates(folder: Folder, meanings: Meanings) -> pd.api.extensions.ExtensionArray:
    """Name plates by what the names tell, else after the folder that holds the images of the plate."""
    if "plate" in meanings.told:
        return pd.array(meanings.told["plate"].texts, dtype="str")
    known: dict[str, str] = {}
    plates = []
    for path in meanings.paths:
        below = path[: max(path.rfind("/"), 0)]
        if below not in known:
            parts = [part for depth, part in enumerate(below.split("/"), start=1) if depth not in meanings.in_folders]
            known[below] = plate_of(folder, "/".join(parts))
        plates.append(known[below])
    return pd.array(plates, dtype="str")
