"""Which field a file of masks is of, told by its name: that of the image and what stands behind it, or a pattern."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from cellvote.errors import SegmentationError, SettingsError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import IMAGE_SUFFIXES
from cellvote.study import Study
from cellvote.study.places import field_file

KNOWN_ENDS: Final = ("_cp_masks", "_masks", "_mask", "_labels", "_label")
"""What masks are usually called, behind the name of their image; Cellpose's comes first."""

_STORE: Final = re.compile(r"(?:\.ome)?\.zarr$", re.IGNORECASE)


def stem_of(path: str) -> str:
    """Take the name of a file without its folders, its ending, and ``.ome``."""
    name = PurePosixPath(path)
    stem = name.stem if name.suffix.lower() in IMAGE_SUFFIXES else name.name
    return stem[:-4] if stem.lower().endswith(".ome") else stem


class ImageNames:
    """The names of a study's images, and the fields that they are of."""

    def __init__(self, study: Study) -> None:
        self._places: dict[str, list[tuple[tuple[str, ...], FieldKey]]] = defaultdict(list)
        self.stem_of_field: dict[FieldKey, str] = {}
        planes = study.planes[["plate", "well", "field", "path"]].drop_duplicates()
        for plate, well, number, path in planes.itertuples(index=False, name=None):
            key = FieldKey(str(plate), str(well), int(number))
            parts = PurePosixPath(path).parts
            stores = [i for i, part in enumerate(parts) if _STORE.search(part)]
            stem = _STORE.sub("", parts[stores[0]]) if stores else stem_of(path)
            place = ((key.plate, *parts[: stores[0] if stores else -1]), key)
            if place not in self._places[stem]:
                self._places[stem].append(place)
            self.stem_of_field.setdefault(key, stem)

    def __contains__(self, stem: str) -> bool:
        return stem in self._places

    def fields_named(self, stem: str, path: str) -> list[FieldKey]:
        """Give the fields of images of this name; of images in several folders, those whose folders the path shares."""
        places = self._places.get(stem, [])
        if len({key for _, key in places}) > 1:
            folders = {part.casefold() for part in PurePosixPath(path).parts[:-1]}
            shared = [len({part.casefold() for part in parents} & folders) for parents, _ in places]
            places = [place for place, n in zip(places, shared, strict=True) if n == max(shared)]
        return list(dict.fromkeys(key for _, key in places))

    def split(self, stem: str) -> tuple[str, str] | None:
        """Split the name of a file into that of an image and what stands behind it; None where it begins with none."""
        for end in range(len(stem), 0, -1):
            if stem[:end] in self._places and (end == len(stem) or not stem[end].isalnum()):
                return stem[:end], stem[end:]
        return None


@dataclass
class Named:
    """Which files are of which field.

    Attributes
    ----------
    of_field
        The files of each field; there should be one.
    extra
        Files that are of no field of the study.
    aside
        Files with another end of their names than the one that was taken.
    suffix
        What stands behind the names of the images.
    """

    of_field: dict[FieldKey, list[str]] = field(default_factory=lambda: defaultdict(list))
    extra: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    suffix: str = ""


def by_suffix(names: ImageNames, paths: Sequence[str], suffix: str | None, setting: str) -> Named:
    """Tell files by the name of their image, followed by a suffix.

    Parameters
    ----------
    paths
        POSIX paths below the folder of masks.
    suffix
        None: the usual one of `KNOWN_ENDS`, else the only one that there is.
    setting
        What the suffix is called, for messages.

    Raises
    ------
    SegmentationError
        Where there are several, and none is usual.
    """
    ended = {path: _split(names, stem_of(path), suffix) for path in paths}
    found: dict[str, list[str]] = defaultdict(list)
    for path, parts in ended.items():
        if parts is not None:
            found[parts[1]].append(path)
    named = Named(extra=[path for path, parts in ended.items() if parts is None])
    if not found:
        return named
    named.suffix = _choose(found, setting) if suffix is None else next(iter(found))
    for end, files in found.items():
        if end != named.suffix:
            named.aside += files
            continue
        for path in files:
            _file(named, path, names.fields_named(ended[path][0], path))  # type: ignore[index]
    return named


def _split(names: ImageNames, stem: str, suffix: str | None) -> tuple[str, str] | None:
    if suffix is None:
        return names.split(stem)
    suffix = stem_of(suffix) if PurePosixPath(f"x{suffix}").suffix.lower() in IMAGE_SUFFIXES else suffix
    image = stem[: len(stem) - len(suffix)]
    return (image, suffix) if stem.endswith(suffix) and image in names else None


def _choose(found: Mapping[str, Sequence[str]], setting: str) -> str:
    if len(found) == 1:
        return next(iter(found))
    by_case = {end.casefold(): end for end in found}
    for known in KNOWN_ENDS:
        if known in by_case:
            return by_case[known]
    counts = Counter({end: len(files) for end, files in found.items()})
    listed = ", ".join(f"{end or '(nothing)'} ({n} files)" for end, n in counts.most_common(6))
    raise SegmentationError(
        f"the files in the folder of masks end in several ways behind the names of the images: {listed}. Choose one "
        f"with --set {setting}={counts.most_common(1)[0][0] or '…'}"
    )


def _file(named: Named, path: str, fields: Sequence[FieldKey]) -> None:
    if not fields:
        named.extra.append(path)
    for key in fields:
        named.of_field[key].append(path)


def by_study_names(fields: Sequence[FieldKey], paths: Iterable[str]) -> Named:
    """Tell files by the names that a study gives them: ``PLATE/WELL_fN.tif``."""
    files = {field_file(key, ".tif").as_posix(): key for key in fields}
    named = Named()
    for path in paths:
        _file(named, path, [files[path]] if path in files else [])
    return named


def by_image_pattern(names: ImageNames, paths: Iterable[str], pattern: re.Pattern[str]) -> Named:
    """Tell files by a pattern whose group ``image`` finds the name of their image."""
    named = Named()
    for path in paths:
        match = pattern.fullmatch(path) or pattern.fullmatch(path[path.rfind("/") + 1 :])
        if match is None:
            named.aside.append(path)
        else:
            _file(named, path, names.fields_named(stem_of(match["image"]), path))
    return named


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern that a user wrote.

    Raises
    ------
    SettingsError
        Where it is no regular expression.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"the pattern {pattern!r} is not a regular expression: {error}.") from error
