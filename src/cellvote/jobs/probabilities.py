"""Class probabilities of the cells of a study, by a classifier: what training and predicting share."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ClassifierError, DeviceError
from cellvote.learning.classifier import Classifier, Probabilities
from cellvote.learning.inputs import Inputs, channel_rows, feature_matrix
from cellvote.learning.predicting import classic_probabilities, load_classic, network_probabilities
from cellvote.plates.acquisition import FIELD
from cellvote.progress import CancelToken, Report
from cellvote.study import Study
from cellvote.study.atomic import read_table
from cellvote.study.crops import open_crops
from cellvote.voting.temperature import Temperature


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
    """Class probabilities of cells of the study's table, calibrated where the classifier is.

    Parameters
    ----------
    cells
        Rows of the cells table, with ``row``: where in the table.

    Returns
    -------
    ndarray
        (N, K).
    """
    info = classifier.info
    fold = classifier.folds_of(cells, image_hashes(study, segmentation))
    said = _uncalibrated(study, classifier, segmentation, cells, fold, device, report, cancel)
    return Temperature.model_validate(info.calibration).apply(said, fold) if info.calibration else said


def _uncalibrated(
    study: Study,
    classifier: Classifier,
    segmentation: str,
    cells: pd.DataFrame,
    fold: npt.NDArray[np.int64],
    device: str,
    report: Report,
    cancel: CancelToken,
) -> Probabilities:
    info = classifier.info
    if not classifier.is_network:
        table = study.read_cells(segmentation)  # a plate's scale is that of all its cells
        features = feature_matrix(table, info.inputs)[cells["row"].to_numpy()]
        return classic_probabilities(
            load_classic(classifier), features, fold, len(info.classes), report=report, cancel=cancel
        )
    from cellvote.learning.networks.device import choose_device

    crops = open_crops(study, segmentation, (info.inputs.size_px or (0,))[0])
    rows = cells["row"].to_numpy()
    channels = channel_rows(study.channels, info.inputs)
    stored = _stored_limits(classifier, len(channels))
    plates = cells["plate"].to_numpy()
    of_plate = limits_by_plate(crops, channels, study.read_cells(segmentation, ["plate"])["plate"])

    def limits_of(number: int, part: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        if info.inputs.scale == "plate":
            return np.stack([of_plate(plate) for plate in plates[part]])
        return np.repeat(stored[number][None], len(part), axis=0)

    whole = len(rows) == len(crops)
    return network_probabilities(
        classifier,
        crops if whole else crops[rows],
        channels,
        limits_of,
        fold,
        device=choose_device(device),
        report=report,
        cancel=cancel,
    )


def _stored_limits(classifier: Classifier, n_channels: int) -> npt.NDArray[np.float32]:
    """Read what was black and white in training: (folds, 2, C), checked where it will be used."""
    info, wanted = classifier.info, (classifier.info.n_folds, 2, n_channels)
    try:
        stored = np.asarray(info.intensity_limits, np.float32)
    except ValueError:
        stored = np.empty(0, np.float32)
    if info.inputs.scale == "none" and stored.shape != wanted:
        raise ClassifierError(
            f"{classifier.folder / 'model.json'}: its intensity limits are {stored.shape}, not {wanted}. Train again."
        )
    return stored


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


def image_hashes(study: Study, segmentation: str) -> pd.DataFrame:
    """``plate``, ``well``, ``field``, ``image_hash`` of every measured field."""
    return read_table(study.segmentation_folder(segmentation) / "measured.parquet", [*FIELD, "image_hash"])


def limits_by_plate(crops: npt.NDArray[np.generic], channels: list[int], plates: pd.Series) -> Any:
    """Give a function from a plate to its (2, C) black and white, each plate looked at once."""
    from cellvote.learning.networks.crops_on_device import intensity_limits

    rows_of = plates.groupby(plates).indices

    @cache
    def of_plate(plate: str) -> npt.NDArray[np.float32]:
        rows = rows_of[plate]
        some = rows[:: max(1, len(rows) // 4000)]
        return intensity_limits(np.asarray(crops[some])[:, channels])

    return of_plate
