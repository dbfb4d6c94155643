"""Inputs: what a classifier is fed, described so that another study can be held against it."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel

from cellvote.errors import ChannelError, ClassifierError
from cellvote.plates.acquisition import channel_index

Features = npt.NDArray[np.float32]
Unit = Literal["cell", "field"]
Part = Literal["pixels", "mask", "flows", "measurements"]


class Inputs(BaseModel, frozen=True):
    """What a classifier is fed.

    Attributes
    ----------
    unit
        Cells, or whole fields.
    parts
        In the order in which a network takes them: images (``pixels``, ``mask``, ``flows``) and ``measurements``.
    separate
        Whether every part is a stream of its own; otherwise all images are stacked as channels of one.
    columns
        The measurements, in order.
    channels
        The channels of the pixels, in order; for measurements those of the study that it was trained on.
    size_px
        Height and width of the images; None where there are none.
    cut
        Whether crops are padded to their size, or rescaled.
    background
        Whether a crop shows what is around the cell.
    scale
        What grey values are relative to.
    """

    unit: Unit = "cell"
    parts: tuple[Part, ...]
    separate: bool = False
    columns: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    size_px: tuple[int, int] | None = None
    cut: Literal["pad", "rescale"] = "pad"
    background: Literal["kept", "zeroed"] = "kept"
    scale: Literal["plate", "control", "image", "none"] = "none"

    @property
    def has_images(self) -> bool:
        """Whether it is fed images, so is a network."""
        return any(part != "measurements" for part in self.parts)

    @property
    def n_channels(self) -> int:
        """How many channels the images of a network have; where every part is a stream of its own, those of one."""
        of = {"pixels": len(self.channels), "mask": 4, "flows": 4}
        counts = [of[part] for part in self.parts if part in of]
        return max(counts, default=0) if self.separate else sum(counts)

    @property
    def has_measurements(self) -> bool:
        """Whether it is fed measurements."""
        return "measurements" in self.parts


def feature_matrix(cells: pd.DataFrame, inputs: Inputs, controls: npt.NDArray[np.bool_] | None = None) -> Features:
    """Take the measurements that a classifier is fed.

    Brightnesses are scaled by all cells of the plate, or by its negative controls, as the inputs say; by ``image``
    only pixels are scaled.

    Parameters
    ----------
    cells
        All cells of the study.
    controls
        (N,) which cells are of negative controls: needed where these are what grey values are relative to.

    Returns
    -------
    ndarray
        (N, F) float32, gaps as not-a-number.

    Raises
    ------
    ClassifierError
        Where a measurement is missing; both sides are shown.
    """
    missing = [column for column in inputs.columns if column not in cells]
    if missing:
        raise ClassifierError(
            f"the classifier needs the measurement {missing[0]!r} ({len(missing)} of {len(inputs.columns)} are "
            f"missing). It was trained on the channels {', '.join(inputs.channels)}; the study has "
            f"{', '.join(_channels_of(cells))}. Create the study with the same channel names."
        )
    table = cells[list(inputs.columns)].to_numpy(np.float64, copy=True)
    if inputs.scale in {"plate", "control"}:
        relative_to = np.ones(len(cells), bool) if inputs.scale == "plate" or controls is None else controls
        bright = np.flatnonzero([name.endswith(tuple(f"_{c}" for c in inputs.channels)) for name in inputs.columns])
        for plate in sorted(cells["plate"].unique()):
            rows = np.flatnonzero(cells["plate"] == plate)
            for column in bright:
                values = table[rows, column]
                table[rows, column] = _scaled(values, values[relative_to[rows]])
    table[~np.isfinite(table)] = np.nan
    return table.astype(np.float32)


def _scaled(values: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scale values so that the dimmest cells of the reference are 0 and the brightest 1.

    The ends of a distribution change less than its middle when plates hold different mixes of wells.
    """
    known = reference[np.isfinite(reference)]
    if not len(known):
        return values
    low, high = np.percentile(known, [1, 99])
    return np.asarray((values - low) / (high - low if high > low else 1.0))


def _channels_of(cells: pd.DataFrame) -> list[str]:
    prefix = "intensity_max_"
    return [str(c).removeprefix(prefix) for c in cells if str(c).startswith(prefix)]


def channel_rows(study_channels: tuple[str, ...], inputs: Inputs) -> list[int]:
    """Find the channels that a classifier is fed among those of a study.

    Raises
    ------
    ChannelError
        Where one is missing; the message lists those that there are.
    """
    try:
        return [channel_index(study_channels, channel) for channel in inputs.channels]
    except ChannelError as error:
        raise ChannelError(
            f"{error} The classifier is fed {', '.join(inputs.channels)}; the study has {', '.join(study_channels)}."
        ) from error
