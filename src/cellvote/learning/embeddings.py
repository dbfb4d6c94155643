"""Embeddings: what a frozen network says of each image, computed once and kept beside the images.

A head that is trained on them (`classic.fit_head`) learns in seconds, on any computer.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from cellvote.errors import ClassifierError, StudyError
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.study.atomic import read_json, storage_error, write_json

if TYPE_CHECKING:
    from torch import Tensor

    from cellvote.learning.networks.frozen_backbone import FrozenBackbone

Embeddings = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

FORMAT_VERSION: Final = 1
_BATCH: Final = 256
_KEEP_EVERY_S: Final = 5.0


class ImageBatches(Protocol):
    """What gives images in batches, scaled, on the device: a `Feed`."""

    def batches(self, batches: Sequence[IntArray]) -> "Iterator[tuple[Tensor, ...]]":
        """Give a tuple of streams for each batch of rows, in order."""
        ...


@dataclass(frozen=True)
class EmbeddingsFile:
    """Where embeddings are kept, and what they have to be made from to be used again.

    Attributes
    ----------
    path
        N×F float32, ``.npy``; a ``.json`` beside it says what it was made from.
    rows
        N.
    images
        What the images are, as plain JSON values: the note of the crops, channels and intensity limits. Where it
        differs from what was noted, the embeddings are stale and computed anew.
    """

    path: Path
    rows: int
    images: dict[str, Any]

    def note(self, backbone: "FrozenBackbone") -> dict[str, Any]:
        """Say all that embeddings depend on."""
        return {
            "format_version": FORMAT_VERSION,
            "shape": [self.rows, backbone.n_features],
            "dtype": "float32",
            "backbone": backbone.to_json(),
            "images": self.images,
        }

    @property
    def note_path(self) -> Path:
        """The JSON beside it."""
        return self.path.with_suffix(".json")

    def is_current(self, backbone: "FrozenBackbone") -> bool:
        """Whether they are there, and made by this backbone from these images."""
        return self.path.exists() and _noted(self.note_path) == self.note(backbone)

    def open(self) -> Embeddings:
        """Open them without reading them: N×F, memory-mapped.

        Raises
        ------
        StudyError
            Where they are missing or damaged.
        """
        try:
            opened: Embeddings = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise StudyError(f"{self.path}: cannot be opened ({error}). Delete it: it is computed again.") from error
        if opened.dtype != np.float32 or opened.ndim != 2 or len(opened) != self.rows:
            raise StudyError(
                f"{self.path}: holds {opened.dtype} of {opened.shape}, not {self.rows:,} rows of float32. Delete it: "
                "it is computed again."
            )
        return opened


def embeddings_path(beside: Path, backbone_name: str) -> Path:
    """Name the file of embeddings beside the file of the images that they are of."""
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(backbone_name).name)
    return beside.with_name(f"{beside.stem}-embeddings-{name}.npy")


def compute_embeddings(
    file: EmbeddingsFile,
    backbone: "FrozenBackbone",
    images: ImageBatches,
    *,
    device: Any,
    batch_size: int = _BATCH,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> Embeddings:
    """Give the embeddings of images: those on disk where they are current, else computed and kept.

    A run that was cancelled or killed goes on where it was, and ends with the same bytes on the same device.

    Parameters
    ----------
    images
        Gives the first stream of batches of rows: N×C×H×W float32, scaled as the backbone expects.
    device
        A ``torch.device``.

    Returns
    -------
    ndarray
        N×F float32, memory-mapped, in the order of the rows.

    Raises
    ------
    ClassifierError
        Where the network gives values that are not numbers.
    StorageError
        Where the disk is full or may not be written to.
    CancelledError
        Where it was cancelled.
    """
    if file.is_current(backbone):
        return file.open()
    cancel = cancel or CancelToken()
    draft = _Draft(file, backbone)
    try:
        _fill(draft, backbone, images, device, batch_size, report, cancel)
        draft.finish()
    except OSError as error:
        raise storage_error(file.path, error) from error
    return file.open()


def _fill(
    draft: "_Draft",
    backbone: "FrozenBackbone",
    images: ImageBatches,
    device: Any,
    batch_size: int,
    report: Report,
    cancel: CancelToken,
) -> None:
    total, done = draft.file.rows, draft.begin(batch_size)
    backbone.to(device)
    batches = [np.arange(i, min(i + batch_size, total)) for i in range(done, total, batch_size)]
    started, first, kept = time.monotonic(), done, time.monotonic()
    try:
        for rows, streams in zip(batches, images.batches(batches), strict=True):
            cancel.raise_if_cancelled()
            features = backbone.embed(streams[0])
            if not np.isfinite(features).all():
                raise ClassifierError(
                    f"{backbone.name}: says what is no number of the images {rows[0]} to {rows[-1]}. Its weights, or "
                    "these images, are damaged."
                )
            draft.write(rows, features)
            done = int(rows[-1]) + 1
            if time.monotonic() - kept > _KEEP_EVERY_S:
                draft.keep(done, batch_size)
                kept = time.monotonic()
            speed = (done - first) / max(time.monotonic() - started, 1e-9)
            report(Progress(done, total, f"{done:,} of {total:,} images", f"{speed:,.0f} images/s · {device}"))
    finally:
        draft.keep(done, batch_size)


class _Draft:
    """Embeddings on the way: a hidden file of the whole length, and how far it is filled."""

    def __init__(self, file: EmbeddingsFile, backbone: "FrozenBackbone") -> None:
        self.file, self.wanted = file, file.note(backbone)
        self.path = file.path.with_name(f".{file.path.name}.draft")
        self.note_path = self.path.with_suffix(".json")
        self.values: Embeddings | None = None

    def begin(self, batch_size: int) -> int:
        """Open what is there of the same embeddings, or begin anew; say how many rows are done."""
        noted = _noted(self.note_path)
        whole = {"of": self.wanted, "batch_size": batch_size}
        if noted is not None and {key: noted.get(key) for key in whole} == whole and self.path.exists():
            try:
                self.values = np.lib.format.open_memmap(self.path, mode="r+")
                if list(self.values.shape) == self.wanted["shape"]:
                    return int(noted["done"])
            except (OSError, ValueError, EOFError, KeyError, TypeError):
                pass  # damaged: computed anew
        self.note_path.unlink(missing_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.values = np.lib.format.open_memmap(
            self.path, mode="w+", dtype=np.float32, shape=tuple(self.wanted["shape"])
        )
        return 0

    def write(self, rows: IntArray, features: Embeddings) -> None:
        """Put features into their rows."""
        if self.values is not None:
            self.values[rows[0] : rows[-1] + 1] = features

    def keep(self, done: int, batch_size: int) -> None:
        """See that what was written is on the disk before it is noted as done."""
        if isinstance(self.values, np.memmap):
            self.values.flush()
        write_json(self.note_path, {"of": self.wanted, "batch_size": batch_size, "done": done})

    def finish(self) -> None:
        """Move it into place; the note comes last, so that what is noted is there."""
        self.values = None
        with self.path.open("rb") as written:
            os.fsync(written.fileno())
        self.file.note_path.unlink(missing_ok=True)
        self.path.replace(self.file.path)
        write_json(self.file.note_path, self.wanted)
        self.note_path.unlink(missing_ok=True)


def _noted(path: Path) -> Any:
    try:
        return read_json(path)
    except StudyError:
        return None  # missing or damaged: what it speaks of is computed anew
