"""The vote in words: what stands on the canvas, in tooltips and beside the plate; no window here."""

from html import escape
from typing import Final

from cellvote.gui.facts import PlateFacts
from cellvote.gui.predicted import CELL, Predicted, Vote, Well, has_class
from cellvote.plates.acquisition import FieldKey
from cellvote.voting.vote import NO_VOTE, TIE, UNDECIDED

RIGHT, WRONG = "✓", "✗"


def counted(n: int, unit: str) -> str:
    """Count something: ``143 cells``, ``1 field``, ``2 classes``."""
    plural = "es" if unit.endswith("s") else "s"
    return f"{n:,} {unit}{'' if n == 1 else plural}"


def vote_words(vote: Vote) -> str:
    """Say a vote: ``taxol · 62 % of 143 cells · margin 0.31``; ties, doubt and too few cells are said as such.

    A field that was classified as a whole says how likely its class is: ``taxol · probability 0.93``.
    """
    n = counted(vote.n_cells, vote.unit)
    if vote.class_name == NO_VOTE:
        return f"too few {vote.unit}s to vote ({vote.n_cells:,})"
    if vote.probability is not None:
        first = max(vote.shares, key=lambda name: vote.shares[name], default="")
        name = vote.class_name if has_class(vote) else f"{vote.class_name}: {first}"
        return f"{name} · probability {vote.probability:.2f}"
    if vote.class_name == TIE:
        leading = [name for name, share in vote.shares.items() if share >= vote.share - 1e-9]
        return f"tie of {' and '.join(leading)} · {percent(vote.share)} of {n} each"
    if vote.class_name == UNDECIDED:
        first = max(vote.shares, key=lambda name: vote.shares[name], default="")
        return f"undecided: {first} {percent(vote.share)} of {n} · margin {vote.margin:.2f}"
    return f"{vote.class_name} · {percent(vote.share)} of {n} · margin {vote.margin:.2f}"


def set_words(held: tuple[str, ...]) -> str:
    """Say a conformal set: ``taxol, DMSO``; long ones by their size."""
    if not held:
        return "none: unlike every class"
    return ", ".join(held) if len(held) <= 4 else f"{len(held)} classes"


def set_title(predicted: Predicted) -> str:
    """Name the sets: ``90 % set``."""
    return f"{100 * (predicted.vote_settings.set_level or 0):g} % set"


def held_words(vote: Vote | None, predicted: Predicted) -> str:
    """Say what set a vote has: ``90 % set: taxol, DMSO``; empty where there is none."""
    return f"{set_title(predicted)}: {set_words(vote.held)}" if vote is not None and vote.held is not None else ""


def no_vote_words(predicted: Predicted) -> str:
    """Say that a field or well has no vote, as nothing of it was predicted."""
    return "no predicted cells" if predicted.unit == CELL else "not predicted"


def percent(share: float) -> str:
    """Write a share as ``62 %``."""
    return f"{share * 100:.0f} %"


def number(value: float) -> str:
    """Write a number with three digits that matter: ``1,234``, ``56.7``, ``0.00123``, ``1.2e-05``."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}" if size < 1e7 else f"{value:.2e}"
    return f"{value:.3g}" if size >= 1e-4 or not size else f"{value:.1e}"


def truth_words(vote: Vote | None, truth: str) -> str:
    """Say the known class, and whether the vote hit it: ``true: DMSO ✗``."""
    if not truth:
        return ""
    if vote is None or not has_class(vote):
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
    words = vote_words(vote) if vote else no_vote_words(predicted)
    parts = (name, words, truth_words(vote, truth), held_words(vote, predicted))
    lines = [" · ".join(part for part in parts if part)]
    whole = predicted.wells.get(well)
    if n_fields > 1 and whole is not None:
        of_all = f"whole well ({n_fields} fields)"
        parts = (of_all, vote_words(whole), truth_words(whole, truth), held_words(whole, predicted))
        lines.append(" · ".join(part for part in parts if part))
    return "\n".join(lines)


def image_text(key: FieldKey, facts: PlateFacts, n_cells: int | None) -> str:
    """Write what stands on the canvas where images have no wells: the name, below it class and vote."""
    said = facts.images[key]
    name = said.get("image_name") or field_name(key)
    predicted, truth = facts.predicted, said.get("class_name", "")
    if predicted is not None:
        vote = predicted.fields.get(key)
        parts = [vote_words(vote) if vote else no_vote_words(predicted), truth_words(vote, predicted.truth_of(key))]
        parts.append(held_words(vote, predicted))
    else:
        parts = [truth, "" if n_cells is None else f"{n_cells:,} cells"]
    return "\n".join(part for part in (name, " · ".join(one for one in parts if one)) if part)


_MOST_COLUMNS: Final = 12
"""So many columns of the plate map stand in a tooltip: a map with fifty would fill the screen."""


def well_tooltip(well: Well, facts: PlateFacts, n_fields: int, shown: tuple[str, str] = ("", "")) -> str:
    """Write a well's facts as a small HTML table: value, treatment, control type, fields, cells, vote, failures.

    Parameters
    ----------
    shown
        What the plate is coloured by, and what this well has of it.
    """
    rows = [shown] if shown[1] else []
    rows += _treatment_rows(well, facts)
    rows.append(("Fields", f"{n_fields}" if n_fields else "not imaged"))
    if well in facts.n_cells:
        cells = facts.n_cells[well]
        rows.append(("Cells", f"{cells:,}" if cells else "0: no cell was found"))
    predicted = facts.predicted
    if predicted is not None and n_fields:
        vote = predicted.wells.get(well)
        rows.append(("Vote", vote_words(vote) if vote else "none"))
        if vote is not None and vote.held is not None:
            rows.append((set_title(predicted), set_words(vote.held)))
        truth = truth_words(vote, predicted.truth.get(well, ""))
        if truth:
            rows.append(("", truth))
    errors = facts.failed_wells.get(well, [])
    if errors:
        failed = f"{len(errors)} of {n_fields} fields: " if n_fields > 1 else ""
        rows.append(("Failed", failed + errors[0] + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else "")))
    table = "".join(
        f"<tr><td style='padding-right:8px'>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in rows
    )
    return f"<b>{escape(well[1] or well[0])}</b><table>{table}</table>"


def _treatment_rows(well: Well, facts: PlateFacts) -> list[tuple[str, str]]:
    """Say what was done to a well: its treatment, whether it is a control, then what else the plate map has."""
    row = facts.wells.get(well, {})
    treatment = facts.treatments.get(well, "")
    rows = [("Treatment", treatment)] if treatment and treatment not in row.values() else []
    first = [facts.control_column] if facts.control_column else []
    entries = [(name, row[name]) for name in (*first, *(c for c in row if c not in first)) if row.get(name)]
    rows += entries[:_MOST_COLUMNS]
    if len(entries) > _MOST_COLUMNS:
        rows.append(("", f"… and {len(entries) - _MOST_COLUMNS} more columns"))
    return rows
