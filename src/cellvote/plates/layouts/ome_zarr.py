"""OME-Zarr (NGFF): plates, single images, and what bioformats2raw writes; Zarr formats 2 and 3."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, NamedTuple

from cellvote.errors import ImageReadError, LayoutError
from cellvote.plates.acquisition import MAX_NUMBER, Acquisition, FieldKey, plane_table, safe_relative
from cellvote.plates.layouts.base import MAX_FILES, Folder
from cellvote.plates.layouts.named_groups import natural, plate_of
from cellvote.plates.ngff import Plate, Well, parse
from cellvote.plates.wells import parse_column, parse_row, parse_well, well_name
from cellvote.plates.zarr_image_table import ImageTable, Listed
from cellvote.plates.zarr_images import ZarrImage, read_image
from cellvote.plates.zarr_metadata import read_attributes

_N_TRIED: Final = 5
_CODE_LENGTH: Final = 6
_N_THREADS: Final = 8
_MAX_SERIES: Final = 10_000
_SUFFIX: Final = re.compile(r"(?:\.ome)?\.zarr$|\.ngff$", re.IGNORECASE)
_WELL_IN_NAME: Final = re.compile(r"(?:^|(?<=[_\-. ]))(?P<row>A?[A-P])_?(?P<column>\d{1,2})(?=[_\-. ]|$)")

Kind = Literal["plate", "well", "series", "image"]


class OmeZarr:
    """Stores as the NGFF has them: what their metadata say is read, never the names of their folders."""

    name = "ome-zarr"
    example = "plate.ome.zarr"

    def recognise(self, folder: Folder) -> float:
        """Sure where a store has OME-Zarr metadata; less so where other images lie beside it."""
        if not any(_kind(folder.path / store) for store in folder.stores[:_N_TRIED]):
            return 0.0
        return 0.9 if folder.images else 1.0

    def read(self, folder: Folder) -> Acquisition:
        """Index every image of every store."""
        listed, told = _list_images(folder)
        if not listed:
            reason = f" ({told[0]})" if told else ""
            raise LayoutError(f"{folder.path}: no image has a name like {self.example}{reason}.")
        found, unread = _read_images(folder.path, listed)
        if not found:
            raise LayoutError(f"{folder.path}: none of its {len(listed)} images can be read. {next(iter(unread))}")
        table = ImageTable(found)
        n_planes = sum(math.prod(image.shape[:-2]) for _, image in found)
        if n_planes > MAX_FILES:
            raise LayoutError(f"{folder.path}: its metadata claim {n_planes} image planes: refused.")
        problems = [*told, *_told_of_unread(unread, len(listed)), *table.problems()]
        return Acquisition(
            folder.path,
            self.name,
            plane_table(table.planes()),
            table.channels,
            pixel_size_um=table.pixel_size_um,
            plate_map=table.image_names(),
            problems=tuple(problems),
            positions=table.positions(),
            label_images=table.label_images(),
        )


class _Metadata(NamedTuple):
    kind: Kind
    attributes: dict[str, Any]


def _kind(store: Path) -> Kind | None:
    found = _metadata(store)
    return found.kind if found else None


def _metadata(store: Path) -> _Metadata | None:
    """Say what a group is; None where it is nothing of OME-Zarr, or cannot be read."""
    try:
        attributes = read_attributes(store, store)
    except ImageReadError:
        return None
    keys: tuple[tuple[str, Kind], ...] = (
        ("plate", "plate"),
        ("well", "well"),
        ("multiscales", "image"),
        ("bioformats2raw.layout", "series"),
    )
    return next((_Metadata(kind, attributes) for key, kind in keys if attributes and key in attributes), None)


def _list_images(folder: Folder) -> tuple[list[Listed], list[str]]:
    """List the images of every store, and tell what cannot be listed."""
    listed: list[Listed] = []
    singles: list[tuple[str, str]] = []
    told: list[str] = []
    plates: list[tuple[str, str, Plate]] = []
    for store in folder.stores:
        path = folder.path / store
        found = _metadata(path)
        if found is None:
            told.append(f"{path.name} is a Zarr store without OME-Zarr metadata, and was left out.")
        elif found.kind == "plate":
            plate = _whole(Plate, found.attributes["plate"], path)
            plates.append((store, plate.name or "", plate))
        elif found.kind == "well":
            listed += _images_of_lone_well(folder, store, found.attributes)
        elif found.kind == "series":
            singles += [(store, _below(store, number)) for number in _series(path)]
        else:
            singles.append((store, store))
    names = Counter(name for _, name, _ in plates)
    stems = Counter(_stem(folder, store) for store, _, _ in plates)
    for store, name, plate in plates:
        stem = _stem(folder, store)
        own = name if name.strip() and names[name] == 1 else stem if stems[stem] == 1 else _SUFFIX.sub("", store)
        of_plate, problems = _images_of_plate(folder, store, own, plate)
        listed += of_plate
        told += problems
    listed += _single_images(folder, singles)
    twice = next((one for one, n in Counter(image[:3] for image in listed).items() if n > 1), None)
    if twice is not None:
        raise LayoutError(f"{folder.path}: two images are {FieldKey(*twice)}. Read their stores one by one.")
    return listed, told


def _whole(model: type[Plate] | type[Well], content: Any, where: Path) -> Any:
    """Check the metadata of a plate or well, without which nothing can be read."""
    try:
        return parse(model, content, where)
    except ImageReadError as error:
        raise LayoutError(str(error)) from error


def _stem(folder: Folder, store: str) -> str:
    return _SUFFIX.sub("", (folder.path / store).name if store != "." else folder.path.name)


def _below(store: str, path: str) -> str:
    return path if store == "." else f"{store}/{path}"


def _images_of_plate(folder: Folder, store: str, name: str, plate: Plate) -> tuple[list[Listed], list[str]]:
    root = folder.path / store
    wells: list[tuple[str, str]] = []
    told: list[str] = []
    for path in dict.fromkeys(safe_relative(well.path) for well in plate.wells):
        well = _well_of(path)
        if well:
            wells.append((well, path))
        else:
            told.append(f"{name}: {path} is no well of a plate, and was left out.")
    images: dict[str, list[str]] = {}
    absent: list[str] = []

    def read_well(path: str) -> list[str] | None:
        try:
            attributes = read_attributes(root / path, root)
            content = (attributes or {}).get("well")
            return None if content is None else [safe_relative(one.path) for one in parse(Well, content, path).images]
        except ImageReadError:
            return None

    with ThreadPoolExecutor(_N_THREADS) as threads:
        for (well, path), found in zip(wells, threads.map(read_well, [path for _, path in wells]), strict=True):
            if found is None:
                absent.append(well)
            else:
                images.setdefault(well, []).extend(f"{path}/{image}" for image in found)
    if absent:
        told.append(
            f"{name}: {len(absent)} of {len(wells)} wells cannot be read (such as {absent[0]}), and were left out. "
            "Copy them again."
        )
    if plate.acquisitions is not None and len(plate.acquisitions) > 1:
        told.append(
            f"{name}: was imaged in {len(plate.acquisitions)} acquisitions; their images are numbered as fields of a "
            "well. Where they show the same place again, read them one by one."
        )
    numbered = _field_numbers(images)
    return [
        Listed(name, well, field, _below(store, path), store)
        for well, fields in numbered.items()
        for path, field in fields
    ], told


def _well_of(path: str) -> str:
    parts = path.split("/")
    try:
        return well_name(parse_row(parts[0]), parse_column(parts[1])) if len(parts) == 2 else parse_well(path)
    except ValueError:
        return ""


def _field_numbers(images: dict[str, list[str]]) -> dict[str, list[tuple[str, int]]]:
    """Number the images of each well: by their names where these are numbers, else by their places in the list."""
    names = {well: [PurePosixPath(path).name for path in paths] for well, paths in images.items()}
    flat = [name for of_well in names.values() for name in of_well]
    numbers = flat and all(name.isascii() and name.isdecimal() and int(name) < MAX_NUMBER for name in flat)
    distinct = numbers and all(len({int(name) for name in of_well}) == len(of_well) for of_well in names.values())
    if not distinct:
        return {well: [(path, i) for i, path in enumerate(paths, start=1)] for well, paths in images.items()}
    known = sorted({int(name) for name in flat})
    from_zero = known[0] == 0
    coded = min(map(len, flat)) >= _CODE_LENGTH  # iohub writes column and row of the field, three digits each
    places = {number: i if coded else number + from_zero for i, number in enumerate(known, start=1)}
    return {
        well: [(path, places[int(name)]) for path, name in zip(paths, names[well], strict=True)]
        for well, paths in images.items()
    }


def _images_of_lone_well(folder: Folder, store: str, attributes: dict[str, Any]) -> list[Listed]:
    """Read a well that was given alone: its place is in the names of its folders."""
    path = folder.path / store
    well = _whole(Well, attributes["well"], path)
    place = _well_of(f"{path.parent.name}/{path.name}")
    images = [safe_relative(image.path) for image in well.images]
    numbered = _field_numbers({place: images})[place]
    plate = _SUFFIX.sub("", path.parent.parent.name) or "plate"
    return [Listed(plate, place, field, _below(store, image), store) for image, field in numbered]


def _series(store: Path) -> list[str]:
    """List the images that bioformats2raw wrote: those that ``OME`` names, else 0, 1, 2, … as far as they go."""
    try:
        attributes = read_attributes(store / "OME", store) or {}
    except ImageReadError:
        attributes = {}
    named = attributes.get("series")
    if isinstance(named, list) and named and len(named) <= _MAX_SERIES:
        return [safe_relative(str(one)) for one in named]
    found: list[str] = []
    while len(found) < _MAX_SERIES and (store / str(len(found))).is_dir():
        found.append(str(len(found)))
    return found


def _single_images(folder: Folder, images: Sequence[tuple[str, str]]) -> list[Listed]:
    """Number images that no plate names; their well is read from the name of the store where every one tells it."""
    places = {store: _place_in_name(_stem(folder, store)) for store, _ in images}
    with_wells = all(well for _, well in places.values())
    listed: list[Listed] = []
    counts: Counter[tuple[str, str]] = Counter()
    for store, path in sorted(images, key=lambda image: natural(image[1])):
        prefix, well = places[store] if with_wells else ("", "")
        below = str(PurePosixPath(store).parent)
        plate = prefix or _SUFFIX.sub("", plate_of(folder, "" if below == "." else below))
        counts[plate, well] += 1
        name = _stem(folder, store) if path == store else f"{_stem(folder, store)}_{PurePosixPath(path).name}"
        listed.append(Listed(plate, well, counts[plate, well], path, store, name))
    return listed


def _place_in_name(stem: str) -> tuple[str, str]:
    """Find the well in the name of a store, and the plate before it; both empty where it tells none, or several."""
    found = list(_WELL_IN_NAME.finditer(stem))
    if len(found) != 1:
        return "", ""
    try:
        well = well_name(parse_row(found[0]["row"]), parse_column(found[0]["column"]))
    except ValueError:
        return "", ""
    return stem[: found[0].start()].rstrip("_-. "), well


def _read_images(folder: Path, listed: Sequence[Listed]) -> tuple[list[tuple[Listed, ZarrImage]], list[str]]:
    """Read the metadata of every image; where only some lack full resolution, these are not read coarser."""

    def read(one: Listed, *, whole_level: bool = True) -> ZarrImage | ImageReadError:
        try:
            return read_image(folder / one.path, folder / one.store, whole_level=whole_level)
        except ImageReadError as error:
            return error

    found, unread = _mapped(read, listed)
    if len({image.level for _, image in found}) > 1:

        def read_finest(one: Listed) -> ZarrImage | ImageReadError:
            return read(one, whole_level=False)

        found, unread = _mapped(read_finest, listed)
    return found, unread


def _mapped(
    read: Callable[[Listed], ZarrImage | ImageReadError], listed: Sequence[Listed]
) -> tuple[list[tuple[Listed, ZarrImage]], list[str]]:
    found: list[tuple[Listed, ZarrImage]] = []
    unread: list[str] = []
    with ThreadPoolExecutor(_N_THREADS) as threads:
        for one, image in zip(listed, threads.map(read, listed), strict=True):
            if isinstance(image, ImageReadError):
                unread.append(str(image))
            else:
                found.append((one, image))
    return found, unread


def _told_of_unread(unread: Sequence[str], n_listed: int) -> list[str]:
    if not unread:
        return []
    return [f"{len(unread)} of {n_listed} images cannot be read and were left out. The first: {unread[0]}"]
