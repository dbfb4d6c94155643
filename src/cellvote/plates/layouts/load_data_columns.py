"""What the columns of a CellProfiler image table mean: files, places and what was done to a well."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from cellvote.plates.pixels import IMAGE_SUFFIXES
from cellvote.plates.plate_maps.columns import COLUMN_NAMES, PLATE_NAMES, ROW_NAMES, WELL_NAMES, plain

_FILE_COLUMN: Final = re.compile(
    r"(?:^|.*_)(?P<kind>FileName|PathName|URL|Frame|Series|Height|Width|MD5Digest|Scaling)_(?P<channel>.+)",
    re.IGNORECASE,
)
_METADATA: Final = re.compile(r"(?:^|.*_)Metadata_(?P<name>.+)", re.IGNORECASE)
_MEASURED: Final = re.compile(
    r"(?:^|.*_)(?:ExecutionTime|ModuleError|ImageSet|Group|Count|Threshold|Intensity|Granularity|ImageQuality|AreaOccupied|"
    r"Correlation|Texture|Channel|ImageNumber|TableNumber)(?:_.*|$)",
    re.IGNORECASE,
)
_OF_INPUTS: Final = frozenset({"frame", "series", "height", "width", "md5digest", "scaling"})

_FIELD_NAMES: Final = (
    *("site", "field", "fieldid", "fov", "fieldofview", "siteid", "sitenumber", "fieldnumber", "fieldindex"),
    *("imagesite", "fieldofviewid", "position", "fovid"),
)
_Z_NAMES: Final = ("z", "zplane", "zslice", "zindex", "zstep", "plane", "planeid", "zposition", "slice", "zid")
_TIME_NAMES: Final = ("t", "timepoint", "time", "timepointid", "timeindex", "timeid", "tindex")
_TECHNICAL: Final = frozenset(
    {
        *("imagenumber", "tablenumber", "groupindex", "groupnumber", "imageset", "frame", "series", "filelocation"),
        *("imagesizex", "imagesizey", "binningx", "binningy", "maxintensity", "cameratype", "channelid"),
        *("channelname", "channeltype", "channelcolor", "imageresolutionx", "imageresolutiony", "positionx"),
        *("positiony", "positionz", "abspositionz", "measurementtimeoffset", "abstime", "mainexcitationwavelength"),
        *("c", "mainemissionwavelength", "objectivemagnification", "objectivena", "exposuretime", "flimid"),
        *("imagetype", "acquisitiontype", "illuminationtype", "orientationmatrix", "siteid", "imageid", "wellid"),
        *("objectnumber", "colorformat", "sizec", "sizet", "sizex", "sizey", "sizez"),
    }
)


@dataclass(frozen=True)
class FileColumns:
    """The columns that name the files of one channel; empty where there is none of the kind."""

    file: str = ""
    folder: str = ""
    url: str = ""
    frame: str = ""
    series: str = ""


@dataclass(frozen=True)
class ImageColumns:
    """What the columns of an image table mean.

    Attributes
    ----------
    channels
        By the name of the channel, the columns that name its files.
    left_out
        Columns of files that are no images of the microscope: illumination functions and saved results.
    well, row, column, plate, field, z, timepoint
        The columns that say where; empty where there is none.
    described
        By the name that it has on the plate map, each column that may say what was done to a well.
    """

    channels: dict[str, FileColumns]
    left_out: tuple[str, ...] = ()
    well: str = ""
    row: str = ""
    column: str = ""
    plate: str = ""
    field: str = ""
    z: str = ""
    timepoint: str = ""
    described: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def has_wells(self) -> bool:
        """Whether the table tells wells apart."""
        return bool(self.well or (self.row and self.column))


def names_files(header: Iterable[str]) -> bool:
    """Whether a table with these columns names images, one row for each set of them (and not for each cell)."""
    names = list(header)
    kinds = {match["kind"].casefold() for match in map(_FILE_COLUMN.fullmatch, names) if match}
    return bool(kinds & {"filename", "url"}) and not any(plain(name).endswith("objectnumber") for name in names)


def find_columns(table: pd.DataFrame) -> ImageColumns:
    """Say what the columns of an image table mean, from their names and, for files, from how these end."""
    files, left_out = _channels(table)
    used = {name for name in table.columns if _FILE_COLUMN.fullmatch(name)}
    by_name: dict[str, str] = {}
    described: dict[str, str] = {}
    suffixes = tuple(f"_{channel.casefold()}" for channel in files)
    others = [name for name in map(str, table.columns) if name not in used]
    own_words = not any(_MEASURED.fullmatch(name) and not _is_counter(name) for name in others)
    for name in others:
        match = _METADATA.fullmatch(name)
        if not match and (not own_words or _is_counter(name)):
            continue
        bare = _without_channel(match["name"] if match else name, suffixes)
        by_name.setdefault(plain(bare), name)
        if plain(bare) not in _TECHNICAL:
            described[name if bare in described.values() else bare] = name
    places = {
        what: next((by_name[one] for one in names if one in by_name), "")
        for what, names in (
            ("well", WELL_NAMES),
            ("row", ROW_NAMES),
            ("column", COLUMN_NAMES),
            ("plate", PLATE_NAMES),
            ("field", _FIELD_NAMES),
            ("z", _Z_NAMES),
            ("timepoint", _TIME_NAMES),
        )
    }
    taken = set(places.values())
    described = {bare: name for bare, name in described.items() if name not in taken}
    return ImageColumns(_named(files), left_out, described=described, **places)


def harmony_column(table: pd.DataFrame, name: str) -> str:
    """Find one of the columns that are taken over from a Harmony index, such as ``Metadata_PositionX``."""
    return next((c for c in map(str, table.columns) if _METADATA.fullmatch(c) and plain(c) == name), "")


def _is_counter(name: str) -> bool:
    return plain(name.rpartition("_")[2]) in {"imagenumber", "tablenumber"}


def _without_channel(name: str, suffixes: Sequence[str]) -> str:
    """Take the channel off ``Well_DAPI``."""
    for suffix in suffixes:
        if name.casefold().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def _channels(table: pd.DataFrame) -> tuple[dict[str, FileColumns], tuple[str, ...]]:
    found: dict[str, dict[str, str]] = {}
    for name in map(str, table.columns):
        match = _FILE_COLUMN.fullmatch(name)
        if match:
            found.setdefault(match["channel"], {}).setdefault(match["kind"].casefold(), name)
    channels: dict[str, FileColumns] = {}
    left_out: list[str] = []
    with_sizes = any(_OF_INPUTS & set(kinds) for kinds in found.values())
    for channel, kinds in found.items():
        named = kinds.get("filename") or kinds.get("url")
        if not named:
            continue
        if _are_images(table[named]) and not (with_sizes and not _OF_INPUTS & set(kinds)):
            columns = (kinds.get(kind, "") for kind in ("filename", "pathname", "url", "frame", "series"))
            channels[channel] = FileColumns(*columns)
        else:
            left_out.append(named)
    return channels, tuple(left_out)


def _are_images(names: pd.Series) -> bool:
    """Whether any entry ends like an image: illumination functions are ``.npy`` or ``.mat``."""
    endings = {"." + name.rpartition(".")[2].casefold() for name in pd.unique(names) if name}
    return bool(endings & IMAGE_SUFFIXES)


def _named(channels: dict[str, FileColumns]) -> dict[str, FileColumns]:
    """Call ``OrigDNA`` plainly ``DNA``, where every channel is called so."""
    if all(re.match(r"Orig[^a-z]", name) for name in channels):
        return {name.removeprefix("Orig").lstrip("_"): columns for name, columns in channels.items()}
    return channels
