"""The masks of CellProfiler's example, made again as its pipeline says, to set measurements side by side.

CellProfiler exported no masks. The pipeline (``ExampleHuman.cppipe``) and the thresholds that it found (``Image.csv``)
give them again, to the pixel for nearly every object; `same_objects` tells which.
"""

import heapq
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage
from skimage.segmentation import watershed

from cellvote.study.masks import LabelImage

NAME = "AS_09125_050116030001_D03f00d{}.tif"
CHANNELS = ("DNA", "PH3", "cellbody")
_EIGHT = np.ones((3, 3), bool)


def read_image(folder: Path) -> np.ndarray:
    """Read the three channels as CYX."""
    return np.stack([tifffile.imread(folder / NAME.format(channel)) for channel in range(3)])


def read_thresholds(folder: Path) -> dict[str, float]:
    """Read the thresholds that CellProfiler found, by object."""
    row = pd.read_csv(folder / "Image.csv").iloc[0]
    return {name: float(row[f"Threshold_FinalThreshold_{name}"]) for name in ("Nuclei", "Cells")}


def make_nuclei(dna: np.ndarray, threshold: float, diameters: tuple[int, int] = (8, 80)) -> tuple[LabelImage, ...]:
    """Find nuclei as IdentifyPrimaryObjects does, with its automatic settings: all of them, and those that are kept."""
    image = dna / 255
    regions = ndimage.label(ndimage.gaussian_filter(image, 1, mode="constant") >= threshold, _EIGHT)[0]
    smooth = _smoothed(image, 2.35 * diameters[0] / 3.5)
    seeds = ndimage.label(_maxima(smooth, regions, max(1, diameters[0] / 1.5 - 0.5)), _EIGHT)[0]
    split = watershed(1 - image, -seeds, connectivity=_EIGHT, mask=regions > 0)
    labels = _filled(-split)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    areas = np.bincount(labels.ravel())
    small, large = (np.pi * d * d / 4 for d in diameters)
    dropped = np.isin(np.arange(len(areas)), edge) | (areas < small) | (areas > large)
    return labels, np.where(dropped[labels], 0, labels).astype(np.int32)


def _smoothed(image: np.ndarray, size: float) -> np.ndarray:
    reach = max(int(size / 2), 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (size / 2.35)) ** 2)

    def blur(values: np.ndarray) -> np.ndarray:
        return ndimage.convolve1d(ndimage.convolve1d(values, weights, 0, mode="constant"), weights, 1, mode="constant")

    return blur(image) / blur(np.ones_like(image))


def _maxima(image: np.ndarray, regions: np.ndarray, radius: float) -> np.ndarray:
    """Mark what is brightest within a radius, inside its region."""
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = y * y + x * x <= radius * radius
    found = np.zeros(image.shape, bool)
    for i, box in enumerate(ndimage.find_objects(regions), start=1):
        own = regions[box] == i
        values = np.where(own, image[box], -np.inf)
        best = ndimage.grey_dilation(values, footprint=disk, mode="constant", cval=-np.inf)
        found[box] |= own & (values == best)
    return found


def _filled(labels: np.ndarray) -> np.ndarray:
    filled = labels.copy()
    for i, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            holes = ndimage.binary_fill_holes(labels[box] == i) & (labels[box] == 0)
            filled[box][holes] = i
    return filled


def grow_cells(nuclei: LabelImage, body: np.ndarray, threshold: float, regularisation: float = 0.05) -> LabelImage:
    """Grow cells from nuclei as IdentifySecondaryObjects does by propagation (Jones, Carpenter and Golland 2005)."""
    image = body / 255
    height, width = image.shape
    padded = np.pad(image, 2, mode="edge")
    inside = image >= threshold
    costs = {}
    for dy, dx in [(v, u) for v in (-1, 0, 1) for u in (-1, 0, 1) if v or u]:
        moved = padded[1 + dy : height + 3 + dy, 1 + dx : width + 3 + dx]
        change = np.abs(moved - padded[1:-1, 1:-1])
        total = sum(change[1 + v : height + 1 + v, 1 + u : width + 1 + u] for v in (-1, 0, 1) for u in (-1, 0, 1))
        costs[dy, dx] = np.sqrt(total**2 + (abs(dy) + abs(dx)) * regularisation**2).tolist()
    labels = nuclei.tolist()
    allowed = (inside | (nuclei > 0)).tolist()
    way = np.where(nuclei > 0, 0.0, np.inf).tolist()
    heap = [(0.0, int(y), int(x)) for y, x in np.argwhere(nuclei > 0)]
    while heap:
        here, y, x = heapq.heappop(heap)
        if here > way[y][x]:
            continue
        for (dy, dx), cost in costs.items():
            v, u = y + dy, x + dx
            if 0 <= v < height and 0 <= u < width and allowed[v][u]:
                there = here + cost[y][x]
                if there < way[v][u]:
                    way[v][u] = there
                    labels[v][u] = labels[y][x]
                    heapq.heappush(heap, (there, v, u))
    return _filled(np.asarray(labels, np.int32))


def without_outline(labels: LabelImage) -> LabelImage:
    """Take off every pixel that has another label, or the end of the image, among its eight neighbours."""
    padded = np.pad(labels, 1)
    height, width = labels.shape
    around = [padded[1 + v : height + 1 + v, 1 + u : width + 1 + u] for v in (-1, 0, 1) for u in (-1, 0, 1)]
    return np.where(np.all([other == labels for other in around], axis=0), labels, 0)


def same_objects(measured: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Join our rows to CellProfiler's where bounding box, area and centre are the same: then the masks are, too."""
    box = {
        "AreaShape_BoundingBoxMinimum_Y": "bbox_y_min",
        "AreaShape_BoundingBoxMinimum_X": "bbox_x_min",
        "AreaShape_BoundingBoxMaximum_Y": "bbox_y_max",
        "AreaShape_BoundingBoxMaximum_X": "bbox_x_max",
        "AreaShape_Area": "area",
    }
    rows = measured.merge(table.rename(columns=box), on=list(box.values()), how="inner")
    away = [(rows[f"centroid_{axis}"] - rows[f"AreaShape_Center_{axis.upper()}"]).abs() for axis in "yx"]
    return rows[(away[0] < 1e-6) & (away[1] < 1e-6)]
