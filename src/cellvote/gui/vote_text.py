"""The vote in words: what stands on the canvas, in tooltips and beside the plate; no window here."""

from html import escape

from cellvote.gui.facts import PlateFacts, Predicted, Vote, Well
from cellvote.plates.acquisition import FieldKey
from cellvote.voting.vote import NO_VOTE, TIE

RIGHT, WRONG = "✓", "✗"


def vote_words(vote: Vote) -> str:
    """Say a vote: ``taxol · 62 % of 143 cells · margin 0.31``; ties and too few cells are said as such."""
    if vote.class_name == NO_VOTE:
        return f"too few cells to vote ({vote.n_cells:,})"
    if vote.class_name == TIE:
        leading = [name for name, share in vote.shares.items() if share >= vote.share - 1e-9]
        return f"tie of {' and '.join(leading)} · {percent(vote.share)} of {vote.n_cells:,} cells each"
    return f"{vote.class_name} · {percent(vote.share)} of {vote.n_cells:,} cells · margin {vote.margin:.2f}"


def percent(share: float) -> str:
    """Write a share as ``62 %``."""
    return f"{share * 100:.0f} %"


def truth_words(vote: Vote | None, truth: str) -> str:
    """Say the known class, and whether the vote hit it: ``true: DMSO ✗``."""
    if not truth:
        return ""
    if vote is None or vote.class_name in {NO_VOTE, TIE}:
        return f"true: {truth}"
    return f"true: {truth} {RIGHT if vote.class_name == truth else WRONG}"


def field_name(key: FieldKey, *, with_plate: bool = False) -> str:
    """Name a field as on the canvas: ``B07 field 1``; with its plate where there are several."""
    if not key.well:
        return str(key)
    return str(key) if with_plate else f"{key.well} field {key.field}"


def field_text(
    key: FieldKey, predicted: Predicted | None, n_cells: int | None, *, with_plate: bool, n_fields: int
) -> str:
    """Write what stands on the canvas: field, vote, truth; below it the well's vote where it has several fields.

    Parameters
    ----------
    n_cells
        Cells in the masks that are shown; None where there are none.
    """
    name = field_name(key, with_plate=with_plate)
    if predicted is None:
        return name if n_cells is None else f"{name} · {n_cells:,} cells"
    well = (key.plate, key.well)
    truth = predicted.truth.get(well, "")
    vote = predicted.fields.get(key)
    words = vote_words(vote) if vote else "no predicted cells"
    lines = [" · ".join(part for part in (name, words, truth_words(vote, truth)) if part)]
    whole = predicted.wells.get(well)
    if n_fields > 1 and whole is not None:
        parts = (f"whole well ({n_fields} fields)", vote_words(whole), truth_words(whole, truth))
        lines.append(" · ".join(part for part in parts if part))
    return "\n".join(lines)


def well_tooltip(well: Well, facts: PlateFacts, n_fields: int) -> str:
    """Write a well's facts as a small HTML table: treatment, fields, cells, vote, failures."""
    rows = [(name, text) for name, text in facts.wells.get(well, {}).items() if text]
    rows.append(("Fields", f"{n_fields}" if n_fields else "not imaged"))
    if well in facts.n_cells:
        rows.append(("Cells", f"{facts.n_cells[well]:,}"))
    predicted = facts.predicted
    if predicted is not None and n_fields:
        vote = predicted.wells.get(well)
        rows.append(("Vote", vote_words(vote) if vote else "none"))
        truth = truth_words(vote, predicted.truth.get(well, ""))
        if truth:
            rows.append(("", truth))
    errors = facts.failed_wells.get(well, [])
    if errors:
        rows.append(("Failed", errors[0] + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else "")))
    cells = "".join(
        f"<tr><td style='padding-right:8px'>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in rows
    )
    return f"<b>{escape(well[1] or well[0])}</b><table>{cells}</table>"
