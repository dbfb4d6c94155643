"""Images that networks are fed, each kind in one memory-mapped N×C×H×W file with a note of what it was made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from cellvote.errors import StudyError
from cellvote.study.atomic import file_checksum, read_json
from cellvote.study.illumination import note_correction
from cellvote.study.study import Study

Images = npt.NDArray[np.generic]
ImagePart = Literal["pixels", "mask", "flows"]

_NOT_COMPARED: Final = frozenset({"encoding"})


@dataclass(frozen=True)
class StoredPart:
    """Which images of a study are meant.

    Attributes
    ----------
    unit
        Of cells: a row for each row of the cells table; of fields: a row for each field of the study, sorted.
    part
        Grey values, mask images or flow images.
    size_px
        Height and width.
    segmentation
        Whose cells or masks; empty for the pixels of whole fields.
    cut
        Of cells: whether crops are padded, or rescaled so that they just hold the cell. Of fields: whether they are
        taken as they are, or resized.
    background
        Whether crops show what is around the cell.
    """

    unit: Literal["cell", "field"]
    part: ImagePart
    size_px: tuple[int, int]
    segmentation: str = ""
    cut: Literal["pad", "rescale"] = "pad"
    background: Literal["kept", "zeroed"] = "kept"

    def path(self, study: Study) -> Path:
        """Where the file is: ``crops-64.npy``, ``crops-64-rescaled-mask.npy``, ``fields-512x512.npy``, …."""
        height, width = self.size_px
        size = f"{height}" if height == width and self.unit == "cell" else f"{height}x{width}"
        rescaled = "rescaled" if self.unit == "cell" else "resized"
        words = [
            "crops" if self.unit == "cell" else "fields",
            size,
            *([rescaled] if self.cut == "rescale" else []),
            *(["zeroed"] if self.background == "zeroed" and self.unit == "cell" else []),
            *([self.part] if self.part != "pixels" else []),
        ]
        folder = study.segmentation_folder(self.segmentation) if self.segmentation else study.path / "fields"
        return folder / f"{'-'.join(words)}.npy"


@dataclass(frozen=True)
class OpenImages:
    """Images as they lie in a file.

    Attributes
    ----------
    array
        N×C×H×W uint8 or uint16, memory-mapped.
    offset, gain
        (C,): a stored value times the gain plus the offset is the grey value. 0 and 1 but for images of other types
        than uint8 and uint16, which are scaled to uint16.
    """

    array: Images
    offset: npt.NDArray[np.float64]
    gain: npt.NDArray[np.float64]


def note_of(study: Study, part: StoredPart) -> dict[str, Any]:
    """Say what images are made from: what is compared before they are used again."""
    made_of: dict[str, Any] = {"size_px": list(part.size_px), "channels": list(study.channels)}
    if part.unit == "cell":
        made_of["cells_checksum"] = file_checksum(study.cells_path(part.segmentation))
    else:
        made_of |= source_note(study)
        if part.segmentation:
            made_of["masks_checksum"] = file_checksum(study.segmentation_folder(part.segmentation) / "fields.parquet")
    return made_of | note_correction(study)


def source_note(study: Study) -> dict[str, Any]:
    """Say which images are read, and how."""
    return {
        "channels": list(study.channels),
        "images_checksum": file_checksum(study.path / "images.parquet"),
        "reading": study.info.reading.model_dump(mode="json"),
        **note_correction(study),
    }


def is_current(study: Study, part: StoredPart) -> bool:
    """Whether the images are there, made from what the study holds now."""
    path = part.path(study)
    note = path.with_suffix(".json")
    if not path.exists() or not note.exists():
        return False
    noted = read_json(note)
    return {k: v for k, v in noted.items() if k not in _NOT_COMPARED} == note_of(study, part)


def open_images(study: Study, part: StoredPart) -> OpenImages:
    """Open images without reading them.

    Raises
    ------
    StudyError
        Where they are missing or damaged.
    """
    path = part.path(study)
    try:
        array: Images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StudyError(
            f"{path}: the {'crops' if part.unit == 'cell' else 'images'} cannot be opened ({error}). Train or predict "
            "again to cut them."
        ) from error
    note = path.with_suffix(".json")
    encoding = read_json(note).get("encoding") if note.exists() else None
    channels = array.shape[1] if array.ndim == 4 else 0
    offset, gain = np.zeros(channels), np.ones(channels)
    if encoding is not None:
        offset, gain = np.asarray(encoding["offset"], float), np.asarray(encoding["gain"], float)
    if array.ndim != 4 or array.shape[2:] != part.size_px or {offset.shape, gain.shape} != {(channels,)}:
        raise StudyError(f"{path}: is no file of {part.size_px} px images. Delete it, and train or predict again.")
    return OpenImages(array, offset, gain)
