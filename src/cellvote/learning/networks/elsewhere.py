"""Training in another process: how examples get there, and how the epochs that it trains are told here."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cellvote.errors import StudyError
from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.networks.fit import Fit, OnEpoch
from cellvote.study.atomic import read_json


@dataclass(frozen=True)
class _MappedFile:
    """A memory-mapped array, to be opened anew in another process instead of being sent there."""

    path: Path
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    offset: int

    def open(self) -> np.memmap[Any, Any]:
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


def sent(examples: Examples) -> Examples:
    """Replace memory-mapped arrays by where they are."""

    def without(array: Any) -> Any:
        if isinstance(array, np.memmap) and isinstance(array.filename, str | Path):
            return _MappedFile(Path(array.filename), array.dtype, array.shape, array.offset)
        return array

    return _with_arrays(examples, without)


def received(examples: Examples) -> Examples:
    """Open what `sent` replaced, in the process that it was sent to."""

    def opened(array: Any) -> Any:
        return array.open() if isinstance(array, _MappedFile) else array

    return _with_arrays(examples, opened)


def sent_bytes(examples: Examples) -> int:
    """How many bytes another process holds of its own: all but what it maps from the same files."""
    images = [one for stream in examples.streams for one in stream]
    arrays = [one.array for one in images if not isinstance(one.array, np.memmap)]
    arrays += [array for one in images for array in (one.rows, one.group, one.limits)]
    measurements = 0 if examples.measurements is None else examples.measurements.nbytes
    return measurements + sum(array.nbytes for array in arrays)


def _with_arrays(examples: Examples, change: Callable[[Any], Any]) -> Examples:
    def changed(images: StoredImages) -> StoredImages:
        return replace(images, array=change(images.array))

    return replace(examples, streams=tuple(tuple(changed(one) for one in stream) for stream in examples.streams))


def tell_nobody(row: dict[str, Any]) -> None:
    """Say nothing here: whoever waits reads the history from the checkpoint."""
    del row


class HistoryReader:
    """Follows the history of a run that another process trains, in its checkpoint.

    Parameters
    ----------
    on_epoch
        Told the row of each epoch, once.
    """

    def __init__(self, fit: Fit, on_epoch: OnEpoch) -> None:
        self.path, self.run, self.on_epoch = fit.checkpoint.with_suffix(".json"), fit.run, on_epoch
        self.finished = False
        self._told, self._seen = 0, (0, 0)

    def tell_new(self) -> None:
        """Tell what was added."""
        try:
            found = self.path.stat()
            if (found.st_mtime_ns, found.st_size) == self._seen:
                return
            state = read_json(self.path)
        except (OSError, StudyError):
            return  # not there yet; where it is damaged, whoever goes on from it says so
        self._seen = (found.st_mtime_ns, found.st_size)
        if state.get("run") != self.run:
            return
        self.finished = bool(state.get("finished"))
        for row in state["history"][self._told :]:
            self._told += 1
            self.on_epoch(row)
