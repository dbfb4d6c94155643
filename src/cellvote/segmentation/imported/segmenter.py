"""The segmenter that takes masks from elsewhere."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import SegmentationError, SettingsError
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.segmentation.base import Segmentation
from cellvote.segmentation.imported.mask_files import PICKLED, read_mask
from cellvote.segmentation.imported.matching import Found, Wanted, find_masks
from cellvote.segmentation.imported.settings import ImportSettings
from cellvote.settings import validated
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table
from cellvote.study.masks import LabelImage, give_nuclei_the_ids_of_cells

FILES: Final = "imported.parquet"
"""Which file the masks of each field were taken from, in the segmentation's folder."""

_KINDS: Final = ("masks", "nuclei")


@dataclass(frozen=True)
class ImportSegmenter:
    """Takes the masks of each field from a file that other software wrote."""

    settings: ImportSettings
    name: str = "import"

    def segment(self, image: Pixels) -> Segmentation:
        """Refuse: pixels alone do not tell which file holds their masks.

        Raises
        ------
        SegmentationError
            Always.
        """
        raise SegmentationError(
            f"masks are imported for the fields of a study, not for an image of the shape {image.shape}: run "
            "cellvote segment STUDY --method import, or read the file itself."
        )

    def prepare(self, study: Study, folder: Path) -> tuple[str, ...]:
        """Find the files of all fields, and note them in the segmentation's folder.

        Raises
        ------
        SegmentationError
            Where there are none, or it cannot be told which are meant.
        """
        found = self._find(study)
        table = found["masks"].files
        if "nuclei" in found:
            nuclei = found["nuclei"].files.rename(columns=lambda name: name if name in FIELD else f"nuclei_{name}")
            table = table.merge(nuclei, on=FIELD)
        write_table(folder / FILES, table)
        return tuple(note for one in found.values() for note in one.notes)

    def _find(self, study: Study) -> dict[str, Found]:
        chosen = self.settings
        masks = Wanted("masks", chosen.masks, chosen.suffix, chosen.pattern, chosen.labels)
        found = {"masks": find_masks(study, masks)}
        if chosen.has_nuclei:
            folder = chosen.nuclei or chosen.masks
            nuclei = Wanted("nuclei", folder, chosen.nuclei_suffix, chosen.nuclei_pattern, chosen.nuclei_labels)
            found["nuclei"] = find_masks(study, nuclei)
        return found

    def segment_field(self, image: Pixels, study: Study, key: FieldKey, folder: Path) -> Segmentation:
        """Read the masks of a field, and its nuclei.

        Raises
        ------
        SegmentationError
            Where there are none, they do not fit the image, or hold no label ids.
        ImageReadError
            Where a file is damaged.
        """
        del study
        path = folder / FILES
        row = _files(path, path.stat().st_mtime_ns).get(key)
        if row is None:
            raise SegmentationError(f"{key}: no masks were looked for. Run the same command again.")
        read = {kind: self._read(image, key, row, kind) for kind in _KINDS if kind == "masks" or "nuclei_path" in row}
        if "nuclei" not in read:
            return Segmentation(read["masks"], note=_full(row["path"], read["masks"]))
        nuclei = give_nuclei_the_ids_of_cells(read["nuclei"], read["masks"])
        notes = (_full(row["path"], read["masks"]), _lacking(read["masks"], read["nuclei"], nuclei))
        return Segmentation(read["masks"], nuclei, note="; ".join(note for note in notes if note))

    def _read(self, image: Pixels, key: FieldKey, row: dict[str, Any], kind: str) -> LabelImage:
        prefix = "" if kind == "masks" else "nuclei_"
        if not row[f"{prefix}path"]:
            raise SegmentationError(f"{key}: {row[f'{prefix}problem']}")
        path, page = Path(row[f"{prefix}path"]), int(row[f"{prefix}page"])
        labels = read_mask(path, page if page >= 0 else None, self.settings.binary)
        shape = image.shape[-2:]
        if labels.shape != shape:
            turned = " They look turned by 90°." if labels.shape == shape[::-1] else ""
            raise SegmentationError(
                f"{key}: {path.name} is {labels.shape[0]} × {labels.shape[1]} px, the image {shape[0]} × {shape[1]} px."
                f"{turned} Save the masks at the full size of the image."
            )
        return labels


@lru_cache(maxsize=4)
def _files(path: Path, changed_ns: int) -> dict[FieldKey, dict[str, Any]]:
    """Read which files the masks are in, once for many fields of a worker process."""
    del changed_ns
    rows: pd.DataFrame = read_table(path)
    return {
        FieldKey(str(row["plate"]), str(row["well"]), int(row["field"])): {str(k): v for k, v in row.items()}
        for row in rows.to_dict("records")
    }


def _full(path: str, labels: LabelImage) -> str:
    """Say where all numbers of 8 bits are used up: cells beyond the 255th share a number, or are lost."""
    if int(labels.max(initial=0)) == 255 and len(np.unique(labels)) >= 255:
        return f"{Path(path).name} uses every number that 8 bits have: cells beyond the 255th may be lost"
    return ""


def _lacking(cells: LabelImage, found: LabelImage, nuclei: LabelImage) -> str:
    """Say how many cells have no nucleus, and how many nuclei lie in no cell."""
    all_cells = np.unique(cells[cells > 0])
    without = len(all_cells) - len(np.unique(nuclei[nuclei > 0]))
    outside = len(np.unique(found[found > 0])) - len(np.unique(found[nuclei > 0]))
    told = []
    if without:
        told.append(f"{without} of {len(all_cells)} cells have no nucleus")
    if outside:
        told.append(f"{outside} nuclei lie in no cell and were left out")
    return ", ".join(told)


def make_import(settings: dict[str, Any], channels: tuple[str, ...], sample: list[Pixels]) -> ImportSegmenter:
    """Make the segmenter; folders become absolute, so that workers elsewhere find the same files.

    Raises
    ------
    SettingsError
        Where a setting is unknown, or cannot be.
    """
    del channels, sample
    chosen = validated(ImportSettings, settings)
    folders: dict[str, str] = {}
    for name in _KINDS:
        given = getattr(chosen, name)
        if not given:
            continue
        if given.endswith("_seg.npy"):
            raise SettingsError(f"{given}: {PICKLED}.")
        folders[name] = Path(given).expanduser().absolute().as_posix()
    return ImportSegmenter(chosen.model_copy(update=folders))
