"""What a running segmentation has found so far: cells, their sizes, and the fields that failed; no window here."""

import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from cellvote.errors import CellVoteError
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.masks import read_label_image

READING_S: Final = 0.25
"""So long masks are read at a time, so that the plate keeps the disk."""

MOST_FIELDS: Final = 400
"""Sizes are taken of so many fields at most: tens of thousands of cells say all there is to say."""

_N_BINS: Final = 36
_SHOWN_SHARE: Final = 99.5


@dataclass(frozen=True)
class SizeHistogram:
    """How large cells are.

    Attributes
    ----------
    edges
        Of the bins, one more than there are counts; in ``unit``.
    beyond
        How many cells are larger than the last edge.
    n_fields
        Of how many fields these cells are.
    """

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    median: float = 0.0
    unit: str = "px²"
    beyond: int = 0
    n_cells: int = 0
    n_fields: int = 0


@dataclass(frozen=True)
class RunResults:
    """What there is so far of one segmentation."""

    segmentation: str
    n_fields: int = 0
    n_cells: int = 0
    failed: tuple[FieldRecord, ...] = ()
    sizes: SizeHistogram = field(default_factory=SizeHistogram)
    complete: bool = True
    """Whether the sizes of all fields that are to be read have been."""


class RunFollower:
    """Follows what a segmentation writes, reading a little more each time it is asked.

    Parameters
    ----------
    segmentation
        Its name.
    """

    def __init__(self, study: Study, segmentation: str) -> None:
        self._study, self._name = study, segmentation
        self._areas: dict[FieldKey, tuple[FieldRecord, npt.NDArray[np.int64]]] = {}

    def read(self, patience_s: float = READING_S) -> RunResults:
        """Read the ledger, and the sizes of cells in fields that have come since; called in another thread."""
        ledger = Ledger(self._study.segmentation_folder(self._name) / "fields.parquet")
        done = ledger.done()
        self._areas = {key: known for key, known in self._areas.items() if done.get(key) == known[0]}
        end = time.monotonic() + patience_s
        waiting = [record for key, record in done.items() if key not in self._areas]
        room = MOST_FIELDS - len(self._areas)
        complete = True
        for record in waiting[:room]:
            if time.monotonic() > end:
                complete = False
                break
            self._areas[record.key] = (record, self._areas_of(record.key))
        return RunResults(
            self._name,
            n_fields=len(done),
            n_cells=sum(record.n_cells for record in done.values()),
            failed=tuple(ledger.failed()),
            sizes=histogram([areas for _, areas in self._areas.values()], self._study.info.pixel_size_um),
            complete=complete,
        )

    def _areas_of(self, key: FieldKey) -> npt.NDArray[np.int64]:
        try:
            areas = np.bincount(read_label_image(self._study.mask_path(self._name, key)).ravel())[1:]
        except CellVoteError:
            return np.empty(0, np.int64)  # replaced this very moment; what is damaged is told of by measuring
        return np.asarray(areas[areas > 0], np.int64)


def histogram(areas_px: list[npt.NDArray[np.int64]], pixel_size_um: float | None) -> SizeHistogram:
    """Count cells by size; the few largest, which would squeeze all others, are counted apart.

    Parameters
    ----------
    areas_px
        Areas of the cells of each field, in pixels.
    pixel_size_um
        Where it is known, areas are given in µm².
    """
    n_fields = len(areas_px)
    areas = np.concatenate(areas_px) if areas_px else np.empty(0)
    unit = "µm²" if pixel_size_um else "px²"
    if not len(areas):
        return SizeHistogram(unit=unit, n_fields=n_fields)
    scaled = areas * float(pixel_size_um or 1.0) ** 2
    last = max(float(np.percentile(scaled, _SHOWN_SHARE)), float(scaled.min()) * 1.01)
    counts, edges = np.histogram(scaled, bins=_N_BINS, range=(0.0, last))
    return SizeHistogram(
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(count) for count in counts),
        median=float(np.median(scaled)),
        unit=unit,
        beyond=int((scaled > last).sum()),
        n_cells=len(scaled),
        n_fields=n_fields,
    )
