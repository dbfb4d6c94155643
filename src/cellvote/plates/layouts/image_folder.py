"""Images without wells: a plain folder of them, or one folder for each class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import LABEL_COLUMNS, Acquisition, Doubt, plane_table
from cellvote.plates.file_planes import FilePlanes, file_planes
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.file_stacks import StackedPlanes, stacked_planes
from cellvote.plates.layouts.name_meanings import Meanings, read_meanings
from cellvote.plates.layouts.name_plates import POSITION, read_name_plates
from cellvote.plates.layouts.name_wells import LIKELY
from cellvote.plates.layouts.named_groups import check_unique, natural, plate_of
from cellvote.plates.wells import PLATE_SHAPES

LABEL_FOLDERS: Final = frozenset(
    {"mask", "masks", "label", "labels", "segmentation", "segmentations", "ground_truth", "groundtruth", "gt"}
)
"""Folders beside the images that hold label images, not images."""

_SCORE: Final = 0.5
_N_LOOKED_INTO: Final = 16
_N_LOOKED_AT: Final = 500
_MAX_HEADERS: Final = 5000
_COLOURED_PNG: Final = frozenset({2, 3, 6})
_LEAST_COMPLETE: Final = 0.9


class ImageFolder:
    """Images that lie in a folder, or in a folder for each class: no wells; every image is a numbered field.

    The plate map has a row for each field: ``image_name``, ``class_name`` where folders are classes, and ``position``
    where names tell plates and places on them.
    """

    name = "image-folder"
    example = "image_001.png or CLASS/image_001.png"

    def recognise(self, folder: Folder) -> float:
        """Every folder of images is one; all other layouts come first."""
        return _SCORE if folder.images else 0.0

    def read(self, folder: Folder) -> Acquisition:
        """Index every image; label images beside them are kept apart."""
        images, masks = without_masks(folder.images)
        classes = classes_of(images)
        images.sort(key=natural)
        doubts = _ask_about_wells(images, classes)
        if classes:
            files = _one_by_one(images)
        else:
            files, asked = _grouped(images)
            doubts += asked
        folders = [path.rpartition("/")[0] for path in files["path"]]
        plates = {below: _plate(folder, below, classes) for below in dict.fromkeys(folders)}
        files["plate"] = pd.array([plates[below] for below in folders], dtype="str")
        told = read_name_plates(files["path"].tolist(), classes) if len(set(plates.values())) == 1 else None
        if told is not None:
            files["plate"] = pd.array(told.plates, dtype="str")
            doubts.append(told.ask(files["path"].tolist()))
        files["field"] = number_images(files)
        files["well"] = ""
        held, mixed = looked_into(folder, files)
        planes = plane_table(held.planes)
        check_unique(folder, planes)
        names = field_names(held.planes, classes) if (planes["well"] == "").any() else None
        if names is not None and told is not None and told.positions is not None:
            at = dict(zip(zip(files["plate"], files["field"], strict=True), told.positions, strict=True))
            names[POSITION] = pd.array([at[k] for k in zip(names["plate"], names["field"], strict=True)], dtype="str")
        labels, problems = label_images(masks, files)
        return Acquisition(
            folder.path,
            self.name,
            planes,
            held.channels,
            held.pixel_size_um,
            plate_map=names,
            problems=(*held.problems, *problems),
            doubts=(*doubts, *mixed, *held.doubts),
            label_images=labels,
        )


def without_masks(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Set apart what lies in folders of masks, unless everything does."""
    masks = [path for path in paths if LABEL_FOLDERS & {part.casefold() for part in path.split("/")[:-1]}]
    if len(masks) == len(paths):
        return list(paths), []
    inside = set(masks)
    return [path for path in paths if path not in inside], masks


