"""Measurements of whole images: what logistic regression gets where fields are classified and no cells are known."""

from typing import Final

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels

PREFIX: Final = "image_"
PERCENTILES: Final = (1, 5, 25, 50, 75, 95, 99)

_MOST_PIXELS: Final = 1_000_000
_SCALES: Final = (1, 2, 4, 8, 16)

Plane = npt.NDArray[np.float32]


def measure_whole_image(image_cyx: Pixels, channels: tuple[str, ...]) -> dict[str, float]:
    """Measure brightness and texture of each channel of a field, and how channels go together.

    Parameters
    ----------
    image_cyx
        CYX, any real dtype. Images of more than a million pixels are looked at with every n-th row and column left out.

    Returns
    -------
    dict
        For each channel its mean, standard deviation and percentiles in grey values; ``texture_N``: the share of the
        variance that lies between neighbours N pixels apart (after averaging over N × N), which is fine detail for 1
        and large shapes for 16; ``bright_share`` and ``bright_spread``: how much of the area is above half way between
        the 5th and the 99th percentile, and how far that lies from its centre, over the width. Then the correlation of
        each pair of channels.
    """
    step = int(np.ceil(np.sqrt(image_cyx[0].size / _MOST_PIXELS)))
    planes = [np.asarray(plane[::step, ::step], np.float32) for plane in image_cyx]
    row: dict[str, float] = {}
    for channel, plane in zip(channels, planes, strict=True):
        row |= {f"{PREFIX}{name}_{channel}": value for name, value in _measure(plane).items()}
    for i, one in enumerate(planes):
        for j in range(i):
            row[f"{PREFIX}correlation_{channels[j]}_{channels[i]}"] = _correlation(planes[j], one)
    return row


def _measure(plane: Plane) -> dict[str, float]:
    found = {"mean": float(plane.mean(dtype=np.float64)), "std": float(plane.std(dtype=np.float64))}
    values = np.percentile(plane, PERCENTILES)
    found |= {f"percentile_{p}": float(v) for p, v in zip(PERCENTILES, values, strict=True)}
    variance = found["std"] ** 2
    for scale in _SCALES:
        found[f"texture_{scale}"] = _texture(plane, scale) / variance if variance > 0 else 0.0
    bright = plane > (values[1] + values[-1]) / 2
    found["bright_share"] = float(bright.mean())
    y, x = np.nonzero(bright)
    spread = np.sqrt(y.var() + x.var()) / max(plane.shape) if len(y) else 0.0
    found["bright_spread"] = float(spread)
    return found


def _texture(plane: Plane, scale: int) -> float:
    """Half the mean squared difference of neighbours, after averaging over squares."""
    height, width = (n // scale for n in plane.shape)
    if min(height, width) < 2:
        return 0.0
    small = plane[: height * scale, : width * scale].reshape(height, scale, width, scale).mean(axis=(1, 3))
    across, down = np.diff(small, axis=1), np.diff(small, axis=0)
    return float(np.mean(across**2, dtype=np.float64) + np.mean(down**2, dtype=np.float64)) / 4


def _correlation(one: Plane, other: Plane) -> float:
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((a**2).sum(dtype=np.float64) * (b**2).sum(dtype=np.float64)))
    return float((a * b).sum(dtype=np.float64) / norm) if norm > 0 else 0.0
