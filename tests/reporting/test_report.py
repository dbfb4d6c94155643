import base64
import json
import re
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from cellvote.errors import ClassifierError, PredictionsError
from cellvote.reporting import report_summary, write_report
from cellvote.study import Study
from cellvote.study.ledger import FieldRecord, Ledger

HOSTILE = "</style><script>alert(1)</script>"


def controls(**more: Any) -> list[dict[str, Any]]:
    """Two wells of each class, all held out in turn."""
    negative = {"control_type": "negative", "training": True, "shares": [0.9, 0.1], **more}
    positive = {"control_type": "positive", "training": True, "shares": [0.2, 0.8], **more}
    return [{"well": f"A{i:02d}", **(negative if i < 3 else positive)} for i in range(1, 5)]


def series() -> list[dict[str, Any]]:
    rising = (0.0, 0.1, 0.5, 0.9)
    return [
        {"well": f"{row}{i + 5:02d}", "dose": str(i), "control_type": "", "shares": [1 - share, share]}
        for row in "AB"
        for i, share in enumerate(rising)
    ]


def html_of(study: Study) -> str:
    return write_report(study, "forest").read_text(encoding="utf-8")


def svgs_of(html: str) -> list[str]:
    return [base64.b64decode(data).decode() for data in re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", html)]


def test_a_report_is_one_file_that_loads_nothing_and_runs_nothing(make_study) -> None:
    study = make_study(wells=controls() + series())
    path = write_report(study, "forest")
    assert path == study.path / "reports" / "forest.html"
    html = path.read_text(encoding="utf-8")
    assert "<script" not in html
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", html)
    assert not re.findall(r"@import|url\(", html)
    for svg in svgs_of(html):
        assert not re.findall(r"<script|<foreignObject|href=\"(?!#|data:)", svg)
    assert len(svgs_of(html)) == 6  # accuracy, two plate views, two confusion matrices, dose response
    assert html.count("data:image/png") > 10


def test_the_same_study_gives_the_same_bytes_also_from_a_copy(make_study, tmp_path: Path) -> None:
    study = make_study(wells=controls() + series())
    first = write_report(study, "forest").read_bytes()
    assert write_report(study, "forest", tmp_path / "other.html").read_bytes() == first
    shutil.copytree(study.path, tmp_path / "copy" / study.path.name)
    copy = Study.open(tmp_path / "copy" / study.path.name)
    assert write_report(copy, "forest").read_bytes() == first


def test_names_from_files_are_never_markup(make_study) -> None:
    wells = controls(compound=HOSTILE)
    for well in wells:
        well["control_type"] = HOSTILE if well["control_type"] == "positive" else "negative"
    study = make_study(wells=wells, classes=("negative", HOSTILE), plate=HOSTILE)
    html = html_of(study)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not [svg for svg in svgs_of(html) if "<script" in svg]


def test_every_figure_says_its_level_its_split_and_the_baselines_beside_it(make_study) -> None:
    html = html_of(make_study(wells=controls()))
    assert "Held out by well in 2 folds, forest gets" in html
    for words in ("Cell", "Field", "Well", "Treatment", "95 % interval", "Commonest class", "Position only"):
        assert words in html
    assert "4 of 4 wells" in html


def test_without_truth_the_report_says_why_there_is_no_accuracy(make_study) -> None:
    wells = [{"well": "A01", "Dose": "1", "shares": [0.3, 0.7]}, {"well": "A02", "Dose": "2", "shares": [0.9, 0.1]}]
    study = make_study(wells=wells)
    html = html_of(study)
    assert "No accuracy." in html
    assert "No well has a known class" in html
    assert "No series has 3 different doses" in html
    summary = report_summary(study, "forest")
    assert summary["evaluation"] is None
    assert any("no well has a known class" in note for note in summary["notes"])


def test_a_position_baseline_as_good_as_the_classifier_is_a_warning_before_any_figure(make_study) -> None:
    study = make_study(wells=controls(), position_accuracy=1.0)
    html = html_of(study)
    assert 0 < html.index('class="warning"') < html.index('id="result"')
    assert "The position on the plate alone gets 100%" in html
    assert html.count("position on the plate alone") == 1  # not repeated among the notes


def test_failed_fields_are_listed_with_their_errors(make_study) -> None:
    study = make_study(wells=controls(), failed=[("A04", "the file is truncated <b>")])
    folder = study.segmentation_folder("watershed")
    with Ledger(folder / "measured.parquet") as ledger:
        ledger.append(FieldRecord("Plate1", "A03", 1, status="failed", error="no such mask"))
    html = html_of(study)
    assert "the file is truncated &lt;b&gt;" in html
    assert "no such mask" in html
    assert "2 field(s) failed" in html
    failed = report_summary(study, "forest")["fields_failed"]
    assert [(one["step"], one["well"]) for one in failed] == [("segment", "A04"), ("measure", "A03")]


def test_wells_without_a_vote_are_named_so_in_the_table(make_study) -> None:
    odd = [
        {"well": "B01", "shares": [0.5, 0.5]},
        {"well": "B02", "shares": [1, 0], "n_cells": 3},
        {"well": "B03", "n_cells": 0},
    ]
    study = make_study(wells=controls() + odd)
    html = html_of(study)
    assert "4 voted, 1 tie, 1 too few cells, 1 no cells" in html
    for well, state in (("B01", "tie"), ("B02", "too few cells"), ("B03", "no cells")):
        assert f'<th scope="row">{well}</th><td><span class="none">{state}</span>' in html


def test_the_summary_is_plain_json_with_the_dose_response_of_untrained_wells(make_study) -> None:
    trained = controls(dose="9")
    study = make_study(wells=trained + series())
    summary = report_summary(study, "forest")
    assert not (study.path / "reports").exists()  # nothing is written
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["report"] == str(study.path / "reports" / "forest.html")
    dose = summary["dose_response"]
    assert (dose["class"], dose["dose_column"], dose["series_by"]) == ("positive", "dose", "plate row")
    assert [one["name"] for one in dose["series"]] == ["A", "B"]
    assert dose["all_wells"]["n"] == 8
    assert dose["all_wells"]["spearman"] == pytest.approx(1)
    assert dose["mean_curve"]["n"] == 4
    assert dose["wells_left_out"]["training well"] == 4


def test_missing_images_leave_a_report_without_cells(make_study) -> None:
    html = html_of(make_study(wells=controls(), with_images=False))
    assert "No cells can be shown." in html
    assert "Confusion" in html


def test_a_model_that_has_not_predicted_is_refused(make_study) -> None:
    study = make_study(wells=controls())
    with pytest.raises(ClassifierError, match="nobody"):
        write_report(study, "nobody")
    shutil.rmtree(study.predictions_folder("forest"))
    with pytest.raises(PredictionsError, match="has not predicted"):
        write_report(study, "forest")


def test_the_commands_say_how_to_make_it_again(make_study) -> None:
    html = html_of(make_study(wells=controls()))
    assert "cellvote segment tiny.cellvote --method watershed" in html
    assert "--set n_trees=10" in html
    assert "cellvote report tiny.cellvote forest" in html


def test_the_template_travels_with_the_package() -> None:
    folder = files("cellvote.reporting") / "templates"
    assert (folder / "report.html").is_file()
    assert (folder / "report.css").is_file()


def test_a_study_made_by_the_real_steps_has_a_whole_report(study: Study) -> None:
    (model,) = study.predictions
    html = write_report(study, model).read_text(encoding="utf-8")
    for section in ("result", "plates", "confusion", "dose", "gallery", "wells", "methods"):
        assert f'<section id="{section}">' in html
    assert "No cells can be shown" not in html
    assert json.dumps(report_summary(study, model), allow_nan=False)
