"""What the preview box shows of a field, read and drawn in another thread, and what it says; no window here."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from cellvote.errors import CellVoteError
from cellvote.gui.cell_outlines import (
    HERE_COLOUR,
    THERE_COLOUR,
    Comparison,
    Drawing,
    compare_cells,
    draw_cells,
    read_preview,
)
from cellvote.gui.live_preview import PreviewAnswer
from cellvote.plates.acquisition import FieldKey
from cellvote.segmentation.agreement import Agreement
from cellvote.study import Study
from cellvote.study.masks import LabelImage, read_label_image


@dataclass(frozen=True)
class Drawn:
    """What was computed for the canvas.

    Attributes
    ----------
    masks
        YX; None where there are none, for the reason in ``problem``, or where a newer answer is on its way.
    comparison
        As it is drawn; None where there is nothing to be drawn.
    answer
        Of the preview; None for the study's own cells.
    """

    key: FieldKey
    masks: LabelImage | None
    comparison: Comparison | None
    answer: PreviewAnswer | None = None
    problem: str = ""


def draw_field(
    study: Study,
    key: FieldKey,
    answer: PreviewAnswer | None,
    masks: LabelImage | None,
    current: str,
    other: str,
    drawing: Drawing,
) -> Drawn:
    """Read and draw the cells of a field.

    Parameters
    ----------
    answer
        Of the preview; None where the study's own cells are drawn.
    masks
        YX, where they have been read before.
    current, other
        Names of the segmentation whose cells are shown, and of the one that it is compared with.
    """
    if masks is None and answer is not None:
        masks = _read(answer.masks)
        if masks is None:
            return Drawn(key, None, None, answer)  # a newer answer is on its way
    elif masks is None:
        masks, problem = masks_of(study, current, key)
        if masks is None:
            return Drawn(key, None, None, problem=f"{problem} There is nothing to compare.")
    if not other:
        return Drawn(key, masks, Comparison(draw_cells(masks, drawing)), answer)
    others, problem = masks_of(study, other, key)
    if others is not None and others.shape != masks.shape:
        others, problem = None, f"The masks of {other!r} have another size ({others.shape}, not {masks.shape})."
    return Drawn(key, masks, compare_cells(masks, others, drawing, problem), answer)


def _read(path: Path) -> LabelImage | None:
    try:
        return read_preview(path)
    except (OSError, ValueError):
        return None


def masks_of(study: Study, segmentation: str, key: FieldKey) -> tuple[LabelImage | None, str]:
    """Read the masks of a field, or say why there are none."""
    if not segmentation or not study.mask_path(segmentation, key).exists():
        return None, f"This field is not segmented{f' as {segmentation!r}' if segmentation else ''}."
    try:
        return read_label_image(study.mask_path(segmentation, key)), ""
    except CellVoteError as error:
        return None, str(error)


def answer_words(answer: PreviewAnswer, *, sure: bool) -> str:
    """Say what the preview found."""
    cells = f"{answer.n_cells:,} {'cell' if answer.n_cells == 1 else 'cells'}"
    words = f"{cells} · {answer.seconds:.1f} s · preview, not kept"
    return words if sure else f"{words}\nautomatic settings so far from this field; the plate is being measured …"


def agreement_words(agreement: Agreement, other: str, *, preview: bool) -> str:
    """Say how well two segmentations of a field agree, as rich text with the colours of their outlines."""
    here, there = (f"<span style='color:{colour}'>■</span>" for colour in (HERE_COLOUR, THERE_COLOUR))
    name = "in the preview" if preview else "in the masks shown"
    f1 = "" if agreement.f1 != agreement.f1 else f" · F1 {agreement.f1:.3f}"
    return (
        f"{here} {agreement.n_first:,} {name} · {there} {agreement.n_second:,} in {escape(other)}<br>"
        f"{len(agreement.matched):,} the same (IoU ≥ 0.5){f1}<br>"
        f"{here} {len(agreement.only_first):,} only in the first · "
        f"{there} {len(agreement.only_second):,} only in the second"
    )
