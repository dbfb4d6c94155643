"""Sphering: a turn and stretch after which the controls are uncorrelated, each column with variance 1."""

from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
SpheringMethod = Literal["ZCA-cor", "ZCA", "PCA-cor", "PCA"]

_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Sphering:
    """A sphering (whitening) transform that was fitted on control wells.

    After Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American Statistician 72 (2018), with
    the regularisation of pycytominer's ``Spherize``, whose values it gives: ``epsilon`` is added to the singular values
    of the centred controls, and directions in which the controls do not differ are stretched like the one in which they
    differ least.

    Attributes
    ----------
    centre, scale
        (d,) taken off, and divided by, beforehand.
    matrix
        (d, k) by which profiles, as rows, are multiplied; k = d, or fewer components where these are few.
    """

    centre: Floats
    scale: Floats
    matrix: Floats

    @classmethod
    def fit(cls, controls: Floats, method: SpheringMethod = "ZCA-cor", epsilon: float = 1e-6) -> Self:
        """Fit on controls.

        Parameters
        ----------
        controls
            (n, d), finite; at least two rows, no column constant.
        """
        centre = controls.mean(axis=0)
        scale = controls.std(axis=0) if method.endswith("-cor") else np.ones(controls.shape[1])
        _, singular, axes = np.linalg.svd((controls - centre) / scale, full_matrices=True)
        n, d = controls.shape
        rank = int((singular > singular[0] * max(n, d) * np.finfo(float).eps).sum())
        stretch = np.concatenate([singular[:rank], np.repeat(singular[rank - 1], d - rank)]) + epsilon
        components = (axes / stretch[:, None]).T * np.sqrt(n - 1)
        if method.startswith("ZCA"):
            return cls(centre, scale, components @ axes)
        components = components[:, :rank]  # beyond, any axes would do: which ones come out is chance
        heaviest = np.abs(components).argmax(axis=0)
        signs = np.sign(components[heaviest, np.arange(rank)])  # of an axis and its opposite, always the same one
        return cls(centre, scale, components * signs)

    def __call__(self, profiles: Floats) -> Floats:
        """Transform profiles: (m, d) to (m, k)."""
        return np.asarray((profiles - self.centre) / self.scale @ self.matrix, np.float64)


def has_spread(spread: Floats, centre: Floats) -> npt.NDArray[np.bool_]:
    """Say which columns differ by more than rounding."""
    return spread > _ROUNDING * np.abs(centre)
