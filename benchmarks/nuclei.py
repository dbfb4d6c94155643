"""How well `nuclei` finds nuclei that it was not trained on, beside Otsu's threshold with a watershed; and how fast.

    python benchmarks/nuclei.py DSB2018_FOLDER [--part held-out]

The folder holds ``index.csv``, ``images/`` and ``masks/`` of BBBC038 (2018 Data Science Bowl). Images were split by
their names before training (``training/nuclei_data.py``). Each image is segmented with the default settings, so with
its nuclei's size measured on the image. F1 is 2 TP / (2 TP + FP + FN), of all nuclei together and as the mean
over images; intervals are bootstrapped over images.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed

from cellvote.segmentation import segment_image
from cellvote.segmentation.agreement import match_label_images
from cellvote.synthetic import PlateSettings, design_plate, simulate_field

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from nuclei_data import Example, read_examples

IOUS = (0.5, 0.75)
Labels = npt.NDArray[np.int32]


def by_network(image: npt.NDArray[np.generic]) -> Labels:
    """Segment as `nuclei` does by default."""
    return segment_image(image[None], "nuclei").label_image


def by_threshold(image: npt.NDArray[np.generic]) -> Labels:
    """Segment by Otsu's threshold and a watershed of the distance to the edge: the plain way, for comparison."""
    smooth = gaussian(image.astype(np.float32), 1, preserve_range=True)
    if smooth.min() == smooth.max():
        return np.zeros(image.shape, np.int32)
    mask = ndimage.binary_fill_holes(smooth > threshold_otsu(smooth))
    distance = gaussian(ndimage.distance_transform_edt(mask), 1, preserve_range=True)
    seeds = peak_local_max(distance, min_distance=5, labels=ndimage.label(mask)[0], exclude_border=False)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(seeds.T)] = np.arange(1, len(seeds) + 1)
    return np.asarray(watershed(-distance, markers, mask=mask), np.int32)


def score(examples: list[Example], segment: Callable[[npt.NDArray[np.generic]], Labels]) -> dict[str, object]:
    """Segment all images and compare with their truth."""
    counts = []  # image × IoU × (matched, said, true)
    for example in examples:
        said = segment(example.image)
        matched = [match_label_images(example.label_image, said, iou) for iou in IOUS]
        counts.append([(len(m.matched), m.n_second, m.n_first) for m in matched])
    table = np.array(counts)
    random = np.random.default_rng(0)
    drawn = table[random.integers(len(table), size=(2000, len(table)))].sum(axis=1)
    answer: dict[str, object] = {}
    for i, iou in enumerate(IOUS):
        low, high = np.percentile(_f1(drawn[:, i]), [2.5, 97.5])
        answer[f"f1_at_{iou}"] = round(float(_f1(table[:, i].sum(axis=0))), 4)
        answer[f"f1_at_{iou}_ci95"] = [round(float(low), 4), round(float(high), 4)]
        answer[f"f1_at_{iou}_mean_of_images"] = round(float(_f1(table[:, i]).mean()), 4)
    return answer


def _f1(counts: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    return np.asarray(2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1))


def seconds_for_a_field() -> dict[str, object]:
    """Time a simulated 1080² field, everything included but the first loading of the weights."""
    settings = PlateSettings(field_size_px=1080, cells_per_field=250)
    image = simulate_field(settings, next(iter(design_plate(settings).wells))).image[0]
    by_network(image)
    times = []
    for i in range(1, 6):
        other = image + np.asarray(i, image.dtype)  # of an image that was just seen the flows are remembered
        started = time.perf_counter()
        n = int(by_network(other).max())
        times.append(time.perf_counter() - started)
    return {
        "size_px": list(image.shape),
        "nuclei": n,
        "seconds": round(min(times), 3),
        "median": round(float(np.median(times)), 3),
    }


def main() -> None:
    """Run as a program: print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", choices=("train", "tune", "held-out"), default="held-out")
    given = parser.parse_args()
    examples = read_examples(given.data, given.part)
    result = {
        "part": given.part,
        "images": len(examples),
        "nuclei": sum(int(np.count_nonzero(np.bincount(e.label_image.ravel())[1:])) for e in examples),
        "network": score(examples, by_network),
        "otsu_watershed": score(examples, by_threshold),
        "field": seconds_for_a_field(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
