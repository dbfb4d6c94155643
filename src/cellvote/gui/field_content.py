"""Everything that is shown of one field, read in one go; no window here."""

from dataclasses import dataclass

import numpy as np

from cellvote.errors import CellVoteError, ImageReadError, SegmentationError
from cellvote.gui.facts import PlateFacts
from cellvote.gui.overlay import Overlay, make_overlay
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.study import Study
from cellvote.study.masks import LabelImage, read_label_image


@dataclass(frozen=True)
class FieldContent:
    """One field as it is shown.

    Attributes
    ----------
    image
        CYX; None where it cannot be read.
    masks
        YX; None where the field is not segmented.
    n_cells
        How many label ids the masks have; None without masks.
    error
        Why something is not shown; empty where all is.
    """

    key: FieldKey
    image: Pixels | None = None
    masks: LabelImage | None = None
    overlay: Overlay | None = None
    n_cells: int | None = None
    error: str = ""


def read_content(
    study: Study,
    key: FieldKey,
    segmentation: str,
    facts: PlateFacts | None,
    known: FieldContent | None = None,
) -> FieldContent:
    """Read the pixels of a field, its masks, and its cells coloured by class.

    Parameters
    ----------
    known
        The same field as it was shown before: its pixels are not read again.
    """
    try:
        image = known.image if known is not None and known.image is not None else study.read_field(key)
    except ImageReadError as damage:
        return FieldContent(key, error=str(damage))
    predicted = facts.predicted if facts else None
    masks, error = _read_masks(study, key, segmentation, image)
    overlay = None
    if predicted is not None:
        same = predicted.segmentation == segmentation
        predicted_on, _ = (masks, "") if same else _read_masks(study, key, predicted.segmentation, image)
        if predicted_on is not None:
            overlay = make_overlay(predicted_on, predicted.cells_of(key), predicted.classes)
    n_cells = None if masks is None else int(np.count_nonzero(np.bincount(masks.ravel())[1:]))
    failed = facts.failed.get(key, "") if facts else ""
    return FieldContent(key, image, masks, overlay, n_cells, error or failed or (facts.problem if facts else ""))


def _read_masks(study: Study, key: FieldKey, segmentation: str, image: Pixels) -> tuple[LabelImage | None, str]:
    """Read masks where there are any; masks that do not fit the image are not shown on it."""
    if not segmentation or not study.mask_path(segmentation, key).exists():
        return None, ""
    try:
        masks = read_label_image(study.mask_path(segmentation, key))
    except CellVoteError as error:
        return None, str(error)
    if masks.shape != image.shape[1:]:
        shapes = " × ".join(map(str, masks.shape)), " × ".join(map(str, image.shape[1:]))
        return None, str(SegmentationError(f"{key}: the masks have {shapes[0]} px, the image {shapes[1]} px."))
    return masks, ""
