"""The model card: what a classifier is, and what it can be trusted with, in words; made from ``model.json``."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cellvote.learning.classifier import ClassifierInfo
from cellvote.plates.acquisition import place_columns
from cellvote.study.atomic import write_bytes

CARD: Final = "MODEL_CARD.md"
_LEVELS: Final = ("cell", "field", "well", "treatment")
_BASELINES: Final = {
    "chance": "chance",
    "majority": "majority class",
    "position": "position only (plate, row, column, edge distance)",
    "measurements": "logistic regression on measurements",
}
_LIMITS: Final = (
    "Every {unit} is given one of the classes above, also where it is of none of them: look at the votes' margins.",
    "The figures speak of images like those that it was trained on. Another assay or microscope has to be tried.",
    "The truth is what the plate map says was done to a well. Cells that did not respond count as mistakes.",
)


def write_model_card(folder: Path, info: ClassifierInfo, split: pd.DataFrame) -> None:
    """Write the card into the folder of a classifier."""
    write_bytes(folder / CARD, model_card(info, split).encode())


def model_card(info: ClassifierInfo, split: pd.DataFrame) -> str:
    """Write the card of a classifier as Markdown.

    Parameters
    ----------
    info
        What ``model.json`` holds.
    split
        What ``split.parquet`` holds: one row per training field.
    """
    parts = [
        f"# {_escaped(info.name)}",
        _summary(info),
        "## Data",
        _data(info, split),
        "## Split",
        _split(info),
        "## How often it is right",
        *_results(info),
        "## Limits",
        _limits(info),
        "## Use",
        _use(info),
        "## Made with",
        _list(f"{name} {version}" for name, version in info.versions.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(info: ClassifierInfo) -> str:
    return (
        f"Tells apart {_named(info.classes)} (column `{_escaped(info.class_column)}` of the plate map). "
        f"Architecture `{info.architecture}`, {info.n_folds} models, one for each fold; a {info.inputs.unit} of a well "
        "that took part in training is predicted by the one model that never saw it, any other by all of them. The "
        "order of the classes is that above."
    )


def _data(info: ClassifierInfo, split: pd.DataFrame) -> str:
    inputs = info.inputs
    place = "field" if (split["well"] == "").any() else "well"
    keys = place_columns(split) if place == "field" else ["plate", "well"]
    per_class = split.drop_duplicates(keys).groupby("class_name").size()
    fed = [f"- fed with: {' and '.join(inputs.parts)} of each {inputs.unit}"]
    if inputs.columns:
        fed.append(f"- measurements: {len(inputs.columns)}, listed in `model.json`")
    if inputs.size_px is not None:
        fed.append(f"- images: {inputs.size_px[0]} × {inputs.size_px[1]} px")
    fed += [
        f"- channels: {_named(inputs.channels)}",
        f"- grey values relative to: {inputs.scale}",
        f"- plates: {_some(sorted(split['plate'].unique()))}",
        f"- segmentation: {_escaped(str(info.segmentation.get('name', '–')))}",
        f"- hash of the training data: `{info.training_data}`",
    ]
    cell = info.metrics.get("cell") or {}
    numbers = [one["n"] for one in cell.get("per_class", [])]
    if len(numbers) == len(info.classes):
        rows = [(_escaped(c), int(per_class.get(c, 0)), n) for c, n in zip(info.classes, numbers, strict=True)]
        table = _table(("class", f"{place}s", f"{info.inputs.unit}s"), rows)
    else:
        table = _table(("class", f"{place}s"), [(_escaped(c), int(per_class.get(c, 0))) for c in info.classes])
    return "\n".join(fed) + "\n\n" + table


def _split(info: ClassifierInfo) -> str:
    drawn = info.metrics.get("drawn", "well")
    what = {"group": f"whole groups of `{_escaped(info.split_by)}`"}.get(drawn, f"{drawn}s")
    return (
        f"Held out by `{_escaped(info.split_by)}` in {info.n_folds} folds (seed {info.seed}): every figure here is of "
        f"images that the model that was asked had not seen. 95 % intervals are by drawing {what} anew, not cells. "
        "Before training, all images were compared across the split, also for copies that were changed."
    )


def _results(info: ClassifierInfo) -> list[str]:
    metrics = info.metrics
    rows = [
        (
            level,
            found["n"],
            _figure(found["accuracy"], found["ci95"]),
            _figure(found["balanced_accuracy"], found.get("ci95_balanced")),
            f"{found['f1_macro']:.3f}",
            _figure(found.get("auc"), found.get("ci95_auc")),
        )
        for level in _LEVELS
        if (found := metrics.get(level))
    ]
    parts = [_table(("level", "n", "accuracy (95 %)", "balanced accuracy (95 %)", "macro F1", "AUC"), rows)]
    for level in _LEVELS:
        per_class = (metrics.get(level) or {}).get("per_class")
        if per_class and level in {"cell", "well", "field"}:
            parts.append(f"Of each class, by {level}:")
            parts.append(_table(("class", "n", "precision", "recall", "F1"), _class_rows(info.classes, per_class)))
    parts.append("What is reached without looking at the images, or with less, in the same split:")
    parts.append(_baselines(metrics.get("baselines") or {}))
    calibration = info.calibration or {}
    if calibration.get("ece") is not None:
        parts.append(
            f"Probabilities are corrected by a temperature of {calibration['temperature']:.2f}: their calibration "
            f"error on held-out {info.inputs.unit}s is {calibration['ece']:.3f} "
            f"({calibration['ece_uncalibrated']:.3f} without)."
        )
    return parts


def _class_rows(classes: Sequence[str], per_class: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            _escaped(name),
            one["n"],
            *(_figure(one[what], one[f"{what}_ci95"]) for what in ("precision", "recall", "f1")),
        )
        for name, one in zip(classes, per_class, strict=True)
    ]


def _baselines(baselines: dict[str, Any]) -> str:
    rows = []
    for name, title in _BASELINES.items():
        found = baselines.get(name) or {}
        for level in _LEVELS:
            if isinstance(found.get(level), dict):
                one = found[level]
                rows.append(
                    (title, level, _figure(one["accuracy"], one.get("ci95")), f"{one['balanced_accuracy']:.3f}")
                )
        if not found:
            rows.append((title, "–", "not to be had here", "–"))
    return _table(("baseline", "level", "accuracy (95 %)", "balanced accuracy"), rows)


def _limits(info: ClassifierInfo) -> str:
    notes = [_escaped(note) for note in info.metrics.get("notes", [])]
    return _list([*notes, *(limit.format(unit=info.inputs.unit) for limit in _LIMITS)])


def _use(info: ClassifierInfo) -> str:
    return (
        "```console\n"
        "$ cellvote predict STUDY PATH/TO/THIS/FOLDER\n"
        "$ cellvote evaluate STUDY PATH/TO/THIS/FOLDER    # where the plate map knows the truth\n"
        "$ cellvote audit STUDY PATH/TO/THIS/FOLDER       # was any of these images learned from?\n"
        "```\n\n"
        "Copy the whole folder. The study needs the channels above, by the same names"
        + (", and the same measurements." if info.inputs.columns else ".")
    )


def _figure(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f} ({interval[0]:.2f}–{interval[1]:.2f})" if interval else f"{value:.3f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"**{_escaped(name)}**" for name in names) or "–"


def _some(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(_escaped(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _escaped(text: str) -> str:
    """Keep what names hold from being read as Markdown or HTML."""
    for character in "\\`*_{}[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
