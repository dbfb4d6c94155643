"""The demo: the whole way on a simulated plate, held against the simulator's truth."""

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import StudyError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.measure import measure_study
from cellvote.jobs.predict import evaluate_study, predict_study, read_predictions
from cellvote.jobs.segment import segment_study
from cellvote.jobs.train import train_study
from cellvote.learning.baselines import position_votes
from cellvote.learning.classifier import UNSEEN, Classifier
from cellvote.learning.splits import Split
from cellvote.plates.layouts import read_plate
from cellvote.plates.plate_map import read_plate_map
from cellvote.progress import CancelToken, Progress, Report
from cellvote.reporting import write_report
from cellvote.study import Study
from cellvote.study.masks import read_label_image
from cellvote.study.study import study_path
from cellvote.synthetic import CLASS_COLUMN, CLASS_OF_PHENOTYPE, PlateSettings, SimulatedPlate, match_truth, write_plate

MODEL: Final = "demo"
_NOTE: Final = "made-by-cellvote-demo.txt"

Watch = Callable[[str], AbstractContextManager[tuple[Report, CancelToken]]]
"""Opens the progress of a step by its name."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes
    ----------
    evaluation
        As ``cellvote evaluate`` gives it: against the plate map.
    truth
        Held-out cells against the phenotypes that the simulator drew.
    """

    study: Study
    report: Path
    evaluation: dict[str, Any]
    truth: dict[str, Any]
    seconds: float


def run_demo(
    folder: Path,
    *,
    watch: Watch,
    architecture: str = "forest",
    settings: PlateSettings | None = None,
    workers: int | None = None,
) -> DemoResult:
    """Simulate a plate, then create, segment, measure, train, predict, vote, evaluate and report.

    Parameters
    ----------
    folder
        Gets ``plate`` and ``demo.cellvote``; what an earlier demo left there is replaced.

    Raises
    ------
    StudyError
        Where the folder holds anything else, or cannot be written.
    """
    started = time.monotonic()
    _clear(folder)
    with watch("Simulate") as (report, cancel), open_executor(workers) as (executor, _):

        def on_progress(done: int, total: int) -> None:
            cancel.raise_if_cancelled()
            report(Progress(done, total, message="3 channels, 4 phenotypes, dose series, plate effects"))

        plate = write_plate(folder / "plate", settings or PlateSettings(), executor=executor, on_progress=on_progress)
    study = Study.create(folder / "demo", read_plate(plate.folder), read_plate_map(plate.plate_map_path))
    with watch("Segment") as (report, cancel):
        segment_study(study, workers=workers, report=report, cancel=cancel)
    with watch("Measure") as (report, cancel):
        measure_study(study, workers=workers, report=report, cancel=cancel)
    with watch("Train") as (report, cancel):
        chosen = {"architecture": architecture, "split_by": "well"}
        classifier = train_study(
            study, CLASS_COLUMN, settings=chosen, name=MODEL, workers=workers, report=report, cancel=cancel
        )
    with watch("Predict") as (report, cancel):
        predict_study(study, classifier, workers=workers, report=report, cancel=cancel)
    evaluation = evaluate_study(study, MODEL)
    truth = score_against_truth(study, classifier, plate)
    page = write_report(study, MODEL)
    return DemoResult(study, page, evaluation, truth, time.monotonic() - started)


def _clear(folder: Path) -> None:
    """Make room, but only where a note says that an earlier demo left what is there, and nothing was added."""
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder}: is a file. Give the demo a folder of its own.")
    own = {"plate", study_path(folder / "demo").name}
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    strange = there - own - {_NOTE} if _NOTE in there else there
    if strange:
        raise StudyError(f"{folder}: holds other things ({min(strange)}). Give the demo a folder of its own.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _NOTE).write_text(
            "Made by `cellvote demo`, which replaces all of it when run again.\n", encoding="utf-8"
        )
    except OSError as error:
        raise StudyError(f"{folder}: cannot be written ({error.strerror}). Give the demo another folder.") from error
    for name in own:
        shutil.rmtree(folder / name, ignore_errors=True)


def score_against_truth(study: Study, classifier: Classifier, plate: SimulatedPlate) -> dict[str, Any]:
    """Score held-out cells by what the simulator drew, which the plate map says only of whole wells.

    Returns
    -------
    dict
        ``level``, ``split``, ``truth`` (in words), ``n`` cells, ``unmatched`` (of no simulated cell: debris, wrong
        splits), ``accuracy``, and the accuracies of the ``baselines`` on the same cells.
    """
    predictions = read_predictions(study, classifier.info.name)
    held_out = predictions[predictions["fold"] != UNSEEN].reset_index(drop=True)
    segmentation = classifier.info.segmentation["name"]
    phenotype = match_truth(held_out, plate.truth, lambda key: read_label_image(study.mask_path(segmentation, key)))
    known = (phenotype != "").to_numpy()
    true_class = phenotype[known].map(CLASS_OF_PHENOTYPE).to_numpy(object)
    commonest = pd.Series(true_class).mode().iloc[0]
    place = _position_said(classifier, held_out.loc[known, ["plate", "well"]])
    return {
        "level": "cell",
        "split": "whole wells held out",
        "truth": "the phenotype that the simulator drew",
        "n": int(known.sum()),
        "unmatched": int((~known).sum()),
        "accuracy": float((held_out.loc[known, "class"].to_numpy(object) == true_class).mean()),
        "baselines": {
            "majority": float((true_class == commonest).mean()),
            "position": float((place == true_class).mean()),
        },
    }


def _position_said(classifier: Classifier, wells: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Give each held-out cell the class that the place of its well suggests, in the same folds."""
    split = classifier.split.drop_duplicates(["plate", "well"]).reset_index(drop=True)
    classes = np.array(classifier.info.classes, object)
    codes = pd.Index(classes).get_indexer(pd.Index(split["class_name"])).astype(np.int64)
    split["said"] = classes[position_votes(split, codes, Split.from_table(split), classifier.info.seed)]
    return wells.merge(split[["plate", "well", "said"]], on=["plate", "well"], how="left")["said"].to_numpy(object)
