"""Fingerprints of fields: small pictures by which an image is known again after it was changed a little.

A field that was saved again, made brighter, moved by a few pixels, flipped or turned is still the same witness. Hashes
of pixels do not see that; these do. Two fingerprints are compared in two steps: those whose power spectra are most
alike (they do not change when an image is moved, and flips and turns only permute them) are laid over each other by
band-limited phase correlation (Ito et al. 2004, doi:10.1093/ietfec), in all eight orientations.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels

SIZE: Final = 64
"""Width and height of a fingerprint."""

FEATURELESS: Final = np.uint8(0)
"""What all pixels of a fingerprint are where the image has a single grey value."""

_CLIP: Final = (-3.0, 6.0)
_BAND: Final = (2, 16)
_EDGE: Final = 8

Fingerprints = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]


def fingerprint(image_cyx: Pixels) -> Fingerprints:
    """Make the fingerprint of a field.

    Every channel is averaged over squares of whole pixels, so many that it fits into `SIZE` × `SIZE` (a crop of no more
    pixels than that stays as it is), brought to mean 0 and standard deviation 1, and the mean of the channels is taken:
    their order and brightness do not matter.

    Parameters
    ----------
    image_cyx
        CYX, any real dtype, raw.

    Returns
    -------
    ndarray
        (`SIZE`, `SIZE`) uint8, all `FEATURELESS` where no channel has any contrast.
    """
    planes = [small for small in map(_shrunk, image_cyx) if small.std() > 1e-6 * max(abs(small.mean()), 1e-30)]
    if not planes:
        return np.full((SIZE, SIZE), FEATURELESS)
    low, high = _CLIP
    small = np.mean([np.clip((p - p.mean()) / p.std(), low, high) for p in planes], axis=0)
    rim = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    top, left = ((SIZE - n) // 2 for n in small.shape)
    result = np.full((SIZE, SIZE), float(np.median(rim)))
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    return np.asarray(np.rint(1 + (result - low) / (high - low) * 254), np.uint8)


def _shrunk(plane: Pixels) -> npt.NDArray[np.float32]:
    """Average over squares, from the middle of the plane outwards."""
    by = -(-max(plane.shape) // SIZE)
    height, width = (max(n // by, 1) for n in plane.shape)
    top, left = ((n - k * by) // 2 for n, k in zip(plane.shape, (height, width), strict=True))
    whole = plane[max(top, 0) :, max(left, 0) :][: height * by, : width * by].astype(np.float32)
    if whole.shape != (height * by, width * by):  # a strip thinner than a square
        return np.asarray(whole.mean(keepdims=True), np.float32)
    return np.asarray(whole.reshape(height, by, width, by).mean(axis=(1, 3)), np.float32)
