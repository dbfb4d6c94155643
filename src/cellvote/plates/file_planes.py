"""What one file holds: its planes (channels, z, time, scenes), the channels' names and the size of a pixel."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from cellvote.errors import ImageReadError
from cellvote.plates.pixels import CELLOMICS_SUFFIX, CONTAINER_SUFFIXES, TIFF_SUFFIXES, read_colours

COLOURS: Final = ("red", "green", "blue")


class FilePlane(NamedTuple):
    """One plane of a file.

    ``scene`` and ``channel`` are counted from 0, ``z`` and ``timepoint`` from 1; ``page`` and ``sample`` are as in an
    image-plane table. ``file`` is the name of the file beside this one that holds it, and empty for this one.
    """

    scene: int
    channel: int
    z: int
    timepoint: int
    page: int
    sample: int = 0
    file: str = ""


class Scene(NamedTuple):
    """One position of a file with several; ``well`` and ``field`` where the file tells them."""

    name: str = ""
    well: str = ""
    field: int = 0


@dataclass(frozen=True)
class FilePlanes:
    """What one file holds.

    Attributes
    ----------
    planes
        Its planes.
    channels
        Names of its channels; a channel that has no name is called ``ChannelN``.
    scenes
        Its positions; most files have one.
    pixel_size_um
        Width of a pixel, where the file tells it.
    told
        Whether the file itself says which plane is which; else its planes are merely numbered, as channels.
    """

    planes: tuple[FilePlane, ...]
    channels: tuple[str, ...]
    scenes: tuple[Scene, ...] = (Scene(),)
    pixel_size_um: float | None = None
    told: bool = False


def file_planes(path: Path) -> FilePlanes:
    """Read the header of one file.

    Raises
    ------
    ImageReadError
        Where the file is missing, damaged or hostile.
    """
    suffix = path.suffix.lower()
    if suffix in CONTAINER_SUFFIXES:
        from cellvote.plates.container_planes import container_planes

        return container_planes(path)
    if suffix in TIFF_SUFFIXES:
        from cellvote.plates.tiff_planes import tiff_planes

        return tiff_planes(path)
    if suffix == CELLOMICS_SUFFIX:
        from cellvote.plates.c01_planes import c01_pixel_size

        return FilePlanes((FilePlane(0, 0, 1, 1, 0),), ("Channel1",), pixel_size_um=c01_pixel_size(path))
    return _picture_planes(path)


def channel_names(names: list[str]) -> tuple[str, ...]:
    """Give every channel a name of its own."""
    named = [name.strip() or f"Channel{i}" for i, name in enumerate(names, start=1)]
    if len(set(named)) < len(named):
        named = [f"{name} {i}" if named.count(name) > 1 else name for i, name in enumerate(named, start=1)]
    return tuple(named)


def _picture_planes(path: Path) -> FilePlanes:
    """Take a picture for grey where all its colours are alike, and for three channels where they are not."""
    try:
        with Image.open(path, formats=("PNG", "JPEG", "JPEG2000", "BMP")) as image:
            coloured = image.mode not in {"1", "L", "I", "I;16", "I;16B", "F"}
    except (OSError, SyntaxError, ValueError, Warning, Image.DecompressionBombError) as error:
        raise ImageReadError(f"{path}: the file is damaged ({error}). Copy it again, or leave it out.") from error
    if not coloured or np.ndim(read_colours(path)) == 2:
        return FilePlanes((FilePlane(0, 0, 1, 1, 0),), ("Channel1",))
    planes = tuple(FilePlane(0, i, 1, 1, 0, sample=i + 1) for i in range(len(COLOURS)))
    return FilePlanes(planes, COLOURS, told=True)
