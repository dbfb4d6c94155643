"""OME-XML, the text in an OME-TIFF: which plane is which, what the channels are called, how large a pixel is."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from cellvote.errors import ImageReadError
from cellvote.plates.wells import well_name

MAX_BYTES: Final = 2**26
MAX_PLANES: Final = 10**6

_UM: Final = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6, "pm": 1e-6}
_AXES: Final = {"C": "channel", "Z": "z", "T": "timepoint"}


class OmePlane(NamedTuple):
    """One plane of an OME image; channel, z and timepoint are counted from 0, ``file`` is empty for the same file."""

    channel: int
    z: int
    timepoint: int
    page: int
    file: str


@dataclass(frozen=True)
class OmeImage:
    """One ``Image`` of an OME-XML text.

    Attributes
    ----------
    name
        What it is called.
    channels
        Names of the channels (empty where they have none), each with its number of samples: 3 for colours.
    planes
        Where each plane lies.
    pixel_size_um
        Width of a pixel, where it is told.
    well, field
        The well that it is of (``A01``), and which field of it, where the text tells of plates.
    """

    name: str
    channels: tuple[tuple[str, int], ...]
    planes: tuple[OmePlane, ...]
    pixel_size_um: float | None = None
    well: str = ""
    field: int = 0


def read_ome_xml(text: str, where: object) -> list[OmeImage]:
    """Read the images of an OME-XML text.

    Parameters
    ----------
    where
        The file, for messages.

    Raises
    ------
    ImageReadError
        Where the text is damaged or hostile, or claims more planes than any file has.
    """
    if len(text) > MAX_BYTES:
        raise ImageReadError(f"{where}: its OME-XML is larger than {MAX_BYTES // 2**20} MiB: refused.")
    try:
        root = fromstring(text, forbid_dtd=True)
        wells = _wells(root)
        images: list[OmeImage] = []
        first_page = 0
        for element in _children(root, "Image"):
            images.append(_image(element, wells, first_page))
            first_page += len(images[-1].planes)
            if first_page > MAX_PLANES:
                raise ImageReadError(f"{where}: its OME-XML claims more than {MAX_PLANES} planes: refused.")
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise ImageReadError(
            f"{where}: its OME-XML is damaged or hostile ({type(error).__name__}: {error}). Export the image again."
        ) from error
    return images


def _children(element: Element, tag: str) -> Iterator[Element]:
    return (child for child in element if str(child.tag).rpartition("}")[2] == tag)


def _image(element: Element, wells: dict[str, tuple[str, int]], first_page: int) -> OmeImage:
    pixels = next(_children(element, "Pixels"), None)
    if pixels is None:
        raise ValueError("an image without pixels")
    sizes = {axis: int(pixels.get(f"Size{axis}", "1")) for axis in _AXES}
    if min(sizes.values()) < 1 or sizes["C"] * sizes["Z"] * sizes["T"] > MAX_PLANES:
        raise ValueError(f"an image of {sizes['C']} channels, {sizes['Z']} z-planes and {sizes['T']} timepoints")
    channels = tuple((c.get("Name") or "", int(c.get("SamplesPerPixel", "1"))) for c in _children(pixels, "Channel"))
    if sum(samples for _, samples in channels) != sizes["C"] or any(samples < 1 for _, samples in channels):
        channels = tuple(("", 1) for _ in range(sizes["C"]))
    sizes["C"] = len(channels)
    width = float(pixels.get("PhysicalSizeX", "0")) * _UM.get(pixels.get("PhysicalSizeXUnit", "µm"), 0)
    well, number = wells.get(element.get("ID", ""), ("", 0))
    return OmeImage(
        element.get("Name") or "",
        channels,
        _planes(pixels, sizes, first_page),
        round(width, 6) if 0 < width < 1e6 else None,
        well,
        number,
    )


def _planes(pixels: Element, sizes: dict[str, int], first_page: int) -> tuple[OmePlane, ...]:
    """Follow the ``TiffData`` blocks; where there are none, the planes lie in order."""
    fast_first = [axis for axis in pixels.get("DimensionOrder", "XYZCT")[2:] if axis in _AXES]
    if sorted(fast_first) != sorted(_AXES):
        raise ValueError(f"the order of dimensions {pixels.get('DimensionOrder')!r}")
    order = [
        dict(zip(reversed(fast_first), place, strict=True))
        for place in product(*(range(sizes[axis]) for axis in reversed(fast_first)))
    ]
    numbers = {tuple(place[axis] for axis in "CZT"): i for i, place in enumerate(order)}
    found: dict[tuple[int, ...], OmePlane] = {}
    blocks = list(_children(pixels, "TiffData"))
    for block in blocks:
        start = tuple(int(block.get(f"First{axis}", "0")) for axis in "CZT")
        page = int(block.get("IFD", "0" if len(blocks) > 1 else str(first_page)))
        named = block.get("IFD") is not None or len(blocks) > 1
        count = int(block.get("PlaneCount", "1" if named else str(len(order))))
        uuid = next(_children(block, "UUID"), None)
        file = (uuid.get("FileName") or "") if uuid is not None else ""
        for i in range(min(count, len(order) - numbers[start])):
            place = order[numbers[start] + i]
            key = tuple(place[axis] for axis in "CZT")
            found[key] = OmePlane(key[0], key[1], key[2], page + i, file)
    if not blocks:
        found = {key: OmePlane(key[0], key[1], key[2], first_page + i, "") for key, i in numbers.items()}
    return tuple(found[key] for key in sorted(found))


def _wells(root: Element) -> dict[str, tuple[str, int]]:
    """Say of each image in which well of the first plate it is, and which field of it."""
    found: dict[str, tuple[str, int]] = {}
    for plate in list(_children(root, "Plate"))[:1]:
        for well in _children(plate, "Well"):
            name = well_name(int(well.get("Row", "0")) + 1, int(well.get("Column", "0")) + 1)
            for number, sample in enumerate(_children(well, "WellSample"), start=1):
                for image in _children(sample, "ImageRef"):
                    found.setdefault(image.get("ID", ""), (name, number))
    return found
