"""Fingerprints of fields: small pictures by which an image is known again after it was changed a little.

A field that was saved again, made brighter, moved by a few pixels, flipped or turned is still the same witness. Hashes
of pixels do not see that; these do. Two fingerprints are compared in two steps: those whose power spectra are most
alike (they do not change when an image is moved, and flips and turns only permute them) are laid over each other by
band-limited phase correlation (Ito et al. 2004), in all eight orientations.
"""

from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels

SIZE: Final = 64
"""Width and height of a fingerprint."""

FEATURELESS: Final = np.uint8(0)
"""What all pixels of a fingerprint are where the image has a single grey value."""

ALIKE: Final = 0.75
"""From this similarity on two fields are one image, changed a little; chosen by benchmarks/leaks.py."""

Fingerprints = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

_CLIP: Final = (-3.0, 6.0)
_BAND: Final = (2, 12)
"""Waves across a fingerprint: slower ones are uneven light, faster ones noise."""

_FARTHEST: Final = 8
"""Pixels of a fingerprint by which an image may have been moved."""

_CANDIDATES: Final = 5
_ROWS: Final = 512


class Alike(NamedTuple):
    """Two fields that show the same: their rows, and how similar they are, up to 1."""

    one: int
    other: int
    similarity: float


def fingerprint(image_cyx: Pixels) -> Fingerprints:
    """Make the fingerprint of a field.

    Every channel is averaged over squares of whole pixels, so many that it fits into `SIZE` × `SIZE` (a crop of no more
    pixels than that stays as it is). The root of the distance from its median is taken, so that a bright spot does not
    hide all that is around it, and brought to mean 0 and standard deviation 1. Then the mean of the channels is taken:
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
    planes = [_evened(small) for small in map(_shrunk, image_cyx) if small.std() > 1e-6 * max(abs(small.mean()), 1e-30)]
    if not planes:
        return np.full((SIZE, SIZE), FEATURELESS)
    low, high = _CLIP
    small = np.clip(np.mean(planes, axis=0), low, high)
    rim = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    top, left = ((SIZE - n) // 2 for n in small.shape)
    result = np.full((SIZE, SIZE), float(np.median(rim)))
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    return np.asarray(np.rint(1 + (result - low) / (high - low) * 254), np.uint8)


def _evened(small: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bring bright and dim structures nearer to each other, and standardise."""
    away = small - np.median(small)
    away = np.sign(away) * np.sqrt(np.abs(away))
    return np.asarray((away - away.mean()) / max(float(away.std()), 1e-12), np.float32)


