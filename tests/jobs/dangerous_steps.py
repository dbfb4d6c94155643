"""Steps over fields that harm the process they run in: importable, so that worker processes can do them."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellvote.errors import StorageError
from cellvote.plates.acquisition import FieldKey
from cellvote.study.ledger import FieldRecord


@dataclass(frozen=True)
class KillWorker:
    """Dies at some wells, and counts ten cells at all others."""

    wells: tuple[str, ...]

    def __call__(self, key: FieldKey) -> FieldRecord:
        if key.well in self.wells:
            os._exit(9)
        return FieldRecord(*key, status="done", n_cells=10)


@dataclass(frozen=True)
class Dawdle:
    """Takes its time, and leaves a file for every field that was begun."""

    folder: Path
    seconds: float

    def __call__(self, key: FieldKey) -> FieldRecord:
        (self.folder / key.well).touch()
        time.sleep(self.seconds)
        return FieldRecord(*key, status="done", n_cells=10)


@dataclass(frozen=True)
class Slowly:
    """Takes its time."""

    seconds: float

    def __call__(self, key: FieldKey) -> FieldRecord:
        time.sleep(self.seconds)
        return FieldRecord(*key, status="done", n_cells=10)


@dataclass(frozen=True)
class FullDisk:
    """Finds the disk full from some well on."""

    well: str

    def __call__(self, key: FieldKey) -> FieldRecord:
        if key.well >= self.well:
            raise StorageError("masks: cannot be written (No space left on device).")
        return FieldRecord(*key, status="done", n_cells=10)


def threads_of(library: str) -> dict[str, Any]:
    """Say how many threads numerical libraries use here, once one of them is loaded."""
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((300, 300)) @ np.ones((300, 300))
    said: dict[str, Any] = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    if library == "torch":
        import torch

        torch.ones(300, 300) @ torch.ones(300, 300)
        said = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
        said["torch"] = torch.get_num_threads()
    return said
