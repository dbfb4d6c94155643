"""Find the masks of every field: among the source's label images, or in a folder of files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError, SegmentationError
from cellvote.plates.acquisition import FIELD, Acquisition, FieldKey
from cellvote.plates.layouts import LAYOUTS, read_plate
from cellvote.plates.layouts.base import Folder, open_folder
from cellvote.plates.layouts.named_groups import pattern_layout
from cellvote.segmentation.imported.mask_files import LOSSY_SUFFIXES, MASK_SUFFIXES, PICKLED
from cellvote.segmentation.imported.names import (
    ImageNames,
    Named,
    by_image_pattern,
    by_study_names,
    by_suffix,
    compiled,
)
from cellvote.study import Study

_SURE_ENOUGH = 0.5
_N_LISTED = 5


@dataclass(frozen=True)
class Wanted:
    """Where to look for label images, as the settings have it; ``kind`` is ``masks`` or ``nuclei``."""

    kind: str
    folder: str
    suffix: str | None
    pattern: str
    labels: str

    @property
    def suffix_setting(self) -> str:
        """What the settings call the suffix."""
        return "suffix" if self.kind == "masks" else "nuclei_suffix"

    @property
    def labels_setting(self) -> str:
        """What the settings call the name of the label images."""
        return "labels" if self.kind == "masks" else "nuclei_labels"

    @property
    def pattern_setting(self) -> str:
        """What the settings call the pattern."""
        return "pattern" if self.kind == "masks" else "nuclei_pattern"


@dataclass(frozen=True)
class Found:
    """The label image of each field.

    Attributes
    ----------
    files
        One row for every field of the study: the columns of `FIELD`, ``path`` (absolute; empty where there is none),
        ``page`` (−1 where the file must have one plane only), and ``problem`` (why there is none).
    notes
        What a person should know: files that are of no field.
    """

    files: pd.DataFrame
    notes: tuple[str, ...] = ()


def find_masks(study: Study, wanted: Wanted) -> Found:
    """Find the label image of every field of a study.

    Raises
    ------
    SegmentationError
        Where not a single one is found, or it cannot be told which ones are meant.
    LayoutError
        Where there is no such folder, or the pattern is none.
    """
    there = study.source_labels
    unnamed = wanted.suffix is None and not wanted.pattern
    if not wanted.folder and (wanted.labels or (unnamed and there is not None and len(there))):
        return _of_source(study, wanted)
    folder = open_folder(Path(wanted.folder) if wanted.folder else study.source)
    if folder.stores and (wanted.labels or not _mask_files(study, folder)):
        return _of_stores(study, folder, wanted)
    if wanted.labels:
        raise SegmentationError(
            f"{folder.path}: holds no OME-Zarr, so none of its label images is called {wanted.labels!r}. Leave out "
            f"{wanted.labels_setting}."
        )
    return _of_files(study, folder, wanted)


# Label images that came with the images


def _of_source(study: Study, wanted: Wanted) -> Found:
    there = study.source_labels
    if there is None or there.empty:
        raise SegmentationError(
            f"{study.path}: no label images came with its images. Give a folder: --set masks=FOLDER"
        )
    table = _one_name(there, wanted, "came with the images")
    return _filled(study, table.assign(path=[str(study.source / path) for path in table["path"]]), "the source")


def _one_name(table: pd.DataFrame, wanted: Wanted, where: str) -> pd.DataFrame:
    names, name = sorted(table["name"].unique()), wanted.labels
    if name and name not in names:
        raise SegmentationError(f"no label images are called {name!r}; there are: {', '.join(names)}.")
    if not name and len(names) > 1:
        raise SegmentationError(
            f"several kinds of label images {where}: {', '.join(names)}. Choose with --set "
            f"{wanted.labels_setting}={names[0]}"
        )
    return table[table["name"] == (name or names[0])]


def _of_stores(study: Study, folder: Folder, wanted: Wanted) -> Found:
    """Find the label images of an OME-Zarr store: those beside its images, else its images themselves."""
    read = read_plate(folder.path)
    if read.label_images is not None and len(read.label_images):
        table = _one_name(read.label_images, wanted, "are in the store")
    else:
        table = read.planes
    return _by_number(study, replace(read, planes=table), folder, wanted)


def _filled(study: Study, table: pd.DataFrame, where: str) -> Found:
    """Bring a table of found label images to one row for each field, in their order."""
    index = pd.MultiIndex.from_tuples(study.fields, names=FIELD)
    files = table.drop_duplicates(FIELD).set_index(FIELD)[["path", "page"]].reindex(index)
    files["problem"] = np.where(files["path"].isna(), f"{where} has no label image of this field.", "")
    filled = files.fillna({"path": "", "page": -1}).astype({"path": "str", "page": "int32", "problem": "str"})
    return Found(filled.reset_index().astype({"plate": "str", "well": "str", "field": "int32"}))


# Files


def _mask_files(study: Study, folder: Folder) -> list[str]:
    """List the files that may be masks: those that are no images of the study."""
    here, source = folder.path.resolve(), study.source.resolve()
    images: set[str] = set()
    if here == source or here in source.parents or source in here.parents:
        images = {str(source / path) for path in study.planes["path"].unique()}
    endings = MASK_SUFFIXES | LOSSY_SUFFIXES
    return [f for f in folder.files if Path(f).suffix.lower() in endings and str(here / f) not in images]


def _of_files(study: Study, folder: Folder, wanted: Wanted) -> Found:
    names, paths = ImageNames(study), _mask_files(study, folder)
    pickled = [path for path in folder.files if path.endswith("_seg.npy")]
    if not paths:
        why = f"holds no {wanted.kind}: no TIFF or PNG file beside the images of the study."
        raise _nothing(folder, pickled, f"{why} Say where they lie: --set {wanted.kind}=FOLDER.")
    if wanted.pattern:
        pattern = compiled(wanted.pattern)
        if "image" not in pattern.groupindex:
            return _by_number(study, pattern_layout(wanted.pattern).read(folder.holding(paths)), folder, wanted)
        named = by_image_pattern(names, paths, pattern)
    else:
        named = by_suffix(names, paths, wanted.suffix, wanted.suffix_setting)
        if not named.of_field:
            named = by_study_names(study.fields, paths)
        if not named.of_field:
            ended = [path for path in paths if not wanted.suffix or Path(path).stem.endswith(wanted.suffix)]
            by_layout = _by_layout(study, folder, ended, wanted)
            if by_layout is not None:
                return by_layout
    if not named.of_field:
        image = next(iter(names.stem_of_field.values()))
        raise _nothing(
            folder,
            pickled,
            f"none of its {len(paths)} files (such as {paths[0]}) is named after an image of the study (such as "
            f"{image}), nor after its well and field. Say how they are named: --set {wanted.suffix_setting}=…, or "
            f"--set {wanted.pattern_setting}=… with the groups well and field, or image.",
        )
    return _of_named(study, folder, names, named, pickled, wanted)


def _nothing(folder: Folder, pickled: Sequence[str], why: str) -> SegmentationError:
    if pickled:
        return SegmentationError(f"{folder.path / pickled[0]}: {PICKLED}.")
    return SegmentationError(f"{folder.path}: {why}")


def _of_named(
    study: Study, folder: Folder, names: ImageNames, named: Named, pickled: Sequence[str], wanted: Wanted
) -> Found:
    unread = {path.rpartition("/")[2].removesuffix("_seg.npy"): path for path in pickled}
    rows = []
    for key in study.fields:
        files = named.of_field.get(key, [])
        stem, problem = names.stem_of_field[key], ""
        if len(files) > 1:
            problem = (
                f"several files in {folder.path} are its {wanted.kind}: {', '.join(sorted(files)[:3])}. Tell them "
                f"apart with --set {wanted.pattern_setting}=… whose group image finds the name of one image."
            )
        elif not files and stem in unread:
            problem = f"{folder.path / unread[stem]}: {PICKLED}."
        elif not files:
            problem = f"{folder.path} has no {wanted.kind} called {stem}{named.suffix} (.tif or .png). Add them."
        path = str(folder.path / files[0]) if len(files) == 1 else ""
        rows.append((*key, path, -1, problem))
    table = pd.DataFrame(rows, columns=[*FIELD, "path", "page", "problem"])
    return Found(table.astype({"plate": "str", "well": "str", "path": "str", "problem": "str"}), _notes(named, wanted))


def _notes(named: Named, wanted: Wanted) -> tuple[str, ...]:
    notes = []
    for files, what in ((named.extra, "are of no field of the study"), (named.aside, "have other names")):
        if files:
            listed = ", ".join(sorted(files)[:_N_LISTED]) + (", …" if len(files) > _N_LISTED else "")
            notes.append(f"{len(files)} file(s) in the folder of {wanted.kind} {what}, and were left out: {listed}")
    return tuple(notes)


# By well and field


def _by_layout(study: Study, folder: Folder, paths: Sequence[str], wanted: Wanted) -> Found | None:
    """Read the wells and fields in names as those of images are read; None where no layout knows such names."""
    held = folder.holding(paths)
    if not paths or not any(key.well for key in study.fields):
        return None
    scores = {name: layout.recognise(held) for name, layout in LAYOUTS.items() if name != "image-folder"}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < _SURE_ENOUGH:
        return None
    try:
        return _by_number(study, LAYOUTS[best].read(held), folder, wanted)
    except LayoutError:
        return None


def _by_number(study: Study, read: Acquisition, folder: Folder, wanted: Wanted) -> Found:
    """Match by plate, well and number of the field.

    Fields that are counted from 0 are counted from 1 in a study: where the masks do not have the same numbers as the
    study has, nobody knows how theirs are counted.
    """
    table = read.planes[[*FIELD, "path", "page"]]
    if len(study.plates) == 1 and len(table["plate"].unique()) == 1:
        table = table.assign(plate=study.plates[0])
    here, theirs = {key.field for key in study.fields}, set(table["field"].tolist())
    if here != theirs:
        raise SegmentationError(
            f"{folder.path}: its masks are of the fields {_numbers(theirs)} of each well, the study has "
            f"{_numbers(here)}: it cannot be told whether both count alike. Name the masks after their images, or give "
            "a pattern whose group image finds the name of the image."
        )
    keys = pd.MultiIndex.from_frame(table[FIELD])
    known = keys.isin(study.fields)
    if not known.any():
        first = table.iloc[0]
        raise SegmentationError(
            f"{folder.path}: its masks are of other wells than the study has; the first, {first['path']}, reads as "
            f"{FieldKey(first['plate'], first['well'], int(first['field']))}, the study begins with {study.fields[0]}."
        )
    ours = table[known]
    twice = ours[ours.duplicated(FIELD, keep=False)]
    if len(twice):
        raise SegmentationError(
            f"{folder.path}: {twice['path'].iloc[0]} and {twice['path'].iloc[1]} are both of "
            f"{FieldKey(*twice[FIELD].iloc[0])}. Choose with --set suffix=… or --set pattern=…"
        )
    found = _filled(study, ours.assign(path=[str(folder.path / path) for path in ours["path"]]), str(folder.path))
    strangers = sorted(table.loc[~known, "path"].tolist())
    return replace(found, notes=_notes(Named(extra=strangers), wanted))


def _numbers(numbers: set[int]) -> str:
    ordered = sorted(numbers)
    return ", ".join(map(str, ordered)) if len(ordered) <= 6 else f"{ordered[0]} to {ordered[-1]}"
