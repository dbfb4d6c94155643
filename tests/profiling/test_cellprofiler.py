"""Our measurements beside CellProfiler's own tables, on the same masks; ``docs/measurements.md`` tells the outcome."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import ConvexHull
from tests.profiling.cellprofiler_example import (
    CHANNELS,
    grow_cells,
    make_nuclei,
    read_image,
    read_thresholds,
    same_objects,
    without_outline,
)

from cellvote.profiling import measure_cells
from cellvote.study.masks import LabelImage

SHAPES = {
    "perimeter": "Perimeter",
    "eccentricity": "Eccentricity",
    "axis_major_length": "MajorAxisLength",
    "axis_minor_length": "MinorAxisLength",
    "extent": "Extent",
}
INTENSITIES = {"mean": "MeanIntensity", "min": "MinIntensity", "max": "MaxIntensity", "std": "StdIntensity"}


@pytest.fixture(scope="module")
def example(real_data: Path) -> tuple[Path, np.ndarray, LabelImage, LabelImage]:
    """Return the folder, the image, all nuclei (before some are left out), and those that are kept."""
    folder = real_data / "cellprofiler_ExampleHuman"
    image = read_image(folder)
    return folder, image, *make_nuclei(image[0], read_thresholds(folder)["Nuclei"])


def assert_same(rows: pd.DataFrame) -> None:
    """Hold shapes to 1e-9 and grey values to 1e-6 (CellProfiler keeps these as 32-bit shares of 255)."""
    for ours, theirs in SHAPES.items():
        np.testing.assert_allclose(rows[ours], rows[f"AreaShape_{theirs}"], rtol=1e-9, atol=1e-9, err_msg=ours)
    for channel in ("DNA", "PH3"):
        for ours, theirs in INTENSITIES.items():
            np.testing.assert_allclose(
                rows[f"intensity_{ours}_{channel}"],
                255 * rows[f"Intensity_{theirs}_{channel}"],
                rtol=1e-6,
                err_msg=f"{ours} {channel}",
            )


def test_nuclei_have_the_measurements_of_cellprofiler(example: tuple[Path, np.ndarray, LabelImage, LabelImage]) -> None:
    folder, image, _, nuclei = example
    table = pd.read_csv(folder / "Nuclei.csv")
    rows = same_objects(measure_cells(image, nuclei, CHANNELS), table)
    assert len(table) == 289
    assert len(rows) >= 280
    assert_same(rows)
    turned = np.abs(rows["orientation"] - rows["AreaShape_Orientation"])
    assert (np.minimum(turned, np.pi - turned) < 1e-6).mean() > 0.99  # a round one has no direction


def test_solidity_differs_by_pixels_on_the_edge_of_the_hull(
    example: tuple[Path, np.ndarray, LabelImage, LabelImage],
) -> None:
    folder, image, _, nuclei = example
    rows = same_objects(measure_cells(image, nuclei, CHANNELS), pd.read_csv(folder / "Nuclei.csv"))
    hulls = rows["area"] / rows["AreaShape_Solidity"]
    counted = [half_open_hull(nuclei == label_id) for label_id in rows["label_id"]]
    np.testing.assert_allclose(hulls, counted, rtol=1e-9)
    assert (rows["area_convex"] >= hulls - 1e-6).all()
    assert np.median(rows["AreaShape_Solidity"] / rows["solidity"] - 1) == pytest.approx(0.017, abs=0.003)


@pytest.mark.slow
def test_cells_and_cytoplasm_have_the_measurements_of_cellprofiler(
    example: tuple[Path, np.ndarray, LabelImage, LabelImage],
) -> None:
    folder, image, every, nuclei = example
    cells = grow_cells(every, image[2], read_thresholds(folder)["Cells"])
    cells = np.where(np.isin(cells, np.unique(nuclei)), cells, 0)
    table, cytoplasm = (pd.read_csv(folder / name) for name in ("Cells.csv", "Cytoplasm.csv"))
    rows = same_objects(measure_cells(image, cells, CHANNELS, nuclei), table)
    assert len(rows) >= 180  # of the others, a pixel or two went to a neighbour that was as near
    assert_same(rows)
    # CellProfiler's cytoplasm holds the outline of the nucleus, ours does not.
    inner = measure_cells(image, cells, CHANNELS, without_outline(nuclei)).set_index("label_id")
    both = rows[["label_id", "ObjectNumber"]].merge(cytoplasm, left_on="ObjectNumber", right_on="Parent_Cells")
    for channel in ("DNA", "PH3"):
        theirs = 255 * both[f"Intensity_MeanIntensity_{channel}"]
        ours = inner.loc[both["label_id"], f"intensity_mean_cytoplasm_{channel}"]
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def half_open_hull(mask: np.ndarray) -> int:
    """Count pixels in the hull as scikit-image did before version 0.20: of those on its edge, one side only.

    The crossing rule of Franklin's point-in-polygon test, applied to rows.
    """
    points = np.argwhere(mask)[:, None] + np.array([(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)])
    hull = ConvexHull(points.reshape(-1, 2))
    y, x = hull.points[hull.vertices].T
    rows, columns = (grid.astype(float) for grid in np.mgrid[: mask.shape[0], : mask.shape[1]])
    inside = np.zeros(mask.shape, bool)
    for i in range(len(x)):
        j = i - 1
        if x[i] != x[j]:
            crossing = ((x[i] <= columns) & (columns < x[j])) | ((x[j] <= columns) & (columns < x[i]))
            inside ^= crossing & (rows < (y[j] - y[i]) * (columns - x[i]) / (x[j] - x[i]) + y[i])
    return int(inside.sum())
