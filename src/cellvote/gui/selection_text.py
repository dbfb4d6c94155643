"""What the chosen wells come to, in words and as a table to be pasted elsewhere; no window here."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np

from cellvote.gui.facts import PlateFacts
from cellvote.gui.plate_columns import PlateColumn
from cellvote.gui.predicted import Well
from cellvote.profiling.aggregate import summarise_wells

_MOST_NAMES: Final = 4


def selection_words(wells: Iterable[Well], facts: PlateFacts, column: PlateColumn) -> str:
    """Say what is chosen: ``6 wells · 1,240 cells · mean 0.43 ± 0.05 (SD, well level)``."""
    chosen = sorted(wells)
    if not chosen:
        return ""
    parts = [chosen[0][1] or chosen[0][0]] if len(chosen) == 1 else [f"{len(chosen):,} wells"]
    counted = [facts.n_cells[well] for well in chosen if well in facts.n_cells]
    if counted:
        cells = sum(counted)
        parts.append(f"{cells:,} {'cell' if cells == 1 else 'cells'}")
    if len(chosen) > 1:
        parts.append(_numbers(chosen, column) if column.is_number else _names(chosen, column))
    elif column.key != "cells" and (value := column.words(chosen[0])):
        parts.append(value)
    return " · ".join(part for part in parts if part)


def _numbers(wells: list[Well], column: PlateColumn) -> str:
    summary = summarise_wells(column.numbers.get(well, np.nan) for well in wells)
    if not summary.n:
        return ""
    spread = f" ± {column.write(summary.sd)}" if summary.n > 1 else ""
    unit = f" {column.unit}" if column.unit else ""
    of = f", {summary.n:,} with a value" if summary.n < len(wells) else ""
    return f"mean {column.write(summary.mean)}{spread}{unit} (SD, well level{of})"


def _names(wells: list[Well], column: PlateColumn) -> str:
    counts = Counter(column.texts[well] for well in wells if well in column.texts)
    parts = [f"{name} ×{n}" for name, n in counts.most_common(_MOST_NAMES)]
    if len(counts) > _MOST_NAMES:
        parts.append(f"… and {len(counts) - _MOST_NAMES} more")
    return ", ".join(parts)


def selection_table(wells: Iterable[Well], facts: PlateFacts, column: PlateColumn) -> str:
    """Write the chosen wells as a table with tabs, to be pasted into a spreadsheet: an empty entry is no value."""
    title = column.title + (f" ({column.unit})" if column.unit else "")
    lines = ["\t".join(_plain(part) for part in ("plate", "well", "treatment", "cells", title))]
    for well in sorted(wells):
        value = repr(column.numbers[well]) if well in column.numbers else column.texts.get(well, "")
        cells = facts.n_cells.get(well)
        row = (*well, facts.treatments.get(well, ""), "" if cells is None else str(cells), value)
        lines.append("\t".join(_plain(part) for part in row))
    return "\n".join(lines) + "\n"


def _plain(entry: str) -> str:
    """Keep an entry in its cell, and from being taken for a formula."""
    entry = " ".join(entry.split())
    return f"'{entry}" if entry[:1] in {"=", "@"} else entry