def _shrunk(plane: Pixels) -> npt.NDArray[np.float32]:
    """Average over squares, from the middle of the plane outwards."""
    by = -(-max(plane.shape) // SIZE)
    height, width = (max(n // by, 1) for n in plane.shape)
    top, left = ((n - k * by) // 2 for n, k in zip(plane.shape, (height, width), strict=True))
    whole = plane[max(top, 0) :, max(left, 0) :][: height * by, : width * by].astype(np.float32)
    if whole.shape != (height * by, width * by):  # a strip thinner than a square
        return np.asarray(whole.mean(keepdims=True), np.float32)
    return np.asarray(whole.reshape(height, by, width, by).mean(axis=(1, 3)), np.float32)


def find_alike(fingerprints: Fingerprints, forbidden: "Forbidden", least: float = ALIKE) -> list[Alike]:
    """Find fields that are the same image, changed a little, where these may not be.

    Parameters
    ----------
    fingerprints
        (N, `SIZE`, `SIZE`).
    forbidden
        From (R,) rows to (R, N): which fields each of them may not resemble.

    Returns
    -------
    list of Alike
        Each pair once, the most similar first. Fields without any contrast resemble nothing.
    """
    shown = fingerprints.reshape(len(fingerprints), -1).max(axis=1) > FEATURELESS
    descriptors = _descriptors(fingerprints)
    found: dict[tuple[int, int], float] = {}
    for start in range(0, len(fingerprints), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(fingerprints)))
        open_to = forbidden(rows) & shown[None] & shown[rows, None]
        nearness = np.where(open_to, descriptors[rows] @ descriptors.T, -np.inf)
        k = min(_CANDIDATES, nearness.shape[1])
        candidates = np.argpartition(-nearness, k - 1, axis=1)[:, :k]
        one, other = np.repeat(rows, k), candidates.ravel()
        real = np.isfinite(np.take_along_axis(nearness, candidates, axis=1)).ravel()
        for i, j in zip(one[real].tolist(), other[real].tolist(), strict=True):
            found.setdefault((min(i, j), max(i, j)), 0.0)
    pairs = np.array(sorted(found), np.int64).reshape(-1, 2)
    similar = np.concatenate(
        [np.empty(0, np.float32)]
        + [
            similarities(fingerprints[part[:, 0]], fingerprints[part[:, 1]])
            for part in np.array_split(pairs, -(-len(pairs) // _ROWS) or 1)
        ]
    )
    order = np.argsort(-similar, kind="stable")
    return [Alike(int(pairs[i, 0]), int(pairs[i, 1]), float(similar[i])) for i in order if similar[i] >= least]


class Forbidden(Protocol):
    """Says which fields some fields may not resemble."""

    def __call__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(R,) rows to (R, N)."""
        ...


def similarities(one: Fingerprints, other: Fingerprints) -> Floats:
    """Say how similar pairs of fingerprints are, whichever way round, moved by up to an eighth of their width.

    The peak of band-limited phase correlation: every wave of the band weighs the same, so that two round nuclei are not
    alike for being round. What two images share by each being one bright dot is taken out (partial correlation): crops
    of dying cells are dots, and no two of them copies.

    Parameters
    ----------
    one, other
        (N, `SIZE`, `SIZE`).

    Returns
    -------
    ndarray
        (N,), 1 for the same image.
    """
    waves, own = _phases(_waves(other)), _phases(_waves(one))
    result = np.full(len(one), -1.0, np.float32)
    near = np.r_[0 : _FARTHEST + 1, SIZE - _FARTHEST : SIZE]
    for turns in range(4):
        turned = np.rot90(one, turns, (1, 2))
        for image in (turned, turned[..., ::-1]):
            correlation = np.fft.ifft2(_phases(_waves(image)) * waves.conj(), axes=(1, 2)).real * SIZE**2
            result = np.maximum(result, correlation[:, near][:, :, near].max(axis=(1, 2)))
    dots = _likeness_to_a_dot(own), _likeness_to_a_dot(waves)
    left = np.sqrt((1 - dots[0] ** 2) * (1 - dots[1] ** 2))
    return np.asarray((result - dots[0] * dots[1]) / np.maximum(left, 1e-3), np.float32).clip(-1, 1)


def _likeness_to_a_dot(phases: Complex) -> Floats:
    """(N,) correlation of each image with a single point, wherever that fits best."""
    *_, within = _frequencies()
    peak = np.fft.ifft2(phases, axes=(1, 2)).real.max(axis=(1, 2)) * SIZE**2 / np.sqrt(within.sum())
    return np.asarray(np.minimum(peak, 0.99), np.float32)


def _waves(fingerprints: Fingerprints) -> Complex:
    """Fourier transform of images whose edges fade."""
    fade = np.minimum(1, 2 * np.hanning(SIZE + 2)[1:-1])
    images = fingerprints.astype(np.float32)
    images -= images.mean(axis=(1, 2), keepdims=True)
    return np.asarray(np.fft.fft2(images * np.outer(fade, fade).astype(np.float32), axes=(1, 2)), np.complex64)


def _frequencies() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Vertical and horizontal frequency of each wave, and which are within the band."""
    waves = np.rint(np.fft.fftfreq(SIZE) * SIZE).astype(np.int64)
    vertical, horizontal = np.meshgrid(waves, waves, indexing="ij")
    radius = np.hypot(vertical, horizontal)
    return vertical, horizontal, (radius >= _BAND[0]) & (radius <= _BAND[1])


def _phases(waves: Complex) -> Complex:
    *_, within = _frequencies()
    kept = np.where(within, waves, 0)
    return np.asarray(kept / np.maximum(np.abs(kept), 1e-9) / np.sqrt(within.sum()), np.complex64)


def _descriptors(fingerprints: Fingerprints) -> Floats:
    """Describe images by numbers that do not change when they are moved, flipped or turned; (N, D), of length 1.

    Moving an image does not change the strength of its waves, flips and quarter turns only permute four of them at a
    time: the four are sorted. What all images have in common is taken out.
    """
    vertical, horizontal, within = _frequencies()
    down, right = np.nonzero(within & (horizontal >= 0) & (vertical >= horizontal))
    parts = [np.empty((0, 4 * len(down)), np.float32)]
    for start in range(0, len(fingerprints), _ROWS):
        strength = np.log(np.abs(_waves(fingerprints[start : start + _ROWS])) + 1)
        four = [strength[:, y, x] for y, x in ((down, right), (-down, right), (right, down), (-right, down))]
        parts.append(np.sort(np.stack(four), axis=0).transpose(1, 0, 2).reshape(strength.shape[0], -1))
    table = np.concatenate(parts).astype(np.float32)
    table -= table.mean(axis=1, keepdims=True)
    if len(table) > 2:
        table -= table.mean(axis=0)
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(table / np.maximum(norms, 1e-9), np.float32)
