"""Class probabilities of the cells or fields of a study, by a classifier: what training and predicting share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import DeviceError
from cellvote.jobs.embeddings import embed_study
from cellvote.jobs.examples import example_table, examples_of, measurement_matrix, unreadable_fields
from cellvote.jobs.fingerprints import look_at_fields
from cellvote.jobs.training_plan import values_of
from cellvote.learning.architectures import EMBEDDINGS
from cellvote.learning.classifier import Classifier, Probabilities, combine
from cellvote.learning.examples import Examples
from cellvote.learning.inputs import Inputs
from cellvote.learning.predicting import classic_probabilities, load_classic, load_networks
from cellvote.learning.scaling import FeedingConstants
from cellvote.plates.acquisition import FIELD
from cellvote.plates.plate_map import find_column
from cellvote.progress import CancelToken, Progress, Report
from cellvote.study import Study
from cellvote.study.atomic import read_table
from cellvote.voting.temperature import Temperature

IntArray = npt.NDArray[np.int64]

_MOST_ADAPTED_TO: Final = 8192
"""So many examples of a plate tell the statistics of batch normalisation."""


def cell_probabilities(
    study: Study,
    classifier: Classifier,
    segmentation: str,
    cells: pd.DataFrame,
    *,
    device: str = "auto",
    report: Report,
    cancel: CancelToken,
) -> Probabilities:
    """Class probabilities of cells or fields of the study, calibrated where the classifier is.

    Parameters
    ----------
    cells
        ``plate``, ``well``, ``field`` and ``row``: where in the table of cells, or among the fields.

    Returns
    -------
    ndarray
        (N, K).
    """
    info = classifier.info
    fold = classifier.folds_of(cells, image_hashes(study, info.inputs.unit, segmentation))
    said = _uncalibrated(study, classifier, segmentation, cells, fold, device, report, cancel)
    return Temperature.model_validate(info.calibration).apply(said, fold) if info.calibration else said


def _uncalibrated(
    study: Study,
    classifier: Classifier,
    segmentation: str,
    cells: pd.DataFrame,
    fold: IntArray,
    device: str,
    report: Report,
    cancel: CancelToken,
) -> Probabilities:
    info, rows = classifier.info, cells["row"].to_numpy(np.int64)
    if classifier.is_network:
        networks = _Networks(study, classifier, segmentation, cells, device, report, cancel)
        return combine(fold, info.n_folds, len(info.classes), networks.predict(fold))
    if info.architecture == EMBEDDINGS:
        from cellvote.learning.networks.frozen_backbone import read_backbone

        backbone = read_backbone(classifier.folder)
        features = embed_study(study, segmentation, info.inputs, backbone, device=device, report=report, cancel=cancel)
    else:
        features = measurement_matrix(study, segmentation, info.inputs)  # a plate's scale is that of all its cells
    return classic_probabilities(
        load_classic(classifier), features[rows], fold, len(info.classes), report=report, cancel=cancel
    )


@dataclass
class _Networks:
    """The networks of a classifier, at work on a study."""

    study: Study
    classifier: Classifier
    segmentation: str
    cells: pd.DataFrame
    device: str
    report: Report
    cancel: CancelToken

    def predict(self, fold: IntArray) -> Callable[[int, npt.NDArray[np.intp]], Probabilities]:
        """Give the function that predicts rows of the cells by the networks of a fold."""
        from cellvote.learning.networks.device import choose_device
        from cellvote.learning.networks.predict import adapted, predict_network

        info, where = self.classifier.info, choose_device(self.device)
        networks = load_networks(self.classifier, where)
        total = int((fold >= 0).sum() + (fold < 0).sum() * info.n_folds)
        done = 0
        all_rows = self.cells["row"].to_numpy(np.int64)
        value, plate = self._values(), self.cells["plate"].to_numpy(object)
        adapts = bool(info.settings.get("adapt_to_plate", False))

        def on_batch(n: int) -> None:
            nonlocal done
            done += n
            self.report(Progress(done, total, f"{done:,} of {total:,} {info.inputs.unit}s", str(where)))

        options: dict[str, Any] = {"views": int(info.settings.get("views", 1)), "cancel": self.cancel}

        def predict_rows(number: int, rows: npt.NDArray[np.intp]) -> Probabilities:
            constants = info.constants[number]
            examples = examples_of(self.study, self.segmentation, info.inputs, all_rows[rows], constants)
            said = np.zeros((len(rows), len(info.classes)))
            for name, network in networks[number].items():
                own = _is_for(value[rows], name, set(networks[number]))
                if not own.any():
                    continue
                if not adapts:
                    index = np.flatnonzero(own)
                    said[index] = predict_network(network, examples, index, where, on_batch=on_batch, **options)
                    continue
                for one in sorted(set(plate[rows][own])):
                    index, around = np.flatnonzero(own & (plate[rows] == one)), self._on_plate(one, constants)
                    with adapted(network, around, np.arange(len(around)), where) as tuned:
                        said[index] = predict_network(tuned, examples, index, where, on_batch=on_batch, **options)
            return said

        return predict_rows

    def _on_plate(self, plate: str, constants: FeedingConstants) -> Examples:
        """Take examples of a plate, spread over all of it: the same ones whatever is predicted of it."""
        inputs = self.classifier.info.inputs
        table = example_table(self.study, self.segmentation, inputs)
        lost = unreadable_fields(self.study, self.segmentation, inputs)
        there = ~pd.MultiIndex.from_frame(table[FIELD]).isin(pd.MultiIndex.from_frame(lost[FIELD]))
        rows = np.flatnonzero(there & (table["plate"] == plate).to_numpy())
        spread = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ADAPTED_TO)).round().astype(np.intp)
        return examples_of(self.study, self.segmentation, inputs, rows[spread], constants)

    def _values(self) -> npt.NDArray[np.object_]:
        """Say for each cell what stands in the column that networks were tuned by."""
        column = self.classifier.info.tuned_by
        if not column:
            return np.full(len(self.cells), "", object)
        found = find_column(self.study.plate_map, column)
        return values_of(self.study, self.cells, found).to_numpy(object)


def _is_for(values: npt.NDArray[np.object_], name: str, names: set[str]) -> npt.NDArray[np.bool_]:
    """Whether each value is for the network of a name; the one without a name takes what has none of its own."""
    if name:
        return np.asarray(values == name, bool)
    return ~np.isin(values.astype(str), sorted(names - {""}))


def check_device(device: str, inputs: Inputs) -> None:
    """See that the device asked for is there and will be used, before anything is written.

    Raises
    ------
    DeviceError
        Where it is not there, or classifiers on measurements cannot use it.
    """
    if inputs.has_images:
        from cellvote.learning.networks.device import choose_device

        choose_device(device)
    elif device not in {"auto", "cpu"}:
        raise DeviceError(f"classifiers on measurements run on the CPU, not on {device!r}: leave the device out.")


def image_hashes(study: Study, unit: str, segmentation: str) -> pd.DataFrame:
    """``plate``, ``well``, ``field``, ``image_hash`` of every measured field, or of every field that can be read."""
    if unit == "field":
        return look_at_fields(study, study.fields).table[[*FIELD, "image_hash"]]
    return read_table(study.segmentation_folder(segmentation) / "measured.parquet", [*FIELD, "image_hash"])
