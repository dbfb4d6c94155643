"""Edge effects and gradients of the shown column in words: a line beside the plate; no window here."""

from dataclasses import dataclass, field
from html import escape
from typing import Final

from cellvote.gui.facts import PlateFacts
from cellvote.gui.plate_columns import PlateColumn
from cellvote.plates.wells import plate_shape
from cellvote.profiling.plate_position import (
    AXES,
    LEAST_WELLS,
    Axis,
    PositionEffect,
    PositionEffects,
    confounded_axes,
    position_effects,
)

WARNING: Final = "⚠"

_NOTABLE_P: Final = 0.05
_NOTABLE_SIZE: Final[dict[Axis, float]] = {"edge": 0.5, "rows": 0.3, "columns": 0.3}
"""With many wells the smallest effect is significant: what is smaller than this needs no warning."""

_NEGATIVE: Final = frozenset({"negative", "negcon", "neg"})


@dataclass(frozen=True)
class PositionReport:
    """What was found on all wells of a plate, and on its negative controls alone.

    Attributes
    ----------
    confounded
        Where treatments and position cannot be told apart.
    """

    title: str = ""
    wells: PositionEffects = field(default_factory=dict)
    controls: PositionEffects = field(default_factory=dict)
    confounded: frozenset[Axis] = frozenset()


def look_for_position(facts: PlateFacts, plate: str, column: PlateColumn) -> PositionReport:
    """Test the shown column of a plate; nothing is found where it holds no numbers."""
    if not column.is_number:
        return PositionReport()
    wells = [well for well in facts.wells_of.get(plate, []) if well in facts.imaged]
    values = {well[1]: column.numbers[well] for well in wells if well in column.numbers}
    shape = plate_shape(well[1] for well in facts.wells_of.get(plate, []))
    name = facts.control_column
    controls = {well[1] for well in wells if name and facts.wells[well][name].casefold() in _NEGATIVE}
    treatments = {well[1]: facts.treatments.get(well, "") for well in wells}
    return PositionReport(
        title=column.title,
        wells=position_effects(values, shape),
        controls=position_effects({well: values[well] for well in controls & set(values)}, shape),
        confounded=confounded_axes(treatments, shape),
    )


def position_line(report: PositionReport) -> str:
    """Write what was found as HTML, a row for all wells and one for the controls; empty where nothing was tested."""
    if not report.wells:
        return ""
    rows = [_row("All", report.wells)]
    if report.controls:
        rows.append(_row("Negative", report.controls))
    head = "".join(f"<td>{words}</td>" for words in ("Position", "edge (SD)", "rows (ρ)", "columns (ρ)"))
    table = f"<table width='100%' cellspacing='0'><tr>{head}</tr>{''.join(rows)}</table>"
    doubtful = [axis for axis, effect in report.wells.items() if axis in report.confounded and is_notable(axis, effect)]
    return table + (f"{WARNING} Treatments lie unevenly over {_list(doubtful)}, too." if doubtful else "")


def _row(who: str, effects: PositionEffects) -> str:
    n = max(effect.n for effect in effects.values())
    cells = "".join(f"<td>{_effect(axis, effects[axis]) if axis in effects else '–'}</td>" for axis in AXES)
    return f"<tr style='white-space: nowrap'><td>{who} ({n:,})</td>{cells}</tr>"


def _effect(axis: Axis, effect: PositionEffect) -> str:
    size = _size(axis, effect).removesuffix("\u00a0SD").removeprefix("ρ\u00a0")
    return f"<nobr><b>{size}</b> {WARNING} {escape(p_words(effect.p))}</nobr>" if is_notable(axis, effect) else size


def is_notable(axis: Axis, effect: PositionEffect) -> bool:
    """Whether an effect is both unlikely to be chance and large enough to matter."""
    return effect.p < _NOTABLE_P and abs(effect.size) >= _NOTABLE_SIZE[axis]


def _size(axis: Axis, effect: PositionEffect) -> str:
    size = f"{round(effect.size, 1) + 0.0:+.1f} SD" if axis == "edge" else f"ρ {round(effect.size, 2) + 0.0:.2f}"
    return size.replace("-", "−").replace(" ", "\u00a0")


def p_words(p: float) -> str:
    """Write a p-value: ``p 0.02``, ``p<0.001``."""
    return "p<0.001" if p < 0.001 else f"p {p:.3f}" if p < 0.01 else f"p {p:.2f}"


def _list(axes: list[Axis]) -> str:
    words = ["edge and inner wells" if axis == "edge" else f"the {axis}" for axis in axes]
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"


def position_tooltip(report: PositionReport) -> str:
    """Explain the line, with every number, as HTML."""
    rows = "".join(
        f"<tr><td>{who}</td><td>{axis}</td><td>{_size(axis, effect)}</td><td>{escape(p_words(effect.p))}</td>"
        f"<td>{_wells(effect)}</td></tr>"
        for who, effects in (("all wells", report.wells), ("negative controls", report.controls))
        for axis, effect in effects.items()
    )
    confounded = (
        f"<p>{WARNING} Treatments lie unevenly over {_list([a for a in report.wells if a in report.confounded])} "
        "(Kruskal–Wallis, p &lt; 0.01): among all wells, an effect of the treatments looks like one of the position. "
        "The negative controls tell them apart.</p>"
        if any(axis in report.confounded for axis in report.wells)
        else ""
    )
    few = (
        "" if report.controls else f"<p>There are fewer than {LEAST_WELLS} negative controls with a value to test.</p>"
    )
    return (
        f"<b>Does {escape(report.title)} hang on the position?</b>"
        f"<table cellspacing='6'>{rows}</table>"
        "<p>At the level of wells, of this plate. Edge: median of the outermost wells minus that of the others, in "
        "robust standard deviations (1.48 × MAD), Mann–Whitney test. Rows, columns: Spearman's ρ with the number of "
        "the row or column. p-values are corrected for testing several at once (Holm). "
        f"{WARNING}: p &lt; 0.05, and at least 0.5 SD or ρ 0.3.</p>{confounded}{few}"
    )


def _wells(effect: PositionEffect) -> str:
    return f"{effect.n_edge} vs {effect.n - effect.n_edge} wells" if effect.n_edge else f"{effect.n} wells"
