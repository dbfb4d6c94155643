"""Fingerprints: an image is known again after it was changed a little, and never taken for another."""

import numpy as np
import pytest

from cellvote.learning.fingerprints import ALIKE, FEATURELESS, SIZE, find_alike, fingerprint, similarities


def field(seed: int, size: int = 256, channels: int = 2) -> np.ndarray:
    """Bright round cells at random places, in noise; uint16."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    image = random.normal(300, 20, (channels, size, size))
    for _ in range(25):
        at_y, at_x, radius = *random.uniform(0, size, 2), random.uniform(6, 11)
        cell = np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / radius**2)
        image += cell * random.uniform(300, 1500, (channels, 1, 1))
    return image.clip(0, 65535).astype(np.uint16)


IMAGE = field(0)
COPIES = {
    "the same": IMAGE,
    "brighter": (IMAGE * 1.7 + 90).astype(np.uint16),
    "8 bits": (IMAGE / 8).clip(0, 255).astype(np.uint8),
    "noisier": (IMAGE + np.random.default_rng(1).normal(0, 20, IMAGE.shape)).clip(0).astype(np.uint16),
    "cut at the rim": IMAGE[:, 5:, : 256 - 7],
    "flipped": IMAGE[..., ::-1],
    "turned": np.rot90(IMAGE, 1, (1, 2)),
    "turned, flipped, cut and darker": (np.rot90(IMAGE, 3, (1, 2))[:, ::-1, 4:] * 0.6).astype(np.uint16),
    "channels in another order": IMAGE[::-1],
}


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_is_known_again(change: str) -> None:
    assert similarities(fingerprint(IMAGE)[None], fingerprint(COPIES[change])[None])[0] >= ALIKE


def test_other_fields_of_the_same_kind_are_not_taken_for_copies() -> None:
    prints = np.stack([fingerprint(field(seed)) for seed in range(12)])
    pairs = [(i, j) for i in range(12) for j in range(i)]
    one, other = (prints[list(rows)] for rows in zip(*pairs, strict=True))
    assert similarities(one, other).max() < 0.5


def test_copies_are_found_among_many_and_only_where_they_are_not_allowed() -> None:
    images = [field(seed) for seed in range(20)]
    images += [np.rot90(images[3], 1, (1, 2)), images[7][..., ::-1]]
    prints = np.stack([fingerprint(image) for image in images])
    everywhere = find_alike(prints, lambda rows: rows[:, None] != np.arange(len(prints))[None])
    assert {(pair.one, pair.other) for pair in everywhere} == {(3, 20), (7, 21)}
    group = np.r_[np.arange(20), 3, 99]
    across = find_alike(prints, lambda rows: group[rows][:, None] != group[None])
    assert {(pair.one, pair.other) for pair in across} == {(7, 21)}


def test_a_blank_image_resembles_nothing() -> None:
    blank = fingerprint(np.full((1, 128, 128), 7, np.uint16))
    assert (blank == FEATURELESS).all()
    prints = np.stack([blank, blank, fingerprint(IMAGE)])
    assert find_alike(prints, lambda rows: np.ones((len(rows), 3), bool) & (rows[:, None] != np.arange(3)), 0.1) == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (64, 64), (65, 40), (1080, 1280)])
def test_fields_of_any_shape_have_a_fingerprint(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, *shape), np.uint8)
    assert fingerprint(image).shape == (SIZE, SIZE)
