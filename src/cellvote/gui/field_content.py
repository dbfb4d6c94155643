"""Everything that is shown of one field, read in one go; no window here."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cellvote.errors import CellVoteError, ImageReadError, SegmentationError
from cellvote.gui.facts import PlateFacts
from cellvote.gui.look import Scope
from cellvote.gui.overlay import Overlay, make_overlay
from cellvote.gui.read_ahead import Channels, FieldCache
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.study import Study
from cellvote.study.masks import LabelImage, read_label_image


@dataclass(frozen=True)
class FieldContent:
    """What is shown of a field, or of a whole well.

    Attributes
    ----------
    image
        For each channel an array that ends in YX; None where it cannot be read, as a whole or this channel.
    masks
        YX; None where the field is not segmented.
    source_labels
        Label images that lie beside the source images, YX by name.
    n_cells
        How many label ids the masks have; None without masks.
    error
        Why something is not shown; empty where all is.
    scope
        Whether it is a field or a well.
    axes
        Names of the axes before y and x.
    step
        How many pixels of a field became one.
    note
        What a person should know of how it was put together.
    """

    key: FieldKey
    image: tuple[Any, ...] | None = None
    masks: LabelImage | None = None
    overlay: Overlay | None = None
    source_labels: dict[str, LabelImage] = field(default_factory=dict)
    n_cells: int | None = None
    error: str = ""
    scope: Scope = "field"
    axes: tuple[str, ...] = ()
    step: int = 1
    note: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what is shown; (1, 1) for nothing."""
        there = [one.shape for one in self.image or () if one is not None]
        return (there[0][-2], there[0][-1]) if there else (1, 1)

    def same_pixels(self, key: FieldKey, scope: Scope, axes: Sequence[str]) -> bool:
        """Whether it shows the pixels of this field, so that they need not be read again."""
        return self.image is not None and (self.key, self.scope, self.axes) == (key, scope, tuple(axes))


def read_content(
    study: Study,
    key: FieldKey,
    segmentation: str,
    facts: PlateFacts | None,
    known: FieldContent | None = None,
    cache: FieldCache | None = None,
    executor: Executor | None = None,
) -> FieldContent:
    """Read the pixels of a field, its masks, and its cells coloured by class.

    Parameters
    ----------
    known
        The same field as it was shown before: its pixels are not read again.
    cache
        What was read before, or ahead.
    executor
        Threads that read the channels side by side.
    """
    if known is not None and known.image is not None:
        return with_cells(FieldContent(key, known.image, axes=known.axes), study, segmentation, facts)
    read = (cache or FieldCache()).read(study, key, executor)
    return with_cells(content_of(key, read), study, segmentation, facts)


def content_of(key: FieldKey, read: Channels) -> FieldContent:
    """Show the channels that could be read, and say why the others could not."""
    image: list[Pixels | None] = [None if isinstance(one, ImageReadError) else one for one in read]
    errors = [str(one) for one in read if isinstance(one, ImageReadError)]
    sizes = list(dict.fromkeys(one.shape for one in image if one is not None))
    if not sizes:
        return FieldContent(key, error=errors[0] if errors else f"{key}: has no channels.")
    if len(sizes) > 1:
        image = [one if one is not None and one.shape == sizes[0] else None for one in image]
        errors.append(f"{key}: the channels differ in size ({sizes}); those of another size are not shown.")
    return FieldContent(key, tuple(image), error=" ".join(errors))


def with_cells(content: FieldContent, study: Study, segmentation: str, facts: PlateFacts | None) -> FieldContent:
    """Add the masks, and the cells coloured by class, to the pixels of a field."""
    key, shape = content.key, content.shape
    if content.image is None:
        return content
    predicted = facts.predicted if facts else None
    masks, error = read_masks(study, key, segmentation, shape)
    overlay = None
    if predicted is not None and predicted.of_cells:
        same = predicted.segmentation == segmentation
        predicted_on, _ = (masks, "") if same else read_masks(study, key, predicted.segmentation, shape)
        if predicted_on is not None:
            overlay = make_overlay(predicted_on, predicted.cells_of(key), predicted.classes)
    n_cells = None if masks is None else int(np.count_nonzero(np.bincount(masks.ravel())[1:]))
    labels, label_error = read_source_labels(study, key, shape)
    failed = facts.failed.get(key, "") if facts else ""
    problem = content.error or error or failed or label_error or (facts.problem if facts else "")
    return FieldContent(key, content.image, masks, overlay, labels, n_cells, problem, axes=content.axes)


def read_masks(study: Study, key: FieldKey, segmentation: str, shape: tuple[int, int]) -> tuple[LabelImage | None, str]:
    """Read masks where there are any; masks that do not fit the image are not shown on it."""
    if not segmentation or not study.mask_path(segmentation, key).exists():
        return None, ""
    try:
        masks = read_label_image(study.mask_path(segmentation, key))
    except CellVoteError as error:
        return None, str(error)
    if masks.shape != shape:
        shapes = " × ".join(map(str, masks.shape)), " × ".join(map(str, shape))
        return None, str(SegmentationError(f"{key}: the masks have {shapes[0]} px, the image {shapes[1]} px."))
    return masks, ""


def read_source_labels(study: Study, key: FieldKey, shape: tuple[int, int]) -> tuple[dict[str, LabelImage], str]:
    """Read the label images of a field that lie in the source, each by its name."""
    table = study.source_labels
    if table is None:
        return {}, ""
    from cellvote.plates.zarr_planes import read_source_label

    here = table[(table["plate"] == key.plate) & (table["well"] == key.well) & (table["field"] == key.field)]
    labels: dict[str, LabelImage] = {}
    for name, path, page in zip(here["name"], here["path"], here["page"], strict=True):
        try:
            found = read_source_label(study.source / path, int(page))
        except CellVoteError as error:
            return labels, str(error)
        if found.shape == shape:
            labels[str(name)] = found
    return labels, ""
