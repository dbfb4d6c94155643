"""Methods: how the figures of a report came about, and the commands that make them again."""

import hashlib
import json
import shlex
from typing import Any

from cellvote.learning.settings import TrainSettings
from cellvote.reporting.contents import ReportContents
from cellvote.study.atomic import read_json, read_table

Rows = list[tuple[str, str]]


def method_groups(contents: ReportContents) -> list[tuple[str, Rows]]:
    """List what was done and with what: a title, then names and values."""
    segmentation = [("Segmentation", _segmentation(contents))] if contents.segmentation else []
    return [
        ("Study", _study(contents)),
        *segmentation,
        ("Classifier", _classifier(contents)),
        ("Votes", _votes(contents)),
        ("Versions (training)", list(contents.info.versions.items())),
        ("Hashes", _hashes(contents)),
    ]


def _study(contents: ReportContents) -> Rows:
    info = contents.study.info
    pixel = "not known" if info.pixel_size_um is None else f"{info.pixel_size_um:g} µm"
    return [
        ("images", info.source),
        ("layout", info.layout),
        ("channels", ", ".join(info.channels)),
        ("pixel size", pixel),
    ]


def _segmentation_note(contents: ReportContents) -> dict[str, Any]:
    if not contents.segmentation:
        return {}
    path = contents.study.segmentation_folder(contents.segmentation) / "segmentation.json"
    note: dict[str, Any] = read_json(path) if path.exists() else {}
    return note


def _segmentation(contents: ReportContents) -> Rows:
    note = _segmentation_note(contents)
    settings = note.get("settings") or {}
    rows = [("name", contents.segmentation), ("method", str(note.get("method", "not noted")))]
    return rows + [(str(key), _plain(value)) for key, value in settings.items()]


def _classifier(contents: ReportContents) -> Rows:
    info = contents.info
    inputs = info.inputs
    fed = f"{len(inputs.columns)} measurements of each {inputs.unit}"
    if inputs.size_px is not None:
        height, width = inputs.size_px
        fed = f"{' and '.join(inputs.parts)} of {height} × {width} px, channels {', '.join(inputs.channels)}"
    rows = [
        ("architecture", info.architecture),
        ("classes", f"{', '.join(info.classes)} (plate-map column {info.class_column})"),
        ("fed with", fed),
        ("folds", f"{info.n_folds}, held out by {info.split_by}"),
    ]
    shown = {"architecture", "split_by", "folds", "segmentation"}
    return rows + [(key, _plain(value)) for key, value in info.settings.items() if key not in shown]


def _votes(contents: ReportContents) -> Rows:
    return [
        ("method", contents.settings.method),
        ("least cells", str(contents.settings.min_cells)),
        ("fields left out", " or ".join(contents.settings.exclude_flags).replace("_", " ") or "none"),
        ("training wells", "predicted by the one model that never saw them"),
        ("other wells", f"mean of the {contents.info.n_folds} models"),
        ("intervals", "95 %, over whole wells: bootstrap, or Wilson's where each well counts once"),
    ]


def _hashes(contents: ReportContents) -> Rows:
    rows = [
        ("training cells, classes, folds", contents.info.training_data),
        ("weights", str(contents.note.get("weights_checksum", ""))),
    ]
    if not contents.segmentation:
        return rows
    rows.append(("cells table", str(contents.note.get("cells_checksum", ""))))
    measured = contents.study.segmentation_folder(contents.segmentation) / "measured.parquet"
    if measured.exists():
        hashes = read_table(measured, ["image_hash"])["image_hash"].tolist()
        pixels = hashlib.blake2b("\n".join(hashes).encode(), digest_size=16).hexdigest()
        rows.append((f"pixels of {len(hashes)} fields", pixels))
    return rows


def _plain(value: Any) -> str:
    if value is None:
        return "chosen from the data"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "all"
    return str(value) if value != "" else "the only one"


def commands(contents: ReportContents) -> list[str]:
    """Write the commands that make the study and this report again."""
    study = contents.study.path.name
    info, note = contents.info, _segmentation_note(contents)
    named = [] if contents.segmentation == note.get("method") else ["--name", contents.segmentation]
    segment = ["segment", study, "--method", str(note.get("method", "watershed")), *named]
    for key, value in (note.get("asked") or {}).items():
        segment += ["--set", f"{key}={_json(value)}"]
    model = info.name if contents.at_home else str(contents.note.get("classifier", info.name))
    lines = [
        ["create", study, contents.study.info.source, *_plate_map(contents)],
        *([segment, ["measure", study, "--segmentation", contents.segmentation]] if contents.segmentation else []),
        *([_train(contents, study)] if contents.at_home else []),
        ["predict", study, model],
        ["evaluate", study, model],
        ["report", study, model],
    ]
    return [shlex.join(["cellvote", *line]) for line in lines]


def _plate_map(contents: ReportContents) -> list[str]:
    has_map = len(contents.study.plate_map.columns) > 3
    return ["--plate-map", "PLATE_MAP.csv"] if has_map else []


def _train(contents: ReportContents, study: str) -> list[str]:
    info = contents.info
    path = contents.classifier.folder / "training.json"
    spec = str(read_json(path)["classes"]) if path.exists() else f"{info.class_column}={','.join(info.classes)}"
    line = ["train", study, "--classes", spec, "--name", info.name, "--split-by", info.split_by]
    usual = TrainSettings().model_dump(mode="json")
    for key, value in info.settings.items():  # the architecture is always said: else a recipe would choose it
        if key not in {"split_by", "segmentation"} and (value != usual.get(key) or key == "architecture"):
            line += ["--set", f"{key}={_json(value)}"]
    return line


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
