"""What a TIFF file says of its planes: OME-XML, ImageJ's and tifffile's descriptions, colours, else numbered pages."""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any, Final

import tifffile

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import safe_relative
from cellvote.plates.file_planes import COLOURS, FilePlane, FilePlanes, Scene, channel_names
from cellvote.plates.ome_xml import OmeImage, read_ome_xml
from cellvote.plates.pixels import MAX_PAGES, count_pages, open_tiff

_UM: Final = {"micron": 1.0, "microns": 1.0, "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "nm": 1e-3, "mm": 1e3}
_GREY: Final = (0,)
_RGB: Final = (1, 2, 3)


def tiff_planes(path: Path) -> FilePlanes:
    """Read what a TIFF file says of its planes.

    Raises
    ------
    ImageReadError
        Where the file is missing, damaged or hostile, or names another one outside its folder.
    """
    with open_tiff(path) as tiff:
        page = tiff.pages.first
        description = page.description or ""
        if description.rstrip().endswith("OME>"):
            return _ome_planes(path, read_ome_xml(description, path), _samples(page))
        n_pages = count_pages(tiff)
        samples = _samples(page)
        if description.startswith("ImageJ="):
            told = _imagej_planes(tiff, n_pages, samples)
        else:
            told = _shaped_planes(description, n_pages, samples)
        return told or _numbered(n_pages, samples)


def _samples(page: tifffile.TiffPage) -> tuple[int, ...]:
    """Which samples of a page are images of their own: none of them is where it is grey, nor is transparency."""
    n = int(page.samplesperpixel)
    n -= sum(1 for extra in page.extrasamples or () if int(extra) > 0)
    return _GREY if int(page.samplesperpixel) == 1 else tuple(range(1, max(n, 1) + 1))


def _coloured(names: list[str], samples: tuple[int, ...]) -> tuple[str, ...]:
    """Name channels of several samples after their colours."""
    if samples == _GREY:
        return channel_names(names)
    colours = COLOURS if samples == _RGB else tuple("" if len(samples) == 1 else str(s) for s in samples)
    return channel_names([f"{name} {colour}".strip() for name in names for colour in colours])


def _numbered(n_pages: int, samples: tuple[int, ...]) -> FilePlanes:
    planes = tuple(
        FilePlane(0, page * len(samples) + i, 1, 1, page, sample)
        for page in range(n_pages)
        for i, sample in enumerate(samples)
    )
    names = [""] if n_pages == 1 else [f"Channel{page + 1}" for page in range(n_pages)]
    return FilePlanes(planes, _coloured(names, samples))


def _ordered(sizes: Mapping[str, int], samples: tuple[int, ...]) -> tuple[FilePlane, ...]:
    """Lay out pages in order; ``sizes`` has the slowest axis first."""
    planes = []
    for page, place in enumerate(product(*(range(n) for n in sizes.values()))):
        at = dict(zip(sizes, place, strict=True))
        for i, sample in enumerate(samples):
            channel = at.get("C", 0) * len(samples) + i
            planes.append(FilePlane(0, channel, at.get("Z", 0) + 1, at.get("T", 0) + 1, page, sample))
    return tuple(planes)


def _imagej_planes(tiff: tifffile.TiffFile, n_pages: int, samples: tuple[int, ...]) -> FilePlanes | None:
    said = tiff.imagej_metadata or {}
    sizes = {"T": int(said.get("frames", 1)), "Z": int(said.get("slices", 1)), "C": int(said.get("channels", 1))}
    if min(sizes.values()) < 1 or sizes["T"] * sizes["Z"] * sizes["C"] != n_pages:
        return None  # an older ImageJ that tells the number of images only, or a file that was cut
    labels = said.get("Labels")
    labels = [str(one) for one in labels] if isinstance(labels, list) else []
    names = [""] * sizes["C"]
    if sizes["C"] == len(labels) == n_pages or (labels and labels[: sizes["C"]] * (n_pages // sizes["C"]) == labels):
        names = labels[: sizes["C"]]
    resolution = tiff.pages.first.tags.get("XResolution")
    per_unit = resolution.value[0] / resolution.value[1] if resolution is not None and resolution.value[1] else 0
    width = _UM.get(str(said.get("unit", "")).casefold(), 0) / per_unit if per_unit else 0
    size = round(width, 6) if 0 < width < 1e6 else None
    return FilePlanes(_ordered(sizes, samples), _coloured(names, samples), pixel_size_um=size, told=True)


def _shaped_planes(description: str, n_pages: int, samples: tuple[int, ...]) -> FilePlanes | None:
    """Read the axes that tifffile wrote, where they were given to it."""
    if not description.startswith("{"):
        return None
    said: Any = json.loads(description[: 2**16])
    axes, shape = (said.get("axes"), said.get("shape")) if isinstance(said, dict) else (None, None)
    if not isinstance(axes, str) or not isinstance(shape, list) or len(axes) != len(shape):
        return None
    sizes = {axis: int(n) for axis, n in zip(axes, shape, strict=True) if axis in "TZC"}
    others = [n for axis, n in zip(axes, shape, strict=True) if axis not in "TZCYXS" and n != 1]
    n_planes = 1
    for n in sizes.values():
        n_planes *= n
    if others or len(set(axes)) < len(axes) or n_planes != n_pages:
        return None
    names = said.get("Channel", {}).get("Name") if isinstance(said.get("Channel"), dict) else None
    n_channels = sizes.get("C", 1)
    if not (isinstance(names, list) and len(names) == n_channels):
        names = [""] * n_channels
    return FilePlanes(_ordered(sizes, samples), _coloured([str(name) for name in names], samples), told=True)


def _ome_planes(path: Path, images: list[OmeImage], samples: tuple[int, ...]) -> FilePlanes:
    """Take the planes that lie in this file, and those in files that stand beside it."""
    if not images:
        raise ImageReadError(f"{path}: its OME-XML tells of no image. Export the image again.")
    most = max(images, key=lambda image: len(image.channels))
    planes: list[FilePlane] = []
    own = {plane.file for image in images for plane in image.planes}
    renamed = own if len(own) == 1 else {path.name}
    for scene, image in enumerate(images):
        starts, names = [0], image.channels
        for _, n in names:
            starts.append(starts[-1] + n)
        for plane in image.planes:
            file = "" if plane.file in renamed or not plane.file else _beside(plane.file)
            for i in range(names[plane.channel][1]):
                sample = i + 1 if names[plane.channel][1] > 1 else samples[0]
                planes.append(
                    FilePlane(
                        scene, starts[plane.channel] + i, plane.z + 1, plane.timepoint + 1, plane.page, sample, file
                    )
                )
    n_planes = len(planes)
    if n_planes > MAX_PAGES:
        raise ImageReadError(f"{path}: its OME-XML claims {n_planes} planes: refused.")
    return FilePlanes(
        tuple(planes),
        _ome_channels(most),
        tuple(Scene(image.name, image.well, image.field) for image in images),
        images[0].pixel_size_um,
        told=True,
    )


def _ome_channels(image: OmeImage) -> tuple[str, ...]:
    names: list[str] = []
    for name, n in image.channels:
        if n == 1:
            names.append(name)
        else:
            lone = len(image.channels) == 1
            colours = COLOURS if n == len(COLOURS) else tuple(str(i + 1) for i in range(n))
            names += [colour if lone else f"{name} {colour}".strip() for colour in colours]
    return channel_names(names)


def _beside(name: str) -> str:
    """Let pass only a file in the same folder or below it."""
    return str(PurePosixPath(safe_relative(name)))
