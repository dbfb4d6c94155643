"""Wording: the figures of a report as words and table rows, with the right signs."""

from typing import Any, Final

import pandas as pd

from cellvote.reporting.contents import ReportContents
from cellvote.reporting.figures.accuracy import BASELINES
from cellvote.reporting.well_table import VOTED

LEVELS: Final = {"cell": "Cell", "field": "Field", "well": "Well", "treatment": "Treatment"}
NOTHING: Final = "–"

_NARROW: Final = "\u202f"


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share as per cent; a dash where there is none."""
    if share is None or pd.isna(share):
        return NOTHING
    text = f"{100 * share:.{digits}f}"
    return f"{text.removesuffix('.0') if text in {'100.0', '0.0'} else text}{_NARROW}%"


def number(value: float | None) -> str:
    """Write a count with its thousands apart."""
    return NOTHING if value is None or pd.isna(value) else f"{int(value):,}"


def decimal(value: float | None, digits: int = 2) -> str:
    """Write a number between 0 and 1; a dash where there is none."""
    return NOTHING if value is None or pd.isna(value) else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """Write a correlation with its sign."""
    return NOTHING if value is None or pd.isna(value) else f"{value:+.3f}".replace("-", "−")


def split_words(contents: ReportContents) -> str:
    """Say what was held out."""
    info = contents.info
    if not contents.at_home:
        return "trained on another study; scored on the wells here that it never saw"
    what = {"well": "well", "plate": "plate"}.get(info.split_by.casefold(), info.split_by)
    return f"held out by {what} in {info.n_folds} folds"


def headline(contents: ReportContents) -> str:
    """Give the result in one sentence."""
    evaluation = contents.evaluation
    if evaluation is None:
        voted = contents.wells[contents.wells["state"] == VOTED]
        return (
            f"{contents.model} voted on {number(len(voted))} wells from {number(len(contents.predictions))} "
            f"{contents.unit}s; how often it is right cannot be said here."
        )
    own, well = evaluation[contents.unit], evaluation["well"]
    parts = [f"{percent(own['accuracy'])} of {number(own['n'])} {contents.unit}s{_interval(own)}"]
    if well:
        parts.append(f"{round(well['accuracy'] * well['n'])} of {number(well['n'])} wells")
    return sentence(f"{split_words(contents)}, {contents.model} gets {' and '.join(parts)} right")


def _interval(score: dict[str, Any]) -> str:
    if not score["ci95"]:
        return ""
    low, high = score["ci95"]
    return f" (95{_NARROW}% interval {percent(low)} to {percent(high)})"


def comparison(contents: ReportContents) -> str:
    """Say what the baselines get right of the same cells or fields; empty where there are none."""
    baselines = (contents.evaluation or {}).get("baselines", {})
    scores = {key: (baselines.get(key) or {}).get(contents.unit) for key in BASELINES}
    found = [f"{BASELINES[key]} {percent(score['accuracy'])}" for key, score in scores.items() if score]
    return f"Of the same {contents.unit}s, without the classifier: {'; '.join(found)}." if found else ""


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def level_rows(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """Make the table of results: one row per level, with the baselines of that level."""
    rows = []
    for level, title in LEVELS.items():
        score = evaluation[level]
        row: dict[str, Any] = {"level": title, "score": None, "why": "", "baselines": []}
        if score is None:
            found = [n for n in evaluation["notes"] if n.startswith(f"{level}: ")]
            row["why"] = found[0].removeprefix(f"{level}: ") if found else "cannot be had."
        else:
            row["score"] = {
                "accuracy": percent(score["accuracy"]),
                "ci95": " – ".join(percent(x) for x in score["ci95"]) if score["ci95"] else "none (too few wells)",
                "balanced": percent(score["balanced_accuracy"]),
                "f1": decimal(score["f1_macro"], 3),
                "n": number(score["n"]),
            }
            row["baselines"] = [_baseline(evaluation, key, level) for key in ("majority", "position", "measurements")]
        rows.append(row)
    return rows


def _baseline(evaluation: dict[str, Any], key: str, level: str) -> dict[str, str]:
    score = (evaluation["baselines"].get(key) or {}).get(level)
    if not score:
        return {"accuracy": NOTHING, "balanced": ""}
    balanced = score.get("balanced_accuracy")
    return {"accuracy": percent(score["accuracy"]), "balanced": "" if balanced is None else percent(balanced)}
