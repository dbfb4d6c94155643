"""Corrections: masks that a person painted over, saved in place of what a segmenter found."""

import contextlib
import getpass
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from cellvote.errors import ImageReadError, SegmentationError
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.plates.pixels import image_hash
from cellvote.study.atomic import file_checksum, read_table, write_table
from cellvote.study.ledger import FieldRecord, Ledger, masks_of
from cellvote.study.lock import run_alone
from cellvote.study.masks import LabelImage, give_nuclei_the_ids_of_cells, read_label_image, write_label_image
from cellvote.study.study import Study, field_file

COLUMNS: Final = {
    "plate": "str",
    "well": "str",
    "field": "int32",
    "author": "str",
    "time": "str",
    "cells_before": "int64",
    "cells_after": "int64",
    "highest_label_id": "int64",
    "checksum": "str",
}
"""Columns and dtypes of ``corrections.parquet``: one row for each time that a field's corrections were saved.

``time`` is UTC as ISO 8601 has it; ``highest_label_id`` the highest that was ever used in the field, so that none is
used again for another cell; ``checksum`` that of the masks as they were saved.
"""

_TOUCHING: Final = np.ones((3, 3), bool)
_LARGEST_LABEL: Final = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Correction:
    """What was saved of one field.

    Attributes
    ----------
    n_new, n_removed, n_changed
        Cells that are new, that are gone, and that have other pixels than before.
    smallest_px
        The least pixels that a new cell has; 0 where none is new.
    """

    key: FieldKey
    n_cells: int
    n_new: int
    n_removed: int
    n_changed: int
    smallest_px: int = 0

    def __str__(self) -> str:
        parts = [(self.n_new, "new"), (self.n_removed, "removed"), (self.n_changed, "changed")]
        said = ", ".join(f"{n:,} {what}" for n, what in parts if n) or "nothing changed"
        small = f" (the smallest new one has {self.smallest_px} px)" if 0 < self.smallest_px < 20 else ""
        return f"{self.n_cells:,} cells: {said}{small}"


def save_corrected_masks(
    study: Study, segmentation: str, key: FieldKey, label_image: npt.NDArray[np.integer[Any]], author: str = ""
) -> Correction:
    """Save the masks of a field as a person corrected them, and mark the field as edited.

    What was painted becomes cells by `separate_cells`. Nuclei follow their cells. Nothing else of the study changes:
    ``cellvote measure`` finds this field by the checksum of its masks, and measures it alone.

    Parameters
    ----------
    label_image
        YX, whole numbers; 0 is background.
    author
        Who corrected; the name of the account where it is not given.

    Raises
    ------
    SegmentationError
        Where the field was never segmented, or the label image does not fit it.
    BusyError
        Where a step writes the study now.
    StorageError
        Where it cannot be written; the masks are as they were.
    """
    folder = study.segmentation_folder(study.one_segmentation(segmentation))
    with run_alone(study.path, "saving a correction"), Ledger(folder / "fields.parquet") as ledger:
        record = ledger.records.get(key)
        if record is None:
            raise SegmentationError(f"{key}: was not segmented yet: there are no masks to correct.")
        path = study.mask_path(folder.name, key)
        before, hash_before = _masks_before(study, path, record)
        painted = _checked(key, label_image, before.shape)
        log = read_corrections(study, folder.name)
        here = log[(log["plate"] == key.plate) & (log["well"] == key.well) & (log["field"] == key.field)]
        highest = max(int(here["highest_label_id"].max()) if len(here) else 0, int(before.max(initial=0)))
        after = separate_cells(painted, before, highest)
        nuclei_path = study.mask_path(folder.name, key, "nuclei")
        if nuclei_path.exists():
            write_label_image(nuclei_path, _nuclei_after(read_label_image(nuclei_path), after))
        write_label_image(path, after)
        correction = _difference(key, before, after)
        checksum = file_checksum(path)
        highest = max(highest, int(after.max(initial=0)))
        row = _log_row(correction, author, record.n_cells, highest, checksum)
        _write(folder, pd.concat([log, pd.DataFrame([row])], ignore_index=True))
        ledger.append(
            replace(
                record,
                status="done",
                error="",
                n_cells=correction.n_cells,
                checksum=checksum,
                image_hash=hash_before,
                edited=True,
            )
        )
    return correction