def _ask_about_wells(images: Sequence[str], classes: Mapping[str, str]) -> list[Doubt]:
    """Ask where names hold wells after all."""
    meanings = read_meanings(images[:: -(-len(images) // _N_LOOKED_AT) or 1]) if images else None
    if meanings is None or meanings.sureness < LIKELY:
        return []
    read = (
        f"the folders ({', '.join(sorted(set(classes.values()))[:3])} …) as classes" if classes else "every image alone"
    )
    question = (
        f"Some names seem to hold a well, but the images are read without wells, {read}. Where they are of wells, give "
        "--layout well-names or --pattern."
    )
    well = meanings.told["well"].texts
    return [
        Doubt(
            "no wells", question, tuple(f"{p} may be well {w}" for p, w in zip(meanings.paths[:3], well, strict=False))
        )
    ]


def classes_of(images: Sequence[str]) -> dict[str, str]:
    """Say which class each folder is, where the images lie in several folders of one depth; else nothing."""
    folders = Counter(path.rpartition("/")[0] for path in images)
    names = {folder: folder.rpartition("/")[2] for folder in folders}
    depths = {folder.count("/") for folder in folders}
    if len(set(names.values())) < 2 or "" in folders or len(depths) > 1:
        return {}
    return names


def _plate(folder: Folder, below: str, classes: Mapping[str, str]) -> str:
    """Name the plate after the folder; of classes in ``train`` and ``test`` after these."""
    return plate_of(folder, below.rpartition("/")[0] if classes else below)


def _one_by_one(images: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({"path": pd.array(images, dtype="str"), "image": np.arange(len(images))})


def _grouped(images: Sequence[str]) -> tuple[pd.DataFrame, list[Doubt]]:
    """Put files together that are channels, z-planes or timepoints of one image, where names spell that out."""
    meanings = read_meanings(images, wells=False) if images else None
    if meanings is None:
        return _one_by_one(images), []
    found = _complete_groups(meanings)
    if found is None:
        return _one_by_one(images), _ask_about_numbers(images, meanings)
    doubt = Doubt(
        "no wells",
        f"No wells are found in the names: {found['image'].max() + 1} images are read, of which each has several "
        f"files ({', '.join(name for name in ('channel', 'z', 'timepoint') if name in found)} are told by the names). "
        "Where the names hold wells, give --layout or --pattern.",
        tuple(meanings.paths[:3]),
    )
    alone = _one_by_one(meanings.others)
    return (found, [doubt]) if alone.empty else (_one_by_one(images), _ask_about_numbers(images, meanings))


def _complete_groups(meanings: Meanings) -> pd.DataFrame | None:
    told = {
        name: meanings.told[name]
        for name in ("channel", "z", "timepoint")
        if name in meanings.told and meanings.told[name].varies
    }
    if not told:
        return None
    rest = [column for column in meanings.rest if column.varies]
    rest += [meanings.told[name] for name in ("field", "plate") if name in meanings.told]
    keys = [column.codes for column in rest] or [np.zeros(len(meanings.paths), np.intp)]
    groups = pd.MultiIndex.from_arrays(keys).factorize(sort=True)[0]
    sizes = np.bincount(groups)
    whole = int(np.prod([len(column.values) for column in told.values()]))
    if (sizes == whole).mean() < _LEAST_COMPLETE:
        return None
    table = pd.DataFrame({"path": pd.array(meanings.paths, dtype="str"), "image": groups})
    for name, column in told.items():
        if name == "channel":
            table[name] = pd.array(column.texts, dtype="str")
        else:
            numbers = np.array([int(value) for value in column.values])
            table[name] = (numbers + (name == "z" and 0 in numbers))[column.codes]
    return table


def _ask_about_numbers(images: Sequence[str], meanings: Meanings) -> list[Doubt]:
    """Ask where names count up to the size of a plate, or spell out what images of plates have."""
    numbers = [c for c in meanings.rest if len(c.values) in PLATE_SHAPES and all(v.isdecimal() for v in c.values)]
    numbers += [c for c in meanings.told.values() if len(c.values) in PLATE_SHAPES and len(c.values) > 12]
    if not numbers:
        return []
    n = len(numbers[0].values)
    question = (
        f"The names count to {n}, as many as a plate of {n} has wells. No wells are read: every image is a field of "
        "its own. Where the numbers are wells, give --pattern."
    )
    return [Doubt("numbered wells", question, tuple(images[:3]))]


def number_images(files: pd.DataFrame) -> pd.Series:
    """Number the images of each plate from 1, in the order in which they stand."""
    first = files.drop_duplicates(["plate", "image"])
    number = first.groupby("plate", sort=False).cumcount() + 1
    of_image = dict(zip(zip(first["plate"], first["image"], strict=True), number, strict=True))
    return pd.Series([of_image[key] for key in zip(files["plate"], files["image"], strict=True)], index=files.index)


def looked_into(folder: Folder, files: pd.DataFrame) -> tuple[StackedPlanes, list[Doubt]]:
    """Read the headers of some images, and ask where grey and coloured ones are mixed."""
    paths: list[str] = files["path"].tolist()
    held = stacked_planes(folder.path, files.drop(columns="image"))
    if "channel" in files or len(paths) == 1:
        return held, []
    kinds: dict[tuple[str, ...], list[str]] = {}
    for path in _to_look_into(folder.path, paths):
        try:
            kinds.setdefault(_kind(file_planes(folder.path / path)), []).append(path)
        except ImageReadError:
            continue  # it is met again, and told of, where the field is read
    if len(kinds) < 2:
        return held, []
    examples = tuple(f"{of_kind[0]} has {', '.join(kind)}" for kind, of_kind in kinds.items())
    question = (
        f"The images are not alike: the channels {', '.join(held.channels)} are read, as the first image has them. "
        "Images of another kind cannot be read with the others, and are listed by every step: move them to another "
        "folder."
    )
    return held, [Doubt("mixed images", question, examples[:3])]


def _kind(held: FilePlanes) -> tuple[str, ...]:
    return held.channels


def _to_look_into(source: Path, paths: Sequence[str]) -> list[str]:
    """Choose images spread over the folder, and of PNG files (which show it at a glance) some of each kind."""
    groups: list[Sequence[str]] = [paths]
    if len(paths) <= _MAX_HEADERS:
        coloured = {path for path in paths if path.lower().endswith(".png") and _png_is_coloured(source / path)}
        groups += [[path for path in paths if path in coloured], [path for path in paths if path not in coloured]]
    chosen = [path for group in groups for path in group[:: -(-len(group) // _N_LOOKED_INTO) or 1]]
    return list(dict.fromkeys(chosen))


def _png_is_coloured(path: Path) -> bool:
    """Look at the one byte of a PNG file that says whether it has colours."""
    try:
        with path.open("rb") as file:
            head = file.read(26)
    except OSError:
        return False
    return len(head) == 26 and head[25] in _COLOURED_PNG


def field_names(planes: pd.DataFrame, classes: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Make the plate map of images without wells: a row for each field, with the image's name and its class.

    Parameters
    ----------
    planes
        Image planes; ``scene_name`` is taken over where they have it.
    classes
        By folder, the class that its images are of.
    """
    first = planes.drop_duplicates(["plate", "well", "field"])
    stems = [_stem(path) for path in first["path"]]
    table: dict[str, Any] = {
        "plate": first["plate"].to_numpy(),
        "well": first["well"].to_numpy(),
        "field": first["field"].to_numpy(np.int32),
        "image_name": pd.array(stems, dtype="str"),
    }
    if "scene_name" in first:
        table["scene_name"] = first["scene_name"].fillna("").to_numpy()
    if classes:
        table["class_name"] = pd.array([classes[path.rpartition("/")[0]] for path in first["path"]], dtype="str")
    return pd.DataFrame(table).astype({"plate": "str", "well": "str"}).reset_index(drop=True)


def _stem(path: str) -> str:
    stem = path[path.rfind("/") + 1 : path.rfind(".")]
    return stem[:-4] if stem.lower().endswith(".ome") else stem


def label_images(masks: Sequence[str], files: pd.DataFrame) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """Find for each mask the image that has the same name."""
    if not masks:
        return None, ()
    fields = {_stem(path): key for path, key in _keys(files)}
    rows = []
    for path in masks:
        key = fields.get(_stem(path))
        if key is not None:
            rows.append(
                {
                    "plate": key[0],
                    "well": "",
                    "field": key[1],
                    "name": PurePosixPath(path).parent.name,
                    "path": path,
                    "page": 0,
                }
            )
    told = f"{len(masks)} file(s) in folders of masks are no images, such as {masks[0]}: "
    if not rows:
        return None, (f"{told}they were left out.",)
    kept = pd.DataFrame(rows).drop_duplicates(["plate", "field", "name"]).astype(LABEL_COLUMNS)
    return kept, (f"{told}{len(kept)} are taken for label images of the image with the same name.",)


def _keys(files: pd.DataFrame) -> list[tuple[str, tuple[str, int]]]:
    return [(p, (plate, n)) for p, plate, n in zip(files["path"], files["plate"], files["field"], strict=True)]
