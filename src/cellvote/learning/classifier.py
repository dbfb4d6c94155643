"""The classifier: a folder with ``model.json``, the models of its folds, and the split; no pickle."""

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ValidationError

from cellvote.errors import ClassifierError, StudyError
from cellvote.learning.architectures import is_network
from cellvote.learning.inputs import Inputs
from cellvote.learning.scaling import FeedingConstants
from cellvote.learning.weights_note import check_note
from cellvote.plates.acquisition import FIELD
from cellvote.study.atomic import read_json, read_table

FORMAT_VERSION: Final = 2
UNSEEN: Final = -1
"""The fold of a cell that no model was trained on: all models have a say."""

Probabilities = npt.NDArray[np.float64]
PredictRows = Callable[[int, npt.NDArray[np.intp]], Probabilities]
"""(fold, rows) to (len(rows), K) probabilities by the model of that fold."""


class ClassifierInfo(BaseModel, frozen=True):
    """What ``model.json`` holds: all that is needed to use the classifier again, and to judge it."""

    format_version: int = FORMAT_VERSION
    name: str
    architecture: str
    classes: tuple[str, ...]
    class_column: str
    inputs: Inputs
    settings: dict[str, Any]
    split_by: str
    n_folds: int
    seed: int
    segmentation: dict[str, Any]
    threshold: float | None = None
    """Where the column, of numbers, was cut into ``low`` and ``high``."""
    constants: tuple[FeedingConstants, ...] = ()
    """What the inputs of each fold's model are relative to; empty for models that need none."""
    tuned_by: str = ""
    tuned: tuple[tuple[str, ...], ...] = ()
    """For each fold the values of the column ``tuned_by`` that have a network of their own."""
    start: dict[str, str] = {}
    """What pretrained weights the networks started from."""
    calibration: dict[str, Any] | None = None
    """What corrects its probabilities, as `voting.temperature.Temperature`."""
    metrics: dict[str, Any] = {}
    training_data: str
    """Hash of the cells, classes and folds that it was trained on."""
    versions: dict[str, str] = {}


@dataclass(frozen=True)
class Classifier:
    """A trained classifier on disk.

    It holds one model for each fold. A cell whose image took part in training is predicted by the one model
    that never saw it; any other cell by the mean of all models.
    """

    folder: Path
    info: ClassifierInfo
    split: pd.DataFrame
    """One row per training field: plate, well, field, image_hash, class_name, group, fold."""

    @property
    def is_network(self) -> bool:
        """Whether its models are networks; a head on embeddings is fed images, too, and is none."""
        return is_network(self.info.architecture)

    @property
    def weights_path(self) -> Path:
        """The file of its models."""
        return self.folder / weights_name(self.info.architecture)

    def folds_of(self, cells: pd.DataFrame, image_hashes: pd.DataFrame) -> npt.NDArray[np.int64]:
        """Find the fold of each cell by the pixels of its field, whatever the field is called.

        Parameters
        ----------
        cells
            ``plate``, ``well``, ``field``.
        image_hashes
            ``plate``, ``well``, ``field``, ``image_hash``.

        Returns
        -------
        ndarray
            (N,) the fold that held the field out, `UNSEEN` where it took no part in training.
        """
        known = self.split.dropna(subset="image_hash")  # fields that could not be read have none
        fold_of = known.drop_duplicates("image_hash").set_index("image_hash")["fold"]
        hashes = cells[FIELD].merge(image_hashes, on=FIELD, how="left")["image_hash"]
        return hashes.map(fold_of).fillna(UNSEEN).to_numpy(np.int64)


def combine(fold: npt.NDArray[np.int64], n_folds: int, n_classes: int, predict_rows: PredictRows) -> Probabilities:
    """Let each cell be predicted by the models that never saw it: its held-out fold's, or all of them.

    Returns
    -------
    ndarray
        (N, K), rows summing to 1.
    """
    result = np.zeros((len(fold), n_classes))
    unseen = np.flatnonzero(fold == UNSEEN)
    for number in range(n_folds):
        own = np.flatnonzero(fold == number)
        rows = np.concatenate([own, unseen])
        if not len(rows):
            continue
        said = predict_rows(number, rows)
        result[own] = said[: len(own)]
        result[unseen] += said[len(own) :] / n_folds
    return result


def weights_name(architecture: str) -> str:
    """Name the file that holds the models of an architecture."""
    return "model.safetensors" if is_network(architecture) else "model.skops"


def load_classifier(folder: Path) -> Classifier:
    """Load a classifier folder, checking what it says of itself against its weights; they are read when it predicts.

    Raises
    ------
    ClassifierError
        Where the folder holds no classifier, one of an unknown format, or weights of other classes, another order of
        them, or other inputs.
    """
    if not (folder / "model.json").is_file():
        raise ClassifierError(f"{folder}: there is no classifier here (no model.json).")
    try:
        content = read_json(folder / "model.json")
        found = content.get("format_version") if isinstance(content, dict) else None
        if found != FORMAT_VERSION:
            raise ClassifierError(
                f"{folder}: the classifier has the format {found!r}, and this CellVote reads {FORMAT_VERSION}. "
                "Update one of them, or train again."
            )
        info = ClassifierInfo.model_validate(content)
        split = read_table(folder / "split.parquet")
    except ValidationError as error:
        raise ClassifierError(
            f"{folder / 'model.json'}: is damaged ({error.errors()[0]['loc']}). Train again."
        ) from error
    except StudyError as error:
        raise ClassifierError(str(error)) from error
    classifier = Classifier(folder, info, split)
    if not classifier.weights_path.is_file():
        raise ClassifierError(f"{folder}: {classifier.weights_path.name} is missing. Copy the whole folder.")
    check_note(classifier.weights_path, info)
    return classifier


def training_data_hash(cells: pd.DataFrame) -> str:
    """Name the cells, classes and folds of a training run."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\x1f".join(map(str, cells.columns)).encode())
    digest.update(pd.util.hash_pandas_object(cells, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def current_versions(*, network: bool) -> dict[str, str]:
    """Name the versions of what a classifier is made with."""
    packages = ["cellvote", "numpy", "scikit-learn", *(["torch"] if network else ["skops"])]
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}
