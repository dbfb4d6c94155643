"""Temperature: probabilities that are right as often as they say (Guo et al. 2017).

One number, fitted on predictions of wells that were held out, sharpens (below 1) or softens (above 1) all
probabilities; which class is likeliest does not change.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy.optimize import minimize_scalar

from cellvote.voting.metrics import Codes, expected_calibration_error

Probabilities = npt.NDArray[np.float64]

COOLEST: Final = 0.05
WARMEST: Final = 20.0
_LEAST: Final = 1e-6
"""A forest says 0 where none of its trees says otherwise; nothing is ever that sure."""

_MOST_ROWS: Final = 200_000


class Temperature(BaseModel, frozen=True):
    """How probabilities of a classifier are corrected; part of ``model.json``."""

    method: str = "temperature"
    temperature: float = Field(1.0, gt=0, title="Temperature", description="For images that no model was trained on")
    by_fold: tuple[float, ...] = Field(
        (), title="Temperature of each fold", description="Fitted on the held-out wells of all other folds"
    )
    ece: float | None = Field(None, title="Calibration error", description="Of held-out cells, each fold by the others")
    ece_uncalibrated: float | None = Field(None, title="Calibration error before")

    def apply(self, probabilities: Probabilities, fold: npt.NDArray[np.int64]) -> Probabilities:
        """Correct probabilities, those of a held-out well by what was fitted on the other folds.

        Parameters
        ----------
        probabilities
            (N, K), rows summing to 1.
        fold
            (N,) the fold that held it out, −1 where no model was trained on it.
        """
        temperatures = np.array([*self.by_fold, self.temperature])  # the last one is that of −1
        return scaled(probabilities, temperatures[np.where(fold < len(self.by_fold), fold, -1)])


def scaled(probabilities: Probabilities, temperature: npt.NDArray[np.float64] | float) -> Probabilities:
    """Raise (N, K) probabilities to the power of one over the temperature, rows summing to 1 again."""
    exponent = 1 / np.broadcast_to(np.asarray(temperature, np.float64), len(probabilities))
    logs = np.log(np.maximum(probabilities, _LEAST)) * exponent[:, None]
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: Probabilities, truth: Codes, n_independent: int | None = None) -> float:
    """Find the temperature under which the truth is likeliest, drawn towards 1 where few wells speak for another.

    Each well counts as one witness against a normal prior of log temperature around 0 with standard deviation 1: a
    dozen wells that are all right do not make a classifier certain.

    Parameters
    ----------
    probabilities
        (N, K) of wells that were held out; of more than 200,000 cells every n-th is taken.
    truth
        (N,) class numbers.
    n_independent
        Of how many wells they are; as many as there are rows where it is not given.
    """
    if not len(truth):
        return 1.0
    step = -(-len(truth) // _MOST_ROWS)
    logs = np.log(np.maximum(probabilities[::step], _LEAST))
    codes = truth[::step]
    logs -= logs.max(axis=1, keepdims=True)
    own = logs[np.arange(len(codes)), codes]
    witnesses = n_independent or len(truth)

    def surprise(log_temperature: float) -> float:
        exponent = float(np.exp(-log_temperature))
        mean = float(np.mean(np.log(np.exp(logs * exponent).sum(axis=1)) - own * exponent))
        return mean + log_temperature**2 / (2 * witnesses)

    found = minimize_scalar(surprise, bounds=(np.log(COOLEST), np.log(WARMEST)), method="bounded")
    return float(np.exp(found.x))


def calibrate(
    probabilities: Probabilities,
    truth: Codes,
    fold: npt.NDArray[np.int64],
    well: npt.NDArray[np.int64] | None = None,
) -> Temperature:
    """Fit the temperature of each fold on the held-out wells of the others, and one on all of them for new images.

    The error that is reported is of the former: no cell helped to fit what corrects it.

    Parameters
    ----------
    probabilities
        (N, K) of cells, each by the model that never saw its well.
    truth, fold
        (N,) class number, and the fold that held the cell out.
    well
        (N,) number of its well; where it is not given, each row is a witness of its own.
    """

    def fit(rows: npt.NDArray[np.bool_]) -> float:
        n = len(np.unique(well[rows])) if well is not None else None
        return fit_temperature(probabilities[rows], truth[rows], n)

    n_folds = int(fold.max()) + 1 if len(fold) else 0
    everything = np.ones(len(truth), bool)
    fitted = Temperature(temperature=fit(everything), by_fold=tuple(fit(fold != i) for i in range(n_folds)))
    figures: dict[str, Any] = {
        "ece": expected_calibration_error(fitted.apply(probabilities, fold), truth),
        "ece_uncalibrated": expected_calibration_error(probabilities, truth),
    }
    return fitted.model_copy(update=figures)
