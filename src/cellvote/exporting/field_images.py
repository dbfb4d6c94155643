"""One field as an OME-Zarr image: its planes as the microscope left them, its label images beside them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.exporting.ngff_metadata import (
    NgffVersion,
    Placement,
    ShownChannel,
    image_label,
    multiscale,
    omero,
    well_path,
)
from cellvote.exporting.pyramids import Plane, halve_by_mean, halve_by_nearest, level_count
from cellvote.exporting.zarr_writer import clear, write_group, write_levels
from cellvote.jobs.segment import open_study
from cellvote.plates.acquisition import PROJECTION, FieldKey
from cellvote.plates.fields import FieldReading, read_field
from cellvote.plates.pixels import read_plane
from cellvote.study import Study
from cellvote.study.atomic import file_checksum
from cellvote.study.ledger import FieldRecord
from cellvote.study.masks import read_label_image
from cellvote.study.study import field_file

KINDS = {"masks": "", "nuclei": "_nuclei"}
"""The label images of a segmentation, and what is appended to its name."""


class Stack(NamedTuple):
    """The planes of a field, to be read one by one, and the numbers of their channels."""

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    planes: Iterator[tuple[tuple[int, ...], Plane]]
    channels: tuple[int, ...]


@dataclass(frozen=True)
class WriteField:
    """The step for one field: pixels and masks to an OME-Zarr image.

    Attributes
    ----------
    folder
        Where the plates are written.
    segmentations
        Whose label images are written too.
    channels
        How the channels of the images are shown.
    """

    study_path: Path
    folder: Path
    version: NgffVersion
    segmentations: tuple[str, ...]
    channels: tuple[ShownChannel, ...]

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Write one field; its folder is there whole, or not at all."""
        study = open_study(self.study_path)
        place = field_folder(self.folder, key)
        draft = place.with_name(f".{place.name}.part")
        clear(draft)
        try:
            n_cells = self._write(study, key, draft)
            clear(place)
            draft.rename(place)
        finally:
            clear(draft)
        return FieldRecord(
            *key, status="done", n_cells=n_cells, checksum=masks_checksum(study, self.segmentations, key)
        )

    def _write(self, study: Study, key: FieldKey, folder: Path) -> int:
        stack = open_stack(study, key)
        size = stack.shape[-2:]
        n_levels = level_count(*size)
        placement = _placement(study, key, size)
        name = str(key)
        attributes = {
            "multiscales": [multiscale(self.version, name, stack.axes, n_levels, placement, averaged=True)],
            "omero": omero(self.version, name, [self.channels[number] for number in stack.channels]),
        }
        write_group(folder, attributes, self.version)
        write_levels(folder, stack.axes, stack.shape, stack.dtype, stack.planes, n_levels, halve_by_mean, self.version)
        return self._write_labels(study, key, folder, placement, size)

    def _write_labels(
        self, study: Study, key: FieldKey, folder: Path, placement: Placement, size: tuple[int, ...]
    ) -> int:
        found = {
            f"{segmentation}{suffix}": study.mask_path(segmentation, key, kind)
            for segmentation in self.segmentations
            for kind, suffix in KINDS.items()
        }
        found = {name: path for name, path in found.items() if path.exists()}
        if not found:
            return 0
        write_group(folder / "labels", {"labels": list(found)}, self.version)
        n_cells = 0
        for name, path in found.items():
            labels = read_label_image(path)
            if labels.shape != size:
                raise ImageReadError(f"{key}: the masks {name} are {labels.shape}, the image is {size}. Segment again.")
            n_cells = n_cells or int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
            n_levels = level_count(*size)
            below = folder / "labels" / name
            attributes = {
                "multiscales": [multiscale(self.version, name, "yx", n_levels, placement, averaged=False)],
                "image-label": image_label(self.version),
            }
            write_group(below, attributes, self.version)
            write_levels(
                below, "yx", labels.shape, labels.dtype, [((), labels)], n_levels, halve_by_nearest, self.version
            )
        return n_cells


def field_folder(folder: Path, key: FieldKey) -> Path:
    """Where the image of a field is written: ``PLATE/B/07/FIELD``."""
    return folder / plate_folder(key.plate) / well_path(key.well) / str(key.field)


def plate_folder(plate: str) -> str:
    """Name the folder of a plate."""
    return f"{field_file(FieldKey(plate, '', 1), '').parent.name}.ome.zarr"


