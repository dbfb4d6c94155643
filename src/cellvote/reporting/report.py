"""The report: one HTML file that holds everything it shows, the same bytes for the same study."""

import base64
from functools import partial
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from cellvote.errors import ImageReadError, StudyError
from cellvote.plates.wells import plate_shape
from cellvote.reporting import wording
from cellvote.reporting.colours import class_colours
from cellvote.reporting.contents import ReportContents, collect_contents
from cellvote.reporting.dose_response import TRAINING
from cellvote.reporting.figures import (
    accuracy_figure,
    confusion_figure,
    dose_figure,
    figure_svg,
    share_plate_figure,
    vote_plate_figure,
)
from cellvote.reporting.gallery import Gallery, build_gallery
from cellvote.reporting.methods import commands, method_groups
from cellvote.reporting.well_table import NOT_IMAGED, STATES, VOTED
from cellvote.study import Study
from cellvote.study.atomic import write_bytes
from cellvote.voting.vote import NO_VOTE, VoteSettings

MOST_CLASS_COLUMNS: Final = 8
"""Classes beyond these have no column of their own in the table of correlations."""


def write_report(
    study: Study,
    model: str,
    out: str | PathLike[str] | None = None,
    *,
    classes: str = "",
    settings: VoteSettings | None = None,
) -> Path:
    """Write the report of a model's predictions: one HTML file, nothing outside it.

    Parameters
    ----------
    model
        The name of a classifier in the study, or the path of its folder.
    out
        Where; ``reports/MODEL.html`` in the study where it is not given.
    classes
        Plate-map column with the truth; the one that the classifier was trained on where it is not given.
    settings
        How the cells vote.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PredictionsError
        Where the model has not predicted this study.
    ClassifierError
        Where there is no such classifier.
    StudyError
        Where the file cannot be written.
    """
    if out is not None and Path(out).is_dir():
        raise StudyError(f"{out}: is a folder. Give the name of a file in it, such as {Path(out) / 'report.html'}.")
    contents = collect_contents(study, model, classes=classes, settings=settings)
    path = report_path(study, contents.model, out)
    write_bytes(path, render_report(contents).encode())
    return path


def report_summary(
    study: Study,
    model: str,
    out: str | PathLike[str] | None = None,
    *,
    classes: str = "",
    settings: VoteSettings | None = None,
) -> dict[str, Any]:
    """Give the figures of a report as plain values, and where the report is; draws and writes nothing.

    Returns
    -------
    dict
        ``report``, ``study``, ``model``, ``classes``, ``wells`` (by state), ``votes``, ``fields``,
        ``fields_failed``, ``cells``, ``evaluation`` (null where there is no truth), ``dose_response``,
        ``warnings`` and ``notes``.
    """
    contents = collect_contents(study, model, classes=classes, settings=settings)
    return {"report": str(report_path(study, contents.model, out)), **contents.summary()}


def report_path(study: Study, model: str, out: str | PathLike[str] | None = None) -> Path:
    """Where the report of a model is written."""
    return study.path / "reports" / f"{model}.html" if out is None else Path(out).absolute()


def render_report(contents: ReportContents) -> str:
    """Fill in the template."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "percent": wording.percent,
        "number": wording.number,
        "decimal": wording.decimal,
        "signed": wording.signed,
        "sentence": wording.sentence,
    }
    folder = files("cellvote.reporting") / "templates"
    template = environment.from_string((folder / "report.html").read_text(encoding="utf-8"))
    style = Markup((folder / "report.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    gallery, no_gallery = _gallery(contents)
    return template.render(
        style=style,
        contents=contents,
        info=contents.info,
        colours=dict(zip(contents.info.classes, class_colours(len(contents.info.classes)), strict=True)),
        split=wording.split_words(contents),
        headline=wording.headline(contents),
        comparison=wording.comparison(contents),
        warnings=[wording.sentence(text) for text in contents.warnings()],
        notes=[wording.sentence(text) for text in contents.notes()],
        n_voted=int((contents.wells["state"] == VOTED).sum()),
        n_imaged=int((contents.wells["state"] != NOT_IMAGED).sum()),
        plates=_plates(contents),
        dose=contents.dose,
        n_dose_trained=contents.dose.n_left_out(TRAINING),
        n_dose_few=contents.dose.n_left_out(NO_VOTE),
        dose_classes=_dose_classes(contents),
        dose_figure=_dose_figure(contents),
        gallery=gallery,
        no_gallery=no_gallery,
        methods=method_groups(contents),
        commands=commands(contents),
        uri=_uri,
        **_scores(contents),
    )


def _scores(contents: ReportContents) -> dict[str, Any]:
    evaluation = contents.evaluation
    if evaluation is None:
        return {"levels": [], "accuracy_figure": "", "confusions": []}
    confusions = []
    for level, what in ((contents.unit, f"{contents.unit}s"), ("well", "wells")):
        score = evaluation[level]
        if score:
            draw = partial(confusion_figure, score["confusion"], score["abstained"], contents.info.classes, what)
            confusions.append({"what": what, "n": score["n"], "figure": _figure_uri(draw())})
    return {
        "levels": wording.level_rows(evaluation),
        "accuracy_figure": _figure_uri(accuracy_figure(evaluation, contents.model)),
        "confusions": confusions,
    }


def _plates(contents: ReportContents) -> list[dict[str, Any]]:
    plates = []
    for plate, wells in contents.wells.groupby("plate", sort=True):
        states = wells["state"].value_counts()
        entry = {
            "name": str(plate),
            "wells": _well_rows(wells),
            "states": [(state, int(states[state])) for state in STATES if state in states],
            "figures": [],
            "wide": False,
        }
        placed = wells[wells["well"] != ""]
        if len(placed):
            rows, columns = plate_shape(placed["well"])
            entry["wide"] = rows * columns > 384
            entry["size"] = rows * columns
            entry["figures"] = [
                _figure_uri(vote_plate_figure(placed, contents.info.classes)),
                _figure_uri(share_plate_figure(placed, contents.info.classes, contents.dose.positive)),
            ]
        plates.append(entry)
    return plates


def _well_rows(wells: pd.DataFrame) -> list[dict[str, Any]]:
    marks = wells["right"].map({True: "✓", False: "✗"}).astype(object).where(wells["right"].notna(), "")
    rows = wells.assign(mark=marks).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def _dose_classes(contents: ReportContents) -> list[str]:
    classes = contents.info.classes
    positive = contents.dose.positive
    others = [c for c in classes if c != positive] if len(classes) > 2 else []
    return [positive, *others][:MOST_CLASS_COLUMNS]


def _dose_figure(contents: ReportContents) -> str:
    return _figure_uri(dose_figure(contents.dose)) if len(contents.dose.points) else ""


def _gallery(contents: ReportContents) -> tuple[Gallery | None, str]:
    if contents.unit == "field":
        return None, "Fields were classified as a whole: the window shows them, each with what was said of it."
    n = 12 if len(contents.info.classes) <= 6 else 8
    try:
        found = build_gallery(
            contents.study,
            contents.predictions,
            contents.segmentation,
            contents.info.classes,
            contents.truth,
            size_px=max(contents.info.inputs.size_px or (0,)) or None,
            n=n,
        )
    except (ImageReadError, StudyError) as error:
        return None, str(error)
    return found, ""


def _figure_uri(figure: Figure) -> str:
    return _uri(figure_svg(figure), "image/svg+xml")


def _uri(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
