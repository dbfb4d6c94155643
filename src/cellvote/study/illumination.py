"""Illumination corrections on disk: one function for each plate and channel, and how pixels are corrected by them."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import tifffile
from pydantic import BaseModel, ValidationError

from cellvote.errors import ImageReadError, SegmentationError, StudyError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels, read_plane
from cellvote.study.atomic import file_checksum, read_json, write_json, writing
from cellvote.study.lock import run_alone
from cellvote.study.places import folder_of

if TYPE_CHECKING:
    from cellvote.study.study import Study

IlluminationFunction = npt.NDArray[np.float32]
"""YX, about 1: how much brighter a place of the image is than the whole."""

_NOTE: Final = "illumination.json"

_FUNCTIONS_KEPT: Final = 12
"""So many stay in memory, as large as an image each: fields come plate by plate, so that is the channels of a few."""


class IlluminationNote(BaseModel, frozen=True):
    """What ``illumination/illumination.json`` holds.

    Attributes
    ----------
    settings
        How the functions were made.
    channels
        Their channels, in order.
    offset
        Grey values without light: taken off before dividing, put back afterwards.
    files
        Checksum of each function by its path in the folder.
    n_fields
        How many fields of each plate they were made of.
    problems
        What a person should know of them.
    """

    settings: dict[str, Any]
    channels: tuple[str, ...]
    offset: float
    files: dict[str, str]
    n_fields: dict[str, int]
    problems: tuple[str, ...] = ()


class Correction:
    """The illumination correction of a study; functions are read when they are used.

    Parameters
    ----------
    folder
        ``illumination`` of a study.
    """

    def __init__(self, folder: Path, note: IlluminationNote, checksum: str) -> None:
        self.folder, self.note, self.checksum = folder, note, checksum

    def correct(self, plate: str, image_cyx: Pixels) -> Pixels:
        """Divide each channel of a field by the function of its plate.

        Parameters
        ----------
        image_cyx
            CYX, raw; channels as in the note.

        Returns
        -------
        ndarray
            CYX of the same dtype: integers are rounded and cut to their range, so that all that reads images reads
            corrected ones, too. That costs half a grey value at most.

        Raises
        ------
        StudyError
            Where the functions are of other channels or of another size, or are damaged.
        """
        if len(image_cyx) != len(self.note.channels):
            raise StudyError(f"{self.folder}: the corrections are of other channels. Run the step again.")
        corrected = np.empty_like(image_cyx)
        for index, plane in enumerate(image_cyx):
            function = self._function(plate, index)
            if function.shape != plane.shape:
                raise StudyError(
                    f"{self.folder}: the correction of {plate} is {function.shape}, its image is {plane.shape}. "
                    "Exclude this field, or run the step again."
                )
            corrected[index] = divide(plane, function, self.note.offset)
        return corrected

    def _function(self, plate: str, index: int) -> IlluminationFunction:
        name = function_file(plate, self.note.channels[index])
        if name not in self.note.files:
            raise StudyError(f"{self.folder}: there is no correction of {plate}. Run: cellvote illumination")
        return _read_function(self.folder / name, self.note.files[name])


def divide(plane: Pixels, function: IlluminationFunction, offset: float) -> Pixels:
    """Correct one plane: what is above the offset is divided by the function; the dtype stays."""
    kind = np.dtype(np.float32 if plane.dtype.itemsize <= 2 or plane.dtype == np.float32 else np.float64)
    light: npt.NDArray[Any] = (np.asarray(plane, kind) - offset) / function + offset
    if plane.dtype.kind != "f":
        limits = np.iinfo(plane.dtype.name)
        highest = np.asarray(limits.max, kind)
        if int(highest) > limits.max:  # of 64 bits: take the float below it, which fits
            highest = np.nextafter(highest, np.zeros((), kind))
        np.clip(np.rint(light, out=light), limits.min, highest, out=light)
    corrected: Pixels = light.astype(plane.dtype)
    return corrected


def illumination_folder(study_path: Path) -> Path:
    """Where a study keeps its illumination functions."""
    return study_path / "illumination"


def function_file(plate: str, channel: str) -> str:
    """Name the file of a function below the folder."""
    return f"{folder_of(plate)}/{quote(channel, safe=' ()+,;=@-')}.tif"


def write_function(path: Path, function: IlluminationFunction) -> None:
    """Write a function as compressed float32 TIFF, atomically, the same bytes for the same function."""
    with writing(path) as temporary:
        tifffile.imwrite(
            temporary, function, compression="zlib", predictor=True, metadata=None, software=False, maxworkers=1
        )


@lru_cache(maxsize=_FUNCTIONS_KEPT)
def _read_function(path: Path, checksum: str) -> IlluminationFunction:
    if not path.is_file() or file_checksum(path) != checksum:
        raise StudyError(f"{path}: is missing or was changed. Run: cellvote illumination with --overwrite")
    try:
        function = np.asarray(read_plane(path), np.float32)
    except ImageReadError as error:
        raise StudyError(f"{error} Run: cellvote illumination with --overwrite") from error
    if not (np.isfinite(function).all() and (function > 0).all()):
        raise StudyError(f"{path}: is no illumination function: not all of it is above zero. Run the step again.")
    return function


def write_note(study_path: Path, note: IlluminationNote) -> None:
    """Write what the functions are; they count from now on."""
    write_json(illumination_folder(study_path) / _NOTE, note.model_dump(mode="json"))


def open_correction(study_path: Path) -> Correction | None:
    """Open the corrections of a study; None where there are none.

    Raises
    ------
    StudyError
        Where the note is damaged.
    """
    path = illumination_folder(study_path) / _NOTE
    if not path.exists():
        return None
    state = path.stat()
    return _open(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _open(path: Path, changed_ns: int, size_bytes: int) -> Correction:
    del changed_ns, size_bytes
    try:
        note = IlluminationNote.model_validate(read_json(path))
    except ValidationError as error:
        raise StudyError(f"{path}: is damaged. Run: cellvote illumination with --overwrite") from error
    return Correction(path.parent, note, file_checksum(path))


def correction_in_use(study: "Study") -> Correction | None:
    """Open the correction that every step reads through; None where pixels stay as they are.

    Raises
    ------
    StudyError
        Where the study is set to correct, and there is no correction.
    """
    if not study.info.reading.illumination:
        return None
    found = open_correction(study.path)
    if found is None:
        raise StudyError(
            f"{study.path}: is set to correct illumination, but there is no correction. "
            f"Run: cellvote illumination {study.path}"
        )
    return found


def corrected(study: "Study", key: FieldKey, raw: Pixels) -> Pixels:
    """Correct the raw pixels of a field as every step sees them; raw where the study is not set to correct."""
    correction = correction_in_use(study)
    return raw if correction is None else correction.correct(key.plate, raw)


def note_correction(study: "Study") -> dict[str, str]:
    """Name the correction in use, to be kept beside results; nothing where there is none."""
    correction = correction_in_use(study)
    return {} if correction is None else {"illumination": correction.checksum}


def correction_mark(study: "Study") -> str:
    """Give what stands behind the checksum of masks where their cells were measured through a correction."""
    correction = correction_in_use(study)
    return "" if correction is None else f"+{correction.checksum}"


def check_cells_are_current(study: "Study", segmentation: str) -> None:
    """See that the cells were measured on pixels as the study reads them now.

    Raises
    ------
    SegmentationError
        Where another illumination correction was in use, or none.
    """
    path = study.segmentation_folder(segmentation) / "measurements.json"
    noted = read_json(path).get("illumination") if path.exists() else None
    if path.exists() and noted != note_correction(study).get("illumination"):
        raise SegmentationError(
            f"{study.path}: the cells of {segmentation!r} were measured with another illumination correction, or "
            f"without one. Run: cellvote segment and cellvote measure {study.path}"
        )


def use_correction(study: "Study", *, use: bool) -> None:
    """Let every step from now on read corrected pixels, or raw ones again; noted in ``study.json``.

    Raises
    ------
    BusyError
        Where a step writes the study now: half of its fields would be of corrected pixels, half of raw ones.
    """
    with run_alone(study.path, "switching the illumination correction"):
        reading = study.info.reading.model_copy(update={"illumination": use})
        info = study.info.model_copy(update={"reading": reading})
        write_json(study.path / "study.json", info.model_dump(mode="json"))
        study.info = info
