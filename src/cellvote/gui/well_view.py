"""The whole well on one canvas: its fields stitched, with their masks and coloured cells; no window here."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from math import ceil
from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import CancelledError
from cellvote.gui.facts import PlateFacts
from cellvote.gui.field_content import FieldContent, content_of, with_cells
from cellvote.gui.overlay import Overlay
from cellvote.gui.read_ahead import FieldCache
from cellvote.gui.state import State
from cellvote.gui.vote_text import field_text, held_words, image_text, no_vote_words, truth_words, vote_words
from cellvote.jobs.overview import positions_of
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.stitching import Placement, place_fields, reduced, stitch
from cellvote.plates.wells import well_name, well_position
from cellvote.study import Study
from cellvote.study.masks import LabelImage

LARGEST_PX: Final = 4096
"""Wells with longer sides are shrunk: more than a screen shows, and than some graphics cards take."""


def read_well(
    study: Study,
    keys: Sequence[FieldKey],
    segmentation: str,
    facts: PlateFacts | None,
    cache: FieldCache,
    executor: Executor | None = None,
    outdated: Callable[[], bool] = lambda: False,
) -> FieldContent:
    """Read and stitch the fields of a well.

    Parameters
    ----------
    keys
        The fields, in order; where two overlap, the later one is seen.
    outdated
        Whether something else is wanted by now; asked between fields.

    Raises
    ------
    CancelledError
        Where it is outdated.
    """
    fields: list[FieldContent] = []
    placement: Placement | None = None
    step = 1
    positions = positions_of(study)
    for key in keys:
        if outdated():
            raise CancelledError(f"{key}: something else is wanted")
        one = content_of(key, cache.read(study, key, executor))
        if placement is None and one.image is not None:
            placement = place_fields(keys, one.shape, positions, study.info.pixel_size_um)
            step = max(1, ceil(max(placement.shape) / LARGEST_PX))
        fields.append(_shrunk(with_cells(one, study, segmentation, facts), step))
    return _stitched(fields, placement, step)


def _shrunk(field: FieldContent, step: int) -> FieldContent:
    """Make a field smaller: its pixels by their means, its cells by every so many pixels."""
    if step == 1 or field.image is None:
        return field
    image = tuple(None if one is None else reduced(one, step) for one in field.image)
    overlay = field.overlay
    if overlay is not None:
        overlay = replace(overlay, values=np.ascontiguousarray(overlay.values[::step, ::step]))
    masks = None if field.masks is None else np.ascontiguousarray(field.masks[::step, ::step])
    return replace(field, image=image, masks=masks, overlay=overlay, source_labels={})


def _stitched(fields: Sequence[FieldContent], placement: Placement | None, step: int) -> FieldContent:
    key = fields[0].key
    errors = list(dict.fromkeys(field.error for field in fields if field.error))
    error = errors[0] + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else "") if errors else ""
    if placement is None:
        return FieldContent(key, error=error, scope="well")
    n_channels = max(len(field.image or ()) for field in fields)
    image = [_canvas([_channel(field, c) for field in fields], placement, step) for c in range(n_channels)]
    counts = [field.n_cells for field in fields if field.n_cells is not None]
    return FieldContent(
        key,
        tuple(image),
        _masks(fields, placement, step),
        _overlay(fields, placement, step),
        n_cells=sum(counts) if counts else None,
        error=error,
        scope="well",
        step=step,
        note=_note(len(fields), placement, step),
    )


def _channel(field: FieldContent, channel: int) -> Any:
    return None if field.image is None else field.image[channel]


def _canvas(images: list[Any], placement: Placement, step: int) -> Any:
    return None if all(image is None for image in images) else stitch(images, placement, step)


def _note(n: int, placement: Placement, step: int) -> str:
    if n == 1:
        return ""
    how = "by stage position" if placement.by_stage else "in a grid"
    why = f" ({placement.note})" if placement.note else ""
    small = f" · shown at 1/{step}" if step > 1 else ""
    return f"{n} fields {how}{why}{small}"


def _masks(fields: Sequence[FieldContent], placement: Placement, step: int) -> LabelImage | None:
    """Stitch masks; the label ids of later fields are shifted, so that each cell keeps one of its own."""
    if all(field.masks is None for field in fields):
        return None
    shifted: list[Any] = []
    for field, offset in zip(fields, _label_offsets(fields), strict=True):
        masks = field.masks
        shifted.append(None if masks is None else np.where(masks > 0, masks + offset, 0).astype(np.int32))
    return np.asarray(stitch(shifted, placement, step), np.int32)


def _label_offsets(fields: Sequence[FieldContent]) -> list[int]:
    largest = [0 if field.masks is None else int(field.masks.max(initial=0)) for field in fields]
    return [int(offset) for offset in np.cumsum([0, *largest[:-1]])]


def _overlay(fields: Sequence[FieldContent], placement: Placement, step: int) -> Overlay | None:
    """Stitch coloured cells; values are shifted by whole rounds of the classes, so that colours stay."""
    there = [field.overlay for field in fields if field.overlay is not None]
    if not there:
        return None
    classes = there[0].classes
    values: list[Any] = []
    tables = []
    offset = 0
    for field in fields:
        if field.overlay is None:
            values.append(None)
            continue
        features = field.overlay.features
        values.append(np.where(field.overlay.values > 0, field.overlay.values.astype(np.int32) + offset, 0))
        tables.append(features.assign(index=features["index"] + offset, field=field.key.field))
        rounds = ceil(int(features["index"].max() if len(features) else 0) / max(len(classes), 1))
        offset += rounds * len(classes)
    stitched = stitch(values, placement, step)
    dtype = np.uint16 if offset < 2**16 else np.int32
    return Overlay(stitched.astype(dtype), pd.concat(tables, ignore_index=True), classes)


def shown_text(content: FieldContent, state: State) -> str:
    """Write what stands on the canvas of a field or a well: its name, vote and truth."""
    key, predicted = content.key, state.facts.predicted if state.facts else None
    n_fields = len(state.fields_of(key.plate, key.well))
    if content.scope == "field" and not key.well and state.facts is not None and key in state.facts.images:
        return image_text(key, state.facts, content.n_cells)
    if content.scope == "field":
        return field_text(key, predicted, content.n_cells, with_plate=state.several_plates, n_fields=n_fields)
    name = f"{key.plate}/{key.well}" if state.several_plates and key.well else key.well or key.plate
    parts = [name]
    if predicted is not None and key.well:
        vote = predicted.wells.get((key.plate, key.well))
        truth = truth_words(vote, predicted.truth.get((key.plate, key.well), ""))
        parts += [vote_words(vote) if vote else no_vote_words(predicted), truth, held_words(vote, predicted)]
    elif content.n_cells is not None:
        parts.append(f"{content.n_cells:,} cells")
    line = " · ".join(part for part in parts if part)
    return f"{line}\n{content.note}" if content.note else line


def neighbours(state: State) -> list[FieldKey]:
    """Name the fields that are likely next: this well's next one, and the wells beside, below and above."""
    key, study = state.key, state.study
    if key is None or study is None:
        return []
    fields = study.fields
    here = fields.index(key)
    likely = [fields[i] for i in (here + 1, here - 1) if 0 <= i < len(fields)]
    if key.well:
        row, column = well_position(key.well)
        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            with suppress(ValueError):
                well = well_name(row + down, column + right)
                numbers = state.fields_of(key.plate, well)
                if numbers:
                    likely.append(FieldKey(key.plate, well, key.field if key.field in numbers else numbers[0]))
    return list(dict.fromkeys(likely))