def _log_row(correction: Correction, author: str, n_before: int, highest: int, checksum: str) -> dict[str, Any]:
    return {
        **dict(zip(FIELD, correction.key, strict=True)),
        "author": author or _account(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cells_before": n_before,
        "cells_after": correction.n_cells,
        "highest_label_id": highest,
        "checksum": checksum,
    }


def separate_cells(painted: LabelImage, before: LabelImage, highest: int = 0) -> LabelImage:
    """Make cells of what was painted: each connected piece is one, unless it was a piece of a cell before.

    Painting goes on with whatever label id the brush has, so one label id may end up in several places. The piece that
    shares the most pixels with the cell of this label id keeps it (of a new label id, the largest piece), pieces
    that were there before keep it too, and every other piece is a cell of its own. Erasing a line through a
    cell thus makes two of it. No label id of a cell that is gone is used for another cell.

    Parameters
    ----------
    painted, before
        YX int32: as it is now, and as it was.
    highest
        The highest label id that was ever used in this field.

    Returns
    -------
    ndarray
        YX int32.
    """
    highest = max(highest, int(before.max(initial=0)))
    after = painted.copy()
    fresh = max(highest, int(painted.max(initial=0)))
    for label_id, place in _places(painted):
        pieces, n_pieces = ndimage.label(painted[place] == label_id, _TOUCHING)
        known = before[place] == label_id
        overlaps = np.bincount(pieces[known], minlength=n_pieces + 1)[1:]
        areas = np.bincount(pieces.ravel(), minlength=n_pieces + 1)[1:]
        if label_id > highest:
            keeps = int(areas.argmax())
        elif overlaps.any():
            keeps = int(overlaps.argmax())
        else:
            keeps = -1  # this label id was another cell's
        old_pieces = ndimage.label(known, _TOUCHING)[0] if n_pieces > 1 else known
        for number in range(n_pieces):
            piece = pieces == number + 1
            if number == keeps or (n_pieces > 1 and _was_a_piece(piece, old_pieces, overlaps[number])):
                continue
            fresh += 1
            after[place][piece] = fresh
    return after


def _places(label_image: LabelImage) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Give each label id with the box that it lies in; label ids may be as high as they like."""
    ids, numbers = np.unique(label_image, return_inverse=True)
    boxes = ndimage.find_objects(numbers.reshape(label_image.shape) + 1)
    return ((int(label_id), box) for label_id, box in zip(ids, boxes, strict=True) if label_id)


def _was_a_piece(piece: npt.NDArray[np.bool_], old_pieces: npt.NDArray[Any], overlap: int) -> bool:
    """Whether a piece is just what one of several pieces of the cell was before."""
    if overlap != int(piece.sum()):
        return False
    number = old_pieces[piece][0]
    return bool((old_pieces == number).sum() == overlap)


def _masks_before(study: Study, path: Path, record: FieldRecord) -> tuple[LabelImage, str]:
    """Read the masks of a field and the hash of its image; no cells where it failed or its masks are damaged."""
    try:
        if record.status == "done" and path.exists():
            return read_label_image(path), record.image_hash
    except ImageReadError:
        pass
    image = study.read_raw_field(record.key)
    return np.zeros(image.shape[1:], np.int32), image_hash(image)


def _checked(key: FieldKey, label_image: npt.NDArray[Any], shape: tuple[int, ...]) -> LabelImage:
    if label_image.shape != shape:
        raise SegmentationError(
            f"{key}: the corrected masks are {' × '.join(map(str, label_image.shape))} px, the field is "
            f"{' × '.join(map(str, shape))} px. Correct the masks of this very field."
        )
    if label_image.dtype.kind not in "ui":
        raise SegmentationError(f"{key}: label ids must be whole numbers, these are {label_image.dtype}.")
    if int(label_image.min(initial=0)) < 0 or int(label_image.max(initial=0)) > _LARGEST_LABEL - label_image.size:
        raise SegmentationError(f"{key}: the corrected masks have label ids below 0 or far too high. Use lower ones.")
    return label_image.astype(np.int32)


def _nuclei_after(nuclei: LabelImage, cells: LabelImage) -> LabelImage:
    """Let each piece of nucleus follow the cell that most of it lies in now: cells may be cut in two or joined."""
    pieces = np.zeros_like(nuclei)
    n_pieces = 0
    for label_id, place in _places(nuclei):
        found, n = ndimage.label(nuclei[place] == label_id, _TOUCHING)
        pieces[place][found > 0] = found[found > 0] + n_pieces
        n_pieces += n
    return give_nuclei_the_ids_of_cells(pieces, cells)


def _difference(key: FieldKey, before: LabelImage, after: LabelImage) -> Correction:
    ids_before = set(np.unique(before).tolist()) - {0}
    areas = dict(zip(*(values.tolist() for values in np.unique(after, return_counts=True)), strict=True))
    ids_after = set(areas) - {0}
    differ = before != after
    touched = (set(np.unique(before[differ]).tolist()) | set(np.unique(after[differ]).tolist())) - {0}
    fresh = ids_after - ids_before
    return Correction(
        key,
        n_cells=len(ids_after),
        n_new=len(fresh),
        n_removed=len(ids_before - ids_after),
        n_changed=len(touched & ids_before & ids_after),
        smallest_px=min((areas[label_id] for label_id in fresh), default=0),
    )


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""  # an account without a name, as in some containers


# What was corrected so far


def read_corrections(study: Study, segmentation: str) -> pd.DataFrame:
    """Read who corrected which field when: the columns of `COLUMNS`, oldest first; no row where nobody did."""
    path = study.segmentation_folder(segmentation) / "corrections.parquet"
    table = read_table(path) if path.exists() else pd.DataFrame({name: [] for name in COLUMNS})
    return table.astype(COLUMNS)


def _write(folder: Path, log: pd.DataFrame) -> None:
    write_table(folder / "corrections.parquet", log.astype(COLUMNS))


def edited_fields(study: Study, segmentation: str) -> list[FieldKey]:
    """List the fields whose masks a person corrected, here or with other software."""
    ledger = Ledger(study.segmentation_folder(segmentation) / "fields.parquet")
    return sorted(key for key, record in ledger.done().items() if is_edited(study, segmentation, record))


def is_edited(study: Study, segmentation: str, record: FieldRecord) -> bool:
    """Whether the masks of a field are not those that the segmenter wrote, and can be read."""
    if record.edited:
        return True
    path = study.mask_path(segmentation, record.key)
    if not record.checksum or not path.exists() or file_checksum(path) == record.checksum:
        return False
    try:
        read_label_image(path)
    except ImageReadError:
        return False  # damaged, not corrected
    return True


def fields_to_measure_again(study: Study, segmentation: str) -> list[FieldKey]:
    """List the fields that were corrected since they were measured."""
    folder = study.segmentation_folder(segmentation)
    measured = Ledger(folder / "measured.parquet").done()
    edited = (record for record in Ledger(folder / "fields.parquet").done().values() if record.edited)
    return sorted(r.key for r in edited if r.key in measured and masks_of(measured[r.key].checksum) != r.checksum)


def refuse_unmeasured_corrections(study: Study, segmentation: str) -> None:
    """Refuse to go on with measurements of masks that were corrected since.

    Raises
    ------
    SegmentationError
        Where there are any; the message names the first field.
    """
    fields = fields_to_measure_again(study, segmentation)
    if fields:
        raise SegmentationError(
            f"{len(fields)} field(s) of {segmentation!r} were corrected since they were measured ({fields[0]}, …). "
            f"Run: cellvote measure {study.path} --segmentation {segmentation}"
        )


def set_corrections_aside(study: Study, segmentation: str) -> tuple[int, Path]:
    """Copy the masks that persons corrected to a folder of their own, before the segmentation is thrown away.

    Returns
    -------
    n, folder
        How many fields, and where their masks are now: `import` takes them from there.
    """
    fields = edited_fields(study, segmentation)
    number = 1
    while (folder := study.path / "corrections" / f"{segmentation}-{number}").exists():
        number += 1
    for key in fields:
        write_label_image(folder / field_file(key, ".tif"), read_label_image(study.mask_path(segmentation, key)))
    if fields:
        _write(folder, read_corrections(study, segmentation))
    return len(fields), folder


# Corrections that are not saved yet


def draft_path(study: Study, segmentation: str, key: FieldKey) -> Path:
    """Where corrections wait that a person began and did not save yet."""
    return study.segmentation_folder(segmentation) / "drafts" / field_file(key, ".tif")


def read_drafts(study: Study, segmentation: str) -> dict[FieldKey, LabelImage]:
    """Read the corrections that were begun and not saved; damaged ones are passed over."""
    folder = study.segmentation_folder(segmentation) / "drafts"
    there = {path.relative_to(folder) for path in folder.rglob("*.tif")} if folder.is_dir() else set()
    drafts: dict[FieldKey, LabelImage] = {}
    for key in study.fields if there else ():
        if field_file(key, ".tif") in there:
            with contextlib.suppress(ImageReadError):
                drafts[key] = read_label_image(folder / field_file(key, ".tif"))
    return drafts
