"""Baselines: what one gets without looking at the cells, in the very same split."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from cellvote.learning.classic import ClassicModel, fit_logistic
from cellvote.learning.splits import Split
from cellvote.plates.wells import edge_distance, plate_shape, well_position

Codes = npt.NDArray[np.int64]


def majority_votes(codes: Codes, n_cells: npt.NDArray[np.int64], split: Split) -> Codes:
    """Say, for each held-out well, the class that most training cells have."""

    def commonest(train: npt.NDArray[np.bool_], held_out: npt.NDArray[np.bool_]) -> Codes:
        counts = np.bincount(codes[train], weights=n_cells[train])
        return np.full(int(held_out.sum()), int(np.argmax(counts)))

    return _over_folds(split, commonest)


def position_votes(wells: pd.DataFrame, codes: Codes, split: Split, seed: int) -> Codes:
    """Say, for each held-out well, the class that its place suggests: plate, row, column, edge distance.

    Where this comes near a classifier, the classifier may have learned the well instead of the cells.
    """
    places = np.full((len(wells), 4), -1.0)
    if "plate" in wells:
        places[:, 3] = pd.factorize(wells["plate"], sort=True)[0]
    shape = plate_shape(wells["well"])
    for i, well in enumerate(wells["well"]):
        if well:
            places[i, :3] = (*well_position(well), edge_distance(well, shape))

    def by_place(train: npt.NDArray[np.bool_], held_out: npt.NDArray[np.bool_]) -> Codes:
        forest = RandomForestClassifier(100, class_weight="balanced", random_state=seed)
        forest.fit(places[train], codes[train])
        return np.asarray(forest.predict(places[held_out]), np.int64)

    return _over_folds(split, by_place)


def measurement_probabilities(
    features: npt.NDArray[np.float32],
    codes: Codes,
    split: Split,
    well: npt.NDArray[np.int64],
    n_classes: int,
    seed: int,
) -> npt.NDArray[np.float64]:
    """Class probabilities of each held-out cell by logistic regression on its measurements.

    Parameters
    ----------
    features
        (N, F) with gaps as not-a-number.
    codes, well
        (N,) class of each cell, and which well of the split it is in.

    Returns
    -------
    ndarray
        (N, K).
    """
    result = np.zeros((len(codes), n_classes))
    for train, held_out in split.masks(well):
        if not held_out.any():
            continue
        model: ClassicModel = fit_logistic(features[train], codes[train], seed)
        result[np.ix_(held_out, model.classes_)] = model.predict_proba(features[held_out])
    return result


def _over_folds(split: Split, predict: Callable[[npt.NDArray[np.bool_], npt.NDArray[np.bool_]], Codes]) -> Codes:
    said = np.full(len(split.held_out), -1, np.int64)
    for train, held_out in split.masks():
        said[held_out] = predict(train, held_out)
    return said
