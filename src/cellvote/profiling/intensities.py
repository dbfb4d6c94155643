"""Grey values of whole cells, and of nucleus, ring and cytoplasm apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Floats, Ints, Objects
from cellvote.study.masks import LabelImage

RING_WIDTH: Final = 0.2
"""Width of the ring around a nucleus, as a share of the nucleus' diameter."""

_CYTOPLASM, _NUCLEUS, _RING = range(3)
_EXACT: Final = (np.uint8, np.uint16)


@dataclass(frozen=True)
class Regions:
    """The runs of each cell, cut where the region changes.

    Attributes
    ----------
    starts, runs
        Where the runs of each cell start; (R, 4) y, first x, first x beyond, region.
    first
        (N,) a run of each cell: one of its nucleus where it has one.
    nucleus_area
        (N,) or None where there are no nuclei.
    """

    starts: Ints
    runs: npt.NDArray[np.int32]
    first: Ints
    nucleus_area: Ints | None

    @classmethod
    def of(cls, cells: Objects, nuclei: LabelImage | None) -> "Regions":
        """Tell nucleus, ring and the rest of the cytoplasm apart; where there are no nuclei, all is one region.

        The ring is where translocation shows best. After Ding et al., "Characterization and quantitation of NF-kB
        nuclear translocation" (1998): it is as wide as `RING_WIDTH` times the diameter of the cell's own nucleus.
        """
        if nuclei is None:
            runs = np.concatenate([cells.runs, np.zeros((len(cells.runs), 1), np.int32)], axis=1)
            return cls(cells.starts, runs, cells.starts[:-1], None)
        from cellvote.profiling.compiled.intensities import count_own, split_runs

        nuclei = np.ascontiguousarray(nuclei, np.int32)
        area = count_own(nuclei, cells.label_ids, cells.starts, cells.runs)
        starts, runs = split_runs(nuclei, cells.label_ids, cells.starts, cells.runs, area, RING_WIDTH)
        in_nucleus = np.flatnonzero(runs[:, 3] == _NUCLEUS)
        first = np.append(in_nucleus, len(runs))[np.searchsorted(in_nucleus, starts[:-1])]
        return cls(starts, runs, np.where(first < starts[1:], first, starts[:-1]), area)

    def areas(self) -> Floats:
        """(N, 3) pixels of the cytoplasm beyond the ring, the nucleus and the ring."""
        of_run = np.repeat(np.arange(len(self.first)), np.diff(self.starts))
        counts = np.bincount(
            3 * of_run + self.runs[:, 3], weights=self.runs[:, 2] - self.runs[:, 1], minlength=3 * len(self.first)
        )
        return np.asarray(counts, float).reshape(-1, 3)


@dataclass(frozen=True)
class GreySums:
    """What the grey values of every cell add up to, by region: (N, 3) each.

    Attributes
    ----------
    pivots
        (N,) was taken off every value before.
    """

    pivots: npt.NDArray[Any]
    sums: npt.NDArray[Any]
    squares: npt.NDArray[Any]
    least: Floats
    most: Floats

    @classmethod
    def of(cls, plane: Pixels, regions: Regions) -> "GreySums":
        """Add up a YX plane: exactly where it is of 8 or 16 bits, else in 64-bit floats."""
        from cellvote.profiling.compiled.intensities import grey_sums

        plane = np.ascontiguousarray(plane) if plane.dtype in _EXACT else np.ascontiguousarray(plane, np.float64)
        kind = np.int64 if plane.dtype in _EXACT else np.float64
        first = regions.runs[regions.first]
        pivots = plane[first[:, 0], first[:, 1]].astype(kind)
        pivots[~np.isfinite(pivots)] = 0
        n = len(pivots)
        sums, squares = np.empty((n, 3), kind), np.empty((n, 3), kind)
        least, most = np.empty(n, kind), np.empty(n, kind)
        grey_sums(plane, regions.starts, regions.runs, pivots, sums, squares, least, most)
        unknown = np.isnan(sums).any(axis=1)
        least, most = (np.where(unknown, np.nan, values) for values in (least, most))
        return cls(pivots, sums, squares, least.astype(float), most.astype(float))

    def mean(self, areas: Floats, regions: Sequence[int]) -> Floats:
        """(N,) mean of some regions together; not a number where a cell has none of these."""
        places = list(regions)
        n = areas[:, places].sum(axis=1)
        total = self.sums[:, places].sum(axis=1) + self.pivots * n.astype(self.pivots.dtype)
        return divided(total.astype(float), n)

    def std(self, areas: Floats, regions: Sequence[int]) -> Floats:
        """(N,) standard deviation (of the pixels, not of a sample) of some regions together."""
        places = list(regions)
        n = areas[:, places].sum(axis=1)
        total, squares = (values[:, places].sum(axis=1).astype(float) for values in (self.sums, self.squares))
        variance = divided(squares - total * divided(total, n), n)
        return np.sqrt(np.maximum(variance, 0))


def intensity_measurements(
    cells: Objects, regions: Regions, image_cyx: Pixels, channel_names: Sequence[str]
) -> Columns:
    """Measure the intensity of every cell in every channel, and of its nucleus, ring and cytoplasm.

    Returns
    -------
    dict
        As `measure_cells` says: (N,) each.
    """
    areas = regions.areas()
    sums = [GreySums.of(plane, regions) for plane in image_cyx]
    table: Columns = {}
    every = (_CYTOPLASM, _NUCLEUS, _RING)
    for channel, values in zip(channel_names, sums, strict=True):
        table[f"intensity_mean_{channel}"] = values.mean(areas, every)
        table[f"intensity_min_{channel}"] = values.least
        table[f"intensity_max_{channel}"] = values.most
        table[f"intensity_std_{channel}"] = values.std(areas, every)
    if regions.nucleus_area is None:
        return table
    table["nucleus_area"] = regions.nucleus_area.astype(float)
    table["nucleus_share"] = regions.nucleus_area / cells.area
    for channel, values in zip(channel_names, sums, strict=True):
        table |= _compartments(values, areas, channel)
    return table


def _compartments(values: GreySums, areas: Floats, channel: str) -> Columns:
    nucleus = values.mean(areas, [_NUCLEUS])
    cytoplasm = values.mean(areas, [_CYTOPLASM, _RING])
    ring = values.mean(areas, [_RING])
    return {
        f"intensity_mean_nucleus_{channel}": nucleus,
        f"intensity_mean_cytoplasm_{channel}": cytoplasm,
        f"nucleus_cytoplasm_ratio_{channel}": divided(nucleus, cytoplasm),
        f"nucleus_ring_ratio_{channel}": divided(nucleus, ring),
        f"nucleus_ring_contrast_{channel}": divided(nucleus - ring, values.std(areas, [_NUCLEUS, _RING])),
    }


def divided(a: Floats, b: Floats) -> Floats:
    """Divide; not a number where the divisor is not above 0."""
    return np.asarray(np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0))