def masks_checksum(study: Study, segmentations: tuple[str, ...], key: FieldKey) -> str:
    """Name the bytes of all label images of a field, so that those that changed are exported anew."""
    paths = [study.mask_path(name, key, kind) for name in segmentations for kind in KINDS]
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        digest.update(file_checksum(path).encode() if path.exists() else b"-")
    return digest.hexdigest()


def open_stack(study: Study, key: FieldKey) -> Stack:
    """Open the planes of a field: CYX, or TCZYX where there are several z-planes or timepoints.

    Planes are as on disk; channels that were not imaged are left out. Where the planes are no full stack (one channel
    has more z-planes than another), the field is as the study reads it, projected. A projection that the microscope
    made beside a stack is left out.

    Raises
    ------
    ImageReadError
        Where a file cannot be read, or planes differ in size.
    """
    stack = stack_planes(study.planes_of(key))
    if stack is None:
        channels, image = read_imaged(study, key)
        return Stack("cyx", image.shape, image.dtype, (((c,), plane) for c, plane in enumerate(image)), channels)
    axes = [sorted(stack[column].unique()) for column in ("timepoint", "channel", "z")]
    first = _read(study, stack.iloc[0], key)
    shape = (*(len(values) for values in axes), *first.shape)
    return Stack("tczyx", shape, first.dtype, _read_all(study, stack, key, axes, first), tuple(map(int, axes[1])))


def stack_planes(planes: pd.DataFrame) -> pd.DataFrame | None:
    """Take the planes of a field that are a stack or a time series; None where it is one plane, or no full stack."""
    in_stack = (planes["z"] != PROJECTION).to_numpy()
    planes = planes[in_stack] if in_stack.any() else planes
    n_times, n_channels, n_z = (planes[column].nunique() for column in ("timepoint", "channel", "z"))
    full = len(planes) == n_times * n_channels * n_z
    return planes if full and n_times * n_z > 1 else None


def read_imaged(study: Study, key: FieldKey) -> tuple[tuple[int, ...], Plane]:
    """Read the channels that a field was imaged in, as the study reads them.

    Returns
    -------
    tuple of int, ndarray
        Numbers of the channels, and the image as CYX.
    """
    planes = study.planes_of(key)
    there = sorted(int(number) for number in planes["channel"].unique())
    names = [study.info.channels[number] for number in there]
    numbered = planes.assign(channel=planes["channel"].map({number: i for i, number in enumerate(there)}))
    return tuple(there), read_field(study.source, numbered, names, key, FieldReading(z=study.info.reading.z))


def _read_all(
    study: Study, planes: pd.DataFrame, key: FieldKey, axes: Sequence[list[int]], first: Plane
) -> Iterator[tuple[tuple[int, ...], Plane]]:
    for _, row in planes.iterrows():
        plane = _read(study, row, key)
        if plane.shape != first.shape or plane.dtype != first.dtype:
            raise ImageReadError(
                f"{key}: the planes differ ({first.shape} {first.dtype} and {plane.shape} {plane.dtype}). "
                "Exclude this field."
            )
        place = (row["timepoint"], row["channel"], row["z"])
        yield tuple(values.index(value) for values, value in zip(axes, place, strict=True)), plane


def _read(study: Study, row: "pd.Series[Any]", key: FieldKey) -> Plane:
    try:
        return read_plane(study.source / row["path"], int(row["page"]), int(row["sample"]))
    except ImageReadError as error:
        raise ImageReadError(f"{key} channel {study.info.channels[row['channel']]}: {error}") from error


def _placement(study: Study, key: FieldKey, size: tuple[int, ...]) -> Placement:
    """Place a field by its stage position, where both that and the pixel size are known."""
    pixel_size = study.info.pixel_size_um
    positions = study.positions
    if pixel_size is None or positions is None:
        return Placement(pixel_size)
    own = positions[
        (positions["plate"] == key.plate) & (positions["well"] == key.well) & (positions["field"] == key.field)
    ]
    if own.empty:
        return Placement(pixel_size)
    y, x = (
        round(float(own[axis].iloc[0]) - (n - 1) * pixel_size / 2, 6)
        for axis, n in zip(("y_um", "x_um"), size, strict=True)
    )
    return Placement(pixel_size, (y, x))
