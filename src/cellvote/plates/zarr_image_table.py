"""OME-Zarr images put together into the tables of an acquisition, and what a person should know of them."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from cellvote.plates.acquisition import LABEL_COLUMNS, POSITION_COLUMNS
from cellvote.plates.zarr_images import ZarrImage


class Listed(NamedTuple):
    """An image that a store names.

    Attributes
    ----------
    path, store
        The group of the image and the store that it lies in, relative to the folder that is read.
    name
        Of an image that no plate names; else empty.
    """

    plate: str
    well: str
    field: int
    path: str
    store: str
    name: str = ""

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name or self.path

    def below(self, path: str) -> str:
        """Give a path within the image relative to the folder that is read."""
        return path if self.path == "." else f"{self.path}/{path}"


class ImageTable:
    """The images of an acquisition.

    Parameters
    ----------
    images
        Each with where it is.
    """

    def __init__(self, images: Sequence[tuple[Listed, ZarrImage]]) -> None:
        self._images = images

    @cached_property
    def _names(self) -> dict[tuple[tuple[str, ...], int], tuple[str, ...]]:
        """Channel names by what an image says and how many channels it has."""
        said = dict.fromkeys((image.channels, image.n_channels) for _, image in self._images)
        named = {(names, n): _full_names(names, n) for names, n in said if any(names)}
        by_count = {n: full for (_, n), full in reversed(named.items())}
        return {(names, n): named.get((names, n)) or by_count.get(n) or _full_names(names, n) for names, n in said}

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels of all images; images that name none have those of the others, in order."""
        return tuple(dict.fromkeys(name for names in self._names.values() for name in names))

    @property
    def pixel_size_um(self) -> float | None:
        """Width of a pixel in most of the images."""
        sizes = Counter(image.pixel_size_um[1] for _, image in self._images if image.pixel_size_um)
        return sizes.most_common(1)[0][0] if sizes else None

    def planes(self) -> pd.DataFrame:
        """One row per image plane, as `plane_table` takes it."""
        alike: dict[tuple[object, ...], list[tuple[Listed, ZarrImage]]] = defaultdict(list)
        for listed, image in self._images:
            names = self._names[image.channels, image.n_channels]
            alike[image.axes, image.shape[:-2], names].append((listed, image))
        parts: list[pd.DataFrame] = []
        for group in alike.values():
            first = group[0][1]
            template = first.planes()
            numbers = np.array([self.channels.index(name) for name in self._names[first.channels, first.n_channels]])
            template["channel"] = numbers[template["channel"]]
            part = pd.concat([template] * len(group), ignore_index=True)
            for column, values in (
                ("plate", [listed.plate for listed, _ in group]),
                ("well", [listed.well for listed, _ in group]),
                ("field", [listed.field for listed, _ in group]),
                ("path", [listed.below(image.path) for listed, image in group]),
            ):
                part[column] = pd.array(values).repeat(len(template))
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def image_names(self) -> pd.DataFrame | None:
        """Name the images that have no well: ``plate``, ``well``, ``field``, ``image_name``; None where all have."""
        rows = [(one.plate, one.well, one.field, one.name) for one, _ in self._images if not one.well]
        if not rows:
            return None
        table = pd.DataFrame(rows, columns=["plate", "well", "field", "image_name"])
        return table.astype({"plate": "str", "well": "str", "field": "int32", "image_name": "str"})

    def positions(self) -> pd.DataFrame | None:
        """Give the centres of the fields; None unless every image says where it lies."""
        rows: list[tuple[str, str, int, float, float]] = []
        origins: set[tuple[float, float]] = set()
        for one, image in self._images:
            if image.origin_um is None or image.pixel_size_um is None:
                return None
            y, x = (
                at + (n - 1) * size / 2
                for at, n, size in zip(image.origin_um, image.size_px, image.pixel_size_um, strict=True)
            )
            origins.add(image.origin_um)
            rows.append((one.plate, one.well, one.field, x, y))
        if len(origins) < 2:
            return None
        return pd.DataFrame(rows, columns=list(POSITION_COLUMNS)).astype(POSITION_COLUMNS)

    def label_images(self) -> pd.DataFrame | None:
        """List the label images beside the images; None where there are none."""
        rows = [
            (one.plate, one.well, one.field, label.name, one.below(label.path), 0)
            for one, image in self._images
            for label in image.labels
        ]
        return pd.DataFrame(rows, columns=list(LABEL_COLUMNS)).astype(LABEL_COLUMNS) if rows else None

    def problems(self) -> list[str]:
        """Tell what a person should know before trusting the images, one sentence each."""
        return [*self._about_pixels(), *self._about_sizes(), *self._about_labels()]

    def _about_pixels(self) -> list[str]:
        told: list[str] = []
        coarser = [(one, image) for one, image in self._images if image.level]
        if coarser:
            one, image = coarser[0]
            size = f", whose pixels are {image.pixel_size_um[1]:g} µm wide" if image.pixel_size_um else ""
            told.append(
                f"{len(coarser)} image(s) hold no pixels at full resolution (the chunks are missing), such as "
                f"{one.title}: level {image.level} is read in its place{size}. Copy the store again for all of it."
            )
        empty = [one for one, image in self._images if image.n_missing == image.n_chunks]
        if empty:
            told.append(
                f"{len(empty)} image(s) hold no pixels at full resolution (the chunks are missing), such as "
                f"{empty[0].title}: these fields cannot be read. Copy the store again."
            )
        partly = [(one, image) for one, image in self._images if 0 < image.n_missing < image.n_chunks]
        if partly:
            one, image = partly[0]
            told.append(
                f"{len(partly)} image(s) lack chunks, such as {one.title} ({image.n_missing} of {image.n_chunks}): "
                "these are read as empty, unless a coarser level holds pixels there: then reading fails."
            )
        stitched = [one for one, image in self._images if image.is_stitched]
        if stitched:
            told.append(
                f"{len(stitched)} image(s) are stitched of several fields (FOV_ROI_table), such as "
                f"{stitched[0].title}: each is read as one field."
            )
        return told

    def _about_sizes(self) -> list[str]:
        sizes = [image.pixel_size_um for _, image in self._images if image.pixel_size_um]
        told: list[str] = []
        if len({width for _, width in sizes}) > 1:
            counts = Counter(width for _, width in sizes).most_common(4)
            listed = ", ".join(f"{width:g} µm ({n} images)" for width, n in counts)
            told.append(f"The pixel sizes differ: {listed}. The first is taken for all.")
        oblong = next((size for size in sizes if not math.isclose(*size, rel_tol=0.01)), None)
        if oblong:
            told.append(f"The pixels are not square ({oblong[0]:g} × {oblong[1]:g} µm): their width is taken for both.")
        if any(image.unit_assumed for _, image in self._images):
            told.append("The pixel size has no unit in the metadata: micrometres are assumed.")
        if sizes and len(sizes) < len(self._images):
            told.append(f"{len(self._images) - len(sizes)} image(s) tell no pixel size; that of the others is taken.")
        return told

    def _about_labels(self) -> list[str]:
        left_out = [(one, image) for one, image in self._images if image.labels_left_out]
        if not left_out:
            return []
        one, image = left_out[0]
        told = (
            f"{len(left_out)} image(s) have label images that were left out, such as {image.labels_left_out[0]} of "
            f"{one.title}: only single planes of whole numbers that have the size of the image are read."
        )
        return [told]


def _full_names(names: Sequence[str], n: int) -> tuple[str, ...]:
    """Name ``n`` channels: as told, else Channel1, Channel2, …; equal names are told apart."""
    full = [(names[i] if i < len(names) else "") or f"Channel{i + 1}" for i in range(n)]
    return tuple(f"{name} ch{i}" if full.count(name) > 1 else name for i, name in enumerate(full, start=1))
